"""Two CPUs with a worker each, and two zones with a lock each."""

from __future__ import annotations

from hypothesis import strategies as st

from vhint_conformance.model.machines.hinting import GENERATIONS, HintPages
from vhint_conformance.model.setup import Setup


class CpusAndZones(HintPages):
    """What one CPU frees the other allocates, while both workers look at it."""

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw two of everything."""
        return st.builds(
            Setup,
            zones=st.sampled_from([(4, 4), (4, 8)]),
            cpus=st.just(2),
            generation=st.sampled_from(GENERATIONS),
            hint_format=st.sampled_from(["pfn", "bitmap"]),
            host=st.sampled_from(["eager", "reordering", "partial"]),
            orders=st.sampled_from([(0,), (0, 1)]),
            parked=st.sampled_from([0, 2]),
            first_threshold=st.integers(1, 2),
            second_threshold=st.integers(1, 2),
            watermark=st.sampled_from([0, 1]),
        )
