"""Free page reporting: the buffers are the pages."""

from __future__ import annotations

import pytest

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span, intersect
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench, Fate
from vhint_conformance.case import case
from vhint_conformance.cases.tools import (
    before_a_gap,
    need_no_stray,
    need_untouched,
    not_silent,
    touching,
)
from vhint_conformance.verdict import Failed, NotApplicable, Violation

NEEDS = [Feature.PAGE_REPORTING]


def longest(bench: Bench, wanted: int) -> int:
    """Return how many blocks, at most `wanted`, one report may name: as many as the queue holds."""
    return min(wanted, bench.driver.rings[Queue.REPORTING].layout.size)


@case(
    "reporting.device.use-every-buffer",
    "reporting.device.containment",
    "reporting.device.no-effect-after-use",
    "reporting.device.page-usable-after-use",
    id="reporting.one-page",
    features=NEEDS,
)
def test_one_page(bench: Bench) -> None:
    """One reported page comes back, keeps what is written then, and no other page changes."""
    bench.start()
    bench.exchange(requests.report(bench.blocks(1)))


@pytest.mark.parametrize("order", [0, 1, 3, 5, 9, 10])
@case(
    "reporting.device.use-every-buffer",
    "reporting.device.containment",
    "reporting.device.no-effect-after-use",
    id="reporting.order",
    features=NEEDS,
)
def test_order(bench: Bench, order: int) -> None:
    """Blocks of every order are reported, and nothing beside them changes."""
    bench.start()
    bench.exchange(requests.report(bench.blocks(2, order)))


@pytest.mark.parametrize("count", [2, 31, 32, 33, 64])
@case(
    "reporting.device.use-every-buffer",
    "reporting.device.containment",
    id="reporting.chain-length",
    features=NEEDS,
)
def test_chain_length(bench: Bench, count: int) -> None:
    """A chain of any number of blocks is used once."""
    bench.start()
    bench.exchange(requests.report(bench.blocks(longest(bench, count))))


@case(
    "reporting.device.containment",
    "reporting.device.use-every-buffer",
    id="reporting.mixed-orders",
    features=NEEDS,
)
def test_mixed(bench: Bench) -> None:
    """Blocks of different orders, in any order of addresses, make one report."""
    bench.start()
    blocks = [block for order in (0, 4, 2, 9, 1) for block in bench.blocks(2, order)]
    bench.rng.shuffle(blocks)
    bench.exchange(requests.report(blocks[: longest(bench, len(blocks))]))


@case(
    "reporting.device.use-every-buffer",
    "ring.device.indirect-supported-when-negotiated",
    id="reporting.indirect",
    features=[*NEEDS, Feature.INDIRECT_DESC],
)
def test_indirect(bench: Bench) -> None:
    """A report of 32 blocks fits one ring entry through an indirect table."""
    bench.start()
    bench.exchange(requests.report(bench.blocks(longest(bench, 32))), indirect=True)


@case("reporting.device.used-length-zero", id="reporting.used-length", features=NEEDS)
def test_used_length(bench: Bench) -> None:
    """A report is used with length 0."""
    bench.start()
    for count in (1, longest(bench, 5)):
        length = bench.exchange(requests.report(bench.blocks(count))).length
        bench.require(
            length == 0,
            "reporting.device.used-length-zero",
            expected="a used length of 0",
            seen=str(length),
        )


@case(
    "ring.device.len-truthful",
    id="reporting.length-truthful",
    features=NEEDS,
)
def test_length_truthful(bench: Bench) -> None:
    """Where the used length says that the device wrote, the pages do not hold the old content."""
    bench.start()
    (area,) = bench.blocks(1, 2)
    answer = bench.exchange(requests.report([area]), reuse=False)
    claimed = Span(area.start, min(answer.length, area.length))
    untouched = bench.memory.peek(claimed)
    kept = claimed.length and untouched == bench.memory.expected(claimed)
    bench.require(
        not kept,
        "ring.device.len-truthful",
        expected=f"{answer.length} bytes written, as the used length says",
        seen="the content that the driver had left there",
        where=str(claimed),
    )
    bench.observations["used_length"] = answer.length


@case(
    "reporting.device.no-effect-after-use",
    "reporting.device.page-usable-after-use",
    id="reporting.reuse-at-once",
    features=NEEDS,
)
def test_reuse(bench: Bench) -> None:
    """Pages that are used again the moment they come back keep their content, many times."""
    bench.start()
    blocks = bench.blocks(longest(bench, 8))
    for _ in range(50 if bench.stepped else 200):
        bench.exchange(requests.report(blocks))


