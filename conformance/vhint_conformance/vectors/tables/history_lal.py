"""Vectors of Lal's formats up to v9: records of a PFN, and the request that points to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vhint.wire.history import lal_hypercall, lal_v8, lal_v9
from vhint_conformance.vectors.message import Field, Message
from vhint_conformance.vectors.model import ErrorKind, Fault, Json
from vhint_conformance.vectors.tables.history_common import (
    ALL,
    BY_ORDER,
    GIB_4,
    LIMIT,
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

LP64 = ("lp64-little", "lp64-big", "lp64-big-modern")
MAX_32, MAX_64 = (1 << 32) - 1, (1 << 64) - 1
Rows = Sequence[tuple[int, ...]]


def records(names: Sequence[str], face: Any, *, to_end: bool) -> Shape:
    """Describe an array of {unsigned long; unsigned int...}, as C aligns it."""

    def lay(guest: Guest, rows: Rows) -> Message:
        fields: list[Field] = []
        for i, row in enumerate(rows):
            at = f"entries[{i}]."
            fields.append(native(guest, f"{at}{names[0]}", guest.long, row[0]))
            fields += (
                native(guest, f"{at}{name}", 4, value)
                for name, value in zip(names[1:], row[1:], strict=True)
            )
            if guest.long == 8 and len(names) % 2 == 0:
                fields.append(native(guest, f"{at}padding", 4, 0))
        return Message(tuple(fields))

    def decoded(rows: Rows) -> Json:
        return {"entries": [numbers(names, row, names[:1]) for row in rows]}

    def rebuilt(value: Json) -> Any:
        return face.of([tuple(int(item[name]) for name in names) for item in value["entries"]])

    types = {"entries": [dict.fromkeys(names, "u32") | {names[0]: "u64"}]}
    return Shape(
        types, lay, decoded, whole("entries"), rebuilt, ALL,
        (names[0],) if to_end else (),
    )  # fmt: skip


def dirty(message: Message) -> bytes:
    """Fill the padding of the first record with what was in memory."""
    return message.put("entries[0].padding", 0xDEADBEEF).data


def array_cases(parameter: str | None, last: int = 9) -> tuple[Case, ...]:
    """Make cases of (pfn, `last`) arrays; the parameter is the number of entries."""
    made = (
        ("empty", "no record", (), (), None),
        ("one", "one record", ((0x12345, last),), ("native-long",), None),
        ("two", "two records", ((0x200, last), (0x12345, 0)), ("native-long",), None),
        ("page-zero", "the page at address 0", ((0, 0),), ("address-zero",), None),
        ("above-4-gib", "a PFN of 4 GiB and more", ((0x112345, 0),), ("above-4-gib",), None),
        ("pfn-32-bits", "the largest PFN of an ILP32 guest", ((MAX_32, 10),), (), None),
        ("pfn-below-2-52", "the last page below 2^52", ((LIMIT - 1, 0),), ("above-2-53",), LP64),
        ("pfn-max", "the largest PFN", ((MAX_64, 0),), ("unchecked",), LP64),
        ("order-31", "what a host shifts out of an int", ((0x200, 31),), ("shift-width",), None),
        ("last-max", "the largest second number", ((0x200, MAX_32),), ("unchecked",), None),
    )
    return tuple(
        Case(name, comment, rows, notes, layouts, {parameter: len(rows)} if parameter else {})
        for name, comment, rows, notes, layouts in made
    )


TWO = ((0x12345, 9), (0x54321, 10))
DIRTY = ("padding-kept",)

_PAGES = records(("pfn", "pages"), lal_hypercall.PageRuns, to_end=True)
_BOTH = records(("pfn", "pages", "order"), lal_hypercall.PageRunOrders, to_end=True)
_ORDER = records(("pfn", "order"), lal_hypercall.FreedBlocks, to_end=True)

HYPERCALL_PAGES = informative(
    "lal-hypercall",
    "pages",
    "Records of a hypercall that did nothing, first revision",
    _PAGES,
    (
        *array_cases(None, 3),
        Case("dirty-padding", "padding that is not zero", TWO, DIRTY, LP64, change=dirty),
    ),
    cut=Case("cut", "", TWO),
)
HYPERCALL_BOTH = informative(
    "lal-hypercall",
    "pages-order",
    "Records of a hypercall that did nothing, second revision",
    _BOTH,
    (
        Case("empty", "no record", ()),
        Case("one", "a block of 8 pages", ((0x12345, 8, 3),), ("native-long",)),
        Case("contradiction", "a count that is not 2^order", ((0x200, 5, 3),), ("unchecked",)),
        Case("above-4-gib", "a PFN of 4 GiB and more", ((0x112345, 1, 0),), ("above-4-gib",)),
        Case("pfn-below-2-52", "the last page", ((LIMIT - 1, 1, 0),), ("above-2-53",), LP64),
        Case("max", "the largest numbers of an ILP32 guest", ((MAX_32, MAX_32, MAX_32),)),
    ),
    cut=Case("cut", "", ((0x12345, 8, 3), (0x54321, 1, 0))),
)
HYPERCALL_ORDER = informative(
    "lal-hypercall",
    "order",
    "Records of a hypercall that did nothing, third revision",
    _ORDER,
    (
        *array_cases(None),
        Case("dirty-padding", "padding that is not zero", TWO, DIRTY, LP64, change=dirty),
    ),
    cut=Case("cut", "", TWO),
)

_V8 = records(("pfn", "order"), lal_v8.IsolatedBlocks, to_end=False)
_THOUSAND = tuple((0x1000 + n, 0) for n in range(1000))


def as_bytes(message: Message) -> tuple[bytes, Fault]:
    """Take the descriptor's length for a number of bytes: as many entries are then missing."""
    return message.data, Fault(ErrorKind.SHORT_INPUT, "entries[1].pfn", len(message.data))


