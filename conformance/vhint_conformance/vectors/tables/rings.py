"""Vectors of split rings: descriptors, chains on the reporting queue, both rings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from construct import Struct

from vhint.spans import PAGE, Span, merge
from vhint.wire import vring
from vhint.wire.schema import End, RepeatToEnd
from vhint.wire.vring import Descriptor, UsedElement
from vhint_conformance.vectors.message import Message
from vhint_conformance.vectors.model import (
    Codec,
    Expected,
    FormatFile,
    Json,
    Vector,
)
from vhint_conformance.vectors.tables.common import cut_vectors, trailing

NEXT, WRITE, INDIRECT = 1, 2, 4
LINK = {"addr": "u64", "flags": "u16", "len": "u32", "next": "u16"}
Row = tuple[int, int, int, int]
"""addr, len, flags, next of a descriptor."""


def descriptors(rows: Sequence[Row], path: str = "descriptors[{}].") -> Message:
    """Lay out descriptors."""
    return Message.of(
        *(
            (path.format(i) + name, size, value)
            for i, row in enumerate(rows)
            for name, size, value in zip(
                ("addr", "len", "flags", "next"), (8, 4, 2, 2), row, strict=True
            )
        )
    )


def link(row: Row) -> Json:
    """Give a descriptor's decoded value."""
    return {"addr": str(row[0]), "flags": row[2], "len": row[1], "next": row[3]}


def one(name: str, comment: str, row: Row, **given: Any) -> Vector:
    """Make a vector of a single descriptor."""
    return Vector(name, comment, descriptors([row], "").data, link(row), **given)


SOME: Row = (0x123456789ABCDEF0, 0x11223344, NEXT | WRITE, 0x5566)
DESCRIPTOR = FormatFile(
    "vring-descriptor",
    "Descriptors of a split virtqueue",
    "VIRTIO 1.4, 2.7.5 The Virtqueue Descriptor Table",
    LINK,
    Codec(
        lambda data, _: vring.parse_descriptor(data),
        lambda decoded, _: vring.build_descriptor(
            Descriptor(**(decoded | {"addr": int(decoded["addr"])}))
        ),
    ),
    (
        one("zeros", "all zeros", (0, 0, 0, 0)),
        one("readable", "a readable buffer", (0x1000, 48, 0, 0)),
        one("writable", "a device-writable buffer", (0x2000, 18, WRITE, 0)),
        one("linked", "a buffer with another one after it", (0x1000, 16, NEXT, 3)),
        one("indirect", "a table of 3 descriptors", (0x3000, 48, INDIRECT, 0)),
        one("each-field", "a different byte everywhere", SOME, notes=("byte-order",)),
        one(
            "max",
            "the largest value in every field",
            ((1 << 64) - 1, 0xFFFFFFFF, 0xFFFF, 0xFFFF),
            notes=("above-2-53",),
        ),
        *cut_vectors(descriptors([SOME], "")),
        Vector(
            "trailing-byte",
            "17 bytes",
            descriptors([SOME], "").extend(b"\0").data,
            fault=trailing(descriptors([SOME], "")),
        ),
    ),
)

# Chains on the reporting queue


def report(
    name: str,
    comment: str,
    buffers: Sequence[tuple[int, int]],
    may: Sequence[tuple[int, int]] | None = None,
    *,
    setting: str = "default",
    outcomes: tuple[str, ...] = ("used",),
    flags: int = WRITE,
    **given: Any,
) -> Vector:
    """Make a chain of (address, length) buffers; `may` is what may be discarded, or all."""
    last = len(buffers) - 1
    rows = [
        (addr, length, flags | (NEXT if i < last else 0), i + 1 if i < last else 0)
        for i, (addr, length) in enumerate(buffers)
    ]
    decoded = {"descriptors": [link(row) for row in rows]}
    spans = merge(Span(*each) for each in (buffers if may is None else may))
    slugs = given.get("requirements", ())
    device = {setting: Expected(outcomes, may_discard=spans, requirements=slugs)}
    return Vector(name, comment, descriptors(rows).data, decoded, device=device, **given)


