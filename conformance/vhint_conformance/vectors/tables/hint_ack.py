"""Vectors of acknowledgements of the hinting virtqueue, and of what a driver makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vhint.wire import hint_ack
from vhint.wire.bitmap import Bitmap
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint_conformance.vectors.message import Message
from vhint_conformance.vectors.model import (
    Codec,
    Driver,
    ErrorKind,
    Fault,
    FormatFile,
    Json,
    Vector,
)
from vhint_conformance.vectors.tables.common import cut_vectors, trailing

COOKIE = 0x0102030405060708
STATUSES = {"INHIBITED": 4, "MALFORMED": 2, "OK": 0, "PARTIAL": 1, "UNSUPPORTED": 3}

BAD = (
    "hint.driver.keep-isolated-on-bad-acknowledgement",
    "hint.driver.reset-on-bad-acknowledgement",
)
UNCOVERED = "hint.driver.uncovered-results-lost"
LENGTH = "hint.device.used-length-with-results"


def ack(status: int, processed: int, results: str = "", cookie: int = COOKIE) -> Message:
    """Lay out an acknowledgement; `results` has a character for each result bit."""
    fields = [("cookie", 8, cookie), ("status", 4, status), ("processed", 4, processed)]
    if results:
        fields.append(("results", (len(results) + 7) // 8, int(results[::-1], 2)))
    return Message.of(*fields)


def valid(
    name: str,
    comment: str,
    count: int,
    status: str,
    processed: int,
    results: str = "",
    lost: str | None = None,
    *,
    cookie: int = COOKIE,
    sent: int = COOKIE,
    **given: Any,
) -> Vector:
    """Make an acknowledgement whose fields are sound, for a request of `count` blocks."""
    decoded = {
        "cookie": str(cookie),
        "processed": processed,
        "results": results or None,
        "status": status,
    }
    message = ack(STATUSES[status], processed, results, cookie)
    slugs = given.get("requirements", ())
    return Vector(
        name,
        comment,
        message.data,
        decoded,
        parameters={"count": count},
        driver=Driver(sent, lost, slugs),
        **given,
    )


def invalid(
    name: str, comment: str, count: int, message: Message, fault: Fault, *slugs: str
) -> Vector:
    """Make one with an offence; the driver resets the device."""
    return Vector(
        name,
        comment,
        message.data,
        fault=fault,
        parameters={"count": count},
        driver=Driver(COOKIE, None, BAD),
        requirements=(*BAD, *slugs),
    )


VALID = (
    valid("empty-request", "OK to a request that named nothing", 0, "OK", 0, "", ""),
    valid(
        "ok-no-room",
        "OK without result bits: everything may be gone",
        3,
        "OK",
        3,
        "",
        "111",
        requirements=(UNCOVERED,),
    ),
    valid(
        "ok-all",
        "OK with a result bit for each block",
        3,
        "OK",
        3,
        "111",
        "111",
        requirements=("hint.device.ok-means-all", "hint.device.processed-counts-accepted"),
    ),
    valid(
        "ok-10",
        "OK, 10 blocks, the results end within a byte",
        10,
        "OK",
        10,
        "1" * 10,
        "1" * 10,
        requirements=("hint.device.result-padding-zero",),
    ),
    valid(
        "ok-bitmap",
        "OK to a bitmap: only bits that were set are set",
        5,
        "OK",
        2,
        "10010",
        "10010",
        requirements=("hint-bitmap.device.result-only-named",),
    ),
    valid(
        "partial-first",
        "PARTIAL: the first of two was accepted",
        2,
        "PARTIAL",
        1,
        "10",
        "10",
        requirements=("hint-pfn.device.result-order",),
        notes=("bit-order",),
    ),
    valid(
        "partial-last",
        "PARTIAL: the last of 8 was accepted",
        8,
        "PARTIAL",
        1,
        "00000001",
        "00000001",
        requirements=("hint-pfn.device.result-order",),
        notes=("bit-order",),
    ),
    valid(
        "partial-none",
        "PARTIAL: none was accepted",
        2,
        "PARTIAL",
        0,
        "00",
        "00",
        requirements=("hint.device.unaccepted-untouched",),
    ),
    valid(
        "partial-no-room",
        "PARTIAL without result bits: any block may be gone",
        3,
        "PARTIAL",
        1,
        "",
        "111",
        requirements=(UNCOVERED,),
    ),
    valid(
        "leading-byte",
        "room for 8 results of 12: the rest counts as accepted",
        12,
        "PARTIAL",
        9,
        "10111111",
        "101111111111",
        requirements=(UNCOVERED,),
        notes=("leading-results",),
    ),
    valid(
        "leading-bytes",
        "room for 16 results of 17",
        17,
        "PARTIAL",
        1,
        "0" * 16,
        "0" * 16 + "1",
        requirements=(UNCOVERED,),
        notes=("leading-results",),
    ),
    *(
        valid(
            f"{status.lower()}",
            f"{status}: nothing was touched",
            3,
            status,
            0,
            "",
            "000",
            requirements=(
                "hint.device.refusal-length-16",
                "hint.device.refusal-processed-zero",
                "hint.device.refusal-touches-nothing",
            ),
        )
        for status in ("MALFORMED", "UNSUPPORTED", "INHIBITED")
    ),
    valid(
        "cookie-max",
        "the largest cookie",
        1,
        "OK",
        1,
        "1",
        "1",
        cookie=(1 << 64) - 1,
        sent=(1 << 64) - 1,
        notes=("above-2-53",),
    ),
    valid(
        "processed-max",
        "the largest number of blocks",
        1,
        "OK",
        0xFFFFFFFF,
        "1",
        "1",
        requirements=("hint.device.processed-counts-accepted",),
        notes=("not-the-format",),
    ),
    valid(
        "wrong-cookie",
        "another request's cookie",
        2,
        "OK",
        2,
        "11",
        cookie=COOKIE + 1,
        requirements=(*BAD, "hint.device.cookie-echo", "hint.driver.used-id-selects"),
        notes=("used-id",),
    ),
    valid(
        "wrong-cookie-high-half",
        "a cookie that differs above bit 31",
        1,
        "OK",
        1,
        "1",
        cookie=COOKIE ^ 1 << 63,
        requirements=(*BAD, "hint.device.cookie-echo"),
        notes=("used-id", "above-2-53"),
    ),
    valid(
        "cookie-zero-malformed",
        "the answer to fewer than 16 readable bytes",
        1,
        "MALFORMED",
        0,
        cookie=0,
        requirements=(*BAD, "hint.device.short-header-malformed"),
    ),
)

M = ack(1, 2, "1000000001")
PADDING = "hint.device.result-padding-zero"
STATUS = "hint.device.status-known"
PAD, UNK = ErrorKind.PADDING_NOT_ZERO, ErrorKind.UNKNOWN_VALUE

INVALID = (
    invalid(
        "status-5",
        "the first status that is not defined",
        10,
        M.put("status", 5),
        Fault(UNK, "status", 8),
        STATUS,
    ),
    invalid(
        "status-max",
        "the largest status",
        10,
        M.put("status", 0xFFFFFFFF),
        Fault(UNK, "status", 8),
        STATUS,
    ),
    invalid(
        "status-byte-order",
        "PARTIAL in big-endian order",
        10,
        M.put("status", 1 << 24),
        Fault(UNK, "status", 8),
        STATUS,
    ),
    invalid(
        "padding-bit",
        "the bit after the last result",
        10,
        ack(1, 2, "10000000011"),
        Fault(PAD, "results", 17),
        PADDING,
    ),
    invalid(
        "padding-byte",
        "eight bits where one counts",
        1,
        ack(0, 1, "11111111"),
        Fault(PAD, "results", 16),
        PADDING,
    ),
    invalid(
        "result-for-nothing",
        "a result byte, but the count was 0",
        0,
        ack(0, 0, "00000000"),
        trailing(ack(0, 0)),
        LENGTH,
    ),
    invalid(
        "trailing-byte",
        "more result bytes than ceil(count / 8)",
        10,
        M.extend(b"\0"),
        trailing(M),
        LENGTH,
    ),
    *cut_vectors(
        ack(1, 2),
        parameters={"count": 10},
        driver=Driver(COOKIE, None, BAD),
        requirements=(*BAD, LENGTH),
    ),
)


def _parse(data: bytes, parameters: Mapping[str, int]) -> object:
    return hint_ack.parse(data, parameters["count"])


def _build(decoded: Json, parameters: Mapping[str, int]) -> bytes:
    bits = decoded["results"]
    results = None
    if bits is not None:
        results = Bitmap.from_indices(len(bits), [n for n, bit in enumerate(bits) if bit == "1"])
    status = Status[decoded["status"]]
    return hint_ack.build(
        Acknowledgement(int(decoded["cookie"]), status, decoded["processed"], results),
        parameters["count"],
    )


FILE = FormatFile(
    "hint-ack",
    "Acknowledgements of hinting requests",
    "vhint, The hinting virtqueue, rules 2 and 5",
    {"cookie": "u64", "processed": "u32", "results": "bits?", "status": "enum:status"},
    Codec(_parse, _build),
    (*VALID, *INVALID),
    enums={"status": STATUSES},
)
