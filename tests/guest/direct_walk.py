"""Random walks of a guest on a device without rings; what goes wrong is returned as words."""

from __future__ import annotations

import random
from typing import Any

from tests.guest.direct_tools import HINTING, DirectGuest
from tests.guest.guest_tools import choose
from vhint.guest.device_life import DeviceState
from vhint.guest.guest import Guest
from vhint.guest.hinting import HintSettings
from vhint.guest.memory import PageLifeError, PerCpuMarks, Watermarks, ZoneKind, ZoneSpec
from vhint.guest.profiles.free_page_hint import RoundSettings
from vhint.spans import PAGE
from vhint.wire.features import Feature
from vhint.wire.queues import Queue

ZONES = (
    ZoneSpec(ZoneKind.DMA32, 0, 8, Watermarks(0, 1, 2), max_order=3),
    ZoneSpec(ZoneKind.NORMAL, 8, 16, Watermarks(0, 1, 2), max_order=3),
)
FEATURES = (*HINTING, Feature.FREE_PAGE_HINT, Feature.MUST_TELL_HOST, Feature.DEFLATE_ON_OOM)


def walk(seed: int, steps: int = 400, guest_kind: type[Guest] = Guest, **parts: Any) -> str | None:
    """Walk; return what is wrong with the guest, or None.

    The device is sound: it discards what is named, then uses it, in any order and at any time; in
    some walks it gives one answer that cannot be.
    """
    rng = random.Random(seed)
    rig = DirectGuest(
        HintSettings(6, 2, 2, time_limit=30),
        features=FEATURES,
        zones=ZONES,
        cpus=2,
        per_cpu=PerCpuMarks(1, 2),
        guest_kind=guest_kind,
        options={"orders": (0, 1), "patience": 60, "rounds": RoundSettings(order=1)},
        config={"hint_max_count": rng.choice([1, 2, 8])},
        **parts,
    )
    rig.port.resets_at_once = False
    lies_from = rng.randrange(steps // 2) if rng.random() < 0.4 else steps
    try:
        for number in range(steps):
            _one(rig, rng)
            if number >= lies_from and rig.asked:
                rig.answer(rng.choice(rig.asked), cookie=0)
                lies_from = steps
            problem = _problem(rig)
            if problem:
                return problem
        return _finish(rig)
    except PageLifeError as error:
        return str(error)


def _one(rig: DirectGuest, rng: random.Random) -> None:
    guest = rig.guest
    match rng.randrange(8):
        case 0 | 1:
            _device(rig, rng)
        case 2 if rng.random() < 0.3:
            guest.tick(guest.now + rng.randrange(20))
        case 2 if rng.random() < 0.1:
            rig.port.config["num_pages"] = rng.choice([0, 2, 6])
            rig.port.config["free_page_hint_cmd_id"] = rng.choice([0, 1, rng.randrange(2, 99)])
            guest.interrupted(config=True)
        case 2 if rng.random() < 0.05 and guest.state is DeviceState.LIVE:
            guest.begin_reset()
        case _:
            steps = guest.enabled()
            if steps:  # a blocking guest can be waiting for the device altogether
                guest.do(choose(steps, rng))


def _device(rig: DirectGuest, rng: random.Random) -> None:
    """Do one thing that a sound device may do."""
    if rig.guest.state is DeviceState.RESETTING and not rig.port.reset_done():
        rig.port.finish_reset()
        return
    queue = rng.choice([q for q in Queue if rig.port.available[q]] or [Queue.HINTING])
    if not rig.port.available[queue]:
        return
    request = rng.choice(rig.port.available[queue])
    if queue is not Queue.DEFLATE and queue is not Queue.FREE_PAGE:
        for span in request.draft.blocks:
            rig.content.discard(span.start // PAGE, span.length // PAGE)
    if queue is Queue.HINTING:
        rig.answer(request)
    else:
        rig.port.use(request)


def _problem(rig: DirectGuest) -> str | None:
    for zone in rig.memory.zones:
        account = rig.memory.account_of_zone(zone)
        if not account.balanced:
            return f"pages are lost or counted twice: {account}"
    lost = rig.memory.verify()
    return str(lost[0]) if lost else None


def _finish(rig: DirectGuest) -> str | None:
    """Free everything, answer everything, reset: every page must be free again."""
    guest, rng = rig.guest, random.Random(0)
    rig.port.config["num_pages"] = 0
    rig.port.config["free_page_hint_cmd_id"] = 1
    for round_ in range(40):
        guest.tick(guest.now + 40)
        if round_ == 20 and guest.state is DeviceState.LIVE:
            guest.begin_reset()
        if guest.state is DeviceState.DOWN and round_ < 20:
            guest.start()
        guest.interrupted(config=True)
        guest.settle()
        for cpu, block in list(guest.applications.live.values()):
            guest.applications.free(cpu, block)
        for cpu in range(2):
            if guest.memory.stop.holder is None:
                guest.memory.drain(cpu)
        for _ in range(12):
            _device(rig, rng)
        problem = _problem(rig)
        if problem:
            return problem
    account = guest.memory.account()
    return None if account.free == account.total else f"pages did not come back: {account}"
