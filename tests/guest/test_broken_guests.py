"""Guests that are broken in one method each: the ledger, the content or the sums tell.

Each fault is one that a posted implementation had, or that the design is there to prevent; each is
one small method of `Hinting`, `HintWorker` or a half.
"""

from __future__ import annotations

import pytest

from tests.guest.direct_tools import DirectGuest
from tests.guest.direct_walk import walk
from vhint.guest.driver import Answer
from vhint.guest.guest import Guest
from vhint.guest.hinting import (
    GENERATIONS,
    Generation,
    Hinting,
    HintRequest,
    HintSettings,
    HintWorker,
    Isolating,
    Missed,
)
from vhint.guest.hinting.hint_requests import ACTOR
from vhint.guest.memory import Block, PageLifeError, ZoneLock
from vhint.guest.page_life import PageEvent
from vhint.guest.profiles.acknowledgement import BadAnswer, GoodAnswer, judge
from vhint.guest.profiles.hint_format import HintFormat
from vhint.guest.request_life import RequestState
from vhint.spans import PAGE
from vhint.wire.hint_ack import Status

WALKS = 20


def guest_with(kind: type[Hinting]) -> type[Guest]:
    class Made(Guest):
        def make_hinting(
            self, generation: Generation | None, hint_format: HintFormat | None
        ) -> Hinting:
            return kind(
                self.memory, self.port, self.options.hinting, generation, hint_format, self.counters
            )

    return Made


def worker_with(kind: type[HintWorker]) -> type[Guest]:
    return guest_with(type("Made", (Hinting,), {"worker_kind": kind}))


class NoRecheck(HintWorker):
    def recheck(self, entry: Block) -> Block | Missed:
        return entry


class NoLock(HintWorker):
    def take_lock(self, lock: ZoneLock) -> None:
        """Go on as if one had it."""


class ReleaseOnOffer(Hinting):
    def after_offer(self, request: HintRequest) -> None:
        for block in request.blocks:
            zone = self.memory.zone_of(block.pfn)
            self.memory.give_back(block, zone.lock.holder or ACTOR)


class RemainderLost(Hinting):
    def remainder(self, rest: tuple[Block, ...]) -> list[Block]:
        return []


class NoReturn(Hinting):
    def order_of_return(self, request: HintRequest) -> list[Block]:
        return [block for block in request.blocks if block in request.accepted]


class WrongOrder(Hinting):
    def order_of_return(self, request: HintRequest) -> list[Block]:
        return [Block(block.pfn, 0) for block in request.blocks]


class ReturnTwice(Hinting):
    def order_of_return(self, request: HintRequest) -> list[Block]:
        return [*request.blocks, *request.blocks[:1]]


class BelievesAll(Hinting):
    """Takes any answer for a good one, and the cookie for what selects the request."""

    def judge(self, answer: Answer) -> GoodAnswer | BadAnswer:
        found = judge(answer)
        blocks = answer.request.draft.blocks
        return GoodAnswer(Status.OK, blocks, ()) if isinstance(found, BadAnswer) else found

    def request_of(self, answer: Answer) -> HintRequest:
        cookie = int.from_bytes(answer.data[:8], "little")
        available = [r for r in self.requests if r.state is RequestState.AVAILABLE]
        named = [r for r in available if r.request.draft.cookie == cookie]
        return (named or available)[0]


class ReturnsBeforeReset(Hinting):
    def distrust(self, reason: str) -> None:
        super().distrust(reason)
        for request in self.outstanding:
            for block in request.blocks:
                self.memory.give_back(block, ACTOR)


NOBODYS = ZoneLock("nobody's")


class BlockingWithoutStopping(HintWorker):
    def lock_for(self, entry: Block) -> ZoneLock:
        return NOBODYS

    def wake(self) -> None:
        super().wake()
        if self.hinting.memory.stop.holder == self.name:
            self.hinting.memory.stop.release(self.name)

    def take_lock(self, lock: ZoneLock) -> None:
        """Go on as if one had it."""


class Uninitialised(Guest):
    """Hands pages out that it took back before DONE, without having written them."""

    def __init__(self, *args: object, **parts: object) -> None:
        super().__init__(*args, **parts)  # type: ignore[arg-type]
        self.rounds.initialise = lambda _: None  # type: ignore[method-assign]


class NoWaitForDeflate(Guest):
    """Uses deflated pages at once although the host must be told first."""

    def __init__(self, *args: object, **parts: object) -> None:
        super().__init__(*args, **parts)  # type: ignore[arg-type]
        balloon = self.balloon
        move = balloon._move

        def too_soon(pages: list[Block], event: PageEvent) -> None:
            move(pages, event)
            if event is PageEvent.DEFLATE:
                balloon.returning += pages

        balloon._move = too_soon  # type: ignore[method-assign]


BROKEN: dict[str, tuple[type[Guest], type[Generation], str]] = {
    "recheck omitted": (worker_with(NoRecheck), Isolating, "never-report-reallocated"),
    "recheck outside the lock": (worker_with(NoLock), Isolating, "never-report-reallocated"),
    "released on offer": (guest_with(ReleaseOnOffer), Isolating, "no-allocate-while-outstanding"),
    "remainder lost": (guest_with(RemainderLost), Isolating, "did not come back"),
    "no return without acceptance": (guest_with(NoReturn), Isolating, "did not come back"),
    "wrong order on return": (guest_with(WrongOrder), Isolating, "did not come back"),
    "returned twice": (guest_with(ReturnTwice), Isolating, "return-every-acknowledged"),
    "blocking that stops nobody": (
        worker_with(BlockingWithoutStopping),
        GENERATIONS["blocking"],
        "hint.driver.",
    ),
    "not initialised": (Uninitialised, Isolating, "initialise-early-release"),
    "deflate not waited for": (NoWaitForDeflate, Isolating, "wait-for-deflate"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_is_found_and_named(fault: str) -> None:
    kind, generation, said = BROKEN[fault]
    found = [walk(seed, guest_kind=kind, generation=generation()) for seed in range(WALKS)]
    seen = [problem for problem in found if problem]
    assert seen, f"none of {WALKS} walks saw it"
    assert any(said in problem for problem in seen), seen[:3]


def lied_to(kind: type[Guest]) -> DirectGuest:
    """Offer two requests; the device answers the first with the cookie of the second."""
    rig = DirectGuest(HintSettings(8, 2, 1), guest_kind=kind)
    rig.free(*rig.take(2))
    rig.run()
    first, second = rig.asked
    rig.answer(first, cookie=second.draft.cookie)
    rig.hinting.collect()
    while rig.hinting.can_return():
        rig.hinting.return_one()
    return rig


def test_a_guest_that_goes_by_the_cookie_loses_a_page() -> None:
    """hint.driver.used-id-selects."""
    rig = lied_to(guest_with(BelievesAll))
    held = rig.asked[0]
    while rig.memory.account().used < 126:
        rig.allocate()
    rig.discard(held)  # the device is within its rights: it has not used this one
    (lost,) = rig.memory.verify()
    assert lost.pfn * PAGE == held.draft.blocks[0].start
    assert not lied_to(Guest).hinting.trusted  # the sound guest gave nothing back


def test_a_guest_that_returns_before_the_reset_is_caught_in_the_act() -> None:
    """hint.driver.no-return-before-reset-done."""
    with pytest.raises(PageLifeError, match="no-allocate-while-outstanding"):
        lied_to(guest_with(ReturnsBeforeReset))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_sound_guest_passes_the_same_walks(generation: str) -> None:
    for seed in range(WALKS):
        assert walk(seed, generation=GENERATIONS[generation]()) is None, seed
