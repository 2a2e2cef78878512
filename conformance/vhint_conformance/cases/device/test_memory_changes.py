"""Guest RAM that is taken away and added while the device runs."""

from __future__ import annotations

import pytest

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span, intersect
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hint_drafts import ACCEPTED, expect, hint, lowest
from vhint_conformance.cases.hint_drafts import NEEDS as HINTING
from vhint_conformance.verdict import NotApplicable

NEEDS = (Feature.PAGE_REPORTING,)


def regions(bench: Bench) -> tuple[list[Span], Span]:
    """Return the regions of RAM that the suite cannot do without, and one that it can."""
    usable, _ = bench.limits.usable
    every = [Span(start, length) for start, length in bench.limits.ram]
    spare = [each for each in every if not each.start <= usable < each.end]
    if not spare:
        raise NotApplicable("guest RAM is one region, which holds the queues")
    return [each for each in every if each is not spare[0]], spare[0]


@pytest.mark.parametrize("again", [False, True], ids=["removed", "removed-again"])
@case(
    "reporting.device.ram-only",
    "reporting.device.use-every-buffer",
    "ring.device.recovers-by-reset",
    id="reporting.memory-removed",
    features=NEEDS,
    capabilities=[Capability.CHANGES_MEMORY, Capability.SEES_DISCARDS],
)
def test_removed(bench: Bench, again: bool) -> None:
    """Memory that was taken away is guest RAM no more, and the rest is served as before."""
    bench.start()
    kept, spare = regions(bench)
    bench.exchange(requests.report(bench.blocks(1)), "reporting.device.use-every-buffer")
    bench.control.set_ram(kept)
    if again:
        bench.control.set_ram([*kept, spare])
        bench.control.set_ram(kept)
    bench.exchange(requests.report(bench.blocks(1)), "reporting.device.use-every-buffer")
    gone = Span(spare.start + (1 << 20), 16 * PAGE)
    bench.send(Draft(Queue.REPORTING, blocks=(gone,), pages_are_buffers=True), valid=False)
    bench.observations["fate"] = bench.fate(Queue.REPORTING)
    lost = intersect(bench.memory.holes(), [gone])
    bench.require(
        not lost,
        "reporting.device.ram-only",
        expected="memory that is not guest RAM any more to be left alone",
        seen="a discard",
        where=", ".join(map(str, lost)),
    )
    bench.reset()
    bench.start()
    bench.exchange(requests.report(bench.blocks(1)), "ring.device.recovers-by-reset")


@case(
    "reporting.device.use-every-buffer",
    "reporting.device.containment",
    id="reporting.memory-added",
    features=NEEDS,
    capabilities=[Capability.CHANGES_MEMORY],
)
def test_added(bench: Bench) -> None:
    """Memory that is added while queues run is served as the rest is, which goes on."""
    bench.start()
    kept, spare = regions(bench)
    bench.control.set_ram(kept)
    bench.exchange(requests.report(bench.blocks(1)), "reporting.device.use-every-buffer")
    bench.control.set_ram([*kept, spare])
    bench.exchange(requests.report(bench.blocks(1)), "reporting.device.use-every-buffer")
    added = Span(spare.start + (2 << 20), PAGE)
    bench.exchange(requests.report([added]), "reporting.device.use-every-buffer", reuse=False)


@case(
    "hint.device.no-refusal-without-cause",
    "hint.device.containment",
    id="hint.memory-added",
    features=HINTING,
    capabilities=[Capability.CHANGES_MEMORY],
)
def test_hint_added(bench: Bench) -> None:
    """Blocks of memory that is added while queues run are taken as others are."""
    bench.start()
    kept, spare = regions(bench)
    bench.control.set_ram(kept)
    bench.control.set_ram([*kept, spare])
    added = (spare.start + (2 << 20)) // PAGE
    draft = requests.hint_blocks(5, [(added, lowest(bench))])
    expect(bench, hint(bench, draft), "hint.device.no-refusal-without-cause", *ACCEPTED)
