"""A device that lies: wrong cookies, unknown statuses, impossible lengths (rule 5)."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from vhint.ring import GuestMemory
from vhint_conformance.model.hosts import HostOptions, LyingDevice, lying
from vhint_conformance.model.machines.hinting import HintPages
from vhint_conformance.model.setup import Setup
from vhint_conformance.model.world import MakeDevice


def make_liar(memory: GuestMemory) -> LyingDevice:
    """Make the device."""
    made = lying(memory, HostOptions())
    assert isinstance(made, LyingDevice)  # noqa: S101 - it has just been made
    return made


class BadAnswers(HintPages):
    """The device is told to lie in its next answer; no page may come back by that."""

    make_device: ClassVar[MakeDevice | None] = staticmethod(make_liar)
    honest = False

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw a guest that has several requests outstanding."""
        return st.builds(
            Setup,
            host=st.just("lying"),
            generation=st.sampled_from(["isolating", "batching"]),
            hint_format=st.sampled_from(["pfn", "bitmap"]),
            max_order=st.integers(0, 1),
            results=st.booleans(),
        )

    @rule(kind=st.integers(0, 2))
    def lie(self, kind: int) -> None:
        """Have the next answer be a lie."""
        self.running.host("lie_next", kind)