V8_ARRAY = informative(
    "lal-v8",
    "array",
    "The array that a descriptor of v8 points to; desc_len is the descriptor's length",
    _V8,
    (
        *array_cases("desc_len"),
        Case("dirty-padding", "padding that is not zero", TWO, DIRTY, LP64, {"desc_len": 2}, dirty),
        Case(
            "capacity",
            "as many entries as the driver collected at most",
            _THOUSAND,
            layouts=("ilp32-little",),
            parameters={"desc_len": 1000},
        ),
    ),
    (
        Wrong(
            "length-in-bytes",
            "the length of the descriptor taken for a number of bytes",
            TWO[:1],
            as_bytes,
            ("length-counts-entries",),
            parameters={"desc_len": 16},
        ),
        Wrong(
            "length-max",
            "the largest length of a descriptor",
            TWO[:1],
            as_bytes,
            ("unbounded-count",),
            parameters={"desc_len": MAX_32},
        ),
    ),
    cut=Case("cut", "", TWO, parameters={"desc_len": 2}),
    has_end=True,
)
V9_ARRAY = informative(
    "lal-v9",
    "array",
    "The array that a request of v9 points to; count is the request's",
    records(("pfn", "order"), lal_v9.IsolatedBlocks, to_end=False),
    (
        *array_cases("count"),
        Case("dirty-padding", "padding that is not zero", TWO, DIRTY, LP64, {"count": 2}, dirty),
    ),
    cut=Case("cut", "", TWO, parameters={"count": 2}),
    has_end=True,
)


def lay_v9(guest: Guest, value: tuple[int, int]) -> Message:
    """Lay a request out: where the orders differ, the count is swapped as 32 bits, then widened."""
    address = converted(guest, "phys_addr", 8, value[0])
    if guest.native == guest.converted:
        return Message((address, native(guest, "count", 8, value[1])))
    return Message((address, Field("high", 4, 0), Field("count", 4, value[1])))


def request_of(value: Json) -> lal_v9.Request:
    """Make a request of its JSON value."""
    return lal_v9.Request(int(value["phys_addr"]), value["count"])


_V9 = Shape(
    {"count": "u32", "phys_addr": "u64"},
    lay_v9,
    lambda value: numbers(("phys_addr", "count"), value, ("phys_addr",)),
    face=request_of,
    layouts=ALL,
)
_V9_AS_READ = Shape(
    _V9.types,
    lambda guest, value: Message(
        (native(guest, "phys_addr", 8, value[0]), native(guest, "count", 4, value[1]))
    ),
    _V9.decoded,
    face=request_of,
    layouts=BY_ORDER,
)
REQUESTS = (
    Case("empty", "an array without entries", (0x12345000, 0)),
    Case("thousand", "as many entries as there can be", (0x112345000, 1000), ("count-width",)),
    Case("address-zero", "an array at address 0", (0, 1), ("address-zero",)),
    Case("above-4-gib", "an array above 4 GiB", (GIB_4 + 0x345000, 1), ("above-4-gib",)),
    Case("max", "the largest numbers", (MAX_64, MAX_32), ("unchecked", "above-2-53")),
)
V9_REQUEST = informative(
    "lal-v9",
    "request",
    "Requests of v9, as the driver meant them",
    _V9,
    REQUESTS,
    (
        Wrong(
            "count-33-bits",
            "a count of which the upper half is not zero",
            (0x1000, 1),
            lambda made: (
                made.put("count", GIB_4 + 1).data,
                Fault(ErrorKind.OUT_OF_RANGE, "count", 8),
            ),
            ("count-width",),
            ("lp64-little", "lp64-big", "ilp32-little", "ilp32-big"),
        ),
        Wrong(
            "other-half",
            "a count in the half that the driver left zero",
            (0x1000, 1),
            lambda made: (made.put("high", 1).data, Fault(ErrorKind.RESERVED_NOT_ZERO, "high", 8)),
            ("count-width",),
            ("lp64-big-modern", "ilp32-big-modern"),
        ),
    ),
    cut=Case("cut", "", (0x112345000, 1000)),
    has_end=True,
)


def as_read(name: str, size: int) -> Case:
    """Make a case of a request of which only the first 12 bytes were looked at."""
    return Case(
        name,
        f"{size} bytes, of which QEMU looked at 12",
        (0x112345000, 1000),
        ("not-looked-at",),
        change=lambda made: made.data + b"\x5a" * (size - 12),
    )


V9_AS_READ = informative(
    "lal-v9",
    "request-as-read",
    "Requests of v9, as QEMU read them; the layout is the host's",
    _V9_AS_READ,
    (
        *REQUESTS,
        as_read("whole", 16),
        as_read("longer", 40),
        Case(
            "count-in-other-half",
            "from a big-endian guest: the count is in the bytes that are not read",
            (0x112345000, 0),
            ("count-width",),
            ("lp64-big",),
            change=lambda made: made.data + (1000).to_bytes(4, "big"),
        ),
        Case(
            "count-in-other-half-modern",
            "from a big-endian guest with VERSION_1, on a little-endian host",
            (0x112345000, 0),
            ("count-width",),
            ("lp64-little",),
            change=lambda made: made.data + (1000).to_bytes(4, "little"),
        ),
    ),
    cut=Case("cut", "", (0x112345000, 1000)),
)

FILES = (
    HYPERCALL_PAGES,
    HYPERCALL_BOTH,
    HYPERCALL_ORDER,
    V8_ARRAY,
    V9_REQUEST,
    V9_AS_READ,
    V9_ARRAY,
)
