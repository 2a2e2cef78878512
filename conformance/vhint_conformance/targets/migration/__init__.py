"""Live migrations as an oracle: what reached the destination, and what did not."""

from vhint_conformance.targets.migration.arrived import AllBut, Arrived, Received
from vhint_conformance.targets.migration.stream import StreamError, read_stream

__all__ = ["AllBut", "Arrived", "Received", "StreamError", "read_stream"]
