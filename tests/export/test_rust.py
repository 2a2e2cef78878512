"""The module in Rust: compiles without a warning and without std, and decides as it has to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export import corpus, peers, rust_program
from vhint.export import export


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = peers.find("Rust compiler", "rustc", "rustc", variable="RUSTC")
    folder = tmp_path_factory.mktemp("rust")
    (folder / "vhint.rs").write_text(str(export("rust", ["*"])))
    (folder / "main.rs").write_text(rust_program.source())
    made = folder / "main"
    strict = ["--edition", "2021", "-D", "warnings", "-C", "overflow-checks=on"]
    peers.run([compiler, *strict, "-o", made, folder / "main.rs"])
    return made


def test_every_vector(program: Path) -> None:
    assert peers.disagreements(program, corpus.vectors()) == []


def test_mutants(program: Path) -> None:
    assert peers.disagreements(program, corpus.mutants(5000)) == []
