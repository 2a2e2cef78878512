"""Spin as an independent explorer of the same models."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from vhint_conformance.model.explore.promela import promela
from vhint_conformance.model.explore.rules import Model


@dataclass(frozen=True)
class Spun:
    """What spin's verifier says."""

    states: int
    transitions: int
    errors: int
    seconds: float


def spin(model: Model, folder: Path) -> Spun:
    """Explore a model with spin, without partial order reduction and hashed exactly."""
    (folder / "model.pml").write_text(promela(model))

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True)
        return done.stdout

    run("spin", "-a", "model.pml")
    run("cc", "-O2", "-w", "-DNOREDUCE", "-DSAFETY", "-DMEMLIM=4000", "-o", "pan", "pan.c")
    said = run("./pan", "-m10000000", "-w22")

    def number(pattern: str, default: str = "0") -> float:
        found = re.search(pattern, said)
        return float(found.group(1) if found else default)

    return Spun(
        int(number(r"(\d+) states, stored")),
        int(number(r"(\d+) transitions")),
        int(number(r"errors: (\d+)")),
        number(r"elapsed time ([\d.]+)"),
    )
