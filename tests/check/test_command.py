"""`vhint check` as a user calls it."""

import io
import json
import sys
from pathlib import Path

import pytest

from tests.check.plays import record
from vhint_conformance.cli import main as command


@pytest.fixture
def vhint(monkeypatch, capfd):
    """Calls the command in this process: (exit status, standard output, standard error)."""

    def call(*words: str, data: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vhint", "check", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(SystemExit) as ended:
            command.main()
        return ended.value.code, *capfd.readouterr()

    return call


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("traces")
    sound = record("reference", "reporting")
    (folder / "sound.jsonl").write_bytes(sound)
    (folder / "short.jsonl").write_bytes(sound[:-30])
    (folder / "wrong.jsonl").write_bytes(record("mutant:discard-neighbour", "reporting"))
    (folder / "none.txt").write_bytes(b"hello\n")
    return folder


def test_the_three_verdicts(vhint, folder: Path) -> None:
    status, out, err = vhint(str(folder / "sound.jsonl"))
    assert (status, err) == (0, "")
    assert ": holds  (vhint trace, device, " in out
    status, out, _ = vhint(str(folder / "wrong.jsonl"))
    assert status == 1
    assert "reporting.device.containment\n      line " in out
    assert "expected memory that no request names to be left alone" in out
    status, out, _ = vhint(str(folder / "short.jsonl"))
    assert status == 4
    assert "not told: line " in out


def test_the_worst_verdict_of_several_decides(vhint, folder: Path) -> None:
    names = [str(folder / f"{name}.jsonl") for name in ("sound", "short", "wrong")]
    assert vhint(*names[:2])[0] == 4
    status, out, _ = vhint("--json", *names)
    assert status == 1
    assert [each["verdict"] for each in json.loads(out)] == ["holds", "undetermined", "violated"]


def test_standard_input_and_selection(vhint, folder: Path) -> None:
    data = (folder / "wrong.jsonl").read_bytes()
    assert vhint("-", data=data)[0] == 1
    assert vhint("--select", "ring.device.use-chain-once", "-", data=data)[0] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.txt"], "is no trace: neither"),
        (["absent.jsonl"], "cannot be read: No such file"),
        (["--select", "ring.devise.use-chain-once", "sound.jsonl"], "did you mean"),
        (["--vdev", "zz", "sound.jsonl"], "not an address"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage(vhint, folder: Path, monkeypatch, words: list[str], says: str) -> None:
    monkeypatch.chdir(folder)
    status, out, err = vhint(*words)
    assert (status, out) == (2, "")
    assert says in err
