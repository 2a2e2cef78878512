"""The balloon between a real driver and a real device: its size, its memory, its content."""

from __future__ import annotations

from vhint.spans import PAGE
from vhint.wire.features import Feature
from vhint_conformance.cases.pair.tools import BALLOON, REPORTING, pair_case
from vhint_conformance.pair_bench.bench import PairBench
from vhint_conformance.targets.pair import PLAIN, REPORTS

MIB = 1 << 20
HALF = 160 * MIB // PAGE


def change(bench: PairBench, pages: int, requirement: str) -> None:
    """Have the balloon's size changed, and wait until the host is told of it."""
    bench.session.set_balloon(pages)
    bench.wait(lambda: bench.session.balloon() == pages)
    seen = bench.session.balloon()
    bench.require(
        seen == pages,
        requirement,
        expected=f"a balloon of {pages} pages within {bench.limits.patience:g} s",
        seen=f"{seen} pages",
    )


def check_total(bench: PairBench, before: int, pages: int) -> None:
    """Fail if the guest counts other memory as its own than what is not in the balloon.

    With DEFLATE_ON_OOM it may count that too.
    """
    less = before - bench.total()
    if Feature.DEFLATE_ON_OOM in bench.session.accepted:
        return
    bench.require(
        abs(less - pages * PAGE) <= MIB,
        "balloon.driver.actual-true",
        expected=f"a guest that has {pages * PAGE // MIB} MiB less, as the host is told",
        seen=f"{less // MIB} MiB less",
    )


@pair_case(
    "balloon.driver.inflate-on-demand",
    "balloon.driver.update-actual",
    "balloon.driver.actual-true",
    "balloon.device.deflated-page-keeps-writes",
    *BALLOON,
    id="balloon.pair-follows-target",
)
def test_follows_target(bench: PairBench) -> None:
    """The balloon follows its target up and down, its memory leaves the guest and comes back."""
    bench.start(PLAIN, "balloon.device.deflated-page-keeps-writes", *BALLOON)
    bench.keep(8 * MIB)
    whole, total = bench.fill(), bench.total()
    before = bench.resident()
    change(bench, HALF, "balloon.driver.inflate-on-demand")
    check_total(bench, total, HALF)
    bench.observations["figures"] = {
        "balloon": f"{HALF * PAGE // MIB} MiB",
        "came back": f"{max(0, before - bench.resident()) // MIB} MiB of host memory",
    }
    bench.check()
    change(bench, 0, "balloon.driver.update-actual")
    check_total(bench, total, 0)
    bench.check_fill(whole, "balloon.driver.actual-true")


@pair_case(
    "balloon.driver.wait-for-inflate",
    "balloon.device.deflated-page-keeps-writes",
    *BALLOON,
    *REPORTING,
    id="balloon.pair-beside-reporting",
)
def test_beside_reporting(bench: PairBench) -> None:
    """A balloon that comes and goes beside reports takes nothing from a guest at work."""
    suspects = ("balloon.driver.wait-for-inflate", "balloon.device.deflated-page-keeps-writes")
    bench.start(REPORTS, *suspects, *BALLOON, *REPORTING)
    files = bench.scatter(groups=10, filler=8 * MIB)
    bench.keep(8 * MIB)
    bench.free(files)
    for pages in (HALF, HALF // 4, 0):
        bench.session.set_balloon(pages)
        holding = bench.tester.allocate(8 * MIB)  # while the balloon is on its way
        bench.look()
        bench.check_content(holding)
        bench.free(holding)
        change(bench, pages, "balloon.driver.inflate-on-demand")


@pair_case(
    "balloon.driver.return-on-remove",
    "ring.driver.reset-before-removal",
    *BALLOON,
    id="balloon.pair-driver-removed",
)
def test_driver_removed(bench: PairBench) -> None:
    """A driver that is removed leaves all of the balloon to its guest, and can be had again."""
    bench.start(REPORTS, *BALLOON, *REPORTING)
    bench.keep(8 * MIB)
    whole = bench.fill()
    change(bench, HALF, "balloon.driver.inflate-on-demand")
    bench.session.unload()
    bench.check_fill(whole, "balloon.driver.return-on-remove")
    bench.session.set_balloon(0)
    bench.session.load()
    bench.settle()
    holding = bench.file(64 * MIB)
    before = bench.resident()
    bench.free(holding)
    bench.need_returned(before, holding.size // 2)
