"""Guest memory: zones with buddy lists, per-CPU lists, page cache, and the content of pages.

Not to be confused with `vhint.ring.GuestMemory`, which is the bytes: this is who has which page.
"""

from vhint.guest.memory.accounts import Account
from vhint.guest.memory.buddy import MAX_ORDER, Buddy
from vhint.guest.memory.content import Content, PatternContent, TagContent
from vhint.guest.memory.expectations import Corruption, pages_of, span_of
from vhint.guest.memory.ledger import Breach, PageLedger, PageLifeError
from vhint.guest.memory.lock import WouldWaitError, ZoneLock
from vhint.guest.memory.memory import Memory, MemoryOptions, OutOfMemoryError, Relief, cpu_name
from vhint.guest.memory.page_cache import KeepUntilPressure, NoCache, PageCache
from vhint.guest.memory.per_cpu import PerCpuList, PerCpuMarks
from vhint.guest.memory.zone import Watermarks, Zone, ZoneKind, ZoneSpec
from vhint.wire.blocks import Block

__all__ = [
    "MAX_ORDER",
    "Account",
    "Block",
    "Breach",
    "Buddy",
    "Content",
    "Corruption",
    "KeepUntilPressure",
    "Memory",
    "MemoryOptions",
    "NoCache",
    "OutOfMemoryError",
    "PageCache",
    "PageLedger",
    "PageLifeError",
    "PatternContent",
    "PerCpuList",
    "PerCpuMarks",
    "Relief",
    "TagContent",
    "Watermarks",
    "WouldWaitError",
    "Zone",
    "ZoneKind",
    "ZoneLock",
    "ZoneSpec",
    "cpu_name",
    "pages_of",
    "span_of",
]
