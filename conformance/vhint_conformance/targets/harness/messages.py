"""The messages as values: what is asked, and what an answer means.

Everything that a harness says is looked at here, also without `--validate`, which only says more
exactly what is wrong: an answer that breaks the protocol raises `ProtocolError` and no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from vhint.spans import Span
from vhint.wire.features import Features
from vhint.wire.queues import Queue
from vhint_conformance.logic import ConfigChanged, Discard, Effect, NeedsReset, Use, Write

PROTOCOL = "vhint-harness/1"
MAX_ADDRESS = 1 << 64

Message = Mapping[str, Any]
_HEX = re.compile("[0-9a-f]*")


class ProtocolError(Exception):
    """A line that is not what the protocol says; the text completes "its answer ..."."""


def parse(line: bytes) -> dict[str, Any]:
    """Return the object that a line holds."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError(f"is not JSON: {shortened(line)}") from None
    if not isinstance(message, dict):
        raise ProtocolError(f"is not a JSON object: {shortened(line)}")
    return message


def shortened(line: bytes, most: int = 80) -> str:
    """Return the start of a line, for a complaint about it."""
    return repr(cut(line.decode(errors="replace").rstrip("\n"), most))


def cut(words: str, most: int = 200) -> str:
    """Return a text, or its start if it is long."""
    return words if len(words) <= most else f"{words[:most]}..."


def feature_numbers(features: Features) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [number for number in range(64) if features.bits >> number & 1]


def ranges(spans: tuple[Span, ...]) -> list[list[int]]:
    """Return ranges as messages have them."""
    return [list(span) for span in spans]


def integer(message: Message, name: str, below: int) -> int:
    """Return a member that is an integer from 0 to less than `below`."""
    value = _member(message, name)
    if type(value) is not int or not 0 <= value < below:
        raise ProtocolError(f'has "{name}": {_seen(value)}, expected an integer below {below}')
    return value


def text(message: Message, name: str) -> str:
    """Return a member that is a string with something in it."""
    value = _member(message, name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f'has "{name}": {_seen(value)}, expected a string that is not empty')
    return value


def truth(message: Message, name: str) -> bool:
    """Return a member that is true or false."""
    value = _member(message, name)
    if not isinstance(value, bool):
        raise ProtocolError(f'has "{name}": {_seen(value)}, expected true or false')
    return value


def items(message: Message, name: str) -> list[Any]:
    """Return a member that is an array."""
    value = _member(message, name)
    if not isinstance(value, list):
        raise ProtocolError(f'has "{name}": {_seen(value)}, expected an array')
    return value


def words(message: Message, name: str) -> tuple[str, ...]:
    """Return a member that is an array of strings."""
    found = items(message, name)
    if not all(isinstance(item, str) for item in found):
        raise ProtocolError(f'has "{name}": {_seen(found)}, expected an array of strings')
    return tuple(found)


def data(message: Message, name: str) -> bytes:
    """Return the bytes of a member that is a string of hexadecimal digits."""
    value = _member(message, name)
    if not isinstance(value, str) or len(value) % 2 or not _HEX.fullmatch(value):
        raise ProtocolError(f'has "{name}": {_seen(value)}, expected an even number of hex digits')
    return bytes.fromhex(value)


def bounded(message: Message, name: str, most: int) -> bytes:
    """Return bytes of which there are not more than were asked for."""
    found = data(message, name)
    if len(found) > most:
        raise ProtocolError(f'has {len(found)} bytes in "{name}", expected at most {most}')
    return found


def features(message: Message, name: str) -> Features:
    """Return the features whose numbers a member lists."""
    found = items(message, name)
    if not all(type(item) is int and 0 <= item < 64 for item in found):
        raise ProtocolError(f'has "{name}": {_seen(found)}, expected numbers of bits, 0 to 63')
    return Features.of(*found)


def statistics(message: Message) -> dict[int, int]:
    """Return tag to value of an answer."""
    found: dict[int, int] = {}
    for pair in items(message, "statistics"):
        match pair:
            case [int(tag), str(value)] if value.isascii() and value.isdecimal():
                found[tag] = int(value[:20])
            case _:
                raise ProtocolError(
                    f'has {_seen(pair)} in "statistics", expected a tag and a string of digits'
                )
    return found


def effects(message: Message) -> list[Effect]:
    """Return the effects of an answer, in their order."""
    return [_effect(item) for item in items(message, "effects")]


def _effect(item: object) -> Effect:
    if not isinstance(item, dict):
        raise ProtocolError(f'has {_seen(item)} in "effects", expected an object')
    match item.get("do"):
        case "use":
            length = integer(item, "length", 1 << 32) if "length" in item else None
            stored = data(item, "data") if "data" in item else b""
            return Use(queue(item, "queue"), integer(item, "id", 1 << 16), stored, length)
        case "discard":
            return Discard(integer(item, "address", MAX_ADDRESS),
                           integer(item, "length", MAX_ADDRESS))  # fmt: skip
        case "write":
            return Write(integer(item, "address", MAX_ADDRESS), data(item, "data"))
        case "config_changed":
            return ConfigChanged()
        case "needs_reset":
            return NeedsReset()
        case other:
            raise ProtocolError(
                f'has an effect with "do": {_seen(other)}, expected use, discard, write, '
                "config_changed or needs_reset"
            )


def queue(message: Message, name: str) -> Queue:
    """Return a member that names a queue."""
    value = _member(message, name)
    if value not in tuple(Queue):
        known = ", ".join(Queue)
        raise ProtocolError(f'has "{name}": {_seen(value)}, expected one of {known}')
    return Queue(value)


def _member(message: Message, name: str) -> Any:
    if name not in message:
        raise ProtocolError(f'has no "{name}": {_seen(dict(message))}')
    return message[name]


def _seen(value: object) -> str:
    return shortened(json.dumps(value).encode())[1:-1]
