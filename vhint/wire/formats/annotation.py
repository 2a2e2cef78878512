r"""The bytes of a message field by field: where each is, what it is called, what it says.

The declaration is run over the bytes and tells of every field that it reads, so what is shown is
what was parsed, up to and including the first field that is wrong.

>>> found = annotate("hint-request", bytes.fromhex("01000000 01000000 0700000000000000 0002"))
>>> [(field.offset, field.path, field.text) for field in found.fields][:3]
[(0, 'type', '1 PFN'), (2, 'flags', '0'), (4, 'count', '1')]
>>> print(found.error)
hint request: blocks[0].pfn at byte 16: input too short: expected 8 bytes, seen 2
>>> found.rest
b'\x00\x02'
"""

from __future__ import annotations

import io
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from vhint.wire.bitmap import padding_mask
from vhint.wire.codec import Data
from vhint.wire.errors import WireError, plain_path
from vhint.wire.formats.catalogue import FORMATS
from vhint.wire.formats.model import Format
from vhint.wire.integers import BitFields, Choice, Integer, Named, Padding, Reserved
from vhint.wire.schema import Bits

_ELEMENT: Final = re.compile(r"\[\d+\]$")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        offset: where it starts, in bytes from the start of the message.
        data: its bytes.
        path: its name, as errors and JSON have it: ``"blocks[3].order"``.
        value: its number; of a bitmap a string of 0 and 1, of octets their hex digits.
        name: what the number stands for, such as ``"BITMAP"`` or ``"NEXT | WRITE"``; or "".
        unit: what it counts or is, such as ``"pages of 4 KiB"``, ``"reserved"``; or "".
        bits: of a field that is a part of its bytes, its lowest bit and its width; else None.

    """

    offset: int
    data: bytes
    path: str
    value: int | str
    name: str = ""
    unit: str = ""
    bits: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The value for people: an address in hex, a name after its number.

        >>> Field(0, bytes(8), "addr", 0x200000, unit="guest physical address").text
        '0x200000'
        """
        if isinstance(self.value, str):
            return self.value
        is_address = "address" in self.unit or (self.name and " | " in self.name)
        number = f"{self.value:#x}" if is_address else str(self.value)
        return f"{number} {self.name}" if self.name else number


@dataclass(frozen=True, slots=True)
class Annotation:
    """A message field by field.

    Attributes:
        format: which format its bytes were taken for.
        fields: the fields in the order of their bytes, which they cover without gaps from 0 on.
        rest: the bytes after the last of them: what is not whole, or follows the end.
        error: why the bytes are no such message, or None if they are one.

    """

    format: Format
    fields: tuple[Field, ...]
    rest: bytes
    error: WireError | None

    @property
    def at_fault(self) -> Field | None:
        """The field that `error` is about, if it is among the fields."""
        if self.error is None:
            return None
        named = [item for item in self.fields if item.path == self.error.path]
        within = [
            item
            for item in self.fields
            if item.offset <= self.error.offset < item.offset + len(item.data)
        ]
        return next(iter(named or within), None)


Note = tuple[Any, str, int, int, Any]
"""A construct, the path, offset and size of what it read, and its number."""


class _Notes(io.BytesIO):
    """A stream that keeps what it is told of the fields read from it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.found: list[Note] = []

    def note(self, con: Any, path: str, offset: int, size: int, value: int) -> None:
        """Keep a field; one that is told of a second time is what wraps the first."""
        if self.found and self.found[-1][2:4] == (offset, size):
            self.found.pop()
        if size:
            self.found.append((con, plain_path(path), offset, size, value))


def annotate(
    what: Format | str, data: Data, *, layout: str | None = None, **parameters: int
) -> Annotation:
    """Say of every byte of a message which field it belongs to, and what that says.

    `what` is the format, or its id; `data` one whole message, or something that should be one;
    `layout` the guest's, for a format that has several (None: little-endian LP64); `parameters` are
    the numbers that the format needs besides the bytes.

    Raises `KeyError` if there is no such format, and `WireError` if the layout or the parameters
    are wrong. If the bytes are, `Annotation.error` says so instead.
    """
    form = FORMATS[what] if isinstance(what, str) else what
    declaration, numbers = form.declaration(layout), form.numbers(parameters)
    octets = bytes(memoryview(data).cast("B"))
    stream = _Notes(form.looked_at(octets))
    error: WireError | None = None
    try:
        form.decode(octets, layout=layout, **numbers)
    except WireError as found:
        error = found
    with suppress(WireError):  # the same one, unless the format has rules beside its declaration
        declaration.parse_stream(stream, **numbers)
    fields = [each for note in _joined(stream.found) for each in _fields(octets, *note)]
    end = fields[-1].offset + len(fields[-1].data) if fields else 0
    return Annotation(form, tuple(fields), octets[end:], error)


def _joined(notes: list[Note]) -> list[Note]:
    """Make one field of octets that were read one by one."""
    found: list[Note] = []
    for con, path, offset, size, value in notes:
        if size == 1 and type(con) is Integer and _ELEMENT.search(path):
            whole = _ELEMENT.sub("", path)
            if found and found[-1][0] is None and found[-1][1] == whole:
                _, _, start, before, _ = found.pop()
                found.append((None, whole, start, before + 1, None))
            else:
                found.append((None, whole, offset, 1, None))
        else:
            found.append((con, path, offset, size, value))
    return found


def _fields(octets: bytes, con: Any, path: str, offset: int, size: int, value: int) -> list[Field]:
    data = octets[offset : offset + size]
    if isinstance(con, BitFields):
        return [
            Field(
                offset,
                data,
                f"{path}.{name}",
                value >> con.shifts[name] & (1 << width) - 1,
                bits=(con.shifts[name], width),
            )
            for name, width in con.fields
        ]
    if con is None:
        return [Field(offset, data, path, data.hex())]
    if isinstance(con, Bits):
        text = "".join("01"[byte >> bit & 1] for byte in data for bit in range(8))[:value]
        padding = data[-1] & padding_mask(value)
        unit = con.docs or ("padding not zero" if padding else "")
        return [Field(offset, data, path, text, unit=unit)]
    return [Field(offset, data, path, value, _name(con, value), _unit(con))]


def _name(con: Any, value: int) -> str:
    if isinstance(con, Choice):
        member = con.members.get(value)
        return "" if member is None else member.name
    return con.name_of(value) if isinstance(con, Named) else ""


def _unit(con: Any) -> str:
    if isinstance(con, Reserved):
        return "reserved"
    return con.docs or ("padding" if isinstance(con, Padding) else "")
