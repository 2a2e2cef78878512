"""Colours: for a terminal or on demand, and never where NO_COLOR stands."""

from __future__ import annotations

import re

import pytest

from vhint_conformance.cli.main import vhint_command

COLOUR = re.compile("\x1b\\[[0-9;]*3[0-9]")


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
    ids=["a pipe", "forced", "forbidden"],
)
def test_colours(
    environment: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    vhint_command.main(["doctor"], "vhint", standalone_mode=False)
    out = capfd.readouterr().out
    assert "Python" in out
    assert bool(COLOUR.search(out)) is coloured


def test_no_bar_is_drawn_in_a_pipe_whatever_its_colours(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    vhint_command.main(
        ["conform", "reference", "--select", "reporting.one-page@"], "vhint", standalone_mode=False
    )
    told = capfd.readouterr().out
    assert "reporting.one-page" in told
    assert "left" not in told
