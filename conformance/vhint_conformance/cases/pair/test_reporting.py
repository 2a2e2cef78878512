"""Free page reporting between a real driver and a real device: what comes back, what must stay."""

from __future__ import annotations

import pytest

from vhint.spans import PAGE
from vhint_conformance.cases.pair.tools import REPORTING, SILENCE, pair_case
from vhint_conformance.pair_bench.bench import PairBench
from vhint_conformance.targets.pair import PLAIN, REPORTS
from vhint_conformance.verdict import Failed, Violation

MIB = 1 << 20
FREED = 200 * MIB


def free_at_once(bench: PairBench) -> tuple[int, int]:
    """Have `FREED` bytes written and freed at once; return what was resident before, and freed."""
    holding = bench.file(FREED)
    before = bench.resident()
    bench.free(holding)
    return before, holding.size


@pair_case(*REPORTING, id="reporting.pair-freed-comes-back")
def test_freed_comes_back(bench: PairBench) -> None:
    """200 MiB that are freed at once are discarded, and nothing beside them: how much, how soon."""
    bench.start(REPORTS, *REPORTING)
    bench.keep(16 * MIB)
    before, freed = free_at_once(bench)
    seconds = bench.need_returned(before, freed // 2)
    bench.settle()
    bench.observations["figures"] = {
        "reporting": "on",
        "freed at once": f"{freed // MIB} MiB",
        "came back": f"{max(0, before - bench.resident()) // MIB} MiB of host memory",
        "seconds to half of it": seconds,
    }


@pair_case(*REPORTING, id="reporting.pair-scattered")
def test_scattered(bench: PairBench) -> None:
    """Live pages between files that are freed and discarded keep their content."""
    bench.start(REPORTS, *REPORTING)
    files = bench.scatter(groups=10, filler=16 * MIB)
    before = bench.resident()
    bench.free(files)
    bench.need_returned(before, files.size // 2)
    bench.settle()


@pytest.mark.parametrize("order", [0, 3])
@pair_case(
    *REPORTING,
    "reporting.device.order-not-assumed",
    "reporting.device.round-inward",
    id="reporting.pair-small-blocks",
)
def test_small_blocks(bench: PairBench, order: int) -> None:
    """With small blocks reported, discarded pages lie side by side with live ones, which stay."""
    bench.start(REPORTS, *REPORTING)
    bench.tester.set_report_order(order)
    files = bench.scatter(groups=100, filler=PAGE << (order + 2))
    bench.keep(4 * MIB)
    before = bench.resident()
    bench.free(files)
    bench.free(bench.file(16 * MIB))
    bench.need_returned(before, files.size // 4)
    bench.settle()
    beside = bench.beside_holes()
    bench.observations["live_pages_beside_a_hole"] = beside
    bench.need(beside > 0, "no live page lies beside one that was discarded")


@pair_case(
    "reporting.driver.return-every-page",
    "reporting.device.page-usable-after-use",
    *REPORTING,
    id="reporting.pair-memory-comes-back",
)
def test_memory_comes_back(bench: PairBench) -> None:
    """After reports the guest can allocate all its memory again, and what it writes stays."""
    bench.start(REPORTS, "reporting.device.page-usable-after-use", *REPORTING)
    bench.keep(8 * MIB)
    whole = bench.fill()
    before = bench.resident()
    bench.need_returned(before, whole // 2)
    bench.settle()
    bench.check_fill(whole, "reporting.driver.return-every-page")


@pair_case(
    "reporting.driver.no-touch-until-use",
    "reporting.device.page-usable-after-use",
    *REPORTING,
    id="reporting.pair-busy-guest",
)
def test_busy_guest(bench: PairBench) -> None:
    """A guest that allocates, checks and frees all the time loses nothing to the reports."""
    suspects = ("reporting.driver.no-touch-until-use", "reporting.device.page-usable-after-use")
    bench.start(REPORTS, *suspects, *REPORTING)
    bench.tester.set_report_order(0)
    kept = bench.keep(4 * MIB)
    before = bench.effectiveness["discarded_pages"]
    for _ in range(3):
        holding = bench.tester.allocate(bench.limits.chunk)
        bench.look()
        bench.check_content(holding)
        bench.free(holding)
        bench.check_content(kept)
        bench.idle(0.7)
    discarded = bench.effectiveness["discarded_pages"] - before
    bench.observations["discarded_pages"] = discarded
    bench.need(discarded > 0, "nothing was discarded while the guest was at work")


@pair_case(*SILENCE, id="reporting.pair-silent-without-reporting")
def test_silent_without_reporting(bench: PairBench) -> None:
    """With no reporting offered, nothing that the guest frees is discarded."""
    bench.start(PLAIN, *SILENCE)
    bench.keep(8 * MIB)
    before, freed = free_at_once(bench)
    bench.idle(bench.limits.rest * 3)
    gone = max(0, before - bench.resident())
    bench.observations["figures"] = {
        "reporting": "off",
        "freed at once": f"{freed // MIB} MiB",
        "came back": f"{gone // MIB} MiB of host memory",
    }
    if gone >= MIB:
        expected = "no page discarded that nobody may have reported"
        seen = f"{gone // PAGE} pages discarded"
        raise Failed([Violation(slug, expected, seen) for slug in SILENCE])
