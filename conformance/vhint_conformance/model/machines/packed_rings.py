"""Packed rings of few slots, gone round many times, with both ways of asking for notifications."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from vhint.host import EVERY_FEATURE
from vhint.wire.features import Feature, Features
from vhint_conformance.model.machines.hinting import HintPages
from vhint_conformance.model.setup import Setup

PACKED = Feature.RING_PACKED


class PackedRings(HintPages):
    """One to eight slots: lists that cross the end of the ring, and rings without room."""

    known_features: ClassVar[Features] = EVERY_FEATURE

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw a small queue, what it carries, and which features of rings the device has."""
        left_out = ((), (Feature.EVENT_IDX,), (Feature.INDIRECT_DESC,))
        return st.builds(
            Setup,
            features=st.sampled_from(
                [
                    Features.of(PACKED, Feature.HINTING),
                    Features.of(PACKED, Feature.HINTING, Feature.PAGE_REPORTING),
                ]
            ),
            offered=st.sampled_from([EVERY_FEATURE - Features.of(*each) for each in left_out]),
            queue_size=st.sampled_from([3, 2, 5, 8]),
            max_count=st.sampled_from([1, 2]),
            second_threshold=st.integers(1, 2),
            generation=st.sampled_from(["isolating", "batching"]),
            host=st.sampled_from(["eager", "reordering"]),
            orders=st.sampled_from([(0,), (0, 1)]),
            max_order=st.integers(0, 1),
            capacity=st.integers(1, 3),
        )

    @rule(turns=st.integers(2, 4))
    def turn(self, turns: int) -> None:
        """Go round: some blocks are hinted one after the other, each answered at once."""
        for _ in range(turns):
            self.running.hint_some(1)
            self.running.settle()
