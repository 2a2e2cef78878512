"""Answers of the judging device to hinting requests: sound ones, and every kind of bad one."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vhint.wire import hint_ack, hint_request
from vhint.wire.bitmap import Bitmap, byte_length
from vhint.wire.errors import WireError
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.hint_request import BitmapRequest, RequestHeader
from vhint_conformance.driver_bench.device import Request, bits_set
from vhint_conformance.verdict import NotApplicable

HEADER = struct.Struct("<QII")
"""The first 16 bytes of an acknowledgement, for those that no codec would build."""


def header(request: Request) -> RequestHeader:
    """Return the header of a hinting request."""
    return hint_request.peek_header(request.data)


def sound(request: Request, *, accept: int | None = None) -> bytes:
    """Return the bytes of a sound answer that accepts the first `accept` blocks, or all.

    A request that cannot be read is answered as a sound device answers it: MALFORMED.
    """
    try:
        head = header(request)
        named = positions(request)
    except WireError:
        return _malformed(request)
    taken = named if accept is None else named[:accept]
    status = Status.OK if len(taken) == len(named) else Status.PARTIAL
    results = Bitmap.from_indices(head.count, taken) if head.count else None
    ack = Acknowledgement(head.cookie, status, len(taken), results)
    return hint_ack.build(ack, head.count)[: max(request.room, 0)]


def is_empty(request: Request) -> bool:
    """Whether a request says that it names no block: it is good, and asks for nothing."""
    return len(request.data) >= hint_request.HEADER_SIZE and not header(request).count


def positions(request: Request) -> list[int]:
    """Return which result bit stands for each block that a request names."""
    parsed = hint_request.parse(request.data)
    if isinstance(parsed, BitmapRequest):
        return bits_set(parsed.bits)
    return list(range(len(parsed.blocks)))


def _malformed(request: Request) -> bytes:
    """Return the answer to what is no request: the cookie is 0 if not even a header is there."""
    if request.room < HEADER.size:
        return b""
    whole = len(request.data) >= hint_request.HEADER_SIZE
    cookie = int.from_bytes(request.data[8:16], "little") if whole else 0
    return hint_ack.build(Acknowledgement(cookie, Status.MALFORMED, 0))


def refusal(request: Request, status: Status) -> bytes:
    """Return an answer that accepts nothing."""
    return hint_ack.build(Acknowledgement(header(request).cookie, status, 0))


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """An answer that a driver must not believe: the bytes, the used length, who says so."""

    requirement: str
    data: bytes
    length: int


def bad_answers(request: Request) -> dict[str, BadAnswer]:
    """Return every kind of bad acknowledgement that fits a request, by name."""
    if request.room < HEADER.size:
        raise NotApplicable("the driver leaves no room for an acknowledgement")
    good = sound(request)
    cookie, status, processed = HEADER.unpack_from(good)
    rest = good[HEADER.size :]

    def bad(slug: str, *fields: int, length: int | None = None, more: bytes = rest) -> BadAnswer:
        data = HEADER.pack(*fields) + more
        return BadAnswer(f"hint.driver.{slug}", data, len(data) if length is None else length)

    other = cookie ^ 0x5A5A5A5A
    partial = int(Status.PARTIAL)
    found = {
        "cookie": bad("bad-cookie-detected", other, status, processed),
        "cookie-high": bad("bad-cookie-detected", cookie ^ 0x5A5A5A5A << 32, status, processed),
        "cookie-zero": bad("bad-cookie-detected", 0, status, processed),
        "status": bad("bad-status-detected", cookie, 5, processed),
        "status-high": bad("bad-status-detected", cookie, 1 << 31, processed),
        "short": bad("short-acknowledgement-detected", cookie, status, processed, length=15),
        "empty": bad("short-acknowledgement-detected", cookie, status, processed, length=0),
        "long": bad(
            "long-acknowledgement-detected", cookie, status, processed, length=len(good) + 64
        ),
        "long-by-one": bad(
            "long-acknowledgement-detected", cookie, status, processed, length=len(good) + 1
        ),
        "refusal-with-results": bad(
            "refusal-with-results-detected", cookie, int(Status.MALFORMED), 0, more=b"\1"
        ),
        "too-many-processed": bad(
            "processed-contradiction-detected", cookie, status, processed + 1
        ),
        "none-processed": bad("processed-contradiction-detected", cookie, int(Status.OK), 0),
        "refusal-of-some": bad(
            "processed-contradiction-detected", cookie, int(Status.MALFORMED), 1, more=b""
        ),
        "partial-of-all": bad("processed-contradiction-detected", cookie, partial, processed),
    }
    if len(rest) == byte_length(header(request).count):  # else none need have been written
        found["partial-miscounted"] = bad(
            "processed-contradiction-detected", cookie, partial, 1, more=bytes(len(rest))
        )
    return found


BAD_ANSWERS = (
    "cookie",
    "cookie-high",
    "cookie-zero",
    "status",
    "status-high",
    "short",
    "empty",
    "long",
    "long-by-one",
    "refusal-with-results",
    "too-many-processed",
    "none-processed",
    "refusal-of-some",
    "partial-of-all",
    "partial-miscounted",
)
"""The names that `bad_answers` knows."""
