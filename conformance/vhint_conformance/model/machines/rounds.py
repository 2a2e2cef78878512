"""Rounds of free page hinting: ids, pages, STOP, DONE, and pages that are wanted back."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from vhint.wire.features import Feature, Features
from vhint_conformance.model.machines.base import GuestMachine
from vhint_conformance.model.setup import POISON, Setup
from vhint_conformance.model.world import World

START, STOP, FINISH = "start_round", "stop_round", "finish_round"


class HintRounds(GuestMachine):
    """A small zone, so that memory pressure comes early."""

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw a zone that is soon used up."""
        return st.builds(
            Setup,
            features=st.just(Features.of(Feature.FREE_PAGE_HINT)),
            zones=st.sampled_from([(4,), (8,)]),
            max_order=st.integers(0, 2),
            orders=st.sampled_from([(0,), (2, 0)]),
            take_back_used_only=st.booleans(),
            queue_size=st.sampled_from([16, 4]),
            poison=st.sampled_from([None, POISON]),
        )

    @rule(
        what=st.sampled_from([START, START, START, FINISH, STOP]),
        turns=st.sampled_from([1, 2, 3, 0]),
        steps=st.integers(1, 8),
    )
    def round(self, what: str, turns: int, steps: int) -> None:
        """Let the host begin or end a round, and guest and host act on it for some turns."""
        self.running.host(what)
        for _ in range(turns):
            self.running.interrupt()
            self.running.kernel("free_page_hint", steps)
            self.running.step_device(6)

    @rule(steps=st.integers(2, 9), by=st.sampled_from(["reset", "pressure", START]))
    def cut_short(self, steps: int, by: str) -> None:
        """Let a round begin and the guest get so far with it, and then something else begin."""
        self._begin_round()
        self.running.kernel("free_page_hint", steps)
        match by:
            case "reset":
                self.running.reset()
            case "pressure":
                self.pressure(8)
            case _:
                self.running.step_device(6)
                self.running.host(STOP)
                self.running.interrupt()
                self.running.kernel("free_page_hint", 6)
                self._begin_round()
                self.running.kernel("free_page_hint", 3)

    def _begin_round(self) -> None:
        self.running.host(START)
        self.running.interrupt()

    @rule(pages=st.integers(1, 8))
    def more(self, pages: int) -> None:
        """Let an application allocate all that it can get."""
        self.pressure(pages)

    def pressure(self, pages: int) -> None:
        """Allocate until there is nothing left."""
        for _ in range(pages):
            if self.running.allocate(0, self.running.setup.orders[-1]) is None:
                break

    @rule()
    def interrupt(self) -> None:
        """Let the guest take its interrupts."""
        self.running.interrupt()

    @rule()
    def reset(self) -> None:
        """Let the guest reset the device."""
        self.running.reset()

    def wind_down(self, world: World) -> None:
        """End the round: what is held comes back with DONE."""
        self._settle(world)
        world.host(FINISH)
        world.interrupt()
