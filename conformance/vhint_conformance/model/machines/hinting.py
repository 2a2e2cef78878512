"""The life of a page under the talk's hinting, in both formats.

Free, reallocate, capture, re-check, isolate, offer, discard, use, return: every order of them.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from vhint_conformance.model.machines.base import GuestMachine
from vhint_conformance.model.setup import POISON, Setup

GENERATIONS = ("isolating", "batching", "blocking")
STOPS = (3, *range(13), 3)
"""Where a worker is interrupted: most often between its re-check and the isolation."""

SOUND_HOSTS = ("eager", "idle", "refusing", "reordering", "partial")


class HintPages(GuestMachine):
    """Pages named as an array of (PFN, order)."""

    hint_format = "pfn"

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw one zone and one CPU, and everything about hinting."""
        return st.builds(
            Setup,
            hint_format=st.just(cls.hint_format),
            generation=st.sampled_from(GENERATIONS),
            host=st.sampled_from(SOUND_HOSTS),
            orders=st.sampled_from([(0,), (0, 1), (1,)]),
            results=st.sampled_from([True, False]),
            parked=st.sampled_from([0, 0, 2]),
            kept=st.sampled_from([0, 1]),
            first_threshold=st.integers(1, 3),
            second_threshold=st.integers(1, 3),
            follow_merges=st.sampled_from([True, True, False]),
            max_count=st.sampled_from([64, 1]),
            poison=st.sampled_from([None, POISON]),
            watermark=st.sampled_from([0, 2]),
        )

    @rule(count=st.integers(1, 3))
    def hint(self, count: int) -> None:
        """Let some blocks be freed and hinted in a row."""
        self.running.hint_some(count)

    @rule(steps=st.integers(1, 8))
    def exchange(self, steps: int) -> None:
        """Let a block be freed and hinted, answered within some steps, and be allocated again."""
        self.running.hint_some(1)
        self.running.exchange("hinting", steps)

    @rule(order=st.integers(0, 1), steps=st.sampled_from(STOPS))
    def race(self, order: int, steps: int) -> None:
        """From rest, let a block be freed, its worker get so far, and it be allocated again."""
        orders = self.running.setup.orders
        self.running.race(orders[order % len(orders)], steps)

    @rule(by=st.sampled_from([11, 3]))
    def clock(self, by: int) -> None:
        """Time passes: what waits below a threshold may not wait for ever."""
        self.running.tick(by)


class HintBitmaps(HintPages):
    """Pages named as the bits of a bitmap."""

    hint_format = "bitmap"
