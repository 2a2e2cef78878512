"""Writing ``build``: one `struct` pack for the prefix, joined with the bytes of the open part.

A count is not asked of the face: it is the length of what it counts. A selector is the one under
which the face is registered, and reserved fields and padding are zero.
"""

from __future__ import annotations

import struct

from vhint.wire.derive import Leaf, NotDerivable
from vhint.wire.plan import Message, Open
from vhint.wire.schema import Padding, Reserved
from vhint.wire.source import Face, Source, check_records, prefix_tests


def write_build(
    message: Message, face: Face, key: int | None, parameters: tuple[str, ...]
) -> Source:
    """Write ``build(face, *parameters)`` for the faces of one case, or of a message without."""
    out = Source("build", "face", parameters, default="=None")
    case = message if key is None else message.cases[key]
    prefix = message.prefix if key is None else message.prefix + case.prefix
    out.reject_if(f"type(face) is not {out.bind(face.cls.__name__, face.cls)}")
    part = case.open
    if part:
        _write_open(out, part, face)
    values = {leaf.name: _value(leaf, message, key, part) for leaf in prefix}
    taken = tuple(leaf for leaf in prefix if values[leaf.name].startswith("v_"))
    for leaf in taken:
        out.line(f"v_{leaf.name} = face.{leaf.name}")
    if prefix:
        formats = [message.layout.format] + ([case.layout.format] if case is not message else [])
        whole = struct.Struct(formats[0] + "".join(text[1:] for text in formats[1:]))
        out.line("try:")
        out.line(f"    head = {out.bind('pack', whole.pack)}({', '.join(values.values())})")
        out.line("except error:")
        out.indent += 1
        out.reject()
        out.indent -= 1
        out.reject_if(*prefix_tests(taken, out, parsing=False))
    _write_result(out, part, has_head=bool(prefix))
    return out


def _value(leaf: Leaf, message: Message, key: int | None, part: Open | None) -> str:
    """Give the source of the number that goes into a field of the prefix."""
    if key is not None and leaf.name == message.key:
        return str(key)
    if isinstance(leaf.rule, (Reserved, Padding)):
        return "0"
    if part and part.count and not part.count.is_parameter and leaf.name == part.count.name:
        return "count"
    return f"v_{leaf.name}"


def _write_open(out: Source, part: Open, face: Face) -> None:
    out.line("part = face" if face.whole else f"part = face.{part.name}")
    if part.records:
        column = face.column(part.name)
        if column is None:
            raise NotDerivable(f"{part.name}: no column class is given for it")
        if not face.whole:
            out.reject_if(f"type(part) is not {out.bind(column.__name__, column)}")
        out.line("array = part.records")
        out.line("count = len(array)")
        check_records(out, part, "array.view(LANES)", "count")
    elif part.is_leading:
        given = part.count.name if part.count else "count"
        out.reject_if(f"{given} is not None and (type({given}) is not int or {given} < 0)")
        out.line("if part is not None:")
        out.indent += 1
        out.reject_if("type(part) is not Bitmap")
        out.line("array = part.octets")
        # Whole bytes of a longer bitmap, or all of it.
        whole = f"part.count == {given} or (part.count < {given} and not part.count & 7)"
        out.reject_if("not part.count", f"{given} is not None and not ({whole})")
        out.indent -= 1
    else:
        out.reject_if("type(part) is not Bitmap")
        out.line("array = part.octets")
        out.line("count = part.count")


def _write_result(out: Source, part: Open | None, *, has_head: bool) -> None:
    if part is None:
        out.line("return head")
    elif part.is_leading:
        head, rest = ("head", "join((head, array))") if has_head else ("b''", "array.tobytes()")
        out.line(f"return {head} if part is None else {rest}")
    elif not has_head:
        out.line("return array.tobytes()")
    else:
        out.line("return join((head, array))")
