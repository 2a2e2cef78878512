"""A page cache: pages that nobody uses and that are not free all the same."""

from __future__ import annotations

from hypothesis import strategies as st

from vhint_conformance.model.machines.hinting import HintPages
from vhint_conformance.model.setup import Setup


class CachedPages(HintPages):
    """Pages that are captured, allocated again, and then kept by the cache."""

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw a guest with a cache."""
        return st.builds(
            Setup,
            kept=st.sampled_from([1, 2]),
            zones=st.sampled_from([(4,), (8,)]),
            generation=st.sampled_from(["isolating", "batching"]),
            first_threshold=st.integers(1, 2),
            parked=st.sampled_from([0, 2]),
        )
