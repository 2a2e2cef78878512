"""Indirect descriptors, shown on the inflate queue."""

from __future__ import annotations

import pytest

from vhint.guest import Draft, requests
from vhint.spans import Span, block
from vhint.wire import hint_ack, hint_request
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.bench import Bench
from vhint_conformance.case import case
from vhint_conformance.cases.hint_drafts import ACCEPTED, draft_of
from vhint_conformance.cases.hinting import acknowledge
from vhint_conformance.cases.raw import put_chain, table_bytes
from vhint_conformance.cases.tools import as_effective, need_untouched, pfns
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import NotApplicable

INFLATE = Queue.INFLATE
WRITE = DescriptorFlag.WRITE


@pytest.mark.parametrize("count", [1, 2, 16])
@case(
    "ring.device.indirect-supported-when-negotiated",
    "ring.device.indirect-table-never-written",
    id="ring.indirect",
    features=[Feature.INDIRECT_DESC],
)
def test_indirect(bench: Bench, count: int) -> None:
    """A chain in an indirect table is processed like any other."""
    driver = bench.start()
    count = min(count, driver.rings[INFLATE].layout.size)
    slug = "ring.device.indirect-supported-when-negotiated"
    with as_effective(bench, count, slug):
        bench.exchange(
            requests.inflate(pfns(bench, count)),
            slug,
            indirect=True,
            readable_pieces=(4,) * (count - 1),
        )


@case(
    "ring.device.indirect-after-direct",
    id="ring.indirect-after-direct",
    features=[Feature.INDIRECT_DESC],
)
def test_indirect_after_direct(bench: Bench) -> None:
    """Ordinary descriptors may be followed by one indirect descriptor."""
    driver = bench.start()
    ring = driver.rings[INFLATE]
    bench.need_entries(INFLATE, 2)
    # A device that takes the table itself for PFNs finds the buffer's length, 600, among them:
    # a page that is RAM and that nobody named.
    pages, slug = 152, "ring.device.indirect-after-direct"
    with as_effective(bench, pages, slug):
        draft = requests.inflate(pfns(bench, pages))
        first, second = driver.place(draft.readable, (8,))
        table = table_of(bench, [second])
        head = put_chain(
            ring,
            Descriptor(first.start, first.length, DescriptorFlag.NEXT, 1),
            Descriptor(table.start, table.length, DescriptorFlag.INDIRECT, 0),
        )
        exchange_raw(bench, draft, head, (first, second), slug)
    stray = [span for span in bench.stray_discards() if span.overlaps(block(second.length))]
    bench.require(
        not stray,
        slug,
        expected="the indirect table to be read as descriptors",
        seen="the table itself taken for page numbers",
        where=str(block(second.length)),
    )


@case(
    "ring.device.indirect-after-direct",
    id="hint.indirect-after-direct",
    features=[Feature.HINTING, Feature.INDIRECT_DESC],
)
def test_hint_after_direct(bench: Bench) -> None:
    """What comes before a table is as much of the request as what is in it."""
    driver = bench.start()
    slug = "ring.device.indirect-after-direct"
    ring = driver.rings[Queue.HINTING]
    bench.need_entries(Queue.HINTING, 3)
    draft = draft_of(bench, "pfn")
    first, second = driver.place(draft.readable, (hint_request.HEADER_SIZE,))
    room = driver.make_room(draft.room)
    parts = [Descriptor(*second, DescriptorFlag.NEXT, 1), Descriptor(*room[0], WRITE)]
    (table,) = driver.place(table_bytes(ring, *parts))
    head = put_chain(
        ring,
        Descriptor(*first, DescriptorFlag.NEXT, 1),
        Descriptor(table.start, table.length, DescriptorFlag.INDIRECT, 0),
    )
    driver.note(draft, head, (first, second), room)
    bench.memory.release([*draft.blocks, *room])
    bench.publish(Queue.HINTING)
    answer = bench.answer(Queue.HINTING, slug, reuse=False)
    status = int.from_bytes(answer.data[8:12], "little")
    bench.require(
        len(answer.data) >= hint_ack.HEADER_SIZE and status in ACCEPTED,
        slug,
        expected="a request that is not refused, as it is without a table",
        seen=f"status {status}, length {answer.length}",
    )
    acknowledge(bench, answer)


@case(
    "ring.device.indirect-write-flag-ignored",
    id="ring.indirect-write-flag",
    features=[Feature.INDIRECT_DESC],
)
def test_indirect_write_flag(bench: Bench) -> None:
    """The WRITE flag of the descriptor that refers to the table means nothing."""
    driver = bench.start()
    ring = driver.rings[INFLATE]
    flags = DescriptorFlag.INDIRECT | DescriptorFlag.WRITE
    place = min(5, ring.layout.size - 1)
    slug = "ring.device.indirect-write-flag-ignored"
    with as_effective(bench, 2, slug):
        draft = requests.inflate(pfns(bench, 2))
        buffers = driver.place(draft.readable)
        table = table_of(bench, list(buffers))
        head = put_chain(ring, Descriptor(table.start, table.length, flags, 0), at=[place])
        exchange_raw(bench, draft, head, buffers, slug)


@case(
    "ring.device.indirect-supported-when-negotiated",
    id="ring.indirect-shuffled",
    features=[Feature.INDIRECT_DESC],
    rings=[Rings.SPLIT],
)
def test_indirect_shuffled(bench: Bench) -> None:
    """The entries of an indirect table follow one another by their next fields alone."""
    driver = bench.start()
    slug = "ring.device.indirect-supported-when-negotiated"
    ring = driver.rings[INFLATE]
    if ring.layout.size < 3:
        raise NotApplicable("the queue is too small for a chain of three")
    with as_effective(bench, 3, slug):
        draft, decoy = requests.inflate(pfns(bench, 3)), requests.inflate(pfns(bench, 1))
        (stray,) = driver.place(decoy.readable)
        buffers = driver.place(draft.readable, (4, 4))
        # Entry 0, then 3, then 2; nothing leads to entry 1.
        entries = [
            Descriptor(*buffers[0], DescriptorFlag.NEXT, 3),
            Descriptor(*stray),
            Descriptor(*buffers[2]),
            Descriptor(*buffers[1], DescriptorFlag.NEXT, 2),
        ]
        (table,) = driver.place(table_bytes(ring, *entries))
        head = put_chain(ring, Descriptor(table.start, table.length, DescriptorFlag.INDIRECT, 0))
        exchange_raw(bench, draft, head, buffers, slug)
    need_untouched(bench, decoy.blocks, slug, "an entry followed that no next field leads to")


def table_of(bench: Bench, buffers: list[Span]) -> Span:
    """Store an indirect table of device-readable buffers."""
    last = len(buffers) - 1
    entries = [
        Descriptor(*buffer, DescriptorFlag.NEXT, index + 1) if index < last else Descriptor(*buffer)
        for index, buffer in enumerate(buffers)
    ]
    if bench.packed:  # there the order is all that counts
        entries = [Descriptor(*buffer) for buffer in buffers]
    raw = table_bytes(bench.driver.rings[INFLATE], *entries)
    (table,) = bench.driver.place(raw)
    return table


def exchange_raw(
    bench: Bench, draft: Draft, head: int, readable: tuple[Span, ...], requirement: str
) -> None:
    """Make a hand-written chain that is in the ring available, and take its answer."""
    bench.driver.note(draft, head, readable, ())
    bench.memory.release(draft.blocks)
    bench.publish(draft.queue)
    bench.answer(draft.queue, requirement)
