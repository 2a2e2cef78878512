"""Counterexamples as histories of driver and device, judged by the monitors that judge devices."""

from __future__ import annotations

import pytest

from vhint_conformance.model.explore.catalogue import SYSTEMS
from vhint_conformance.model.explore.history import history
from vhint_conformance.model.explore.search import explore
from vhint_conformance.model.explore.systems.bounds import Bounds
from vhint_conformance.vectors import steps
from vhint_conformance.vectors.replay import replay


def broken(name: str) -> tuple[list[str], set[str]]:
    found = explore(SYSTEMS[name].make(Bounds(pages=2), False)).counterexample
    assert found is not None
    made = history(found)
    slugs = {slug for _, found in replay([*made, steps.end()]) for slug in found}
    return [step["step"] for step in made], slugs


def test_a_host_that_acknowledges_first_is_to_blame() -> None:
    kinds, slugs = broken("acknowledge-before-discard")
    assert kinds == ["reset", "negotiate", "driver-ok", "offer", "use", "write", "discard"]
    assert "hint.device.no-effect-after-use" in slugs


@pytest.mark.parametrize("name", ["no-recheck", "recheck-outside-lock", "release-on-offer"])
def test_a_host_is_not_to_blame_for_what_a_guest_names(name: str) -> None:
    kinds, slugs = broken(name)
    assert kinds[-1] == "discard"
    assert "offer" in kinds
    assert not {slug for slug in slugs if slug.endswith("after-use")}


def test_a_shared_bitmap_has_no_wire() -> None:
    assert broken("one-bit-clear-first")[0] == ["reset", "negotiate", "driver-ok"]
