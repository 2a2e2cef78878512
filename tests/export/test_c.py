"""The header in C: compiles strictly as C and as C++, and decides as the declarations do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import peers
from tests.export import c_program, corpus
from tests.export.programs import disagreements, run
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
    return compiled(folder, "main")


def compiled(folder: Path, name: str, *flags: str) -> Path:
    run([peers.compiler(), "-std=c99", *FLAGS, *flags, "-o", folder / name, folder / "main.c"])
    return folder / name


def test_every_vector(program: Path) -> None:
    assert disagreements(program, corpus.vectors()) == []


def test_mutants(program: Path) -> None:
    assert disagreements(program, corpus.mutants(2500)) == []


@pytest.mark.long
def test_many_mutants_under_sanitizers(folder: Path) -> None:
    made = compiled(folder, "sound", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    assert disagreements(made, corpus.vectors() + corpus.mutants(60_000, seed=2)) == []


def test_a_wrong_header_is_found_out(folder: Path, tmp_path: Path) -> None:
    text = (folder / "vhint.h").read_text()
    assert text.count("value > 40)") == 2
    (tmp_path / "vhint.h").write_text(text.replace("value > 40)", "value > 41)"))
    (tmp_path / "main.c").write_text((folder / "main.c").read_text())
    found = disagreements(compiled(tmp_path, "wrong"), corpus.vectors())
    assert {each.partition(":")[0] for each in found} == {
        "hint-request-pfn.order-41",
        "hint-request-pfn.second-order-41",
        "hint-request-bitmap.order-41",
        "hint-request-bitmap.empty-order-41",
    }


def test_it_is_c_plus_plus_too(folder: Path) -> None:
    compiler = peers.cxx_compiler()
    source = folder / "main.cc"
    source.write_text('#include "vhint.h"\nint main() { return 0; }\n')
    run([compiler, "-std=c++11", *FLAGS, "-fsyntax-only", source])


def test_two_units_can_include_it(folder: Path) -> None:
    units = [folder / "one.c", folder / "two.c"]
    units[0].write_text('#include "vhint.h"\n#include "vhint.h"\nint main(void) { return 0; }\n')
    units[1].write_text('#include "vhint.h"\nint other(void);\nint other(void) { return 1; }\n')
    run([peers.compiler(), "-std=c99", *FLAGS, "-o", folder / "units", *units])
