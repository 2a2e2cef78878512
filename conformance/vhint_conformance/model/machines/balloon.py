"""Inflate and deflate, on hosts whose pages are larger than the guest's, too."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from vhint.wire.features import Feature, Features
from vhint_conformance.model.machines.base import GuestMachine
from vhint_conformance.model.setup import POISON, Setup

WITH = (Feature.MUST_TELL_HOST, Feature.DEFLATE_ON_OOM)


class BalloonPages(GuestMachine):
    """A target that changes, with MUST_TELL_HOST or without, and sub-pages or none."""

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw features and the size of a host page."""
        return st.builds(
            Setup,
            features=st.sampled_from(
                [Features.of(*WITH[:number]) for number in (1, 0, 2)]
                + [Features.of(Feature.DEFLATE_ON_OOM)]
            ),
            zones=st.sampled_from([(8,), (16,)]),
            host=st.sampled_from(["eager", "idle", "reordering"]),
            host_page=st.sampled_from([4096, 8192, 16384]),
            poison=st.sampled_from([None, POISON]),
        )

    @rule(pages=st.integers(0, 6), turns=st.integers(0, 3))
    def target(self, pages: int, turns: int) -> None:
        """Let the host change the target, and guest and host act on it for some turns."""
        self._act(pages, turns)

    @rule(pages=st.integers(1, 6), steps=st.integers(1, 5))
    def there_and_back(self, pages: int, steps: int) -> None:
        """Let the balloon grow, and the guest get so far with shrinking it."""
        self._act(pages, 3)
        self._act(0, 0)
        self.running.interrupt()
        self.running.kernel("balloon", steps)

    def _act(self, pages: int, turns: int) -> None:
        self.running.host("set_balloon_size", pages)
        for _ in range(turns):
            self.running.interrupt()
            self.running.kernel("balloon", 4)
            self.running.step_device(6)

    @rule()
    def interrupt(self) -> None:
        """Let the guest take its interrupts."""
        self.running.interrupt()

    @rule()
    def reset(self) -> None:
        """Let the guest reset the device."""
        self.running.reset()
