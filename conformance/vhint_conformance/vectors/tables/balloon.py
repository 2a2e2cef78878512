"""Vectors of the balloon's own formats: PFN arrays, statistics, command ids, config space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vhint.spans import block, merge
from vhint.wire import command, config, pfn_array, statistics
from vhint.wire.command import CommandId
from vhint.wire.config import BalloonConfig
from vhint.wire.pfn_array import PfnArray
from vhint.wire.statistics import Statistics
from vhint_conformance.vectors.message import Message
from vhint_conformance.vectors.model import (
    Codec,
    Expected,
    FormatFile,
    Json,
    Vector,
)
from vhint_conformance.vectors.tables.common import cut_vectors, trailing

Parameters = Mapping[str, int]

# PFN arrays


def pfns(values: Sequence[int]) -> Message:
    """Lay out a buffer of PFNs."""
    return Message.of(*((f"pfns[{i}]", 4, value) for i, value in enumerate(values)))


def inflate(
    name: str, comment: str, values: Sequence[int], ram: Sequence[int] | None = None, **given: Any
) -> Vector:
    """PFNs of which those in `ram` (by default all) are pages that may be discarded."""
    outcomes = ("used",) if ram is None else ("needs-reset", "used")
    spans = merge(block(pfn) for pfn in (values if ram is None else ram))
    slugs = (
        ()
        if ram is None
        else (
            "balloon.device.bad-pfn-answered",
            "balloon.device.inflate-ram-only",
        )
    )
    device = {"default": Expected(outcomes, may_discard=spans, requirements=slugs)}
    slugs = (*slugs, *given.pop("requirements", ()))
    decoded = {"pfns": list(values)}
    return Vector(name, comment, pfns(values).data, decoded, None, slugs, device=device, **given)


PFN_ARRAY = FormatFile(
    "pfn-array",
    "Buffers of the inflate and deflate queues",
    "VIRTIO 1.4, 5.5.6 Device Operation",
    {"pfns": ["u32"]},
    Codec(
        lambda data, _: {"pfns": pfn_array.parse(data)},
        lambda decoded, _: pfn_array.build(PfnArray.of(decoded["pfns"])),
    ),
    (
        Vector("empty", "no bytes", b"", {"pfns": []}),
        inflate("one", "one page", [0x100], requirements=("balloon.device.pfn-unit",)),
        inflate("page-zero", "the page at address 0", [0], notes=("address-zero",)),
        inflate("three", "pages in no order", [0x102, 0x100, 0x1FF]),
        inflate("twice", "a page that is named twice", [0x100, 0x100]),
        inflate(
            "above-4-gib",
            "a page above 4 GiB whose address in 32 bits is another page of RAM",
            [0x100100],
            requirements=("balloon.device.pfn-address-width",),
            notes=("above-4-gib",),
        ),
        inflate("after-ram", "the first page behind a region", [0x200], [], notes=("not-ram",)),
        inflate("max", "the largest PFN", [0xFFFFFFFF], [], notes=("not-ram",)),
        inflate("sign-bit", "a PFN that is negative if taken as signed", [1 << 31], []),
        inflate(
            "good-and-bad",
            "a good page, one that is not RAM, a good page",
            [0x100, 0x200, 0x101],
            [0x100, 0x101],
            notes=("not-ram",),
        ),
        Vector(
            "256",
            "as many PFNs as Linux sends in one buffer",
            pfns(range(0x100, 0x200)).data,
            {"pfns": list(range(0x100, 0x200))},
            device={"default": Expected(may_discard=(block(0x100, 8),))},
            requirements=("balloon.device.inflate-use-every-buffer",),
            notes=("more-than-256",),
        ),
        *cut_vectors(
            pfns([0x100, 0x101]),
            [1, 2, 3],
            requirements=("balloon.device.trailing-bytes-ignored",),
            device={"default": Expected(may_discard=())},
            notes=("partial-entry",),
        ),
        *cut_vectors(
            pfns([0x100, 0x101]),
            [5, 7],
            requirements=("balloon.device.trailing-bytes-ignored",),
            device={"default": Expected(may_discard=(block(0x100),))},
            notes=("partial-entry",),
        ),
    ),
    queue="inflate",
)

# Statistics


def entries(values: Sequence[tuple[int, int]]) -> Message:
    """Lay out a buffer of statistics."""
    return Message.of(
        *(
            field
            for i, (tag, value) in enumerate(values)
            for field in ((f"entries[{i}].tag", 2, tag), (f"entries[{i}].value", 8, value))
        )
    )


def figures(
    name: str,
    comment: str,
    values: Sequence[tuple[int, int]],
    known: Sequence[tuple[int, int]] | None = None,
    **given: Any,
) -> Vector:
    """Statistics of which a device knows those in `known`, by default all."""
    decoded = {"entries": [{"tag": tag, "value": str(value)} for tag, value in values]}
    expected = Expected(("used-when-asked",), figures=tuple(values if known is None else known))
    return Vector(
        name, comment, entries(values).data, decoded, device={"default": expected}, **given
    )


def partly(known: Sequence[tuple[int, int]]) -> dict[str, Expected]:
    """Expect the whole entries to count."""
    return {"default": Expected(("used-when-asked",), figures=tuple(known))}


TWO = ((4, 1 << 30), (5, (1 << 60) + 1))
PARTIAL = ("balloon.device.stats-partial-entry-ignored",)
STATISTICS = FormatFile(
    "statistics",
    "Buffers of the statistics queue",
    "VIRTIO 1.4, 5.5.6.3 Memory Statistics",
    {"entries": [{"tag": "u16", "value": "u64"}]},
    Codec(
        lambda data, _: {"entries": statistics.parse(data)},
        lambda decoded, _: statistics.build(
            Statistics.of([(item["tag"], int(item["value"])) for item in decoded["entries"]])
        ),
    ),
    (
        Vector("empty", "no bytes", b"", {"entries": []}),
        figures(
            "one",
            "free memory",
            [(4, 4096)],
            requirements=("balloon.device.stats-entry-size",),
            notes=("six-or-ten",),
        ),
        figures(
            "two",
            "free and total memory, above 2^53",
            TWO,
            requirements=("balloon.device.stats-entry-size",),
            notes=("six-or-ten",),
        ),
        figures(
            "three",
            "30 bytes, a multiple of both 6 and 10",
            [(0, 1), (1, 2), (2, 3)],
            notes=("six-or-ten",),
        ),
        figures(
            "all-standard", "the ten tags of the standard", [(tag, 1000 + tag) for tag in range(10)]
        ),
        figures(
            "reversed",
            "tags in descending order",
            [(tag, 7 * tag) for tag in (9, 5, 4, 0)],
            requirements=("balloon.device.stats-any-order",),
        ),
        figures(
            "linux-6-12",
            "tags that Linux 6.12 sends beyond the standard's",
            [(4, 4096), *((tag, tag) for tag in range(10, 16))],
            [(4, 4096)],
            requirements=("balloon.device.stats-ignore-unknown-tags",),
            notes=("known-at-least",),
        ),
        figures(
            "unknown-first",
            "an unknown tag before a known one",
            [(0xFFFF, 1), (4, 4096)],
            [(4, 4096)],
            requirements=("balloon.device.stats-ignore-unknown-tags",),
            notes=("known-at-least",),
        ),
        figures("value-max", "the largest value", [(4, (1 << 64) - 1)], notes=("above-2-53",)),
        *cut_vectors(
            entries(TWO),
            [1, 2, 9],
            requirements=PARTIAL,
            device=partly(()),
            notes=("partial-entry",),
        ),
        *cut_vectors(
            entries(TWO),
            [11, 12, 19],
            requirements=PARTIAL,
            device=partly(TWO[:1]),
            notes=("partial-entry",),
        ),
    ),
    queue="stats",
)

# Command ids


def command_id(value: int) -> Message:
    """Lay out a command id."""
    return Message.of(("value", 4, value))


def valid_id(name: str, comment: str, value: int, **given: Any) -> Vector:
    """Make a vector of a command id."""
    return Vector(name, comment, command_id(value).data, {"value": value}, **given)


COMMAND_ID = FormatFile(
    "command-id",
    "Command ids of free page hinting, as device-readable buffers carry them",
    "VIRTIO 1.4, 5.5.6.5 Free Page Hinting",
    {"value": "u32"},
    Codec(
        lambda data, _: command.parse(data),
        lambda decoded, _: command.build(CommandId(decoded["value"])),
    ),
    (
        valid_id("stop", "STOP", 0),
        valid_id("done", "DONE", 1),
        valid_id(
            "first-round",
            "the smallest id of a round",
            2,
            requirements=("free-page-hint.device.round-id-not-reserved",),
        ),
        valid_id("sign-bit", "an id that is negative if taken as signed", 1 << 31),
        valid_id(
            "byte-order",
            "an id that is STOP's neighbour in the other order",
            1 << 24,
            notes=("byte-order",),
        ),
        valid_id("max", "the largest id", 0xFFFFFFFF),
        *cut_vectors(
            command_id(2),
            [0, 1, 3],
            requirements=(
                "free-page-hint.device.bad-command-answered",
                "free-page-hint.driver.command-size",
            ),
        ),
        Vector(
            "trailing-byte",
            "five bytes",
            command_id(2).extend(b"\0").data,
            fault=trailing(command_id(2)),
            requirements=(
                "free-page-hint.device.bad-command-answered",
                "free-page-hint.driver.command-size",
            ),
        ),
        Vector(
            "eight-bytes",
            "an id of 64 bits",
            command_id(2).extend(bytes(4)).data,
            fault=trailing(command_id(2)),
            requirements=(
                "free-page-hint.device.bad-command-answered",
                "free-page-hint.driver.command-size",
            ),
        ),
    ),
)

# Config space

FIELDS = (
    "num_pages",
    "actual",
    "free_page_hint_cmd_id",
    "poison_val",
    "ws_num_bins",
    "unassigned",
    "hint_max_count",
    "hint_min_order",
)


def space(values: Sequence[int]) -> Message:
    """Lay out the leading fields of config space."""
    return Message.of(*((name, 4, value) for name, value in zip(FIELDS, values, strict=False)))


def valid_space(name: str, comment: str, values: Sequence[int], **given: Any) -> Vector:
    """Make a config space of a length that exists."""
    decoded = {field: values[i] if i < len(values) else None for i, field in enumerate(FIELDS)}
    return Vector(name, comment, space(values).data, decoded, **given)


def _build_space(decoded: Json, parameters: Parameters) -> bytes:  # noqa: ARG001
    return config.build(BalloonConfig(**decoded))


FULL = (0x100, 0x80, 7, 0xAAAAAAAA, 0, 0, 1024, 9)
CONFIG_SPACE = FormatFile(
    "config-space",
    "The config space, at every length that it is found with",
    "VIRTIO 1.4, 5.5.4 Device configuration layout; vhint, The hinting virtqueue",
    dict.fromkeys(FIELDS[:2], "u32") | dict.fromkeys(FIELDS[2:], "u32?"),
    Codec(lambda data, _: config.parse(data), _build_space),
    (
        *(
            valid_space(f"length-{4 * count}", f"{4 * count} bytes", FULL[:count])
            for count in range(2, 9)
        ),
        valid_space("zeros", "all zeros", [0] * 8),
        valid_space("max", "the largest value in every field", [0xFFFFFFFF] * 8),
        valid_space(
            "byte-order",
            "a different byte everywhere",
            [int.from_bytes(bytes(range(at, at + 4)), "little") for at in range(1, 33, 4)],
            requirements=("balloon.device.config-little-endian",),
            notes=("byte-order",),
        ),
        valid_space(
            "hinting",
            "hinting without anything else",
            (0, 0, 0, 0, 0, 0, 1, 0),
            requirements=("hint.device.config-present", "hint.device.config-usable-limits"),
        ),
        *cut_vectors(space(FULL), [0, 1, 3, 4, 7, 9, 13, 17, 21, 25, 29, 31]),
        Vector(
            "trailing-byte",
            "33 bytes",
            space(FULL).extend(b"\0").data,
            fault=trailing(space(FULL)),
            notes=("longer-config",),
        ),
    ),
)