M2 = 0x200000
HIGH = 1 << 32
EITHER = ("needs-reset", "used")
BAD = ("reporting.device.bad-range-answered", "reporting.device.ram-only")
INWARD = ("reporting.device.round-inward",)
PAIR = [(0x100000, PAGE, WRITE | NEXT, 1), (0x180000, PAGE, WRITE, 0)]
_TABLE = Struct("descriptors" / RepeatToEnd(vring.DESCRIPTOR), "end" / End)
REPORTING = FormatFile(
    "reporting-chain",
    "Chains of the reporting queue, as the descriptors at the start of its table",
    "VIRTIO 1.4, 5.5.6.7 Free Page Reporting",
    {"descriptors": [LINK]},
    Codec(
        lambda data, _: _TABLE.parse(data),
        lambda decoded, _: _TABLE.build(
            {"descriptors": [row | {"addr": int(row["addr"])} for row in decoded["descriptors"]]}
        ),
    ),
    (
        report(
            "one-page",
            "one page",
            [(0x100000, PAGE)],
            requirements=("reporting.device.use-every-buffer",),
        ),
        report("two-buffers", "two blocks", [(0x100000, 16 * PAGE), (0x180000, 32 * PAGE)]),
        report("page-zero", "the page at address 0", [(0, PAGE)], notes=("address-zero",)),
        report("order-9", "a block of 2 MiB above 4 GiB", [(HIGH + M2, M2)]),
        report(
            "above-4-gib",
            "a page above 4 GiB whose address in 32 bits is another page of RAM",
            [(HIGH + 0x100000, PAGE)],
            requirements=("ring.device.address-64-bit",),
            notes=("above-4-gib",),
        ),
        report(
            "32-buffers",
            "as many buffers as Linux sends",
            [(0x100000 + 2 * PAGE * i, PAGE) for i in range(32)],
        ),
        report("whole-region", "a region from its first to its last byte", [(HIGH, 2 * M2)]),
        report(
            "twice",
            "a page in two buffers of a chain",
            [(0x100000, PAGE)] * 2,
            notes=("driver-breaks-rule",),
        ),
        report(
            "misaligned-address",
            "from the middle of a page to the end of the next",
            [(0x100800, 0x1800)],
            [(0x101000, PAGE)],
            requirements=INWARD,
            notes=("host-page",),
        ),
        report(
            "misaligned-length",
            "a page and a half",
            [(0x100000, 0x1800)],
            [(0x100000, PAGE)],
            requirements=INWARD,
            notes=("host-page",),
        ),
        report(
            "misaligned-both",
            "two halves of pages",
            [(0x100800, PAGE)],
            [],
            requirements=(*INWARD, "reporting.device.small-ranges-answered"),
            notes=("host-page",),
        ),
        report(
            "one-byte",
            "a single byte",
            [(0x100000, 1)],
            [],
            requirements=(*INWARD, "reporting.device.small-ranges-answered"),
        ),
        report(
            "under-host-page",
            "a page of 4 KiB where the host's has 64",
            [(0x100000, PAGE)],
            [],
            setting="order-4",
            requirements=INWARD,
            notes=("host-page",),
        ),
        report(
            "two-halves-of-host-page",
            "both halves of a host page, in two buffers",
            [(0x100000, 8 * PAGE), (0x108000, 8 * PAGE)],
            [],
            setting="order-4",
            requirements=INWARD,
            notes=("host-page",),
        ),
        report(
            "inside-host-pages",
            "from one host page through the next into a third",
            [(0x10F000, 18 * PAGE)],
            [(0x110000, 16 * PAGE)],
            setting="order-4",
            requirements=INWARD,
            notes=("host-page",),
        ),
        report(
            "poisoned",
            "a page that must keep poison_val",
            [(0x100000, PAGE)],
            [],
            setting="poison",
            requirements=("reporting.device.poison-preserved",),
            notes=("poison",),
        ),
        report(
            "outside-ram",
            "a page that is not RAM",
            [(0x200000, PAGE)],
            [],
            outcomes=EITHER,
            requirements=BAD,
            notes=("not-ram",),
        ),
        report(
            "crosses-end-of-ram",
            "the last page of a region and one more",
            [(0x1FF000, 2 * PAGE)],
            [(0x1FF000, PAGE)],
            outcomes=EITHER,
            requirements=BAD,
            notes=("not-ram",),
        ),
        report(
            "wraps-around",
            "a length that leads past 2^64 to address 0",
            [((1 << 64) - PAGE, 2 * PAGE)],
            [],
            outcomes=EITHER,
            requirements=BAD,
            notes=("above-2-53",),
        ),
        report(
            "readable",
            "a page as a device-readable buffer",
            [(0x100000, PAGE)],
            [],
            flags=0,
            outcomes=EITHER,
            requirements=(
                "reporting.device.readable-buffer-untouched",
                "reporting.driver.buffers-device-writable",
            ),
            notes=("driver-breaks-rule",),
        ),
        *cut_vectors(descriptors(PAIR), [1, 8, 12, 14, 15, 17, 24, 28, 30, 31]),
    ),
    queue="reporting",
)

