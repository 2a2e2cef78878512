"""Free page hinting: which pages a device may leave out, and which it may not."""

from __future__ import annotations

import pytest

from vhint.guest import Draft
from vhint.spans import PAGE, Span, inward, subtract
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability
from vhint_conformance.cases.device.test_poison import VALUE, poison
from vhint_conformance.cases.rounds import (
    CONTAINMENT,
    NEEDS,
    PREFIX,
    PUBLISHED,
    ROUNDS,
    STOP,
    USED,
    WRITTEN,
    Round,
    other_than,
    round_case,
    shown,
)
from vhint_conformance.variants import ANY_RINGS
from vhint_conformance.verdict import NotApplicable

STALE = f"{PREFIX}stale-id-ignored"
BEFORE_ID = f"{PREFIX}pages-before-id-ignored"
AFTER_STOP = f"{PREFIX}pages-after-stop-ignored"
WRITE_WINS = f"{PREFIX}guest-write-wins"
NO_DETECTION = f"{PREFIX}discard-needs-write-detection"
AFTER_DONE = f"{PREFIX}no-effect-after-done"
RAM_ONLY = f"{PREFIX}ram-only"
WHOLE = f"{PREFIX}skip-covers-whole-pages"
RESET = f"{PREFIX}reset-ends-round"
POISON = "balloon.device.poison-fph-content"


def running(bench: Bench) -> Round:
    """Return a round whose id the driver has sent."""
    hints = Round(bench)
    hints.command(hints.begin())
    return hints


