"""Spin counts the same states and transitions, and finds a violation where we do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explore.spin import spin
from tests.peers import program
from vhint_conformance.model.explore.catalogue import SYSTEMS
from vhint_conformance.model.explore.search import Verdict, explore
from vhint_conformance.model.explore.systems.bounds import Bounds


@pytest.fixture(autouse=True)
def spin_is_there() -> None:
    program("spin", "spin")
    program("cc", "gcc libc6-dev")


SAME = [
    "no-recheck",
    *(
        pytest.param(name, marks=pytest.mark.long)
        for name in ("acknowledge-before-discard", "claim-without-swap")
    ),
]


@pytest.mark.parametrize("name", ["isolating", "claim-and-revoke"])
def test_the_same_state_space(name: str, tmp_path: Path) -> None:
    model = SYSTEMS[name].make(Bounds(pages=1, max_order=0), True)
    ours, theirs = explore(model, reduce_symmetry=False), spin(model, tmp_path)
    assert ours.verdict is Verdict.PROVED
    assert theirs.errors == 0
    assert theirs.states == ours.states
    assert theirs.transitions == ours.transitions + 1  # spin counts the initial state


@pytest.mark.parametrize("name", SAME)
def test_the_same_violation(name: str, tmp_path: Path) -> None:
    assert spin(SYSTEMS[name].make(Bounds(pages=1, max_order=0), True), tmp_path).errors == 1
