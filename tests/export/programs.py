"""Running what was compiled of an export, and comparing it with the declarations."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.export.oracle import Case, Refusal, Values, judge, read_answer


def run(command: list[str | Path], text: str | None = None) -> str:
    """The output of a command that has to succeed without a word on its standard error."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout[-2000:]
    return done.stdout


def answers(program: Path, cases: tuple[Case, ...]) -> list[Values | Refusal]:
    """What a program makes of cases, all in one process."""
    lines = run([program], "".join(f"{case.line}\n" for case in cases)).splitlines()
    assert len(lines) == len(cases)
    return [read_answer(line) for line in lines]


def disagreements(program: Path, cases: tuple[Case, ...]) -> list[str]:
    """The cases of which a program makes something else than the declarations do."""
    return [
        f"{case.id}: {case.line}: expected {wanted}, seen {seen}"
        for case, seen in zip(cases, answers(program, cases), strict=True)
        if (wanted := judge(case)) != seen
    ]
