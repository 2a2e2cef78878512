"""Vectors of hinting requests with a bitmap."""

from __future__ import annotations

from collections.abc import Mapping

from vhint.wire import hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.hint_request import BitmapRequest
from vhint_conformance.vectors.model import (
    Codec,
    ErrorKind,
    Expected,
    Fault,
    FormatFile,
    Json,
    Vector,
)
from vhint_conformance.vectors.tables.common import (
    EITHER,
    MALFORMED,
    accepts,
    cut_vectors,
    refuses,
    trailing,
)
from vhint_conformance.vectors.tables.hint_bitmap_message import (
    CLEAR,
    INEXACT,
    LIMIT,
    LIMITED,
    MAX_BITS,
    NO_CAUSE,
    NOT_JUDGED,
    ORDER_OF_BITS,
    PADDING,
    PAST,
    RAM,
    invalid,
    named,
    request,
    valid,
)
from vhint_conformance.vectors.tables.hint_bitmap_refused import NO_BITS, REFUSED

VALID = (
    valid("empty", "no bit", 0x100, 0, "", requirements=("hint.device.count-zero-ok",)),
    valid("one-bit", "one bit, which is set", 0x100, 0, "1", requirements=(NO_CAUSE,)),
    valid("one-clear-bit", "one bit, which is clear", 0x100, 0, "0", requirements=(CLEAR,)),
    valid("no-bit-set", "20 bits, none of them set", 0x100, 0, "0" * 20, requirements=(CLEAR,)),
    valid("page-zero", "the page at address 0", 0, 0, "1", notes=("address-zero",)),
    valid(
        "first-bit-of-8",
        "bit 0 is the least significant one",
        0x100,
        0,
        "10000000",
        requirements=(ORDER_OF_BITS, CLEAR),
        notes=("bit-order",),
    ),
    valid(
        "last-bit-of-8",
        "bit 7 is the most significant one",
        0x100,
        0,
        "00000001",
        requirements=(ORDER_OF_BITS, CLEAR),
        notes=("bit-order",),
    ),
    valid(
        "second-byte",
        "bit 8 is in the second byte",
        0x100,
        0,
        "000000001",
        requirements=(ORDER_OF_BITS,),
        notes=("bit-order", "padding"),
    ),
    *(
        valid(f"{count}-bits", f"{count} bits, all set", 0x80, 0, "1" * count, notes=("padding",))
        for count in (7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
    ),
    valid("alternating", "every other bit", 0x80, 0, "10" * 20, requirements=(CLEAR,)),
    valid("order-3", "blocks of 8 pages", 0x80, 3, "1101", requirements=(ORDER_OF_BITS,)),
    valid("order-9", "blocks of 2 MiB", 0x100000, 9, "01", requirements=(CLEAR,)),
    valid(
        "above-4-gib",
        "pages above 4 GiB whose addresses in 32 bits are other pages of RAM",
        0x100100,
        0,
        "1011",
        notes=("above-4-gib",),
    ),
    valid(
        "max-count",
        "as many bits as the limit allows, one of them set",
        0x80,
        0,
        "1" + "0" * (MAX_BITS - 1),
        requirements=(LIMITED, NOT_JUDGED),
    ),
    valid(
        "clear-bits-outside-ram",
        "the clear bits stand for what is not RAM",
        0x1FE,
        0,
        "110000",
        requirements=(NOT_JUDGED,),
    ),
    valid(
        "clear-bits-before-ram",
        "starts outside RAM, but the first set bit is in it",
        0xFFFFE,
        0,
        "0011",
        requirements=(NOT_JUDGED,),
    ),
    valid(
        "no-bit-set-outside-ram",
        "nothing is named, from outside RAM on",
        0x200,
        0,
        "0" * 9,
        requirements=(NOT_JUDGED,),
    ),
    valid(
        "order-4-host-page",
        "blocks of exactly a host page",
        0x100,
        4,
        "101",
        {name: accepts(*named(0x100, 4, "101")) for name in ("default", "order-4")},
        requirements=("hint.device.round-inward",),
        notes=("host-page",),
    ),
    valid(
        "poisoned",
        "a block while pages must keep poison_val",
        0x100,
        0,
        "1",
        {
            "poison": Expected(
                statuses=("INHIBITED", "OK", "PARTIAL"),
                may_discard=(),
                requirements=("hint.device.poison-inhibited", "hint.device.poison-preserved"),
            )
        },
        requirements=("hint.device.poison-inhibited", "hint.device.poison-preserved"),
        notes=("poison",),
    ),
    valid(
        "ends-at-limit",
        "the last bit is the last page that there can be",
        LIMIT - 4,
        0,
        "1111",
        {"default": refuses(MALFORMED, RAM), "top": accepts(*named(LIMIT - 4, 0, "1111"))},
        requirements=(PAST, RAM, NO_CAUSE),
        notes=("above-2-53",),
    ),
    valid(
        "clear-bits-past-limit",
        "clear bits stand for pages from 2^52 on",
        LIMIT - 4,
        0,
        "11110000",
        {"default": refuses(MALFORMED, RAM), "top": accepts(*named(LIMIT - 4, 0, "1111"))},
        requirements=(NOT_JUDGED, RAM),
        notes=("above-2-53",),
    ),
)

M = request(0x100, 0, "1000000001")
EMPTY = request(0x100, 0, "")
OOR, RES = ErrorKind.OUT_OF_RANGE, ErrorKind.RESERVED_NOT_ZERO
FLAGS, ORDER = "hint.device.refuse-nonzero-flags", "hint.device.refuse-order-over-40"
RESERVED = "hint.device.refuse-nonzero-reserved"

INVALID = (
    invalid("flag-0", "a flag is set", M.put("flags", 1), Fault(RES, "flags", 2), FLAGS),
    *(
        invalid(
            f"order-{order}",
            f"order {order}",
            M.put("order", order),
            Fault(OOR, "order", 24),
            ORDER,
            notes=("shift-width",),
        )
        for order in (41, 64, 0xFFFFFFFF)
    ),
    invalid(
        "reserved-bit-0",
        "a reserved field of 1",
        M.put("reserved", 1),
        Fault(RES, "reserved", 28),
        RESERVED,
    ),
    invalid(
        "reserved-bit-31",
        "the last reserved bit",
        M.put("reserved", 1 << 31),
        Fault(RES, "reserved", 28),
        RESERVED,
    ),
    invalid(
        "empty-order-41",
        "no bit, of order 41",
        EMPTY.put("order", 41),
        Fault(OOR, "order", 24),
        ORDER,
        notes=("empty-bitmap",),
    ),
    invalid(
        "empty-reserved",
        "no bit, and a reserved field of 1",
        EMPTY.put("reserved", 1),
        Fault(RES, "reserved", 28),
        RESERVED,
        notes=("empty-bitmap",),
    ),
    invalid(
        "empty-start-at-limit",
        "no bit, from page 2^52 on",
        EMPTY.put("start_pfn", LIMIT),
        Fault(OOR, "start_pfn", 16),
        PAST,
        notes=("empty-bitmap",),
    ),
    invalid(
        "start-at-limit",
        "start_pfn 2^52",
        M.put("start_pfn", LIMIT),
        Fault(OOR, "start_pfn", 16),
        PAST,
    ),
    invalid(
        "start-max",
        "the largest start_pfn",
        M.put("start_pfn", (1 << 64) - 1),
        Fault(OOR, "start_pfn", 16),
        PAST,
    ),
    *(
        invalid(
            f"padding-{name}",
            comment,
            request(0x100, 0, bits, count=count),
            Fault(ErrorKind.PADDING_NOT_ZERO, "bits", 32 + (count - 1) // 8),
            PADDING,
            notes=("padding",),
        )
        for name, comment, count, bits in (
            ("first-bit", "the bit after the last one", 10, "10000000011"),
            ("last-bit", "the last bit of the last byte", 10, "1000000001000001"),
            ("all-bits", "all bits of the only byte, of which one counts", 1, "11111111"),
            ("seven-bits", "the one padding bit of 7", 7, "00000001"),
        )
    ),
    invalid("trailing-byte", "a byte after the bitmap", M.extend(b"\0"), trailing(M), INEXACT),
    invalid(
        "whole-words",
        "a bitmap that was filled up to a word of 8 bytes",
        M.extend(bytes(6)),
        trailing(M),
        INEXACT,
        notes=("padding",),
    ),
    invalid(
        "count-zero-with-byte",
        "a bitmap although the count is 0",
        request(0x100, 0, "00000000", count=0),
        trailing(request(0x100, 0, "")),
        INEXACT,
    ),
    Vector(
        "count-max",
        "the largest count, two bytes of bitmap",
        M.put("count", 0xFFFFFFFF).data,
        fault=Fault(ErrorKind.SHORT_INPUT, "bits", 32),
        requirements=(INEXACT, LIMITED, "hint.device.several-faults-either-status"),
        device={"default": refuses(EITHER, INEXACT, LIMITED)},
        notes=("several-faults", "unbounded-count", "count-overflow"),
    ),
    *cut_vectors(
        M,
        [0, 1, 4, 8, 15],
        requirements=("hint.device.short-header-malformed",),
        device={"default": refuses(MALFORMED, "hint.device.short-header-malformed")},
    ),
    *cut_vectors(
        M,
        [16, 17, 23, 24, 25, 27, 28, 29, 31, 32, 33],
        requirements=(INEXACT,),
        device={"default": refuses(MALFORMED, INEXACT)},
    ),
    Vector(
        "not-negotiated-and-flag",
        "a flag, and HINTING_BITMAP is not negotiated",
        M.put("flags", 1).data,
        fault=Fault(RES, "flags", 2),
        requirements=(
            FLAGS,
            "hint-bitmap.device.refuse-not-negotiated",
            "hint.device.several-faults-either-status",
        ),
        device={"no-bitmap": refuses(EITHER, FLAGS, "hint-bitmap.device.refuse-not-negotiated")},
        notes=("several-faults",),
    ),
)


def _parse(data: bytes, parameters: Mapping[str, int]) -> object:  # noqa: ARG001
    return hint_request.parse(data)


def _build(decoded: Json, parameters: Mapping[str, int]) -> bytes:  # noqa: ARG001
    bits = decoded["bits"]
    bitmap = Bitmap.from_indices(len(bits), [n for n, bit in enumerate(bits) if bit == "1"])
    return hint_request.build(
        BitmapRequest(int(decoded["cookie"]), int(decoded["start_pfn"]), decoded["order"], bitmap)
    )


FILE = FormatFile(
    "hint-request-bitmap",
    "Hinting requests with a bitmap",
    "vhint, The hinting virtqueue",
    {"bits": "bits", "cookie": "u64", "order": "u32", "start_pfn": "u64"},
    Codec(_parse, _build),
    (*VALID, *REFUSED, *NO_BITS, *INVALID),
    queue="hinting",
)
