"""Vectors of requests with an array of (pfn, order) that no parser accepts."""

from __future__ import annotations

from vhint_conformance.vectors.model import ErrorKind, Fault, Vector
from vhint_conformance.vectors.tables.common import (
    EITHER,
    MALFORMED,
    UNSUPPORTED,
    cut_vectors,
    refuses,
    trailing,
)
from vhint_conformance.vectors.tables.hint_pfn_message import LIMIT, ONE, TWO, invalid, request

INEXACT = "hint.device.refuse-inexact-length"
PAST = "hint.device.refuse-past-address-limit"

M = request(TWO)
OOR, RES, UNK = ErrorKind.OUT_OF_RANGE, ErrorKind.RESERVED_NOT_ZERO, ErrorKind.UNKNOWN_VALUE
FIRST_PFN, FIRST_ORDER, SECOND_ORDER = "blocks[0].pfn", "blocks[0].order", "blocks[1].order"
FLAGS, ORDER = "hint.device.refuse-nonzero-flags", "hint.device.refuse-order-over-40"
RESERVED, TYPE = "hint.device.refuse-nonzero-reserved", "hint.device.refuse-unknown-type"

INVALID = (
    *(
        invalid(f"type-{name}", comment, M.put("type", value), UNK, "type", TYPE, UNSUPPORTED)
        for name, comment, value in (
            ("zero", "no type", 0),
            ("three", "a type that is not defined", 3),
            ("max", "the largest type", 0xFFFF),
        )
    ),
    invalid(
        "type-byte-order",
        "type 1 in big-endian order",
        M.put("type", 0x0100),
        UNK,
        "type",
        TYPE,
        UNSUPPORTED,
        notes=("byte-order",),
    ),
    invalid("flag-0", "a flag is set", M.put("flags", 1), RES, "flags", FLAGS),
    invalid("flag-15", "the last flag is set", M.put("flags", 0x8000), RES, "flags", FLAGS),
    Vector(
        "unknown-type-and-flags",
        "an unknown type and a flag",
        M.put("type", 9).put("flags", 1).data,
        fault=Fault(UNK, "type", 0),
        requirements=(FLAGS, TYPE, "hint.device.several-faults-either-status"),
        device={"default": refuses(EITHER, FLAGS, TYPE)},
        notes=("several-faults",),
    ),
    *(
        invalid(
            f"order-{order}",
            f"order {order}",
            M.put(FIRST_ORDER, order),
            OOR,
            FIRST_ORDER,
            ORDER,
            notes=("shift-width",),
        )
        for order in (41, 63, 64, 0xFFFFFFFF)
    ),
    invalid(
        "second-order-41",
        "a good block, then order 41",
        M.put(SECOND_ORDER, 41),
        OOR,
        SECOND_ORDER,
        ORDER,
        notes=("all-or-nothing",),
    ),
    invalid(
        "reserved-bit-0",
        "a reserved field of 1",
        M.put("blocks[0].reserved", 1),
        RES,
        "blocks[0].reserved",
        RESERVED,
    ),
    invalid(
        "reserved-bit-31",
        "the last reserved bit of the last entry",
        M.put("blocks[1].reserved", 1 << 31),
        RES,
        "blocks[1].reserved",
        RESERVED,
    ),
    *(
        invalid(f"pfn-{name}", comment, M.put(FIRST_PFN, value), OOR, FIRST_PFN, PAST)
        for name, comment, value in (
            ("at-limit", "pfn 2^52, the first that there cannot be", LIMIT),
            ("above-limit", "pfn 2^52 and a good page number in the low bits", LIMIT + 0x100),
            ("max", "the largest number", (1 << 64) - 1),
            ("sign-bit", "a number that is negative if it is taken as signed", 1 << 63),
        )
    ),
    Vector(
        "trailing-byte",
        "a byte after the last entry",
        M.extend(b"\0").data,
        fault=trailing(M),
        requirements=(INEXACT,),
        device={"default": refuses(MALFORMED, INEXACT)},
    ),
    Vector(
        "trailing-entry",
        "a whole entry more than the count says",
        request((*TWO, (0x110, 0)), count=2).data,
        fault=trailing(M),
        requirements=(INEXACT,),
        device={"default": refuses(MALFORMED, INEXACT)},
    ),
    Vector(
        "count-zero-with-entry",
        "an entry although the count is 0",
        request(ONE, count=0).data,
        fault=trailing(request(())),
        requirements=(INEXACT,),
        device={"default": refuses(MALFORMED, INEXACT)},
    ),
    *(
        Vector(
            f"count-{name}",
            comment,
            request(ONE, count=count).data[:size],
            fault=Fault(ErrorKind.SHORT_INPUT, path, size),
            requirements=(
                INEXACT,
                "hint-pfn.device.refuse-count-over-limit",
                "hint.device.several-faults-either-status",
            ),
            device={"default": refuses(EITHER, INEXACT, "hint-pfn.device.refuse-count-over-limit")},
            notes=("several-faults", note),
        )
        for name, comment, count, size, path, note in (
            (
                "max",
                "the largest count, one entry",
                0xFFFFFFFF,
                32,
                "blocks[1].pfn",
                "unbounded-count",
            ),
            (
                "byte-order",
                "a count of 1 in big-endian order",
                1 << 24,
                32,
                "blocks[1].pfn",
                "byte-order",
            ),
            (
                "times-16-is-zero",
                "a count whose entries take 2^32 bytes, and none of them",
                1 << 28,
                16,
                "blocks[0].pfn",
                "count-overflow",
            ),
        )
    ),
    *cut_vectors(
        M,
        [0, 1, 2, 3, 4, 5, 8, 9, 15],
        requirements=("hint.device.short-header-malformed",),
        device={"default": refuses(MALFORMED, "hint.device.short-header-malformed")},
    ),
    *cut_vectors(
        M,
        [16, 17, 24, 25, 28, 29, 31, 32, 33, 40, 41, 44, 45, 47],
        requirements=(INEXACT,),
        device={"default": refuses(MALFORMED, INEXACT)},
    ),
)
