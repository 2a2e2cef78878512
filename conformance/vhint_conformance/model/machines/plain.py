"""The talk's guest and nothing beside it: no per-CPU lists, no cache, a host that discards."""

from __future__ import annotations

from hypothesis import strategies as st

from vhint_conformance.model.machines.hinting import HintPages
from vhint_conformance.model.setup import Setup


class PlainPages(HintPages):
    """Where little can differ, more examples are about the order of steps."""

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw how entries are gone through, and little else."""
        return st.builds(
            Setup,
            zones=st.sampled_from([(8,), (4,)]),
            generation=st.sampled_from(["isolating", "batching"]),
            orders=st.sampled_from([(0,), (0, 1)]),
            first_threshold=st.integers(1, 2),
        )
