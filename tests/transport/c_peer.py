"""The sample device in C, as it is and edited; compiled once each and kept for the test run."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from tests.peers import compiler
from tests.transport.c_faults import edited

SOURCE = Path(__file__).parents[2] / "examples" / "hinting_device.c"
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compiled(
    folder: Path, name: str = "sound", *, edit: str = "", flags: tuple[str, ...] = ()
) -> Path:
    """Return the program, with an edit of this name; without a compiler the test is skipped."""
    made = folder / f"balloon-{name}"
    if made.exists():
        return made
    text = SOURCE.read_text(encoding="utf-8")
    source = made.with_suffix(".c")
    source.write_text(edited(text, edit) if edit else text, encoding="utf-8")
    done = subprocess.run(
        [compiler(), *FLAGS, *flags, "-o", made, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


def faulty(folder: Path, name: str) -> Path:
    """Return the program with the fault of this name."""
    return compiled(folder, name, edit=name)


def command(program: Path) -> str:
    """Return what `--spawn` takes."""
    return f"{shlex.quote(str(program))} {{socket}} {{commands}}"
