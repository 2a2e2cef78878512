"""`vhint formats`, `vhint decode` and `vhint encode` as a user calls them."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tracemalloc

import pytest

from vhint.wire.formats import FORMATS, NotDelimited
from vhint_conformance.cli import main as command
from vhint_conformance.codecs import messages

PROGRAM = "from vhint_conformance.cli.main import main; main()"
REQUEST = "01000000 01000000 0700000000000000 0002000000000000 09000000 00000000"


@pytest.fixture
def vhint(monkeypatch, capsysbinary):
    """Calls the command in this process: (exit status, standard output, standard error)."""

    def call(*words: str, data: bytes | str = b"") -> tuple[int, str, str]:
        given = data.encode() if isinstance(data, str) else data
        monkeypatch.setattr(sys, "argv", ["vhint", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with pytest.raises(SystemExit) as ended:
            command.main()
        out, err = capsysbinary.readouterr()
        return ended.value.code, out.decode("latin-1"), err.decode()

    return call


def test_formats_lists_every_one(vhint) -> None:
    status, out, _ = vhint("formats")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(FORMATS)
    status, out, _ = vhint("formats", "--json", "hint-*")
    assert [entry["id"] for entry in json.loads(out)] == ["hint-request", "hint-ack"]
    assert json.loads(out)[1]["parameters"] == ["count"]


def test_there_and_back(vhint, tmp_path) -> None:
    file = tmp_path / "request.hex"
    file.write_text(REQUEST)
    status, out, err = vhint("decode", "hint-request", str(file))
    assert (status, err) == (0, "")
    assert json.loads(out)["blocks"] == [{"pfn": "512", "order": 9}]
    status, back, _ = vhint("encode", "hint-request", data=out)
    assert (status, back.strip()) == (0, REQUEST.replace(" ", ""))
    status, raw, _ = vhint("encode", "hint-request", "--to", "binary", data=out)
    assert raw.encode("latin-1") == bytes.fromhex(REQUEST)


def test_a_table_marks_the_field_at_fault(vhint) -> None:
    status, out, err = vhint("decode", "hint-request", "--to", "table", data=REQUEST[:-17] + "29")
    assert status == 1
    assert "input too short" in err
    bad = REQUEST.replace("09000000", "29000000")
    status, out, err = vhint("decode", "hint-request", "--to", "table", data=bad)
    assert status == 1
    (marked,) = [line for line in out.splitlines() if line.startswith(">")]
    assert (
        " ".join(marked.split()[1:]) == "0x0018 29 00 00 00 blocks[0].order 41 order of 4 KiB pages"
    )
    assert "blocks[0].order at byte 24: value out of range: expected 0..40, seen 41" in err


@pytest.mark.parametrize(
    ("words", "data", "says"),
    [
        (["decode", "hint-ak"], "", "did you mean hint-ack?"),
        (["decode", "hint-ack"], "", "needs --param count=..."),
        (["decode", "hint-ack", "--param", "count"], "", "not of the form count=11"),
        (["decode", "lal-v8-array", "--param", "desc_len=1", "--layout", "x"], "", "lp64-little"),
        (["decode", "statistics", "--from", "binary", "--stream"], "0" * 20, "give --size"),
        (["decode", "pfn-array", "--size", "4"], "", "--size goes with"),
        (["decode", "pfn-array", "/nowhere"], "", "/nowhere cannot be read"),
    ],
)
def test_wrong_usage(vhint, words: list[str], data: str, says: str) -> None:
    status, out, err = vhint(*words, data=data)
    assert (status, out) == (2, "")
    assert says in err


@pytest.mark.parametrize(
    ("words", "data", "says"),
    [
        (["decode", "command-id"], b"\xff\x00", "is the input binary?"),
        (["decode", "command-id"], b"010000", "value at byte 0: input too short"),
        (["decode", "command-id", "--max-size", "3"], b"01000000", "longer than 3 bytes"),
        (["encode", "command-id", "--max-size", "1"], b"{" * 17, "longer than 16 bytes"),
        (["encode", "command-id"], b"{", "line 1, column 2: no JSON"),
        (["encode", "command-id"], b"[" * 100000, "brackets within brackets"),
        (["encode", "command-id"], b'{"value": 1, "value": 2}', "'value' is there twice"),
        (["encode", "command-id"], b'{"valeu": 1}', "only the fields value"),
        (["encode", "command-id"], b'{"value": 4294967296}', "expected 0..4294967295"),
        (["encode", "command-id"], b'{"value": true}', "wrong type: expected an integer"),
        (["encode", "command-id"], b"[]", "expected an object"),
        (["encode", "hint-request"], b'{"type": "PFX"}', "expected PFN or BITMAP, seen 'PFX'"),
    ],
)
def test_wrong_input(vhint, words: list[str], data: bytes, says: str) -> None:
    status, out, err = vhint(*words, data=data)
    assert (status, out) == (1, "")
    assert says in err


def test_streams_in_hex_and_in_json_lines(vhint) -> None:
    text = "01000000\n\n# nothing\n0100\n02000000\n"
    status, out, err = vhint("decode", "command-id", "--stream", data=text)
    assert (status, out) == (1, '{"value": 1}\n')
    assert "message 2, at line 4: command id: value at byte 0" in err
    status, out, err = vhint("decode", "command-id", "--stream", "--keep-going", data=text)
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0::2] == [{"value": 1}, {"value": 2}]
    assert lines[1]["error"] == "ShortInput"
    assert lines[1]["message"] == 2
    status, out, err = vhint(
        "encode", "command-id", "--stream", data='{"value":1}\n{"value":"2"}\n'
    )
    assert (status, out) == (0, "01000000\n02000000\n")


def test_a_stream_of_messages_that_say_how_long_they_are(vhint) -> None:
    one = bytes.fromhex(REQUEST)
    words = ["decode", "hint-request", "--from", "binary", "--stream"]
    status, out, _ = vhint(*words, data=one * 3)
    assert (status, len(out.splitlines())) == (0, 3)
    status, out, err = vhint(*words, data=one + one[:20])
    assert (status, len(out.splitlines())) == (1, 1)
    assert "message 2, at byte 32: hint request: blocks[0].pfn at byte 16" in err
    status, out, err = vhint(*words, "--keep-going", data=one + b"\xff" * 40)
    assert "where the next message begins cannot be told" in err


def test_a_reader_that_leaves_ends_a_stream_without_end() -> None:
    words = [sys.executable, "-c", PROGRAM, "decode", "command-id", "--stream"]
    source, sink = os.pipe()
    with subprocess.Popen(
        words, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        os.close(source)
        os.write(sink, b"01000000\n" * 3)
        assert [run.stdout.readline() for _ in range(3)] == [b'{"value": 1}\n'] * 3
        run.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            while run.poll() is None:
                os.write(sink, b"01000000\n")
        os.close(sink)
        assert run.wait(60) == 0
        assert run.stderr.read() == b""


class Endless:
    """A stream that goes on until its limit, made as it is read."""

    def __init__(self, block: bytes, blocks: int) -> None:
        self.block, self.left = block, blocks

    def read(self, size: int) -> bytes:
        self.left -= 1
        return self.block if self.left >= 0 else b""


def test_memory_is_bounded_however_long_the_stream_is() -> None:
    block = bytes.fromhex(REQUEST) * 256
    form = FORMATS["hint-request"]

    def peak(blocks: int) -> int:
        tracemalloc.reset_peak()
        count = sum(1 for _ in messages.framed(Endless(block, blocks), form, {}, None, 1 << 20))
        assert count == blocks * 256
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        peak(1)  # what is made once and kept
        assert peak(6) < peak(2) + len(block) // 2
    finally:
        tracemalloc.stop()


def test_a_length_that_is_a_lie_costs_nothing() -> None:
    head = bytes.fromhex("01000000 ffffffff 0700000000000000")
    with pytest.raises(messages.InputError, match="longer than 1024 bytes"):
        list(messages.framed(Endless(head, 1), FORMATS["hint-request"], {}, None, 1024))


def test_messages_of_no_bytes_do_not_go_on_for_ever() -> None:
    form = FORMATS["vring-descriptor-table"]
    with pytest.raises(messages.InputError, match="0 bytes"):
        list(messages.framed(Endless(b"x", 1), form, {"queue_size": 0}, None, 1024))
    with pytest.raises(NotDelimited):
        list(messages.framed(Endless(b"x", 1), FORMATS["pfn-array"], {}, None, 1024))
