"""The module in Rust: compiles without a warning and without std, and decides as it has to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import peers
from tests.export import corpus, rust_program
from tests.export.programs import disagreements, run
from vhint.export import export


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = os.environ.get("RUSTC") or peers.program("rustc", "rustc")
    folder = tmp_path_factory.mktemp("rust")
    (folder / "vhint.rs").write_text(str(export("rust", ["*"])))
    (folder / "main.rs").write_text(rust_program.source())
    made = folder / "main"
    strict = ["--edition", "2021", "-D", "warnings", "-C", "overflow-checks=on"]
    run([compiler, *strict, "-o", made, folder / "main.rs"])
    return made


def test_every_vector(program: Path) -> None:
    assert disagreements(program, corpus.vectors()) == []


def test_mutants(program: Path) -> None:
    assert disagreements(program, corpus.mutants(2500)) == []
