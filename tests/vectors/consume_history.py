"""What our codecs make of the vectors of historic formats, by walking over the faces they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from vhint.wire.bitmap import Bitmap
from vhint.wire.columns import Column
from vhint.wire.errors import WireError, WrongLength
from vhint.wire.history import PROFILES, lal_v11, li_bitmap_2016
from vhint.wire.history.entries import Entries
from vhint.wire.history.layout import Layout
from vhint.wire.history.profile import Message

Json = dict[str, Any]

AS_READ_BY_A_WALK = "lal-v11-buffer-as-read"
"""Any bytes do, and nobody builds it."""
MESSAGES: dict[str, Message] = {
    f"{profile.name}-{message.name}": message
    for profile in PROFILES.values()
    for message in profile.messages
}
NAMES = {*MESSAGES, AS_READ_BY_A_WALK}

KINDS = {
    "short-input": "ShortInput",
    "trailing-bytes": "TrailingBytes",
    "out-of-range": "OutOfRange",
    "reserved-not-zero": "ReservedNotZero",
    "unknown-value": "UnknownValue",
    "padding-not-zero": "PaddingNotZero",
    "wrong-length": "WrongLength",
}


def plain(value: Any) -> Any:
    """A face as dictionaries, lists, numbers and strings of bits."""
    if isinstance(value, Bitmap):
        return "".join("01"[bit] for bit in value)
    if isinstance(value, (Column, tuple)):
        return [plain(each) for each in value]
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    return value


def numbers(value: Any) -> Any:
    """The decoded value with 64-bit strings as numbers; bits stay as they are."""
    if isinstance(value, dict):
        return {
            key: each if key in ("bits", "is_stale") else numbers(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [numbers(each) for each in value]
    return int(value) if isinstance(value, str) else value


def bits_of(report: li_bitmap_2016.BitmapReport, layout: str) -> str | None:
    try:
        return plain(report.bits(Layout(layout)))
    except WrongLength:
        return None


def problem(file: Json, vector: Json) -> str | None:
    """How the codecs and the vector disagree; None if they do not."""
    for layout in vector.get("layouts", (None,)):
        if what := _problem(file["id"], vector, layout):
            return f"{layout}: {what}"
    return None


def _problem(name: str, vector: Json, layout: str | None) -> str | None:
    data, given = bytes.fromhex(vector["hex"]), vector["parameters"]
    options = {} if layout is None else {"layout": layout}
    message = MESSAGES.get(name)
    try:
        if message is None:
            face = lal_v11.walk(data, **options)
        else:
            face = message.parse(data, *given.values(), **options)
    except WireError as error:
        if vector["result"] != "invalid":
            return str(error)
        wanted = vector["error"]
        seen = (type(error).__name__, error.path, error.offset)
        agreed = seen == (KINDS[wanted["kind"]], wanted["path"], wanted["offset"])
        return None if agreed else str(seen)
    if vector["result"] != "valid":
        return f"accepted as {face}"
    wanted = dict(vector["decoded"])
    if name == "li-bitmap-2016-report" and bits_of(face, layout) != wanted.pop("bits"):
        return "other bits"
    found = plain(face)
    if isinstance(found, list):
        found = dict.fromkeys(wanted, found)
    if found != numbers(wanted):
        return f"read as {found}"
    if message is None:
        return None
    return _built(message, face, data, given, options, one_way=vector.get("one_way", False))


def _built(
    message: Message,
    face: Any,
    data: bytes,
    given: Mapping[str, int],
    options: Mapping[str, str],
    *,
    one_way: bool,
) -> str | None:
    clean = type(face).of(list(face)) if isinstance(face, Entries) else face
    built = message.build(clean, **options)
    if one_way:
        again = message.parse(built, *given.values(), **options)
        return None if again == face else "built as something else"
    return None if built == data else "built otherwise"


def interpreted(name: str, data: bytes, given: Mapping[str, int], layout: str | None) -> Any:
    """What construct makes of the declaration itself; raises `WireError` as the codec must."""
    formats = MESSAGES[name].formats
    declaration = formats[Layout(layout)] if layout else formats
    return declaration.parse(data, **given)
