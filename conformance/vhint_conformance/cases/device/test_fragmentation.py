"""Every message cut into buffers in every way: what it means does not depend on the cuts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hint_drafts import (
    ACCEPTED,
    FORMATS,
    NEEDS,
    draft_of,
    expect,
    hint,
)
from vhint_conformance.cases.tools import pfns
from vhint_conformance.verdict import Failed, NotApplicable, Violation

FRAMING = "ring.device.framing-independent"


@dataclass(frozen=True, slots=True)
class Framing:
    """How a chain is cut: the sizes of both sides' pieces, and whether it is in a table."""

    readable: tuple[int, ...]
    writable: tuple[int, ...] = ()
    indirect: bool = False

    def of(self, bench: Bench, queue: Queue, draft: Draft) -> dict[str, Any]:
        """Return how `Bench.send` has to place that draft; not applicable if it cannot."""
        if self.indirect and Feature.INDIRECT_DESC not in bench.driver.negotiated.accepted:
            raise NotApplicable("INDIRECT_DESC is not offered")
        pieces = (_cut(self.readable, len(draft.readable)), _cut(self.writable, draft.room))
        # Also in a table no chain may be longer than the queue.
        bench.need_entries(queue, len(pieces[0]) + len(pieces[1]) + 2)
        return {
            "readable_pieces": pieces[0],
            "writable_pieces": pieces[1],
            "indirect": self.indirect,
        }


def _cut(sizes: tuple[int, ...], length: int) -> tuple[int, ...]:
    """Return as many of the sizes, over and over, as fit into a length."""
    cut: list[int] = []
    while sizes and sum(cut) < length:
        cut.append(min(sizes[len(cut) % len(sizes)], length - sum(cut)))
    return tuple(cut)


FRAMINGS = {
    "bytes": Framing((1,), (1,)),
    "bytes-indirect": Framing((1,), (1,), indirect=True),
    "header-across": Framing((15, 2, 1000), (7, 9, 1000)),
    "header-across-indirect": Framing((15, 2, 1000), (7, 9, 1000), indirect=True),
    "threes": Framing((3,), (5,)),
    "whole-indirect": Framing((), (), indirect=True),
}
"""Ways to cut a chain."""


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("framing", FRAMINGS)
@case(
    "hint.device.any-fragmentation",
    FRAMING,
    "ring.device.writes-within-buffers",
    id="hint.fragmented-throughout",
    features=NEEDS,
)
def test_hint(bench: Bench, form: str, framing: str) -> None:
    """Request and acknowledgement may be cut into single bytes, in a table or not."""
    bench.start()
    draft = draft_of(bench, form, 1 if form == "pfn" else 2)
    placing = FRAMINGS[framing].of(bench, Queue.HINTING, draft)
    try:
        found = hint(bench, draft, **placing)
    except Failed as failure:  # what is wrong with the answer is so because it was cut
        seen = str(failure.violations[0])
        cut = Violation("hint.device.any-fragmentation", "an answer as to a whole request", seen)
        raise Failed([cut, *failure.violations]) from failure
    expect(bench, found, "hint.device.any-fragmentation", *ACCEPTED)


@case(
    FRAMING,
    "balloon.device.inflate-use-every-buffer",
    "balloon.device.deflate-use-every-buffer",
    "balloon.device.inflate-containment",
    id="balloon.fragmented-throughout",
)
def test_balloon(bench: Bench) -> None:
    """Arrays of pages may be cut into single bytes, in a table or not, to inflate and deflate."""
    bench.start()
    for framing in possible(bench):
        numbers = pfns(bench, 5)
        for draft in (requests.inflate(numbers), requests.deflate(numbers)):
            placing = FRAMINGS[framing].of(bench, draft.queue, draft)
            bench.exchange(draft, FRAMING, **placing)
        bench.touch([Span(number * PAGE, PAGE) for number in numbers])


@case(
    FRAMING,
    "balloon.device.stats-used-length-zero",
    id="balloon.stats-fragmented",
    features=[Feature.STATS_VQ],
    capabilities=[Capability.POLLS_STATISTICS, Capability.READS_STATISTICS],
)
def test_statistics(bench: Bench) -> None:
    """Statistics may be cut inside an entry, and are read all the same."""
    bench.start()
    bench.send(requests.give_statistics([Statistic(StatisticTag.MEMFREE, 1)]))
    for number, framing in enumerate(possible(bench), 1):
        figures = {StatisticTag.MEMFREE: 0x1122334455 * number, StatisticTag.MEMTOT: number << 40}
        draft = requests.give_statistics([Statistic(tag, each) for tag, each in figures.items()])
        bench.transport.settle()
        bench.control.poll_statistics()
        length = bench.answer(Queue.STATS, FRAMING).length
        bench.require(
            length == 0,
            "balloon.device.stats-used-length-zero",
            expected="a used length of 0",
            seen=str(length),
        )
        bench.send(draft, **FRAMINGS[framing].of(bench, Queue.STATS, draft))
        bench.require(
            bench.transport.wait(lambda: knows(bench, figures), bench.limits.patience),  # noqa: B023
            FRAMING,
            expected=f"the host to have read {figures}",
            seen=str(bench.control.statistics()),
        )