# Rings

SIZE = 4


def avail(entries: Sequence[int], *, flags: int = 0, idx: int = 0, event: int = 0) -> Message:
    """Lay out an available ring."""
    ring = [(f"ring[{i}]", 2, head) for i, head in enumerate(entries)]
    return Message.of(("flags", 2, flags), ("idx", 2, idx), *ring, ("used_event", 2, event))


def valid_avail(
    name: str,
    comment: str,
    entries: Sequence[int],
    *,
    flags: int = 0,
    idx: int = 0,
    event: int = 0,
    **given: Any,
) -> Vector:
    """Make a vector of an available ring."""
    decoded = {"flags": flags, "idx": idx, "ring": list(entries), "used_event": event}
    data = avail(entries, flags=flags, idx=idx, event=event).data
    return Vector(name, comment, data, decoded, parameters={"queue_size": len(entries)}, **given)


def used(
    entries: Sequence[tuple[int, int]], *, flags: int = 0, idx: int = 0, event: int = 0
) -> Message:
    """Lay out a used ring."""
    ring = [
        field
        for i, (head, length) in enumerate(entries)
        for field in ((f"ring[{i}].id", 4, head), (f"ring[{i}].len", 4, length))
    ]
    return Message.of(("flags", 2, flags), ("idx", 2, idx), *ring, ("avail_event", 2, event))


def valid_used(
    name: str,
    comment: str,
    entries: Sequence[tuple[int, int]],
    *,
    flags: int = 0,
    idx: int = 0,
    event: int = 0,
    **given: Any,
) -> Vector:
    """Make a vector of a used ring."""
    ring = [{"id": head, "len": length} for head, length in entries]
    decoded = {"avail_event": event, "flags": flags, "idx": idx, "ring": ring}
    data = used(entries, flags=flags, idx=idx, event=event).data
    return Vector(name, comment, data, decoded, parameters={"queue_size": len(entries)}, **given)


def _ring(declaration: Struct) -> Codec:
    whole = Struct(*declaration.subcons, "end" / End)

    def parse(data: bytes, parameters: Mapping[str, int]) -> object:
        return whole.parse(data, **parameters)

    def build(decoded: Json, parameters: Mapping[str, int]) -> bytes:
        made: bytes = whole.build(decoded, **parameters)
        return made

    return Codec(parse, build)


