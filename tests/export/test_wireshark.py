"""The dissector: tshark shows the values, and refuses, as the declarations do."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tests import peers
from tests.export import corpus, pdml
from tests.export.oracle import Case, Refusal, judge
from vhint.export import export
from vhint.export.capture import Frame
from vhint.export.formats import catalogue


def message(request: int, flags: int, payload: bytes, rest: bytes = b"") -> bytes:
    head = b"".join(each.to_bytes(4, "little") for each in (request, flags, len(payload)))
    return head + payload + rest


MESSAGES = {
    "a request without payload": message(1, 1, b""),
    "its reply": message(1, 5, bytes(range(8))),
    "a table with room": message(5, 1, bytes([1, *bytes(71)])),
    "a table that is cut off": message(5, 1, bytes([1, *bytes(38)])),
    "a ring's size": message(8, 1, bytes([2, 0, 0, 0, 0, 1, 0, 0])),
    "a ring's size, one byte too long": message(8, 1, bytes(9)),
    "a message with more behind it": message(8, 1, bytes(8), b"x"),
    "addresses that are cut off": message(9, 1, bytes(39)),
    "a failed reply": message(24, 5, b""),
    "config": message(24, 1, bytes([4, 0, 0, 0, 4, *bytes(11)])),
    "config that is cut off": message(24, 1, bytes([4, 0, 0, 0, 4, *bytes(10)])),
    "a request that is not for a balloon": message(19, 1, b"abcdefgh"),
    "a request that nobody knows": message(99, 1, b"abc"),
    "a reply to nothing": message(99, 5, bytes(8)),
    "half a header": bytes([8, 0, 0, 0, 1, 0]),
    "less than it says": bytes([8, *bytes(7), 9, 0, 0, 0, 7]),
}


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


def by_parameter() -> dict[int, list[Case]]:
    """The cases with a parameter, by its value: what is given holds for a whole capture."""
    found: dict[int, list[Case]] = defaultdict(list)
    for case in corpus.vectors():
        if case.parameters:
            found[case.parameters[0]].append(case)
    return found


def with_parameter(tshark: str, script: Path, number: int, cases: list[Case]) -> list[str]:
    names = {each for form in catalogue().values() for each in form.parameters}
    options = [option for name in names for option in ("-o", f"vhint.{name}:{number}")]
    return disagreements(tshark, script, cases, *options)


@pytest.mark.parametrize("number", [1, 2])
def test_vectors_with_the_usual_parameters(tshark: str, script: Path, number: int) -> None:
    assert with_parameter(tshark, script, number, by_parameter()[number]) == []


@pytest.mark.long
def test_every_vector_with_a_parameter(tshark: str, script: Path) -> None:
    for number, cases in by_parameter().items():
        assert with_parameter(tshark, script, number, cases) == []


def test_mutants(tshark: str, script: Path) -> None:
    cases = [case for case in corpus.mutants(2500)[:800] if not case.parameters]
    assert disagreements(tshark, script, cases) == []


def decimal(text: str) -> str:
    return str(int(text, 16)) if text.startswith("0x") else text


def test_whole_messages_of_vhost_user(tshark: str, script: Path) -> None:
    """Payloads are those of the request; faults in them have the offset in the whole message."""
    frames = [Frame("vhint.vhost_user_message", data) for data in MESSAGES.values()]
    packets = pdml.dissect(tshark, script, frames)
    for data, packet in zip(MESSAGES.values(), packets, strict=True):
        shown = {each.get("name"): each.get("show") for each in packet.iter("field")}
        case = Case(catalogue()["vhost-user-message"], None, (), data, "")
        match judge(case):
            case Refusal(kind, path, offset, seen):
                fault = [shown[f"vhint.fault{each}"] for each in ("", ".path", ".offset", ".seen")]
                assert fault == [kind, path, str(offset), str(seen)]
            case values:
                assert "vhint.fault" not in shown
                found = {
                    ((each.get("name") or "").rpartition(".")[2], decimal(each.get("show") or ""))
                    for each in packet.iter("field")
                }
                for path, value in values.items():
                    name = path.rpartition(".")[2]
                    if name != "count" and "[" not in name:
                        assert (name, value) in found


def test_a_capture_of_the_vectors(tshark: str, script: Path, tmp_path: Path) -> None:
    path = tmp_path / "samples.pcapng"
    path.write_bytes(bytes(export("pcap", ["hint-*"])))  # type: ignore[arg-type]
    fields = ["-T", "fields", "-e", "frame.comment", "-e", "vhint.fault"]
    command = [tshark, "-r", path, "-X", f"lua_script:{script}", *fields]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) > 150
    for line in lines:
        comment, _, fault = line.partition("\t")
        kind = comment.partition(": ")[2].split(", ")[0].replace("-", "_")
        valid = comment.startswith("the request") or kind.startswith("valid")
        assert fault == ("" if valid else kind), comment


def test_every_vector_without_parameters(tshark: str, script: Path) -> None:
    cases = [case for case in corpus.vectors() if not case.parameters]
    assert disagreements(tshark, script, cases) == []
