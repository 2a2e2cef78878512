"""Free page reporting: there is no payload, the device-writable buffers *are* the pages.

Source: VIRTIO 1.4, 5.5.6.6 Free Page Reporting. What the standard says of a buffer's form is
nothing beyond the general rules of a virtqueue; the rest is custom:

- *specified*: the buffers are device-writable; no length that the device reports as written is
  needed, so the safe used length is 0 (2.7.8: it wrote nothing it must tell of).
- *custom*: at most 32 buffers a chain (Linux); each a buddy block, so a power of two of pages,
  aligned to its size, at least of the order `pageblock_order` (Linux). QEMU skips a buffer that is
  not aligned to the host's page size, in address or length; so do others.
- *reasonable*: no buffer is empty, wraps around the address space or overlaps another one.

>>> check([Buffer(0x200000, 0x200000)], 4096)
()
>>> check([Buffer(0x200000, 0x1800)], 4096)
('buffer 0: length 0x1800 is not a multiple of the page size',)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

CAPACITY: Final = 32
"""The most buffers that Linux puts into one report, and the size of QEMU's queue."""
USED_LENGTH: Final = 0
"""The used length of a report."""
ADDRESS_LIMIT: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Buffer:
    """Free guest memory: `length` bytes from the guest physical address `addr` on."""

    addr: int
    length: int

    @property
    def end(self) -> int:
        """The address after the last byte."""
        return self.addr + self.length


def check(buffers: Sequence[Buffer], page_size: int) -> tuple[str, ...]:
    """Say in words what is unusual about a report, given the host's page size in bytes.

    None of it is a violation of the standard: an empty answer means that every known device will
    take every buffer. Raises `ValueError` if `page_size` is no power of two.
    """
    if page_size <= 0 or page_size & (page_size - 1):
        raise ValueError(f"a page size is a power of two, not {page_size}")
    found: list[str] = []
    if not buffers:
        found.append("no buffer")
    if len(buffers) > CAPACITY:
        found.append(f"{len(buffers)} buffers, more than {CAPACITY}")
    for i, buffer in enumerate(buffers):
        if buffer.addr % page_size:
            found.append(f"buffer {i}: address {buffer.addr:#x} is not a multiple of the page size")
        if buffer.length <= 0:
            found.append(f"buffer {i}: empty")
        elif buffer.length % page_size:
            length = f"{buffer.length:#x}"
            found.append(f"buffer {i}: length {length} is not a multiple of the page size")
        if buffer.addr < 0 or buffer.end > ADDRESS_LIMIT:
            found.append(f"buffer {i}: outside the address space")
    order = sorted(range(len(buffers)), key=lambda i: (buffers[i].addr, buffers[i].end))
    found += [
        f"buffers {min(i, j)} and {max(i, j)} overlap"
        for i, j in pairwise(order)
        if buffers[j].addr < buffers[i].end
    ]
    return tuple(found)
