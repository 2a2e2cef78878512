"""TOML for people: what is wrong with a text, and on which line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any

Path = Sequence[str | int]
"""The way to a value: keys of tables and places in lists."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_NAME = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


class NotToml(ValueError):  # noqa: N818 - the name says it
    """A text that is no TOML; `line` is where it ceases to be."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


def parse(data: bytes) -> dict[str, Any]:
    r"""Return the values in a text, or raise `NotToml`.

    >>> parse(b"a = 1\nb = x")
    Traceback (most recent call last):
    vhint_conformance.toml_text.NotToml: line 2: not valid TOML: Invalid value
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise NotToml(line, f"not UTF-8 text (byte {error.start})") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _explained(text, str(error)) from error
    except RecursionError as error:
        raise NotToml(1, "not valid TOML: nested too deeply") from error


def _explained(text: str, message: str) -> NotToml:
    """Return the complaint with its line, which tomllib puts into the message."""
    place = re.search(r"\(at line (\d+), column \d+\)|\(at end of document\)", message)
    line = int(place[1]) if place and place[1] else len(text.splitlines()) or 1
    what = message[: place.start()].strip() if place else message
    ending = " at the end of the file: is it cut short?" if place and not place[1] else ""
    return NotToml(line, f"not valid TOML: {what}{ending}")


def line_of(text: str, path: Path) -> int:
    r"""Return the line on which a value is set, or the nearest table around it; 1 if none is.

    >>> text = "a = 1\n[[list]]\nb = 2\n[[list]]\nb = 3\n"
    >>> [line_of(text, path) for path in (["a"], ["list", 1, "b"], ["list", 0, "c"], ["d"])]
    [1, 5, 2, 1]
    """
    lines = _lines(text)
    return next(
        (lines[key] for n in range(len(path), 0, -1) if (key := tuple(path[:n])) in lines), 1
    )


def _lines(text: str) -> dict[tuple[str | int, ...], int]:
    """Return the line of every table and key that has one of its own."""
    found: dict[tuple[str | int, ...], int] = {}
    entries: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _names(header[2])
            if header[1] == "[[":
                entries[table] = entries.get(table, -1) + 1
                found.setdefault(table, number)
                table = (*table, entries[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            names = _names(key[1])
            for n in range(1, len(names) + 1):
                found.setdefault((*table, *names[:n]), number)
    return found


def _names(dotted: str) -> tuple[str | int, ...]:
    return tuple(name.strip("\"'") for name in _NAME.findall(dotted))