@pytest.mark.parametrize("indirect", [False, True], ids=["direct", "indirect"])
@case(
    "reporting.device.use-every-buffer",
    "reporting.device.containment",
    "reporting.device.order-not-assumed",
    "reporting.device.readable-buffer-untouched",
    id="reporting.fragmented",
    features=[Feature.PAGE_REPORTING],
)
def test_report(bench: Bench, indirect: bool) -> None:
    """Adjacent pages, single bytes and odd ranges stand beside each other in one report."""
    bench.start()
    if indirect and Feature.INDIRECT_DESC not in bench.driver.negotiated.accepted:
        raise NotApplicable("INDIRECT_DESC is not offered")
    bench.need_entries(Queue.REPORTING, 16)
    bench.stake = "reporting.device.order-not-assumed"
    (area,) = bench.blocks(1, order=3)
    pages = [Span(number * PAGE, PAGE) for number in area.pages()]
    (odd,) = bench.blocks(1, order=2)
    ranges = (
        pages[5],
        Span(odd.start + 3, 1),
        pages[1],
        pages[0],
        Span(odd.start + PAGE + 1, PAGE - 2),
        Span(odd.start + 2 * PAGE, 1),
        Span(odd.start + 4 * PAGE - 1, 1),
        pages[7],
    )
    draft = Draft(Queue.REPORTING, blocks=ranges, pages_are_buffers=True)
    bench.exchange(draft, "reporting.device.order-not-assumed", reuse=False, indirect=indirect)
    bench.touch(pages)
    # Behind something to read, which nobody asked for, the pages are pages as ever.
    draft = Draft(Queue.REPORTING, b"\1" * 32, blocks=tuple(pages), pages_are_buffers=True)
    bench.exchange(draft, "reporting.device.use-every-buffer", reuse=False, indirect=indirect)
    bench.touch(pages)


@case(
    "reporting.device.overlap-survived",
    "reporting.device.containment",
    id="reporting.overlap",
    features=[Feature.PAGE_REPORTING],
)
def test_overlap(bench: Bench) -> None:
    """A report whose ranges overlap, against the rules, is used, and costs no other page."""
    bench.start()
    bench.need_entries(Queue.REPORTING, 8)
    (area,) = bench.blocks(1, order=3)
    page = Span(area.start + PAGE, PAGE)
    ranges = (area, page, page, Span(area.start + 2 * PAGE, 2 * PAGE), area)
    draft = Draft(Queue.REPORTING, blocks=ranges, pages_are_buffers=True)
    bench.exchange(draft, "reporting.device.overlap-survived", reuse=False)
    bench.touch([area])
    bench.exchange(requests.report(bench.blocks(2)), "reporting.device.overlap-survived")


@pytest.mark.parametrize("queue", ["deflate", "stats"])
@case(
    "ring.device.writes-within-buffers",
    "ring.device.len-truthful",
    "ring.device.drains-available",
    id="ring.unasked-room",
)
def test_unasked_room(bench: Bench, queue: str) -> None:
    """Device-writable buffers that no message of the queue has are left alone or used rightly."""
    name = Queue(queue)
    if name is Queue.STATS:
        if Feature.STATS_VQ not in bench.offered:
            raise NotApplicable("STATS_VQ is not offered")
        bench.need(Capability.POLLS_STATISTICS)
    bench.start()
    sound = (
        requests.give_statistics([Statistic(StatisticTag.MEMFREE, 5)])
        if name is Queue.STATS
        else requests.deflate(pfns(bench, 2))
    )
    draft = Draft(name, sound.readable, room=64, blocks=sound.blocks)
    bench.send(draft, writable_pieces=(1, 30))
    if name is Queue.STATS:
        bench.transport.settle()
        bench.control.poll_statistics()
    bench.answer(name, "ring.device.drains-available")


def possible(bench: Bench) -> list[str]:
    """Return the framings that the driver may use."""
    tables = Feature.INDIRECT_DESC in bench.driver.negotiated.accepted
    return [name for name, framing in FRAMINGS.items() if tables or not framing.indirect]


def knows(bench: Bench, figures: dict[StatisticTag, int]) -> bool:
    """Whether the host has understood these figures."""
    found = bench.control.statistics()
    return all(found.get(tag) == value for tag, value in figures.items())