@case(
    "reporting.device.no-effect-after-use",
    "reporting.device.use-every-buffer",
    id="reporting.many-outstanding",
    features=NEEDS,
)
def test_outstanding(bench: Bench) -> None:
    """Many reports are outstanding at once; each page is safe as soon as its own is used."""
    bench.start()
    many = bench.fitting(Queue.REPORTING, 20, descriptors=2)
    for _ in range(many):
        bench.send(requests.report(bench.blocks(2)))
    for _ in range(many):
        bench.answer(Queue.REPORTING)


@case(
    "reporting.device.use-every-buffer",
    "ring.device.drains-available",
    id="reporting.one-kick-for-many",
    features=NEEDS,
)
def test_one_kick(bench: Bench) -> None:
    """Reports that became available together are all used after one notification."""
    bench.start()
    many = bench.fitting(Queue.REPORTING, 24)
    for _ in range(many):
        bench.send(requests.report(bench.blocks(1)), notify=False)
    bench.notify(Queue.REPORTING)
    for _ in range(many):
        bench.answer(Queue.REPORTING, "ring.device.drains-available")


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 100), (8, PAGE), (PAGE - 8, 16), (512, 3 * PAGE), (0, PAGE + 8), (PAGE // 2, PAGE // 2)],
    ids=lambda value: str(value),
)
@case(
    "reporting.device.round-inward",
    "reporting.device.containment",
    "reporting.device.small-ranges-answered",
    id="reporting.unaligned",
    features=NEEDS,
)
def test_unaligned(bench: Bench, offset: int, length: int) -> None:
    """Of a range that is not whole pages no byte outside is lost, and it is used."""
    bench.start()
    bench.stake = "reporting.device.small-ranges-answered"
    (area,) = bench.blocks(1, 3)
    part = Span(area.start + offset, length)
    bench.exchange(requests.report([part]), "reporting.device.small-ranges-answered", reuse=False)
    bench.observe()
    pages = [Span(number * PAGE, PAGE) for number in part.pages()]
    edges = [page for page in pages if not part.covers(page)]
    gone = intersect(bench.memory.holes(), edges)
    bench.require(
        not gone,
        "reporting.device.round-inward",
        expected="pages of which only a part was reported to be kept",
        seen="one discarded",
        where=str(gone[0]) if gone else "",
    )


