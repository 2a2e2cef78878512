"""The programs of the how-to page compile, and print what it says."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests import peers
from tests.export.programs import run
from vhint.export import export

PAGE = (Path(__file__).parents[2] / "docs/how-to/export-the-formats.md").read_text()


def block(language: str, after: str) -> str:
    """The first block in a language after a heading."""
    found = re.search(rf"^## {after}$.*?^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def output(command: str) -> str:
    """What the page says that a command prints."""
    found = re.search(rf"^\$ {re.escape(command)}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def test_the_program_in_c(tmp_path: Path) -> None:
    (tmp_path / "vhint.h").write_text(str(export("c")))
    (tmp_path / "parse.c").write_text(block("c", "C"))
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    run([peers.compiler(), *flags, "-o", tmp_path / "parse", tmp_path / "parse.c"])
    command = f"cd {tmp_path} && {{ ./parse || [ $? -eq 1 ]; }}"
    assert run(["sh", "-c", command]) == output("./parse")


def test_the_program_in_rust(tmp_path: Path) -> None:
    (tmp_path / "vhint.rs").write_text(str(export("rust")))
    (tmp_path / "main.rs").write_text(block("rust", "Rust"))
    compiler = os.environ.get("RUSTC") or peers.program("rustc", "rustc")
    run([compiler, "--edition", "2021", "-o", tmp_path / "main", tmp_path / "main.rs"])
    assert run([tmp_path / "main"]) == output("./main")
