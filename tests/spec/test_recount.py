"""Counting the standard's statements: on a source of our own, and on the real one if given."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from vhint_spec import clauses, recount

SOURCE = r"""
\section{Tea}\label{sec:Drinks /
Tea}
Nobody MUST drink it. % A comment MUST NOT count.
\subsection{Nothing here}\label{sec:Drinks / Tea / Nothing}
Only a word in lower case: must.
\drivernormative{\subsection}{Boiling \field{water}}
 {Drinks / Tea / Boiling}
The driver MUST
NOT freeze it; it SHOULD boil it, and it MAY sing. Sugar is OPTIONAL, at 5\% NOT RECOMMENDED.
\devicenormative{\paragraph}{Cup}{Drinks / Tea / Cup}
\begin{note} The cup MUST hold. \end{note}
\subparagraph{Two names}
\label{drivernormative:Drinks / Both}
\label{devicenormative:Drinks / Both}
Both SHALL rest.
"""


def test_sections_of_a_source() -> None:
    found = [
        (section.label, section.title, section.line, section.counted)
        for section in recount.sections(SOURCE, "tea.tex")
    ]
    assert found == [
        ("sec:Drinks / Tea", "Tea", 2, 1),
        ("drivernormative:Drinks / Tea / Boiling", "Driver Requirements: Boiling water", 7, 5),
        ("devicenormative:Drinks / Tea / Cup", "Device Requirements: Cup", 11, 1),
        ("devicenormative:Drinks / Both", "Two names", 13, 1),
    ]


def test_unbalanced_braces_are_an_error() -> None:
    with pytest.raises(ValueError, match="braces do not balance"):
        list(recount.sections(r"\section{Tea", "tea.tex"))


def test_compare_names_what_is_new_gone_and_changed() -> None:
    first, second, third, *_ = recount.sections(SOURCE, "tea.tex")
    lines = recount.compare([first, replace(second, counted=9)], [second, third])
    assert [line.split(": ")[1].split(":")[0] for line in lines] == [
        "drivernormative",
        "devicenormative",
        "sec",
    ]
    assert recount.compare([first], [first]) == []


def test_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recount.main([]) == 2
    assert recount.main([str(tmp_path)]) == 2
    assert clauses.REVISION in capsys.readouterr().err


def checkout(directory: Path) -> None:
    """Write a source whose sections are those recorded, in words of our own."""
    for name in clauses.SOURCES:
        lines: list[str] = []
        for section in clauses.sections().values():
            if section.file != name:
                continue
            lines += [""] * (section.line - 1 - len(lines))
            kind, _, label = section.label.partition(":")
            title = section.title.partition("Requirements: ")[2] or section.title
            heading = (
                rf"\section{{{section.title}}}\label{{{section.label}}}"
                if kind == "sec" or "Requirements" not in section.title
                else rf"\{kind}{{\section}}{{{title}}}{{{label}}}"
            )
            if section.title.endswith("Legacy Driver"):
                heading = rf"\section{{{section.title}}}\label{{{section.label}}}"
            lines.append(heading + " MUST" * section.counted)
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))


def test_same_sections_agree_and_one_word_more_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout(tmp_path)
    assert recount.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "112 sections, 425 normative statements\n"
    with (tmp_path / "split-ring.tex").open("a") as file:
        file.write(" MAY")
    assert recount.main([str(tmp_path)]) == 1
    assert "Receiving Used Buffers From The Device: recorded" in capsys.readouterr().out


@pytest.mark.skipif("VHINT_VIRTIO_SPEC" not in os.environ, reason="needs the standard's source")
def test_the_real_source_agrees() -> None:
    assert recount.main([os.environ["VHINT_VIRTIO_SPEC"]]) == 0
