"""Drawing a layout: rows of eight bytes, fields to scale, repeated parts marked."""

from __future__ import annotations

from dataclasses import dataclass

from vhint_conformance.drawing.svg import clip, el, picture, text
from vhint_docs.wire_model import TO_THE_END, Field, Layout, Open

ROW_BYTES = 8
BYTE = 62
LEFT = 116
RIGHT = 96
RULER = 26
ROW = 42
GAP = 12
WIDTH = LEFT + ROW_BYTES * BYTE + RIGHT


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of a field that lies in one row."""

    field: Field
    row: int
    column: int
    length: int
    is_first: bool
    is_last: bool
    is_widest: bool


def segments(fields: tuple[Field, ...]) -> list[Segment]:
    """Cut fields at the ends of rows, counted from the first field.

    >>> fields = (Field("tag", 0, 2, "le16"), Field("value", 2, 8, "le64"))
    >>> [(s.field.name, s.row, s.column, s.length, s.is_widest) for s in segments(fields)]
    [('tag', 0, 0, 2, True), ('value', 0, 2, 6, True), ('value', 1, 0, 2, False)]
    """
    found: list[Segment] = []
    position = 0
    for field in fields:
        pieces: list[tuple[int, int, int]] = []
        left = field.size
        while left:
            row, column = divmod(position, ROW_BYTES)
            length = min(left, ROW_BYTES - column)
            pieces.append((row, column, length))
            position += length
            left -= length
        widest = max(range(len(pieces)), key=lambda number: pieces[number][2], default=0)
        found += [
            Segment(field, *piece, number == 0, number == len(pieces) - 1, number == widest)
            for number, piece in enumerate(pieces)
        ]
    return found


def draw(layout: Layout, title: str) -> str:
    """Return the drawing of a layout."""
    marks = [_ruler()]
    y = float(RULER)
    fixed: list[Field] = []
    base = "0"
    for part in layout.parts:
        if isinstance(part, Field):
            fixed.append(part)
            continue
        if fixed:
            y = _rows(marks, tuple(fixed), y, base) + GAP
            base = _after(base, fixed)
            fixed = []
        y = _open(marks, part, y, base) + GAP
        base = "then"
    if fixed:
        y = _rows(marks, tuple(fixed), y, base) + GAP
    return picture(WIDTH, y, title, *marks, description=describe(layout))


def describe(layout: Layout) -> str:
    """Say in words what the drawing shows."""
    said = []
    for part in layout.parts:
        if isinstance(part, Field):
            said.append(f"{part.name}, {part.type}")
        elif part.fields:
            inside = "; ".join(f"{field.name}, {field.type}" for field in part.fields)
            often = part.count if part.count == TO_THE_END else f"{part.count} times"
            said.append(f"{part.name}, repeated {often}: {inside}")
        else:
            said.append(f"{part.name}, {part.type} in {part.length} bytes")
    return ". ".join(said) + "."


def _ruler() -> str:
    marks = [
        text(LEFT + (i + 0.5) * BYTE, RULER - 10, f"+{i}", "vh-t vh-small", text_anchor="middle")
        for i in range(ROW_BYTES)
    ]
    marks.append(text(LEFT - 10, RULER - 10, "byte", "vh-t vh-small", text_anchor="end"))
    return "".join(marks)


def _rows(marks: list[str], fields: tuple[Field, ...], y: float, base: str) -> float:
    """Draw fields from `y` on and return where they end; `base` is the first row's offset."""
    pieces = segments(fields)
    rows = pieces[-1].row + 1 if pieces else 0
    for row in range(rows):
        label = _plus(base, row * ROW_BYTES)
        middle = y + row * ROW + ROW / 2 + 4
        marks.append(text(LEFT - 10, middle, label, "vh-t vh-small", text_anchor="end"))
    marks.extend(_box(piece, y + piece.row * ROW) for piece in pieces)
    return y + rows * ROW


def _box(piece: Segment, y: float) -> str:
    field = piece.field
    x, width = LEFT + piece.column * BYTE, piece.length * BYTE
    kinds = ["vh-box"]
    kinds += ["vh-reserved"] if field.is_reserved else []
    kinds += ["vh-optional"] if field.is_optional else []
    inside = [
        el("title", f"{field.name}: {field.type}, {field.size} bytes"),
        el("rect", x=x, y=y, width=width, height=ROW, class_=" ".join(kinds)),
    ]
    middle = x + width / 2
    if piece.is_widest:
        cut = " ".join(f"{part}:{bits}" for part, _, bits in field.bits)
        name = clip(field.name, width - 6)
        kind = clip(f"{field.type} {cut}".rstrip(), width - 6, 6.65)
        inside.append(text(middle, y + ROW / 2 - 2, name, "vh-t vh-name", text_anchor="middle"))
        inside.append(text(middle, y + ROW / 2 + 13, kind, "vh-t vh-small", text_anchor="middle"))
    else:
        inside.append(text(middle, y + ROW / 2 + 4, "…", "vh-t vh-small", text_anchor="middle"))
    return el("g", *inside)


def _open(marks: list[str], part: Open, y: float, base: str) -> float:
    if not part.fields:
        return _bits(marks, part, y, base)
    each = f"{part.stride}·i"
    start = each if base == "0" else f"{base} + {each}"
    if part.tail:
        start = "each"
    end = _rows(marks, part.fields, y, start)
    after = f"{start} + {part.stride}"
    if isinstance(part.tail, Field):
        end = _rows(marks, (part.tail,), end, after)
    elif part.tail:
        end = _bits(marks, part.tail, end, after)
    often = part.count if part.count == TO_THE_END else f"× {part.count}"
    marks.append(_bracket(y, end, part.name, often))
    return end


def _bits(marks: list[str], part: Open, y: float, base: str) -> float:
    width = ROW_BYTES * BYTE
    marks.append(text(LEFT - 10, y + ROW / 2 + 4, base, "vh-t vh-small", text_anchor="end"))
    inside = el("rect", x=LEFT, y=y, width=width, height=ROW, class_="vh-box vh-repeat")
    middle = LEFT + width / 2
    size = f"{part.type}, {part.length} bytes"
    inside += text(middle, y + ROW / 2 - 2, part.name, "vh-t vh-name", text_anchor="middle")
    inside += text(middle, y + ROW / 2 + 13, size, "vh-t vh-small", text_anchor="middle")
    marks.append(el("g", el("title", f"{part.name}: {size}"), inside))
    return y + ROW


def _bracket(top: float, bottom: float, name: str, often: str) -> str:
    x = LEFT + ROW_BYTES * BYTE + 8
    path = f"M{x} {top + 2}h6v{bottom - top - 4}h-6"
    middle = (top + bottom) / 2
    return (
        el("path", d=path, class_="vh-line")
        + text(x + 12, middle - 3, clip(name, RIGHT - 22), "vh-t vh-small vh-strong")
        + text(x + 12, middle + 11, clip(often, RIGHT - 18, 6.65), "vh-t vh-small")
    )


def _after(base: str, fields: list[Field]) -> str:
    return _plus(base, sum(field.size for field in fields))


def _plus(base: str, more: int) -> str:
    if base.isdigit():
        return str(int(base) + more)
    return f"{base} + {more}" if more else base
