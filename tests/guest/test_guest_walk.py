"""Random walks: a whole guest on the reference device over real memory, step by step."""

from __future__ import annotations

import random

import pytest

from tests.guest.guest_tools import RealGuest, check, choose, small_options
from vhint.guest.device_life import DeviceState
from vhint.guest.hinting import GENERATIONS
from vhint.guest.memory import KeepUntilPressure
from vhint.guest.profiles.hint_format import BitmapFormat, HintFormat, PfnFormat


def walk(rig: RealGuest, seed: int, steps: int) -> None:
    rng = random.Random(seed)
    guest = rig.guest
    for number in range(steps):
        match rng.randrange(12):
            case 0 | 1 | 2 | 3:
                rig.transport.step()
            case 4:
                guest.interrupted(config=rig.transport.take_interrupts().config)
            case 5:
                guest.tick(guest.now + rng.randrange(10))
            case 6 if rng.random() < 0.1:
                rig.device.set_balloon_size(rng.choice([0, 10, 60]))
            case 6 if rng.random() < 0.1:
                rig.device.poll_statistics()
            case 6 if rng.random() < 0.1:
                rng.choice([rig.device.start_round, rig.device.stop_round])()
            case 6 if rng.random() < 0.1:
                rig.device.finish_round()
            case 6 if rng.random() < 0.03 and guest.state is DeviceState.LIVE:
                guest.begin_reset()
            case _:
                guest.do(choose(guest.enabled(), rng))
        if number % 7 == 0:
            rig.check()
    rig.check()


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("made", [PfnFormat(), BitmapFormat(results=False)])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_on_any_walk(generation: str, made: HintFormat, seed: int) -> None:
    poison = (None, 0xAAAAAAAA)[seed % 2]
    rig = RealGuest(
        small_options(poison=poison, patience=200),
        cache=KeepUntilPressure(20) if seed == 2 else None,
        generation=GENERATIONS[generation](),
        hint_format=made,
    )
    try:
        rig.guest.start()
        walk(rig, seed, 2500)
        assert rig.guest.counters.requests
        finish(rig)
    finally:
        rig.close()


def finish(rig: RealGuest) -> None:
    """Free everything and reset: every page comes back (hint.driver.return-every-acknowledged)."""
    guest = rig.guest
    if guest.state is DeviceState.LIVE:
        guest.begin_reset()
    rig.settle()
    for _, block in list(guest.applications.live.values()):
        assert guest.applications.free(0, block, may_keep=False)
    guest.memory.drop(0, 10_000)
    for cpu in range(guest.memory.cpus):
        guest.memory.drain(cpu)
    for worker in guest.hinting.workers:
        guest.hinting.withdraw(worker)
    check(guest)
    account = guest.memory.account()
    assert account.free == account.total, account
