"""A device without rings and registers: its protocol logic alone, which is most of what is judged.

Whoever implements `ProtocolLogic` is shown requests and answers with effects; `LogicDevice` makes
a whole device of it, whose virtqueues and registers are vhint's.
"""

from vhint_conformance.logic.device import LogicDevice, as_device
from vhint_conformance.logic.effects import (
    ConfigChanged,
    Discard,
    Effect,
    NeedsReset,
    Use,
    Write,
)
from vhint_conformance.logic.interface import CAN, Buffer, Effects, ProtocolLogic
from vhint_conformance.logic.scope import supplied

__all__ = [
    "CAN",
    "Buffer",
    "ConfigChanged",
    "Discard",
    "Effect",
    "Effects",
    "LogicDevice",
    "NeedsReset",
    "ProtocolLogic",
    "Use",
    "Write",
    "as_device",
    "supplied",
]
