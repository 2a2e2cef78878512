"""Rings that are soon full: requests that have to wait for room, and none that is forgotten."""

from __future__ import annotations

from hypothesis import strategies as st

from vhint.wire.features import Feature, Features
from vhint_conformance.model.machines.hinting import HintPages
from vhint_conformance.model.setup import Setup


class FullRing(HintPages):
    """Two to eight descriptors, and requests of one block."""

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw a small queue."""
        return st.builds(
            Setup,
            features=st.sampled_from(
                [
                    Features.of(Feature.HINTING),
                    Features.of(Feature.HINTING, Feature.PAGE_REPORTING),
                ]
            ),
            queue_size=st.sampled_from([4, 2, 8]),
            max_count=st.sampled_from([1, 2]),
            second_threshold=st.integers(1, 2),
            generation=st.sampled_from(["isolating", "batching"]),
            host=st.sampled_from(["eager", "reordering"]),
            orders=st.sampled_from([(0,), (0, 1)]),
            max_order=st.integers(0, 1),
        )
