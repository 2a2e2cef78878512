"""A hostile driver's chains, and an oracle that says what each of them allows a device to do.

The oracle works on bytes with `struct` alone; nothing of the device's code is used.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import strategies as st

from tests.host.hint_oracle import OK, World, judge
from vhint.spans import PAGE, Span
from vhint.wire.queues import Queue

RAM = 1 << 20
RINGS, RING, SIZE = 0x1000, 0x1000, 64
ARENA = Span(0x8000, 0x38000)
AREA = Span(0x40000, 0xC0000)  # free pages
NEXT, WRITE, INDIRECT = 1, 2, 4


@dataclass(frozen=True)
class Draft:
    """A chain: bytes to read, cut into pieces, then buffers to write; and what is spoilt in it.

    A number in `writable` is room of that size.  Each of `spoilt` overwrites a field of a
    descriptor: (which, offset, code, value), where a `next` below `SIZE` counts from the chain's
    first descriptor.
    """

    queue: Queue
    data: bytes
    cuts: tuple[int, ...] = ()
    writable: tuple[int | Span, ...] = ()
    indirect: bool = False
    table_length: int | None = None
    spoilt: tuple[tuple[int, int, str, int], ...] = ()

    @property
    def pieces(self) -> list[bytes]:
        places = [0, *sorted(min(cut, len(self.data)) for cut in self.cuts), len(self.data)]
        return [self.data[start:end] for start, end in pairwise(places)] if self.data else []


@dataclass(frozen=True)
class Reading:
    """What a device finds in a chain that breaks no rule of the ring."""

    readable: tuple[Span, ...]
    writable: tuple[Span, ...]

    def bytes_in(self, image: bytes | bytearray) -> bytes:
        return b"".join(bytes(image[span.start : span.end]) for span in self.readable)


def walk(image: bytearray, table: int, head: int, *, indirect: bool) -> Reading | None:
    """Follow a chain by the rules of the split ring; None if one is broken."""
    readable: list[Span] = []
    writable: list[Span] = []
    entries, nested, index, total = SIZE, False, head, 0
    while True:
        if index >= entries or len(readable) + len(writable) >= SIZE:
            return None
        at = table + 16 * index
        address, length, flags, after = struct.unpack("<QIHH", image[at : at + 16])
        if flags & INDIRECT:
            bad = nested or flags & NEXT or not indirect or length % 16 or not length
            if bad or address + length > RAM:
                return None
            table, entries, nested, index = address, length // 16, True, 0
            continue
        total += length
        if (length and address + length > RAM) or total > 1 << 32:
            return None
        if writable and not flags & WRITE:
            return None
        (writable if flags & WRITE else readable).append(Span(address, length))
        if not flags & NEXT:
            return Reading(tuple(readable), tuple(writable))
        index = after


@dataclass
class Permissions:
    """Which pages a device may discard and which bytes it may write, by what it was sent.

    `strays` are buffers elsewhere than the driver meant.
    """

    host_page: int
    world: World
    inflated: set[int] = field(default_factory=set)
    pages: set[int] = field(default_factory=set)
    strays: list[Span] = field(default_factory=list)
    bytes: list[Span] = field(default_factory=list)

    def add(self, queue: Queue, reading: Reading, own: list[Span], image: bytearray) -> None:
        """Take in a chain that is `reading`, for which the buffers `own` were made."""
        for span in (*reading.readable, *reading.writable):
            if span.length and not any(each.covers(span) for each in own):
                self.strays.append(span)
        self._add(queue, reading, image)

    @property
    def tangled(self) -> bool:
        """Whether what the device reads may be discarded or overwritten before it reads it.

        Then nobody can tell what it will find there.
        """
        gone = [*(Span(pfn * PAGE, PAGE) for pfn in self.pages), *self.bytes]
        return any(pfn < AREA.start // PAGE for pfn in self.pages) or any(
            stray.start < AREA.start or any(map(stray.overlaps, gone)) for stray in self.strays
        )

    def _add(self, queue: Queue, reading: Reading, image: bytearray) -> None:
        if queue is Queue.HINTING:
            verdict = judge(reading.bytes_in(image), self.world)
            room = sum(span.length for span in reading.writable)
            if room >= 16:
                self.bytes += reading.writable
                if OK in verdict.statuses:
                    self.pages |= self._whole({page * PAGE for page in verdict.pages})
        elif queue in (Queue.REPORTING, Queue.FREE_PAGE):
            for span in reading.writable:
                first = -(-span.start // self.host_page) * self.host_page
                for start in range(first, span.end - self.host_page + 1, self.host_page):
                    self.pages |= set(Span(start, self.host_page).pages())
        elif queue is Queue.INFLATE:
            data = reading.bytes_in(image)
            self.inflated |= {
                pfn * PAGE
                for (pfn,) in struct.iter_unpack("<I", data[: len(data) // 4 * 4])
                if pfn < RAM // PAGE
            }
            self.pages |= self._whole(self.inflated)

    def _whole(self, starts: set[int]) -> set[int]:
        """The PFNs of the host pages of which every part is there."""
        parts = range(0, self.host_page, PAGE)
        firsts = {start // self.host_page * self.host_page for start in starts}
        return {
            (first + part) // PAGE
            for first in firsts
            if all(first + part in starts for part in parts)
            for part in parts
        }


# What a hostile driver sends

addresses = st.one_of(
    st.integers(AREA.start, AREA.end - 1),
    st.integers(0, AREA.length // PAGE - 1).map(lambda page: AREA.start + page * PAGE),
    st.sampled_from([RAM - 1, RAM, RAM + PAGE, 1 << 32, (1 << 52) - PAGE, 1 << 63, (1 << 64) - 1]),
)
lengths = st.one_of(
    st.integers(0, 40), st.sampled_from([PAGE - 1, PAGE, PAGE + 1, 0x10000, 0x20000, 2**32 - 1])
)
usual_pages = st.builds(
    lambda first, count: Span(AREA.start + first * PAGE, count * PAGE),
    st.integers(0, 150),
    st.integers(1, 40),
)
odd_ranges = st.builds(Span, st.integers(AREA.start, AREA.end - 0x20000), st.integers(0, 0x20000))
orders = st.sampled_from([0, 0, 0, 4, 4, 4, 1, 5]) | st.sampled_from([0, 4, 40, 41, 2**32 - 1])
block_pfns = st.one_of(
    st.integers(AREA.start // PAGE, RAM // PAGE - 1),
    st.integers(4, 15).map(lambda block: block * 16),
    st.sampled_from([64, 128, 192, 254, RAM // PAGE, 1 << 40, (1 << 52) - 1, (1 << 64) - 1]),
)


valid_blocks = st.sampled_from([0, 4, 4, 5]).flatmap(
    lambda order: st.tuples(
        st.integers(64 >> order, (256 >> order) - 1).map(lambda block: block << order),
        st.just(order),
    )
)


@st.composite
def pfn_requests(draw: st.DrawFn) -> bytes:
    """Of valid blocks; or with a block that need not be; or with an odd header."""
    odd = draw(st.sampled_from(["", "", "block", "block", "header"]))
    entries = draw(st.lists(valid_blocks, min_size=1, max_size=4))
    if odd == "block":
        entries.append((draw(block_pfns), draw(orders)))
    kind, flags, count = 1, 0, len(entries)
    if odd == "header":
        kind, flags = draw(st.sampled_from([(0, 0), (3, 0), (1, 1), (1, 0)]))
        count = draw(st.sampled_from([0, count, count + 1, 9, 2**32 - 1]))
    head = struct.pack("<HHIQ", kind, flags, count, 7)
    return head + b"".join(struct.pack("<QII", pfn, order, 0) for pfn, order in entries)


@st.composite
def bitmap_requests(draw: st.DrawFn) -> bytes:
    bits = draw(st.binary(max_size=6))
    count = draw(st.sampled_from([8 * len(bits)] * 4 + [max(0, 8 * len(bits) - 3), 2**32 - 1]))
    start, order = draw(block_pfns), draw(orders)
    return struct.pack("<HHIQQII", 2, 0, count, 7, start, order, 0) + bits


def packed(code: str, numbers: st.SearchStrategy[int], most: int) -> st.SearchStrategy[bytes]:
    return st.lists(numbers, max_size=most).map(
        lambda found: b"".join(struct.pack(code, each) for each in found)
    )


pfn_arrays = packed("<I", st.integers(AREA.start // PAGE, RAM // PAGE - 1), 40) | packed(
    "<I", st.integers(0, 2**32 - 1), 4
)
whole_inflations = st.integers(4, 15).map(
    lambda block: struct.pack("<16I", *range(16 * block, 16 * block + 16))
)
commands = packed("<I", st.integers(0, 5), 2)
figures = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 2**64 - 1)), max_size=12).map(
    lambda pairs: b"".join(struct.pack("<HQ", *pair) for pair in pairs)
)
requests = st.one_of(pfn_requests(), bitmap_requests())
DATA: dict[Queue, st.SearchStrategy[bytes]] = {
    Queue.INFLATE: pfn_arrays | whole_inflations,
    Queue.DEFLATE: pfn_arrays,
    Queue.STATS: figures,
    Queue.FREE_PAGE: commands,
    Queue.REPORTING: st.just(b""),
    Queue.HINTING: requests,
}
ranges = usual_pages | odd_ranges
rooms = st.just((24,)) | st.lists(st.integers(0, 40), max_size=3).map(tuple)
WRITABLE: dict[Queue, st.SearchStrategy[tuple[int | Span, ...]]] = {
    Queue.REPORTING: st.lists(ranges, min_size=1, max_size=3).map(tuple),
    Queue.FREE_PAGE: st.lists(ranges, max_size=2).map(tuple),
    Queue.HINTING: rooms,
}

spoils = st.one_of(
    st.tuples(st.integers(0, 6), st.just(0), st.just("<Q"), addresses),
    st.tuples(st.integers(0, 6), st.just(8), st.just("<I"), lengths),
    st.tuples(st.integers(0, 6), st.just(12), st.just("<H"), st.integers(0, 8)),
    st.tuples(
        st.integers(0, 6), st.just(14), st.just("<H"), st.sampled_from([0, 1, 5, SIZE, 65535])
    ),
)


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    """A chain that is right for its queue, or for another, and mostly not spoilt."""
    queue = draw(st.sampled_from([*Queue, Queue.HINTING, Queue.HINTING]))
    odd = draw(st.sampled_from([*[""] * 9, "kind", "data", "spoilt", "spoilt", "table"]))
    kind = draw(st.sampled_from(Queue)) if odd == "kind" else queue
    data = draw(st.binary(max_size=80) if odd == "data" else DATA[kind])
    writable = draw(WRITABLE.get(kind, st.just(())))
    if not data and not writable:
        writable = (16,)
    return Draft(
        queue,
        data,
        tuple(draw(st.lists(st.integers(0, 60), max_size=2))),
        writable,
        odd == "table" or draw(st.integers(0, 3)) == 3,
        draw(st.sampled_from([0, 15, 16, 4096, 2**32 - 16])) if odd == "table" else None,
        tuple(draw(st.lists(spoils, min_size=1, max_size=2)) if odd == "spoilt" else ()),
    )
