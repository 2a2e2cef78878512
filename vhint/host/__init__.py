"""The reference device (host side), without I/O."""

from vhint.host.context import ALL_FEATURES, EVERY_FEATURE, DeviceOptions, Tally
from vhint.host.device import Device, DeviceFactory
from vhint.host.hint_policy import DiscardHints, HintPolicy, RecordHints
from vhint.host.reclaim import (
    Discarded,
    DropAnonymous,
    Failure,
    KeepEverything,
    PunchHoles,
    Reclaimer,
    Simulated,
    reclaimer_for,
)
from vhint.host.write_log import NotedWrites, NothingKnown, WriteLog

__all__ = [
    "ALL_FEATURES",
    "EVERY_FEATURE",
    "Device",
    "DeviceFactory",
    "DeviceOptions",
    "DiscardHints",
    "Discarded",
    "DropAnonymous",
    "Failure",
    "HintPolicy",
    "KeepEverything",
    "NotedWrites",
    "NothingKnown",
    "PunchHoles",
    "Reclaimer",
    "RecordHints",
    "Simulated",
    "Tally",
    "WriteLog",
    "reclaimer_for",
]
