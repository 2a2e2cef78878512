"""What people are shown: lines, the picture on a terminal, the summary, the chart."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console

from tests import peers
from tests.demo.fake_guest import QUICK, in_budget, one_guest
from vhint_conformance.demo import chart
from vhint_conformance.demo.bars import columns, rows
from vhint_conformance.demo.display import Lines, Picture, display_for
from vhint_conformance.demo.plan import Mode, Scene
from vhint_conformance.demo.run import Ending, Note, Run, Sample, Stage
from vhint_conformance.demo.summary import summary

OFF = one_guest(Mode.OFF, [10, 110, 155, 155, 155, 155, 155, 155])
ON = one_guest(Mode.ON, [10, 110, 155, 155, 90, 58, 57, 57], offered=3)
FEW, MANY = in_budget(Mode.OFF, 3), in_budget(Mode.ON, 9)
RUNS = [OFF, ON, FEW, MANY]


def console(width: int = 100, height: int = 40, *, terminal: bool = False) -> Console:
    return Console(
        file=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"),
        force_terminal=terminal,
        width=width,
        height=height,
        markup=False,
        highlight=False,
        color_system=None,
        _environ={},
    )


def said(on: Console) -> str:
    on.file.seek(0)
    return on.file.read()


def test_columns_and_rows_fill_the_picture() -> None:
    samples = [Sample(0.0, 1), Sample(9.0, 4), Sample(30.0, 8)]
    assert columns(samples, 30, 3) == [4, 4, 8]
    assert columns([], 10, 4) == [None] * 4
    drawn = rows([0, 4, 8, None], top=8, height=4, line=8)
    assert drawn == ["╌╌█╌", "  █ ", " ██ ", " ██ "]
    assert rows([8], top=8, height=2, line=4) == ["█", "█"]


def test_every_event_is_a_line_of_its_own_and_said_once() -> None:
    out = console()
    lines = Lines(QUICK, out)
    lines.show([FEW, MANY])
    lines.finished([FEW, MANY])
    text = said(out)
    assert text.count("guest 4 does not fit: with it 650 MiB were in use; it is ended") == 1
    assert text.count("guest 1 has started") == 2
    assert "guest 1: the 25 MiB that it kept are whole" in text
    times = [float(line.split()[0]) for line in text.splitlines() if " s  hinting" in line]
    assert times == sorted(times)


@pytest.mark.parametrize(("width", "height"), [(110, 34), (80, 24), (60, 20)])
def test_the_picture_fits_its_terminal(width: int, height: int) -> None:
    out = console(width, height, terminal=True)
    picture = Picture(QUICK, out)
    for line in said_by(picture._drawn([FEW, MANY], width, height), width):
        assert len(line) <= width
    picture.show([OFF, ON])
    picture.finished([OFF, ON])
    text = said(out)
    assert "hinting off: 155 MiB in use" in text
    assert "hinting on: 57 MiB in use" in text
    assert "█" in text
    assert text.count("\x1b[?25h") == text.count("\x1b[?25l") == 1, "the cursor is back"


def said_by(what: object, width: int) -> list[str]:
    out = console(width)
    out.print(what)
    return said(out).splitlines()


def test_the_picture_shows_the_budget_and_who_fits() -> None:
    out = console(100, 40, terminal=True)
    Picture(QUICK, out).show([FEW, MANY])
    text = said(out)
    assert "╌" in text
    fit = [line.split()[-1] for line in text.splitlines() if line.startswith("hinting o")]
    assert fit == ["3", "9"]


def test_lines_where_no_picture_can_be() -> None:
    assert isinstance(display_for(QUICK, console()), Lines)
    assert isinstance(display_for(QUICK, console(terminal=True)), Picture)


def test_the_summary_puts_figures_beside_the_talk() -> None:
    text = "\n".join(said_by(summary(QUICK, RUNS, "Linux 6.1"), 100))
    assert "came back" in text
    assert "0 of 100 MiB" in text
    assert "98 of 100 MiB" in text
    assert "not within 5.0 s" in text
    assert "3.0 s" in text
    assert "6 more guests fit with hinting." in text
    assert "What 12 guests kept (25 MiB each) was read again at the end: all whole." in " ".join(
        text.split()
    )
    assert "The talk gives no figure" in text
    assert "Linux 6.1" in text


def test_the_summary_claims_nothing_that_was_not_seen() -> None:
    cut = Run(Scene.BUDGET, Mode.ON, 1, QUICK.budget, ending=Ending.INTERRUPTED)
    text = "\n".join(said_by(summary(QUICK, [FEW, cut], ""), 100))
    assert "more" not in text
    assert "interrupted" in text
    open_ = in_budget(Mode.ON, 9, full=False)
    assert "At least 6 more guests fit" in "\n".join(said_by(summary(QUICK, [FEW, open_], ""), 100))
    lost = in_budget(Mode.ON, 2)
    lost.notes.append(Note(99.0, 1, Stage.CORRUPT))
    assert "LOST DATA" in "\n".join(said_by(summary(QUICK, [lost], ""), 100))


def test_the_chart_says_what_was_seen_and_is_the_same_every_time(tmp_path: Path) -> None:
    peers.module("matplotlib", "matplotlib")
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        chart.draw(path, QUICK, RUNS, "Linux 6.1")
    assert first.read_bytes() == second.read_bytes()
    drawn = ET.fromstring(first.read_text(encoding="utf-8"))  # noqa: S314 - our own
    texts = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "hinting off: 3 guests fit" in texts
    assert "hinting on: 9 guests fit" in texts
    assert "hinting on: 76,800 in 3 requests" in texts
    assert any("6 more guests fit with hinting" in (text or "") for text in texts)
    assert any("98 of 100 MiB back" in (text or "") for text in texts)


def test_the_chart_of_an_interrupted_run_compares_nothing(tmp_path: Path) -> None:
    peers.module("matplotlib", "matplotlib")
    cut = in_budget(Mode.ON, 2, full=False)
    cut.ending = Ending.INTERRUPTED
    chart.draw(tmp_path / "a.svg", QUICK, [FEW, cut], "")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "at least 2 guests fit" in text
    assert "with hinting" not in text


@pytest.mark.parametrize("runs", [RUNS[1:2], RUNS[2:3]])
def test_a_chart_of_a_part_is_drawn_too(runs: list[Run], tmp_path: Path) -> None:
    peers.module("matplotlib", "matplotlib")
    chart.draw(tmp_path / "a.png", QUICK, runs, "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_chart_that_cannot_be_drawn_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ".svg, .png, .pdf" in str(chart.problem(Path("a.gif")))
    monkeypatch.setattr(chart.importlib.util, "find_spec", lambda _: None)
    assert "pip install 'vhint[chart]'" in str(chart.problem(Path("a.svg")))