@case("reporting.device.round-inward", id="reporting.halves-of-a-page", features=NEEDS)
def test_halves(bench: Bench) -> None:
    """Two ranges that meet inside a host page are no whole page together."""
    bench.start()
    if longest(bench, 2) < 2:
        raise NotApplicable("the queue is too short for two ranges")
    page = bench.area(bench.limits.host_page, bench.limits.host_page)
    half = Span(page.start, page.length // 2)
    halves = (half, Span(half.end, page.length - half.length))
    bench.exchange(requests.report(halves), reuse=False)
    bench.transport.settle()
    bench.observe()
    gone = intersect(bench.memory.holes(), [page])
    bench.require(
        not gone,
        "reporting.device.round-inward",
        expected="a host page that no range fills to be left as it was",
        seen="discarded",
        where=str(page),
    )


@case("reporting.device.readable-buffer-untouched", id="reporting.readable-buffer", features=NEEDS)
def test_readable(bench: Bench) -> None:
    """A device-readable buffer on the reporting queue is not discarded."""
    bench.start()
    blocks = bench.blocks(longest(bench, 4))
    bench.driver.note(
        Draft(Queue.REPORTING, pages_are_buffers=True),
        bench.driver.rings[Queue.REPORTING].add(blocks, ()),
        blocks,
        (),
        valid=False,
    )
    bench.publish(Queue.REPORTING)
    bench.observations["fate"] = bench.fate(Queue.REPORTING)
    seen = "a device-readable buffer discarded"
    need_untouched(bench, blocks, "reporting.device.readable-buffer-untouched", seen)


OUTSIDE = ("past the end", "across the end", "into a gap", "absent")


def outside(bench: Bench, kind: str) -> Span:
    """Return a range that is not, or not all, RAM."""
    if kind == "into a gap":
        return Span(before_a_gap(bench).end - 4 * PAGE, 8 * PAGE)
    end = max(start + length for start, length in bench.limits.ram)
    return {
        "past the end": Span(end, PAGE),
        "across the end": Span(end - 4 * PAGE, 8 * PAGE),
        "absent": Span(bench.limits.absent, PAGE),
    }[kind]


@pytest.mark.parametrize("kind", OUTSIDE, ids=lambda kind: kind.replace(" ", "-"))
@case(
    "reporting.device.ram-only",
    "ring.device.recovers-by-reset",
    id="reporting.outside-ram",
    features=NEEDS,
)
def test_outside_ram(bench: Bench, kind: str) -> None:
    """A range outside RAM harms nothing, and a reset always brings the device back."""
    bench.start()
    good = bench.blocks(1)
    bad = outside(bench, kind)
    bench.stake = "reporting.device.ram-only"
    bench.send(Draft(Queue.REPORTING, blocks=(*good, bad), pages_are_buffers=True))
    bench.observations["fate"] = bench.fate(Queue.REPORTING)
    need_no_stray(bench, "reporting.device.ram-only")
    bench.reset()
    bench.start()
    bench.exchange(requests.report(good), "ring.device.recovers-by-reset")


@case(
    "reporting.device.containment",
    "reporting.device.use-every-buffer",
    id="reporting.across-regions",
    features=NEEDS,
)
def test_across_regions(bench: Bench) -> None:
    """A range that lies across two regions of RAM that touch is a range like any other."""
    first, _ = touching(bench)
    bench.start()
    bench.exchange(
        requests.report([Span(first.end - 8 * PAGE, 16 * PAGE)]),
        "reporting.device.use-every-buffer",
    )


@pytest.mark.parametrize("kind", OUTSIDE, ids=lambda kind: kind.replace(" ", "-"))
@case(
    "reporting.device.bad-range-answered",
    "reporting.device.bad-range-later-reports-served",
    id="reporting.bad-range-answered",
    features=NEEDS,
)
def test_bad_range_answered(bench: Bench, kind: str) -> None:
    """A range outside RAM is used or a reset asked for; if it is used, later reports are too."""
    bench.start()
    bench.stake = "reporting.device.bad-range-answered"
    bench.send(Draft(Queue.REPORTING, blocks=(outside(bench, kind),), pages_are_buffers=True))
    if not_silent(bench, Queue.REPORTING, "reporting.device.bad-range-answered") is Fate.USED:
        bench.answer(Queue.REPORTING, reuse=False)
        bench.exchange(
            requests.report(bench.blocks(1)), "reporting.device.bad-range-later-reports-served"
        )


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@case("reporting.device.no-effect-after-reset", id="reporting.reset-under-way", features=NEEDS)
def test_reset(bench: Bench, turns: int) -> None:
    """Whenever the reset comes, nothing is discarded after it has been read back."""
    bench.start()
    bench.transport.settle()  # so that every turn is spent on the reports
    blocks = bench.blocks(bench.fitting(Queue.REPORTING, 4))
    for block in blocks:
        bench.send(requests.report([block]), notify=False)
    bench.notify(Queue.REPORTING)
    bench.let_run(turns)
    bench.reset()
    bench.observe()
    bench.touch(blocks)
    bench.transport.settle()
    bench.start()
    bench.exchange(requests.report(bench.blocks(1)))


@case(
    "reporting.device.use-once",
    "ring.device.use-chain-once",
    "ring.device.used-idx-counts-chains",
    id="reporting.used-once",
    features=NEEDS,
)
def test_used_once(bench: Bench) -> None:
    """Each report shows up in the used ring exactly once, whatever notifications follow."""
    bench.start()
    for number in range(10):
        bench.exchange(requests.report(bench.blocks(longest(bench, 1 + 4 * number))))
        bench.notify(Queue.REPORTING)
    bench.transport.settle()
    used = bench.driver.rings[Queue.REPORTING].used_index
    if used != 10:  # a report was used again, or an index moved on for none
        slugs = ("reporting.device.use-once", "ring.device.used-idx-counts-chains")
        expected = "a used index of 10 after 10 reports"
        raise Failed([Violation(slug, expected, str(used)) for slug in slugs])


@case(
    "reporting.device.no-effect-after-use",
    "reporting.device.containment",
    id="reporting.neighbours-in-turn",
    features=[Feature.PAGE_REPORTING],
)
def test_neighbours_in_turn(bench: Bench) -> None:
    """A report costs nothing of the page beside it that was reported, used and written before."""
    bench.start()
    (whole,) = bench.blocks(1, order=3)
    pages = [Span(number * PAGE, PAGE) for number in whole.pages()]
    for page in (*pages, *reversed(pages)):
        bench.exchange(requests.report([page]))  # which is written at once when it is back
