"""Vectors of Lal's formats from v10 on, and of Duyck's: an address and a size, or an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vhint.wire.history import duyck_pa_order, lal_v10, lal_v11
from vhint.wire.history.descriptors import Descriptors
from vhint_conformance.vectors.message import Field, Message
from vhint_conformance.vectors.model import Codec, ErrorKind, Fault, FormatFile, Json, Vector
from vhint_conformance.vectors.tables.history_common import (
    BY_ORDER,
    GIB_4,
    GUESTS,
    Case,
    Guest,
    Shape,
    Wrong,
    converted,
    informative,
    native,
    numbers,
    whole,
)
from vhint_conformance.vectors.tables.history_lal import MAX_32, MAX_64, as_read

V10_LAYOUTS = ("lp64-little", "lp64-big", "lp64-big-modern", "ilp32-little")
LP64 = V10_LAYOUTS[:3]
Rows = Sequence[tuple[int, ...]]
TOP = (1 << 64) - 4096
"""The last page: its PFN is 2^52 - 1."""


def pair(value: tuple[int, int]) -> Json:
    """Spell (phys_addr, size) out."""
    return numbers(("phys_addr", "size"), value, ("phys_addr",))


def request_of(value: Json) -> lal_v10.Request:
    """Make a request of its JSON value."""
    return lal_v10.Request(int(value["phys_addr"]), value["size"])


def lay_request(guest: Guest, value: tuple[int, int]) -> Message:
    """Lay a request out, as C aligns it."""
    fields = [
        converted(guest, "phys_addr", 8, value[0]),
        converted(guest, "size", 4, value[1]),
    ]
    if guest.long == 8:
        fields.append(converted(guest, "padding", 4, 0))
    return Message(tuple(fields))


V10_TYPES = {"phys_addr": "u64", "size": "u32"}
REQUESTS = (
    Case("empty", "an array without entries", (0x12345000, 0)),
    Case("capacity", "as many entries as there can be", (0x112345000, 16), ("two-meanings",)),
    Case("address-zero", "an array at address 0", (0, 1), ("address-zero",)),
    Case("above-4-gib", "an array above 4 GiB", (GIB_4 + 0x345000, 1), ("above-4-gib",)),
    Case("max", "the largest numbers", (MAX_64, MAX_32), ("unchecked", "above-2-53")),
)
V10_REQUEST = informative(
    "lal-v10",
    "request",
    "Requests of v10, as the driver meant them",
    Shape(V10_TYPES, lay_request, pair, face=request_of, layouts=V10_LAYOUTS),
    (
        *REQUESTS,
        Case(
            "dirty-padding",
            "padding that is not zero",
            (0x1000, 2),
            ("padding-kept",),
            LP64,
            change=lambda made: made.put("padding", 0xDEADBEEF).data,
        ),
    ),
    cut=Case("cut", "", (0x112345000, 16)),
    has_end=True,
)
V10_AS_READ = informative(
    "lal-v10",
    "request-as-read",
    "Requests of v10, as QEMU read them; the layout is the host's",
    Shape(
        V10_TYPES,
        lambda guest, value: Message(
            (native(guest, "phys_addr", 8, value[0]), native(guest, "size", 4, value[1]))
        ),
        pair,
        face=request_of,
        layouts=BY_ORDER,
    ),
    (*REQUESTS, as_read("whole", 16)),
    cut=Case("cut", "", (0x112345000, 16)),
)


def lay_ranges(guest: Guest, rows: Rows) -> Message:
    """Lay an array out: the same structure, but nothing in it is converted."""
    fields: list[Field] = []
    for i, (address, size) in enumerate(rows):
        fields.append(native(guest, f"entries[{i}].phys_addr", 8, address))
        fields.append(native(guest, f"entries[{i}].size", 4, size))
        if guest.long == 8:
            fields.append(native(guest, f"entries[{i}].padding", 4, 0))
    return Message(tuple(fields))


def ranges(name: str, comment: str, rows: Rows, *notes: str) -> Case:
    """Make a case of an array of v10."""
    return Case(name, comment, rows, notes, parameters={"count": len(rows)})


_V10_ROWS = ((0x100200000, 0x400000), (0x3000, 0x1000))
V10_ARRAY = informative(
    "lal-v10",
    "array",
    "The array that a request of v10 points to; count is the request's size",
    Shape(
        {"entries": [V10_TYPES]},
        lay_ranges,
        lambda rows: {"entries": [pair(row) for row in rows]},
        whole("entries"),
        lambda value: lal_v10.HintedRanges.of(
            [(int(item["phys_addr"]), item["size"]) for item in value["entries"]]
        ),
        V10_LAYOUTS,
    ),
    (
        ranges("empty", "no entry", ()),
        ranges("one", "4 MiB", _V10_ROWS[:1], "two-meanings", "native-long"),
        ranges("two", "4 MiB, and a page", _V10_ROWS, "native-long"),
        ranges("capacity", "16 entries", tuple((n << 22, 1 << 22) for n in range(1, 17))),
        ranges("page-zero", "the page at address 0", ((0, 4096),), "address-zero"),
        ranges("wrapped", "4 GiB, of which 32 bits keep nothing", ((GIB_4, 0),), "size-wraps"),
        ranges("last-page", "the last page below 2^64", ((TOP, 4096),), "above-2-53"),
        ranges("max", "the largest numbers", ((MAX_64, MAX_32),), "unchecked"),
    ),
    cut=Case("cut", "", _V10_ROWS, parameters={"count": 2}),
    has_end=True,
)


def lay_memory(guest: Guest, rows: Rows) -> Message:
    """Lay a buffer of v11 out."""
    return Message(
        tuple(
            native(guest, f"entries[{i}].{name}", 8, value)
            for i, row in enumerate(rows)
            for name, value in zip(("phys_addr", "size"), row, strict=True)
        )
    )


def wide_pair(value: tuple[int, ...]) -> Json:
    """Spell (phys_addr, size) out, both of 64 bits."""
    return numbers(("phys_addr", "size"), value, ("phys_addr", "size"))


_V11_ROWS = ((0x200000, 0x400000), (0x112345000, 0x1000))
V11_BUFFER = informative(
    "lal-v11",
    "buffer",
    "Buffers of v11: every entry that is there",
    Shape(
        {"entries": [{"phys_addr": "u64", "size": "u64"}]},
        lay_memory,
        lambda rows: {"entries": [wide_pair(row) for row in rows]},
        whole("entries"),
        lambda value: lal_v11.IsolatedMemory.of(
            [(int(item["phys_addr"]), int(item["size"])) for item in value["entries"]]
        ),
        BY_ORDER,
        ("phys_addr",),
    ),
    (
        Case("empty", "no byte", ()),
        Case("one", "one entry, without the end of the list", _V11_ROWS[:1]),
        Case("two", "two entries, one above 4 GiB", _V11_ROWS, ("above-4-gib",)),
        Case(
            "whole",
            "two entries in the buffer that the driver always sent",
            (*_V11_ROWS, *[(0, 0)] * 14),
            ("zero-ends",),
        ),
        Case("full", "16 entries", tuple((n << 22, 1 << 22) for n in range(1, 17))),
        Case("last-page", "the last page below 2^64", ((TOP, 4096),), ("above-2-53",)),
        Case("max", "the largest numbers", ((MAX_64, MAX_64),), ("unchecked",)),
    ),
    cut=Case("cut", "", _V11_ROWS),
)

Walked = tuple[int, int | None, bool]


def walk(
    name: str,
    comment: str,
    rows: Rows,
    found: Sequence[Walked],
    used: int,
    *notes: str,
    length: int | None = None,
) -> list[Vector]:
    """Make vectors of a buffer and of the ranges that QEMU freed on account of it."""
    decoded = {
        "ranges": [
            {
                "is_stale": is_stale,
                "phys_addr": str(address),
                "size": None if size is None else str(size),
            }
            for address, size, is_stale in found
        ],
        "used_length": used,
    }
    groups: dict[bytes, list[str]] = {}
    for layout in BY_ORDER:
        groups.setdefault(lay_memory(GUESTS[layout], rows).data[:length], []).append(layout)
    return [
        Vector(
            f"{name}-{layouts[0]}",
            comment,
            data,
            decoded,
            notes=notes,
            layouts=tuple(layouts),
            one_way=True,
        )
        for data, layouts in groups.items()
    ]


A, B = _V11_ROWS
V11_AS_READ = FormatFile(
    "lal-v11-buffer-as-read",
    "Buffers of v11: what QEMU freed on account of them; the layout is the host's",
    "256-byte buffer of (address, size) in bytes, ended by address 0; posted 2019-07-10",
    {
        "ranges": [{"is_stale": "bool", "phys_addr": "u64", "size": "u64?"}],
        "used_length": "u32",
    },
    Codec(lambda data, given: lal_v11.walk(data, layout=given["layout"]), None),
    (
        *walk("empty", "no byte", (), (), 0),
        *walk("two", "the buffer ends the list", (A, B), ((*A, False), (*B, False)), 32),
        *walk("whole", "address 0 ends the list", (A, *[(0, 0)] * 15), ((*A, False),), 16,
              "zero-ends"),
        *walk("hidden", "an entry behind address 0", (A, (0, 4096), B), ((*A, False),), 16,
              "zero-ends"),
        *walk("zero-first", "nothing but the page at address 0", ((0, 4096),), (), 0,
              "zero-ends", "address-zero"),
        *walk("stale-tail", "an entry that an earlier request left behind", (A, B, *[(0, 0)] * 14),
              ((*A, False), (*B, False)), 32, "stale-tail"),
        *walk("no-size", "the buffer ends after an address: the size before it counts again",
              (A, B), ((*A, False), (B[0], A[1], True)), 24, "short-read", length=24),
        *walk("no-size-at-all", "a lone address: the size is whatever a variable held",
              (A,), ((A[0], None, True),), 8, "short-read", length=8),
        *walk("half-address", "the buffer ends inside an address", (A, B), ((*A, False),), 16,
              length=20),
    ),
    status="informative",
)  # fmt: skip


def lay_descriptors(guest: Guest, rows: Rows) -> Message:  # noqa: ARG001
    """Lay a table of descriptors out, little-endian."""
    return Message.of(
        *(
            (f"descriptors[{i}].{name}", size, value)
            for i, row in enumerate(rows)
            for name, size, value in zip(
                ("addr", "len", "flags", "next"), (8, 4, 2, 2), row, strict=True
            )
        )
    )


DESCRIPTORS = Shape(
    {"descriptors": [{"addr": "u64", "flags": "u16", "len": "u32", "next": "u16"}]},
    lay_descriptors,
    lambda rows: {
        "descriptors": [numbers(("addr", "len", "flags", "next"), row, ("addr",)) for row in rows]
    },
    whole("descriptors"),
    lambda value: Descriptors.of(
        [(int(d["addr"]), d["len"], d["flags"], d["next"]) for d in value["descriptors"]]
    ),
    (),
    ("addr",),
)
"""A table of descriptors; v12 and Wang's v11 have it."""


