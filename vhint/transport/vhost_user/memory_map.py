"""Guest memory as a front end describes it: regions, each with three addresses and a file.

A region's *user address* is where the front end itself has mapped it; rings are placed by those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from vhint.ring import FilePart, SeveralFiles
from vhint.spans import PAGE, Span
from vhint.transport.vhost_user.connection import Refused
from vhint.wire.vhost_user import MemoryRegion

MAX_MEMORY = 1 << 42
"""Bytes of the most guest memory that is mapped."""

_LIMIT = 1 << 63
"""Addresses and offsets end below this: file offsets do on any Linux."""


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """Regions in the order of the table, and the memory that they are."""

    regions: tuple[MemoryRegion, ...]
    memory: SeveralFiles

    @classmethod
    def of(cls, regions: Sequence[MemoryRegion], fds: Sequence[int]) -> MemoryMap:
        """Map the regions; the descriptors stay the caller's.  Raises `Refused`."""
        check(regions)
        parts = [
            FilePart(region.guest_address, region.size, fd, region.mmap_offset)
            for region, fd in zip(regions, fds, strict=True)
        ]
        try:
            return cls(tuple(regions), SeveralFiles(parts))
        except (ValueError, OSError) as error:
            raise Refused(f"memory table: {error}") from None

    def to_guest(self, user_address: int, length: int) -> int:
        """Return the guest physical address of memory that is all in one region."""
        for region in self.regions:
            inner = user_address - region.user_address
            if inner >= 0 and inner + length <= region.size:
                return region.guest_address + inner
        at = Span(user_address, length)
        known = ", ".join(str(Span(region.user_address, region.size)) for region in self.regions)
        raise Refused(f"ring part at user address {at} is not inside guest memory: {known}")

    def with_region(self, region: MemoryRegion, fd: int) -> MemoryMap:
        """Return a new map that has one region more."""
        fds = self.memory.fds()
        return MemoryMap.of([*self.regions, region], [*fds, fd])

    def without_region(self, region: MemoryRegion) -> MemoryMap:
        """Return a new map that lacks one region.

        Raises `Refused` if there is no such region, or no other.
        """
        same = [
            known
            for known in self.regions
            if (known.guest_address, known.size, known.user_address)
            == (region.guest_address, region.size, region.user_address)
        ]
        if not same:
            raise Refused(f"REM_MEM_REG of {region}, which is not known")
        fds = dict(zip(self.regions, self.memory.fds(), strict=True))
        del fds[same[0]]
        if not fds:
            raise Refused("REM_MEM_REG of the last region")
        return MemoryMap.of(list(fds), list(fds.values()))


def check(regions: Sequence[MemoryRegion]) -> None:
    """Raise `Refused` for regions that cannot be: misaligned, wrapping, overlapping, too many."""
    for number, region in enumerate(regions):
        where = f"memory table: region {number}"
        for name in ("guest_address", "size", "user_address", "mmap_offset"):
            value = getattr(region, name)
            if value % PAGE:
                raise Refused(f"{where}: {name} {value:#x} is not a multiple of {PAGE}")
        if not region.size:
            raise Refused(f"{where} is empty")
        for name in ("guest_address", "user_address", "mmap_offset"):
            if getattr(region, name) + region.size > _LIMIT:
                raise Refused(f"{where}: {name} and size go beyond {_LIMIT:#x}")
    total = sum(region.size for region in regions)
    if total > MAX_MEMORY:
        raise Refused(f"memory table: {total} bytes of memory; at most {MAX_MEMORY}")
    for name in ("guest_address", "user_address"):
        spans = sorted(Span(getattr(region, name), region.size) for region in regions)
        for one, other in pairwise(spans):
            if one.overlaps(other):
                raise Refused(f"memory table: regions {one} and {other} overlap ({name})")
