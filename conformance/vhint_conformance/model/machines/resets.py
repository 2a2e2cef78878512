"""A reset at any moment, on a host that takes its time over it; everything negotiated."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from vhint.host import ALL_FEATURES
from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint_conformance.model.machines.base import GuestMachine
from vhint_conformance.model.machines.plain import PlainPages
from vhint_conformance.model.setup import Setup
from vhint_conformance.model.world import World

SOME = (
    Features.of(Feature.HINTING),
    Features.of(Feature.PAGE_REPORTING),
    ALL_FEATURES - Features.of(Feature.FREE_PAGE_HINT),
    ALL_FEATURES,
)


class ResetsAnywhere(GuestMachine):
    """Requests of every kind, and resets in the middle of them."""

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw what is negotiated."""
        return st.builds(
            Setup,
            features=st.sampled_from(SOME),
            host=st.sampled_from(["slow-to-reset", "eager"]),
            zones=st.sampled_from([(8,), (16,)]),
            orders=st.sampled_from([(0,), (0, 1)]),
            generation=st.sampled_from(["isolating", "batching", "blocking"]),
            hint_format=st.sampled_from(["pfn", "bitmap"]),
            second_threshold=st.integers(1, 2),
        )

    @rule(heard=st.booleans())
    def reset(self, heard: bool) -> None:
        """Let the guest reset the device, and perhaps see at once what comes of it."""
        self.running.reset()
        if heard:
            self.running.step_device(1)
            self.running.kernel("device", 2)

    @rule(heard=st.booleans())
    def needs_reset(self, heard: bool) -> None:
        """Let the device ask for a reset, as if it had met with an error."""
        if self.running.transport.read_status() & DeviceStatus.DRIVER_OK:
            self.running.host("fail", "an error that it was told to have")
        if heard:
            self.running.interrupt()

    @rule(count=st.integers(1, 3))
    def hint(self, count: int) -> None:
        """Let some blocks be freed and hinted in a row."""
        self.running.hint_some(count)

    @rule(steps=st.integers(3, 12))
    def report(self, steps: int) -> None:
        """Let the reporting worker's delay pass, and the worker get so far."""
        self.running.tick(self.running.setup.time_limit + 1)
        self.running.kernel("reporting", steps)

    @rule(pages=st.integers(0, 3))
    def target(self, pages: int) -> None:
        """Let the host change the target of the balloon."""
        self.running.host("set_balloon_size", pages)
        self.running.interrupt()

    @rule(what=st.sampled_from(["start_round", "finish_round"]))
    def round(self, what: str) -> None:
        """Let the host begin or end a round of free page hinting."""
        self.running.host(what)
        self.running.interrupt()

    @rule(by=st.sampled_from([11, 3]))
    def clock(self, by: int) -> None:
        """Time passes."""
        self.running.tick(by)

    def wind_down(self, world: World) -> None:
        """End a round that is under way."""
        self._settle(world)
        world.host("finish_round")
        world.interrupt()


class HintResets(PlainPages):
    """The talk's guest, and resets of its device: fewer other things happen."""

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw how the host resets, and little else."""
        return st.builds(
            Setup,
            features=st.just(Features.of(Feature.HINTING)),
            host=st.sampled_from(["slow-to-reset", "eager"]),
            generation=st.sampled_from(["isolating", "batching"]),
        )

    @rule(heard=st.booleans())
    def reset(self, heard: bool) -> None:
        """Let the guest reset the device, and perhaps see at once what comes of it."""
        self.running.reset()
        if heard:
            self.running.step_device(1)
            self.running.kernel("device", 2)