def chain(count: int) -> Rows:
    """Make a chain of device-writable buffers of 4 MiB."""
    return tuple(
        (n << 22, 1 << 22, 3 if n < count else 2, n if n < count else 0)
        for n in range(1, count + 1)
    )


def direction(name: str, comment: str, flags: int) -> Wrong:
    """Make a report whose second descriptor has other flags."""
    path = "descriptors[1].flags"

    def spoil(message: Message) -> tuple[bytes, Fault]:
        return message.put(path, flags).data, Fault(ErrorKind.UNKNOWN_VALUE, path, 28)

    return Wrong(name, comment, chain(2), spoil)


V12_REPORT = informative(
    "lal-v12",
    "report",
    "Reports of v12: the descriptors of the chain",
    DESCRIPTORS,
    (
        Case("empty", "no buffer", ()),
        Case("one", "one buffer", chain(1)),
        Case("capacity", "16 buffers", chain(16)),
        Case("over-capacity", "17 buffers, more than a driver sent", chain(17), ("unchecked",)),
        Case("unaligned", "a buffer that QEMU skipped", ((0x200800, 4096, 2, 0),), ("host-page",)),
        Case("above-4-gib", "a buffer above 4 GiB", ((GIB_4, 4096, 2, 0),), ("above-4-gib",)),
        Case("last-page", "the last page below 2^64", ((TOP, 4096, 2, 0),), ("above-2-53",)),
    ),
    (
        direction("device-readable", "a buffer that is not device-writable", 0),
        direction("indirect", "an indirect descriptor", 4),
        direction("indirect-writable", "an indirect descriptor, device-writable", 6),
    ),
    cut=Case("cut", "", chain(2)),
)


