"""The stepping interface: what others build models and explorers on."""

from __future__ import annotations

import copy
import random

import pytest

from tests.guest.direct_tools import DirectGuest
from tests.guest.guest_tools import choose
from vhint.guest.device_life import DeviceState
from vhint.guest.hinting import GENERATIONS, HintSettings
from vhint.guest.memory import PerCpuMarks
from vhint.guest.step import Step
from vhint.wire.queues import Queue


def rig(generation: str = "isolating") -> DirectGuest:
    return DirectGuest(
        HintSettings(6, 2, 2, time_limit=30),
        cpus=2,
        per_cpu=PerCpuMarks(1, 2),
        generation=GENERATIONS[generation](),
        options={"orders": (0, 2)},
    )


def test_a_guest_that_does_nothing_can_only_allocate() -> None:
    made = rig()
    made.guest.settle()
    assert made.guest.enabled() == [
        Step("cpu0", "allocate", 0),
        Step("cpu0", "allocate", 2),
        Step("cpu1", "allocate", 0),
        Step("cpu1", "allocate", 2),
    ]


def test_looking_changes_nothing() -> None:
    made, rng = rig(), random.Random(1)
    for _ in range(200):
        before = made.guest.key()
        steps = made.guest.enabled()
        assert made.guest.enabled() == steps
        assert made.guest.key() == before
        made.guest.do(choose(steps, rng))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_copy_goes_its_own_way_and_the_same_steps_lead_to_the_same_state(
    generation: str,
) -> None:
    made, rng = rig(generation), random.Random(2)
    for _ in range(60):
        steps = made.guest.enabled()
        if not steps:
            break
        made.guest.do(choose(steps, rng))
    twin = copy.deepcopy(made)
    before = twin.guest.key()
    assert made.guest.key() == before
    for _ in range(40):
        steps = made.guest.enabled()
        if not steps:
            break
        step = choose(steps, rng)
        made.guest.do(step)
    assert twin.guest.key() == before
    rng_state = random.Random(3)
    third = copy.deepcopy(twin)
    for _ in range(40):
        steps = twin.guest.enabled()
        assert third.guest.enabled() == steps
        if not steps:
            break
        step = choose(steps, rng_state)
        twin.guest.do(step)
        third.guest.do(step)
        assert third.guest.key() == twin.guest.key()


@pytest.mark.parametrize(
    "step",
    [
        Step("worker0", "isolate"),
        Step("cpu0", "fly"),
        Step("device", "fly"),
        Step("reporting", "fly"),
        Step("free_page_hint", "fly"),
        Step("balloon", "fly"),
        Step("statistics", "fly"),
    ],
)
def test_a_step_that_does_not_exist_is_refused(step: Step) -> None:
    with pytest.raises(ValueError, match=r"no such step|is not what worker0 does next"):
        rig().guest.do(step)


def test_time_does_not_go_back() -> None:
    made = rig()
    made.guest.tick(5)
    with pytest.raises(ValueError, match="time goes from 5 to 4"):
        made.guest.tick(4)


def test_an_allocation_that_fails_is_counted() -> None:
    made = rig()
    for _ in range(200):
        made.guest.do(Step("cpu0", "allocate", 0))
    assert made.guest.counters.allocations == 128
    assert made.guest.counters.allocations_failed == 72
    assert made.guest.state is DeviceState.LIVE


def test_under_a_fair_device_every_captured_page_is_reported_or_its_reason_counted() -> None:
    """Liveness: no entry is left in an array, a worker's hands or a second array."""
    for generation in GENERATIONS:
        made, rng = rig(generation), random.Random(5)
        for _ in range(600):
            steps = made.guest.enabled()
            if steps:
                made.guest.do(choose(steps, rng))
            for request in made.asked[:1]:
                made.discard(request)
                made.answer(request)
        for _ in range(10):
            made.guest.tick(made.guest.now + 30)
            made.guest.settle()
            for request in made.asked:
                made.answer(request)
        hinting = made.hinting
        assert not any(map(len, hinting.arrays))
        assert not any(worker.entries or worker.waiting for worker in hinting.workers)
        assert not hinting.requests
        counted = made.guest.counters
        assert counted.isolated_pages == counted.offered_pages == counted.returned_pages
        assert counted.reported_pages
        # Every entry came to one isolated block or to one reason.
        assert counted.requests
        assert not made.port.available[Queue.HINTING]
        before = counted.requests
        made.guest.tick(made.guest.now + 1000)
        made.guest.settle()
        assert counted.requests == before  # and nobody reports untouched pages again