@round_case(
    CONTAINMENT,
    USED,
    id="free-page-hint.pages",
    rings=ANY_RINGS,
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_pages(bench: Bench) -> None:
    """All of memory arrives but for hinted pages; blocks of every size, with their neighbours."""
    hints = running(bench)
    for order in (0, 0, 1, 3, 6):
        hints.hint(bench.blocks(3, order))
    hints.command(STOP)
    hints.finish()


@round_case(CONTAINMENT, id="free-page-hint.no-pages", features=NEEDS, capabilities=ROUNDS)
def test_no_pages(bench: Bench) -> None:
    """Where nothing is hinted all of memory arrives."""
    hints = running(bench)
    hints.command(STOP)
    hints.finish()


@round_case(
    WRITTEN,
    WRITE_WINS,
    id="free-page-hint.written-after-hint",
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_written(bench: Bench) -> None:
    """A page that is written after it was hinted arrives with what was written, every time."""
    hints = running(bench)
    blocks = [*bench.blocks(6), *bench.blocks(2, 2)]
    hints.hint(blocks)
    hints.write(blocks[::2])
    hints.command(STOP)
    hints.write([Span(blocks[1].start, PAGE), blocks[0]])
    hints.finish()


@round_case(
    WRITE_WINS,
    NO_DETECTION,
    WRITTEN,
    id="free-page-hint.written-before-use",
    rings=ANY_RINGS,
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_written_before_use(bench: Bench) -> None:
    """A page that the driver takes back and writes before the device has looked is kept."""
    hints = running(bench)
    blocks = bench.blocks(bench.fitting(Queue.FREE_PAGE, 8))
    for block in blocks:
        hints.supply(block)
    hints.write(blocks, WRITE_WINS)
    bench.notify(Queue.FREE_PAGE)
    for _ in blocks:
        bench.answer(Queue.FREE_PAGE, USED)
    hints.command(STOP)
    hints.finish()


@round_case(
    WRITE_WINS,
    NO_DETECTION,
    WRITTEN,
    id="free-page-hint.written-before-hint",
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_written_before_hint(bench: Bench) -> None:
    """A page that was written after the id was shown is kept although it is hinted later."""
    hints = Round(bench)
    number = hints.begin()
    early, late = bench.blocks(3), bench.blocks(3)
    hints.write(early, WRITE_WINS)
    hints.command(number)
    hints.write(late, WRITE_WINS)
    hints.hint([*early, *late], against=WRITE_WINS)
    hints.finish()


@round_case(AFTER_DONE, id="free-page-hint.after-done", features=NEEDS, capabilities=ROUNDS)
def test_after_done(bench: Bench) -> None:
    """After DONE nothing happens to hinted pages, and in a later round they arrive."""
    hints = running(bench)
    blocks = bench.blocks(6)
    hints.hint(blocks)
    hints.command(STOP)
    hints.let_finish()
    hints.expect_done(PUBLISHED)
    hints.keep(AFTER_DONE, blocks)
    hints.write(blocks[:3], AFTER_DONE)
    hints.check_here()
    hints.command(hints.begin())
    hints.finish()


@round_case(STALE, id="free-page-hint.wrong-id", features=NEEDS, capabilities=ROUNDS)
def test_wrong_id(bench: Bench) -> None:
    """Pages under an id that is not the one shown are ignored, before and after the right one."""
    hints = Round(bench)
    number = hints.begin()
    first, second, third = (bench.blocks(3) for _ in range(3))
    hints.command(other_than(number))
    hints.hint(first, against=STALE)
    hints.command(number)
    hints.hint(second)
    hints.command(other_than(number))
    hints.hint(third, against=STALE)
    hints.finish()


@round_case(
    STALE,
    id="free-page-hint.old-id",
    features=NEEDS,
    capabilities=[*ROUNDS, Capability.REPEATS_ROUNDS],
)
def test_old_id(bench: Bench) -> None:
    """Once a new id is shown, pages that still come under the old one are ignored."""
    hints = Round(bench)
    old = hints.begin()
    hints.command(old)
    hints.hint(bench.blocks(2))
    new = hints.begin()
    late, under_old, under_new = (bench.blocks(3) for _ in range(3))
    hints.hint(late, against=STALE)
    hints.command(old)
    hints.hint(under_old, against=STALE)
    hints.command(STOP)
    hints.command(new)
    hints.hint(under_new)
    hints.command(STOP)
    hints.finish()


@round_case(
    WRITTEN,
    CONTAINMENT,
    id="free-page-hint.second-round",
    features=NEEDS,
    capabilities=[*ROUNDS, Capability.REPEATS_ROUNDS],
)
def test_second_round(bench: Bench) -> None:
    """Pages that were hinted in the first round and written in the second arrive as written."""
    hints = running(bench)
    first = bench.blocks(6)
    hints.hint(first)
    hints.command(STOP)
    hints.write(first[:2])
    hints.command(hints.begin())
    second = bench.blocks(4)
    hints.hint(second)
    hints.write([*first[2:4], second[0]])
    hints.command(STOP)
    hints.finish()


@round_case(BEFORE_ID, id="free-page-hint.pages-before-id", features=NEEDS, capabilities=ROUNDS)
def test_before_id(bench: Bench) -> None:
    """Pages that come before the driver's id are ignored."""
    hints = Round(bench)
    hints.hint(bench.blocks(2), against=BEFORE_ID)
    number = hints.begin()
    hints.hint(bench.blocks(2), against=BEFORE_ID)
    hints.command(STOP)
    hints.hint(bench.blocks(2), against=BEFORE_ID)
    hints.command(number)
    hints.hint(bench.blocks(2))
    hints.finish()


@round_case(AFTER_STOP, id="free-page-hint.pages-after-stop", features=NEEDS, capabilities=ROUNDS)
def test_after_stop(bench: Bench) -> None:
    """Pages that come after the driver's STOP are ignored."""
    hints = running(bench)
    hints.hint(bench.blocks(2))
    hints.command(STOP)
    hints.hint(bench.blocks(4), against=AFTER_STOP)
    hints.command(STOP)
    hints.hint(bench.blocks(2), against=AFTER_STOP)
    hints.finish()


@round_case(
    STALE,
    id="free-page-hint.pages-after-host-stop",
    features=NEEDS,
    capabilities=[*ROUNDS, Capability.STOPS_ROUNDS],
)
def test_after_host_stop(bench: Bench) -> None:
    """Once the host shows STOP pages are ignored, whatever id they come under."""
    hints = running(bench)
    hints.hint(bench.blocks(2))
    bench.transport.settle()
    bench.control.stop_round()
    # What the host wants takes effect when the field shows it, which need not be at once.
    if not bench.transport.wait(lambda: shown(bench) != hints.id, bench.limits.patience):
        raise NotApplicable("the device goes on showing the id, under which hints count")
    hints.hint(bench.blocks(2), against=STALE)
    hints.command(hints.id)
    hints.hint(bench.blocks(2), against=STALE)
    hints.finish()


@round_case(CONTAINMENT, USED, id="free-page-hint.id-twice", features=NEEDS, capabilities=ROUNDS)
def test_id_twice(bench: Bench) -> None:
    """A driver that repeats its id, and a block, harms nothing but what it hints."""
    hints = running(bench)
    blocks = bench.blocks(4)
    hints.hint(blocks)
    hints.command(hints.id)
    hints.hint([*blocks[2:], *bench.blocks(2)])
    hints.write(blocks[3:])
    hints.command(STOP)
    hints.finish()


UNALIGNED = ((0, 1), (8, PAGE), (PAGE // 2, PAGE), (PAGE - 1, PAGE + 2), (512, 3 * PAGE))


@round_case(WHOLE, id="free-page-hint.unaligned", features=NEEDS, capabilities=ROUNDS)
def test_unaligned(bench: Bench) -> None:
    """A page of which only a part was hinted arrives."""
    hints = running(bench)
    page = bench.limits.host_page
    for offset, length in UNALIGNED:
        area = bench.area(4 * page, page)
        part = Span(area.start + offset, length)
        hints.hint([part])
        hints.owe(WHOLE, subtract([area], [inward(part, page)]))
    hints.command(STOP)
    hints.finish()


OUTSIDE = ("past the end", "across the end", "absent", "to the last byte", "round the end")


def outside(bench: Bench, kind: str) -> Span:
    """Return a range that is not, or not all, RAM."""
    end = max(start + length for start, length in bench.limits.ram)
    return {
        "past the end": Span(end, PAGE),
        "across the end": Span(end - 4 * PAGE, 8 * PAGE),
        "absent": Span(bench.limits.absent, PAGE),
        "to the last byte": Span((1 << 64) - PAGE, PAGE),
        "round the end": Span((1 << 64) - PAGE, 0x200000),
    }[kind]


@pytest.mark.parametrize("kind", OUTSIDE, ids=lambda kind: kind.replace(" ", "-"))
@round_case(RAM_ONLY, id="free-page-hint.outside-ram", features=NEEDS, capabilities=ROUNDS)
def test_outside_ram(bench: Bench, kind: str) -> None:
    """A range that is not all RAM harms nothing outside it."""
    hints = running(bench)
    hints.otherwise = RAM_ONLY
    bad = outside(bench, kind)
    hints.hint(bench.blocks(1))
    bench.driver.note(
        Draft(Queue.FREE_PAGE, blocks=(bad,), pages_are_buffers=True),
        bench.driver.rings[Queue.FREE_PAGE].add((), (bad,)),
        (),
        (bad,),
        valid=False,
    )
    if kind == "across the end":
        hints.hinted += (Span(bad.start, 4 * PAGE),)
        bench.memory.release([Span(bad.start, 4 * PAGE)])
    bench.publish(Queue.FREE_PAGE)
    bench.observations["fate"] = bench.fate(Queue.FREE_PAGE)
    hints.let_finish()
    hints.check()


@round_case(
    RESET,
    id="free-page-hint.reset-in-round",
    rings=ANY_RINGS,
    features=NEEDS,
    capabilities=[*ROUNDS, Capability.HEARS_RESETS],
)
def test_reset(bench: Bench) -> None:
    """Pages that are used after a reset in mid-round arrive; new ones under the old id do too."""
    hints = running(bench)
    blocks, late = bench.blocks(6), bench.blocks(2)
    hints.hint(blocks[:4])
    hints.hint(blocks[4:], wait=False)
    bench.stake = RESET
    bench.reset()
    bench.observe()
    hints.write(blocks, RESET)
    bench.transport.settle()
    hints.start()
    hints.hint(late, against=RESET)
    hints.let_finish()
    hints.check()


@round_case(
    RESET,
    id="free-page-hint.reset-forgets-hints",
    features=NEEDS,
    capabilities=[*ROUNDS, Capability.HEARS_RESETS],
)
def test_reset_forgets(bench: Bench) -> None:
    """Pages that were hinted before a reset are not left out after it, written or not."""
    hints = running(bench)
    blocks = bench.blocks(4)
    hints.hint(blocks)
    bench.reset()
    hints.keep(RESET, blocks)
    hints.start()
    hints.let_finish()
    hints.check()


@round_case(
    POISON,
    id="free-page-hint.poison",
    features=[*NEEDS, Feature.PAGE_POISON],
    capabilities=ROUNDS,
)
def test_poison(bench: Bench) -> None:
    """Hinted pages that hold the poison value go on reading as it, here if not there."""
    hints = Round(bench, poison=VALUE)
    blocks = bench.blocks(4)
    poison(bench, blocks, VALUE)
    hints.command(hints.begin())
    hints.hint(blocks)
    hints.command(STOP)
    hints.finish()
    for block in blocks:
        bench.require(
            bench.memory.peek(block) == VALUE.to_bytes(4, "little") * (PAGE // 4),
            POISON,
            expected=f"{VALUE:#x} all over the page",
            seen=bench.memory.peek(block)[:16].hex(),
            where=str(block),
        )
