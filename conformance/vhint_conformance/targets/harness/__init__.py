"""The protocol `vhint-harness/1`: an implementation in any language, over its standard streams.

One JSON object a line; `vhint-harness-1.schema.json` in this folder describes every message.
"""

from vhint_conformance.targets.harness.connection import Connection, Introduction
from vhint_conformance.targets.harness.messages import PROTOCOL, ProtocolError
from vhint_conformance.targets.harness.process import HarnessProcess
from vhint_conformance.targets.harness.remote_logic import RemoteLogic
from vhint_conformance.targets.harness.schema import SCHEMA_FILE

__all__ = [
    "PROTOCOL",
    "SCHEMA_FILE",
    "Connection",
    "HarnessProcess",
    "Introduction",
    "ProtocolError",
    "RemoteLogic",
]
