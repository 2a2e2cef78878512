"""What a driver puts into its queues, as values: bytes for the device, room for its answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vhint.spans import PAGE, Span, block
from vhint.wire import hint_ack, hint_request, pfn_array, statistics
from vhint.wire.bitmap import Bitmap
from vhint.wire.hint_request import BitmapRequest, Blocks, PfnRequest
from vhint.wire.pfn_array import PfnArray
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, Statistics


@dataclass(frozen=True, slots=True)
class Draft:
    """A request before it has a place in memory.

    `readable` is what the device reads; `room` how many bytes it may write; `blocks` the pages
    that it is about: they become the device's, or come back from it on the deflate queue.  If
    `pages_are_buffers`, the blocks are the device-writable buffers themselves, as reporting has
    it, and `room` is 0.  `cookie` and `count` belong to hinting requests, and so do `positions`:
    which result bit stands for each block.
    """

    queue: Queue
    readable: bytes = b""
    room: int = 0
    blocks: tuple[Span, ...] = ()
    pages_are_buffers: bool = False
    cookie: int = 0
    count: int = 0
    positions: tuple[int, ...] = ()


def inflate(pfns: Sequence[int]) -> Draft:
    """Give 4 KiB pages to the balloon (VIRTIO 1.4, 5.5.6 Device Operation)."""
    spans = tuple(block(pfn) for pfn in pfns)
    return Draft(Queue.INFLATE, pfn_array.build(PfnArray.of(pfns)), blocks=spans)


def deflate(pfns: Sequence[int]) -> Draft:
    """Ask for pages of the balloon back; they are the driver's when the buffer is used."""
    spans = tuple(block(pfn) for pfn in pfns)
    return Draft(Queue.DEFLATE, pfn_array.build(PfnArray.of(pfns)), blocks=spans)


def report(blocks: Iterable[Span]) -> Draft:
    """Report free pages: each block is a buffer (VIRTIO 1.4, Free Page Reporting)."""
    return Draft(Queue.REPORTING, blocks=tuple(blocks), pages_are_buffers=True)


def give_statistics(entries: Iterable[Statistic]) -> Draft:
    """Give the device the statistics buffer that it holds until it wants new figures."""
    return Draft(Queue.STATS, statistics.build(Statistics.of(entries)))


def hint_blocks(
    cookie: int, blocks: Sequence[tuple[int, int]], results: int | None = None
) -> Draft:
    """Hint (pfn, order) blocks; `results` bytes of room for result bits, by default for all."""
    request = PfnRequest(cookie, Blocks.of(blocks))
    return Draft(
        Queue.HINTING,
        hint_request.build(request),
        _room(len(blocks), results),
        tuple(block(pfn, order) for pfn, order in blocks),
        cookie=cookie,
        count=len(blocks),
        positions=tuple(range(len(blocks))),
    )


def hint_bitmap(
    cookie: int, start_pfn: int, order: int, bits: Bitmap, results: int | None = None
) -> Draft:
    """Hint the blocks of a bitmap; `results` bytes of room for result bits, by default for all."""
    request = BitmapRequest(cookie, start_pfn, order, bits)
    size = PAGE << order
    positions = tuple(bits.indices().tolist())
    return Draft(
        Queue.HINTING,
        hint_request.build(request),
        _room(bits.count, results),
        tuple(Span(start_pfn * PAGE + index * size, size) for index in positions),
        cookie=cookie,
        count=bits.count,
        positions=positions,
    )


def _room(count: int, results: int | None) -> int:
    return hint_ack.HEADER_SIZE + (-(-count // 8) if results is None else results)
