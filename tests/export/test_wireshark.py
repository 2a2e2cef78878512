"""The dissector: tshark shows the values, and refuses, as the declarations do."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from tests import peers
from tests.export import corpus, pdml
from tests.export.oracle import Case, judge
from vhint.export import export
from vhint.export.capture import Frame
from vhint.export.formats import catalogue


@pytest.fixture(scope="module")
def tshark() -> str:
    return peers.program("tshark", "tshark")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("wireshark") / "vhint.lua"
    made.write_text(str(export("wireshark", ["*"])))
    return made


def disagreements(tshark: str, script: Path, cases: list[Case], *options: str) -> list[str]:
    packets = pdml.dissect(tshark, script, [pdml.frame(case) for case in cases], *options)
    assert len(packets) == len(cases)
    return [
        f"{case.id}: {case.line}: expected {wanted}, seen {seen}"
        for case, packet in zip(cases, packets, strict=True)
        if (wanted := judge(case)) != (seen := pdml.read(packet, case))
    ]


def test_every_acknowledgement_after_its_request(tshark: str, script: Path) -> None:
    cases = [case for case in corpus.vectors() if case.format.name == "hint-ack"]
    frames = []
    for case in cases:
        (count,) = case.parameters
        cookie = case.data[:8].ljust(8, b"\0")
        head = bytes([2, 0, 0, 0]) + count.to_bytes(4, "little") + cookie
        frames += [Frame("vhint.hint_request", head), pdml.frame(case)]
    packets = pdml.dissect(tshark, script, frames)[1::2]
    assert [pdml.read(packet, case) for packet, case in zip(packets, cases, strict=True)] == [
        judge(case) for case in cases
    ]


def test_every_vector_with_a_parameter(tshark: str, script: Path) -> None:
    by_number: dict[int, list[Case]] = defaultdict(list)
    for case in corpus.vectors():
        if case.parameters:
            by_number[case.parameters[0]].append(case)
    for number, cases in by_number.items():
        names = {each for form in catalogue().values() for each in form.parameters}
        options = [option for name in names for option in ("-o", f"vhint.{name}:{number}")]
        assert disagreements(tshark, script, cases, *options) == []


def test_mutants(tshark: str, script: Path) -> None:
    cases = [case for case in corpus.mutants(5000)[:2000] if not case.parameters]
    assert disagreements(tshark, script, cases) == []


def test_every_vector_without_parameters(tshark: str, script: Path) -> None:
    cases = [case for case in corpus.vectors() if not case.parameters]
    assert disagreements(tshark, script, cases) == []
