"""Events as JSON lines: every kind goes there and back, and what is no event is refused."""

from __future__ import annotations

import json
import tempfile
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhint.spans import Span
from vhint.trace import Event, Recorder, read_trace
from vhint.trace.events import EVENTS, Notified, Offered, Touched, Used
from vhint.trace.recorder import TraceError, from_json, to_json

u64 = st.integers(0, 2**64 - 1)
span = st.builds(Span, u64, u64)
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-1, 2**64),
    str: st.text(max_size=8),
    bool: st.booleans(),
    int | None: st.none() | u64,
    Span: span,
    tuple[Span, ...]: st.lists(span, max_size=3).map(tuple),
}


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: BY_TYPE[hint] for name, hint in hints.items()})


KINDS = list(EVENTS.values())
any_event = st.one_of(*map(events_of, KINDS))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_goes_there_and_back(kind: type[Event]) -> None:
    @given(events_of(kind))
    def check(event: Event) -> None:
        line = to_json(7, event)
        assert "\n" not in line
        back = from_json(line)
        assert back == event
        assert type(back) is kind
        assert [type(getattr(back, each.name)) for each in fields(kind)] == [
            type(getattr(event, each.name)) for each in fields(kind)
        ]

    check()


def test_every_event_class_can_be_written() -> None:
    assert EVENTS.keys() == {kind.__name__ for kind in Event.__subclasses__()}
    assert all(name == kind.__name__ for name, kind in EVENTS.items())


def test_a_line_is_plain_json() -> None:
    event = Offered("reporting", 3, 1, (), (Span(0x1000, 16),), (Span(0x1000, 16),))
    assert json.loads(to_json(12, event)) == {
        "n": 12,
        "event": "Offered",
        "queue": "reporting",
        "ticket": 3,
        "head": 1,
        "readable": [],
        "writable": [[0x1000, 16]],
        "blocks": [[0x1000, 16]],
        "valid": True,
    }


def test_events_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Notified("stats").queue = "inflate"  # type: ignore[misc]


@given(st.lists(any_event, max_size=5))
def test_a_file_holds_the_trace(recorded: list[Event]) -> None:
    recorder = Recorder()
    for event in recorded:
        recorder.emit(event)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        recorder.write(path)
        assert list(read_trace(path)) == recorded
        assert path.read_text().count("\n") == len(recorded)


def test_listeners_hear_what_comes_after_them_in_order() -> None:
    recorder = Recorder()
    recorder.emit(Notified("inflate"))
    heard: list[tuple[int, Event]] = []
    recorder.listen(lambda place, event: heard.append((place, event)))
    recorder.listen(lambda place, event: heard.append((-place, event)))
    assert recorder.last == 0
    assert [recorder.emit(Notified("stats")), recorder.emit(Notified("deflate"))] == [1, 2]
    assert [place for place, _ in heard] == [1, -1, 2, -2]
    assert recorder.last == 2


GOOD = to_json(0, Touched((Span(0, 1),)))
BAD = {
    "empty": "",
    "no JSON": "{",
    "garbage": "\x00\x01",
    "a list": "[]",
    "a number": "3",
    "null": "null",
    "no event": '{"n": 0}',
    "no place": '{"event": "Notified", "queue": "stats"}',
    "unknown event": '{"n": 0, "event": "Exploded"}',
    "event is a list": '{"n": 0, "event": []}',
    "field missing": '{"n": 0, "event": "Notified"}',
    "field too many": '{"n": 0, "event": "Notified", "queue": "stats", "x": 1}',
    "number for a name": '{"n": 0, "event": "Notified", "queue": 5}',
    "text for a number": '{"n": 0, "event": "StatusRead", "value": "0"}',
    "fraction": '{"n": 0, "event": "StatusRead", "value": 0.5}',
    "truth for a number": '{"n": 0, "event": "StatusRead", "value": true}',
    "null for a number": '{"n": 0, "event": "StatusRead", "value": null}',
    "span for spans": '{"n": 0, "event": "Touched", "spans": [1, 2]}',
    "number for spans": '{"n": 0, "event": "Touched", "spans": 1}',
    "text in a span": '{"n": 0, "event": "Touched", "spans": [["a", "b"]]}',
    "span of one": '{"n": 0, "event": "Touched", "spans": [[1]]}',
    "span of three": '{"n": 0, "event": "Touched", "spans": [[1, 2, 3]]}',
    "span beside a number": '{"n": 0, "event": "Touched", "spans": [[1, 2], 3]}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_a_bad_line_is_named_by_file_and_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(f"{GOOD}\n{GOOD}\n{line}\n{GOOD}\n")
    seen = read_trace(path)
    assert [next(seen), next(seen)] == [from_json(GOOD)] * 2
    with pytest.raises(TraceError) as caught:
        next(seen)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert len(str(caught.value)) < 400 + len(str(path))


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(GOOD.encode() + b"\n\xff\xfe\x80\n")
    with pytest.raises(TraceError, match=r"trace.jsonl:2: "):
        list(read_trace(path))


def test_a_used_element_without_offer_keeps_its_none() -> None:
    event = Used("inflate", 5, None, 0, -1)
    assert from_json(to_json(0, event)) == event


def test_an_empty_file_is_an_empty_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    Recorder().write(path)
    assert list(read_trace(path)) == []