def hints(rows: Rows) -> Json:
    """Spell (addr, order) pairs out."""
    return {"hints": [numbers(("addr", "order"), row, ("addr",)) for row in rows]}


def hints_of(value: Json) -> Any:
    """Make hints of their JSON value."""
    return duyck_pa_order.PaOrders.of(
        [(int(item["addr"]), item["order"]) for item in value["hints"]]
    )


DUYCK = informative(
    "duyck-pa-order",
    "hints",
    "Buffers of addresses with an order in the low 8 bits",
    Shape(
        {"hints": [{"addr": "u64", "order": "u8"}]},
        lambda guest, rows: Message(
            tuple(
                converted(guest, f"hints[{i}].pa_order", 8, address | order)
                for i, (address, order) in enumerate(rows)
            )
        ),
        hints,
        whole("hints"),
        hints_of,
        BY_ORDER,
        ("pa_order",),
    ),
    (
        Case("empty", "no hint", ()),
        Case("one", "2 MiB", ((0x12200000, 9),), ("order-in-address",)),
        Case("capacity", "32 hints", tuple((n << 21, 9) for n in range(1, 33))),
        Case("page-zero", "the page at address 0", ((0, 0),), ("address-zero",)),
        Case("above-4-gib", "2 MiB above 4 GiB", ((0x112200000, 9),), ("above-4-gib",)),
        Case("last-page", "the last page below 2^64", ((TOP, 0),), ("above-2-53",)),
        Case("bits-8-to-11", "an address that is no page's", ((0xF00, 9),), ("order-in-address",)),
        Case("order-51", "the largest order that 64 bits can shift by", ((0, 51),)),
        Case("order-52", "the first order that they cannot", ((0, 52),), ("shift-width",)),
        Case("order-255", "the largest order", ((TOP, 255),), ("shift-width", "unchecked")),
    ),
    cut=Case("cut", "", ((0x12200000, 9), (0x400000, 10))),
)

FILES = (V10_REQUEST, V10_AS_READ, V10_ARRAY, V11_BUFFER, V11_AS_READ, V12_REPORT, DUYCK)
