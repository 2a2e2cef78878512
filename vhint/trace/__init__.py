"""The typed events of an exchange, their recording and their JSON lines."""

from vhint.trace.events import Event
from vhint.trace.recorder import Recorder, read_trace

__all__ = ["Event", "Recorder", "read_trace"]
