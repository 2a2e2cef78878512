"""Guest memory that a back end can map: a memfd, and the table that describes it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence

from vhint.ring import GuestMemory, Region
from vhint.spans import Span
from vhint.wire.vhost_user import MemoryRegion, MemoryRegions, MemoryTable

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
"""A back end holds the descriptor too: without the seals it could cut the file short under us."""


def create_ram(spans: Sequence[Span]) -> GuestMemory:
    """Make new, empty guest memory at these guest addresses, one after another in one memfd.

    >>> with create_ram([Span(0, 0x4000), Span(1 << 32, 0x8000)]) as memory:
    ...     [hex(region.offset) for region in memory.regions]
    ['0x0', '0x4000']
    """
    fd = os.memfd_create("vhint-ram", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        regions: list[Region] = []
        end = 0
        for span in spans:
            regions.append(Region(span.start, span.length, end))
            end += span.length
        os.ftruncate(fd, end)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
        return GuestMemory(fd, regions)
    finally:
        os.close(fd)


def memory_table(memory: GuestMemory, regions: Sequence[Region]) -> MemoryTable:
    """Return the table of SET_MEM_TABLE with some of the memory's regions.

    Every region's descriptor is the memory's own.
    """
    return MemoryTable(
        MemoryRegions.of(
            MemoryRegion(region.start, region.length, memory.address + region.offset, region.offset)
            for region in regions
        )
    )


def user_address(memory: GuestMemory, span: Span) -> int:
    """Return where a span of guest memory, in one region, is in this process."""
    return memory.address + memory.extents(span)[0][0]
