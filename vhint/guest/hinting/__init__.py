"""The talk's hinting: capture, re-check, isolation, requests, and the way back."""

from vhint.guest.hinting.counters import Counters, Missed
from vhint.guest.hinting.generations import (
    GENERATIONS,
    Batching,
    Blocking,
    Generation,
    Isolating,
)
from vhint.guest.hinting.hint_worker import HintWorker
from vhint.guest.hinting.hinting import Hinting
from vhint.guest.hinting.outstanding import HintRequest
from vhint.guest.hinting.settings import HintSettings

__all__ = [
    "GENERATIONS",
    "Batching",
    "Blocking",
    "Counters",
    "Generation",
    "HintRequest",
    "HintSettings",
    "HintWorker",
    "Hinting",
    "Isolating",
    "Missed",
]
