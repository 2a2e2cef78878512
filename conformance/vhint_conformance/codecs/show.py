"""A message as a line of JSON, or as a table of its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vhint.wire.errors import WireError
from vhint.wire.formats import Annotation, Field, Format, annotate
from vhint_conformance.report.console import printable

SHOWN: Final = 8
"""Bytes of a field in a table; longer ones are cut."""
WIDEST: Final = 40
"""Characters of a value in a table."""


def json_line(form: Format, data: bytes, given: Mapping[str, Any]) -> str:
    """Return a message as one line of JSON; raises `WireError`."""
    return json.dumps(form.to_json(data, **given))


def error_line(error: WireError, number: int) -> str:
    """Return what is wrong with a message as one line of JSON."""
    return json.dumps(
        {
            "error": type(error).__name__,
            "message": number,
            "path": error.path,
            "offset": error.offset,
            "expected": error.expected,
            "seen": error.seen if isinstance(error.seen, (int, str)) else repr(error.seen),
        }
    )


def table(form: Format, data: bytes, given: Mapping[str, Any]) -> tuple[str, WireError | None]:
    """Return the fields of a message as a table, and what is wrong with it."""
    found = annotate(form, data, **given)
    return "\n".join(_lines(found)), found.error


def _lines(found: Annotation) -> Iterator[str]:
    rows = [("offset", "bytes", "field", "value", "unit")]
    rows += [_row(field) for field in found.fields]
    if found.rest:
        end = found.fields[-1].offset + len(found.fields[-1].data) if found.fields else 0
        rows.append((f"{end:#06x}", _hex(found.rest), "", "", _rest(found)))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    wrong = found.at_fault
    for i, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        mark = "> " if i and i <= len(found.fields) and found.fields[i - 1] is wrong else "  "
        yield f"{mark}{'  '.join([*cells, row[4]])}".rstrip()


def _row(field: Field) -> tuple[str, str, str, str, str]:
    unit = field.unit
    if field.bits:
        low, width = field.bits
        unit = f"bits {low} to {low + width - 1}" if width > 1 else f"bit {low}"
    return (
        f"{field.offset:#06x}",
        _hex(field.data),
        field.path,
        _cut(printable(field.text), WIDEST),
        unit,
    )


def _rest(found: Annotation) -> str:
    if found.error is None:
        return "not looked at"
    return f"{len(found.rest)} more"


def _hex(data: bytes) -> str:
    text = data[:SHOWN].hex(" ")
    return f"{text} .." if len(data) > SHOWN else text


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 2]}.."