A, U = avail([1, 2, 3, 0]), used([(1, 16), (2, 17), (3, 0), (0, 0)])
SIZED = {"queue_size": SIZE}
AVAIL = FormatFile(
    "vring-avail",
    "The available ring of a split virtqueue, with used_event",
    "VIRTIO 1.4, 2.7.6 The Virtqueue Available Ring",
    {"flags": "u16", "idx": "u16", "ring": ["u16"], "used_event": "u16"},
    _ring(vring.AVAIL_RING),
    (
        valid_avail("fresh", "a fresh ring of 4", [0] * SIZE),
        valid_avail("two-offered", "two chains were made available", [3, 1, 0, 0], idx=2),
        valid_avail("one-entry", "the smallest ring", [0], idx=1),
        valid_avail(
            "no-interrupt",
            "the driver wants no notification",
            [0] * SIZE,
            flags=1,
            requirements=("ring.driver.avail-flags-valid",),
        ),
        valid_avail(
            "wrapped",
            "the index has wrapped around",
            [1, 2, 3, 0],
            idx=1,
            requirements=("ring.device.idx-wrap",),
        ),
        valid_avail(
            "idx-max",
            "the index before it wraps",
            [1, 2, 3, 0],
            idx=0xFFFF,
            event=0xFFFE,
            requirements=("ring.device.idx-wrap",),
        ),
        valid_avail(
            "each-field",
            "a different byte everywhere",
            [0x605, 0x807, 0xA09, 0xC0B],
            flags=0x201,
            idx=0x403,
            event=0xE0D,
            notes=("byte-order",),
        ),
        valid_avail("ring-of-8", "a ring of 8", list(range(8)), idx=8),
        *cut_vectors(A, parameters=SIZED),
        Vector(
            "trailing-byte",
            "a byte after used_event",
            A.extend(b"\0").data,
            fault=trailing(A),
            parameters=SIZED,
        ),
    ),
)
USED = FormatFile(
    "vring-used",
    "The used ring of a split virtqueue, with avail_event",
    "VIRTIO 1.4, 2.7.8 The Virtqueue Used Ring",
    {"avail_event": "u16", "flags": "u16", "idx": "u16", "ring": [{"id": "u32", "len": "u32"}]},
    _ring(vring.USED_RING),
    (
        valid_used(
            "fresh",
            "a fresh ring of 4",
            [(0, 0)] * SIZE,
            requirements=("ring.driver.used-flags-start-zero",),
        ),
        valid_used(
            "two-used",
            "two chains were used, in another order than they came",
            [(3, 18), (1, 0), (0, 0), (0, 0)],
            idx=2,
        ),
        valid_used("one-entry", "the smallest ring", [(0, 16)], idx=1),
        valid_used(
            "no-notify",
            "the device wants no notification",
            [(0, 0)] * SIZE,
            flags=1,
            requirements=("ring.device.used-flags-valid",),
        ),
        valid_used(
            "idx-max",
            "the index before it wraps",
            [(0, 0)] * SIZE,
            idx=0xFFFF,
            event=0xFFFE,
            requirements=("ring.device.idx-wrap",),
        ),
        valid_used("length-max", "the largest used length", [(0, 0xFFFFFFFF)], idx=1),
        valid_used(
            "each-field",
            "a different byte everywhere",
            [(0x08070605, 0x0C0B0A09), (0x100F0E0D, 0x14131211)],
            flags=0x201,
            idx=0x403,
            event=0x1615,
            notes=("byte-order",),
        ),
        *cut_vectors(U, [0, 1, 2, 3, 4, 7, 8, 9, 12, 35, 36, 37], parameters=SIZED),
        Vector(
            "trailing-byte",
            "a byte after avail_event",
            U.extend(b"\0").data,
            fault=trailing(U),
            parameters=SIZED,
        ),
    ),
)
E = Message.of(("id", 4, 3), ("len", 4, 16))
USED_ELEMENT = FormatFile(
    "vring-used-element",
    "Elements of the used ring",
    "VIRTIO 1.4, 2.7.8 The Virtqueue Used Ring",
    {"id": "u32", "len": "u32"},
    Codec(
        lambda data, _: vring.parse_used_element(data),
        lambda decoded, _: vring.build_used_element(UsedElement(**decoded)),
    ),
    (
        Vector("acknowledged", "16 bytes were written", E.data, {"id": 3, "len": 16}),
        Vector("max", "the largest numbers", b"\xff" * 8, {"id": 0xFFFFFFFF, "len": 0xFFFFFFFF}),
        *cut_vectors(E),
        Vector("trailing-byte", "9 bytes", E.extend(b"\0").data, fault=trailing(E)),
    ),
)
