"""A program that works without an end is told from one that waits."""

from __future__ import annotations

import sys

import pytest

from vhint_conformance.targets.program import Program

LOOP = "while True: pass"
WAIT = "import time; time.sleep(60)"


@pytest.mark.parametrize(
    ("code", "answered", "runs_on"),
    [(LOOP, False, True), (LOOP, True, False), (WAIT, False, False)],
    ids=["loops", "answers", "waits"],
)
def test_runs_on(monkeypatch: pytest.MonkeyPatch, code: str, answered: bool, runs_on: bool) -> None:
    waited = 60.0 if runs_on else 1.0  # a busy machine may take its time to show a loop
    monkeypatch.setattr("vhint_conformance.targets.program.LOOPING_WITHIN", waited)
    program = Program([sys.executable, "-S", "-c", code])
    try:
        assert program.runs_on(lambda: answered) is runs_on
    finally:
        program.close()
