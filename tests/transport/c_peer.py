"""The back end in C, compiled once for each fault and kept for the test run."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from tests.peers import compiler

SOURCE = Path(__file__).parents[2] / "examples" / "vhost_user_balloon.c"
HEADER = SOURCE.with_name("vhost_user.h")
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1"]


def compiled(folder: Path, fault: int = 0) -> Path:
    """Return the program with a fault (0: none)."""
    made = folder / f"balloon-{fault}"
    if made.exists():
        return made
    done = subprocess.run(
        [compiler(), *FLAGS, f"-DFAULT={fault}", "-o", made, SOURCE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


def command(program: Path) -> str:
    """Return what `--spawn` takes."""
    return f"{shlex.quote(str(program))} {{socket}}"
