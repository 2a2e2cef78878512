"""Cutting an input into messages: a whole file, or a stream that may never end.

At most one message and one block of input are kept, and no message longer than a limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from vhint.wire.errors import WireError
from vhint.wire.formats import Format, message_size
from vhint_conformance.codecs import hex_text

BLOCK: Final = 1 << 16
"""Bytes that are read at once, and from which a message's length has to be clear."""
HEAD: Final = 256
"""Bytes from which a message's length is clear mostly."""


class InputError(ValueError):
    """An input that cannot be cut into messages: the message says where and why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of what should be one message.

    `number` counts messages from 1; `where` says for people where it starts. `is_lost` says that
    where the next one begins is not known.
    """

    number: int
    where: str
    data: bytes
    is_lost: bool = False


def whole(stream: BinaryIO, limit: int, *, is_hex: bool) -> Iterator[Piece]:
    """Yield the one message that the input is."""
    if is_hex:
        data = bytearray()
        for _, part in hex_text.messages(_lines(stream, limit)):
            data += part
            _within(len(data), limit, "the input")
    else:
        data = bytearray(stream.read(limit + 1))
        _within(len(data), limit, "the input")
    yield Piece(1, "", bytes(data))


def hex_lines(stream: BinaryIO, limit: int) -> Iterator[Piece]:
    """Yield a message for each line of hex, or for each dump."""
    for number, (line, data) in enumerate(hex_text.messages(_lines(stream, limit)), 1):
        _within(len(data), limit, f"message {number}")
        yield Piece(number, f"line {line}", data)


def framed(
    stream: BinaryIO, form: Format, given: Mapping[str, Any], size: int | None, limit: int
) -> Iterator[Piece]:
    """Yield message after message, each as long as `size` or as it says itself.

    Raises `NotDelimited` if messages of the format do not say, and `InputError`.
    """
    held, at, start, number = bytearray(), 0, 0, 0
    ended = False
    while True:
        length, is_lost = _length(held, at, form, given, size)
        if length is not None:
            _within(length, limit, f"message {number + 1}, at byte {start}")
            if not length and not is_lost:
                raise InputError(f"messages of 0 bytes never end: {given}")
        if (length is None or len(held) - at < length) and not is_lost and not ended:
            if length is None and len(held) - at > max(limit, BLOCK):
                raise InputError(f"message {number + 1}, at byte {start}: its length is not clear")
            del held[:at]
            at = 0
            block = _block(stream)
            ended = not block
            held += block
            continue
        if at == len(held):
            return
        data = bytes(held[at : None if length is None else at + length])
        number += 1
        yield Piece(number, f"byte {start}", data, is_lost)
        if is_lost:
            return
        at += len(data)
        start += len(data)


def _length(
    held: bytearray, at: int, form: Format, given: Mapping[str, Any], size: int | None
) -> tuple[int | None, bool]:
    """Return the length of the message at a place, and whether it cannot be told for ever."""
    if size is not None:
        return size, False
    try:
        found = message_size(form, bytes(held[at : at + HEAD]), **given)
        if found is None and len(held) - at > HEAD:
            found = message_size(form, bytes(held[at:]), **given)
    except WireError:
        return len(held) - at, True
    return found, False


def _block(stream: BinaryIO) -> bytes:
    read = getattr(stream, "read1", stream.read)
    block: bytes = read(BLOCK)
    return block


def _lines(stream: BinaryIO, limit: int) -> Iterator[str]:
    longest = 4 * limit + BLOCK
    number = 0
    while line := stream.readline(longest):
        number += 1
        if len(line) == longest:
            raise InputError(f"line {number} is longer than {longest} characters")
        try:
            yield line.decode("ascii")
        except UnicodeDecodeError as error:
            raise InputError(
                f"line {number}, column {error.start + 1}: byte {line[error.start]:#04x} is no "
                "text: is the input binary? (--from binary)"
            ) from None


def _within(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise InputError(f"{what}: longer than {limit} bytes (--max-size allows more)")
