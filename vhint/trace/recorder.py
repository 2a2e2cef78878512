"""Recording of events, and their JSON-lines file format.

A trace file has one JSON object a line: `{"n": place, "event": name, ...fields}`.  Spans are
`[start, length]` pairs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from vhint.spans import Span
from vhint.trace.events import EVENTS, Event

Listener = Callable[[int, Event], None]
"""Called with an event's place in the trace and the event."""


class TraceError(ValueError):
    """A trace file is not one: the message says where and why."""


class Recorder:
    """Numbers events in the order in which they are emitted and hands them to its listeners.

    >>> from vhint.trace.events import Notified
    >>> recorder = Recorder()
    >>> recorder.emit(Notified("inflate"))
    0
    >>> recorder.events
    [Notified(queue='inflate')]
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._listeners: list[Listener] = []

    @property
    def last(self) -> int:
        """The place of the last event, -1 before the first: the bound "not before" of a look."""
        return len(self.events) - 1

    def listen(self, listener: Listener) -> None:
        """Call `listener` for every event from now on."""
        self._listeners.append(listener)

    def emit(self, event: Event) -> int:
        """Record the event and return its place."""
        place = len(self.events)
        self.events.append(event)
        for listener in self._listeners:
            listener(place, event)
        return place

    def write(self, path: Path) -> None:
        """Write the trace as JSON lines."""
        lines = (to_json(place, event) for place, event in enumerate(self.events))
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def to_json(place: int, event: Event) -> str:
    """Return the line that stands for an event in a trace file.

    >>> from vhint.trace.events import Touched
    >>> to_json(3, Touched((Span(0x1000, 4096),)))
    '{"n": 3, "event": "Touched", "spans": [[4096, 4096]]}'
    """
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    return json.dumps({"n": place, "event": type(event).__name__} | values)


def from_json(line: str) -> Event:
    """Return the event of one line, or raise `TraceError`.

    >>> from_json('{"n": 0, "event": "Notified", "queue": "stats"}')
    Notified(queue='stats')
    """
    return numbered_from_json(line)[1]


def numbered_from_json(line: str) -> tuple[int, Event]:
    """Return the place and the event of one line, or raise `TraceError`."""
    try:
        values = json.loads(line)
        kind = EVENTS[values.pop("event")]
        place = values.pop("n")
        types = {field.name: str(field.type) for field in fields(kind)}
        read = {name: _READ[types[name]](value) for name, value in values.items()}
        return _number(place), kind(**read)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TraceError(f"not an event: {line[:80]!r} ({error!r})") from error


def read_trace(path: Path) -> Iterator[Event]:
    """Yield the events of a trace file in order; raise `TraceError` with the line at fault."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield from_json(line.decode())
            except (TraceError, UnicodeDecodeError) as error:
                raise TraceError(f"{path}:{number}: {error}") from error


def _exactly(kind: type) -> Callable[[Any], Any]:
    """Return a reader that takes only values of one JSON type (a bool is no number)."""

    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}, seen {value!r:.40}")
        return value

    return read


_number = _exactly(int)


def _span(value: Any) -> Span:
    start, length = _exactly(list)(value)
    return Span(_number(start), _number(length))


_READ: dict[str, Callable[[Any], Any]] = {
    "int": _number,
    "int | None": lambda value: None if value is None else _number(value),
    "str": _exactly(str),
    "bool": _exactly(bool),
    "Span": _span,
    "tuple[Span, ...]": lambda value: tuple(map(_span, _exactly(list)(value))),
}
"""The type of an event's field, as it is declared, to the reader of its JSON value."""
