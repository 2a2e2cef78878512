"""Vectors of feature bits, of what a device may agree to, and of queue numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, combinations
from typing import Any

from vhint.wire import features
from vhint.wire.features import Features, problems
from vhint.wire.queues import QueueMode, queue_map
from vhint_conformance.vectors.message import Message
from vhint_conformance.vectors.model import Call, Codec, FormatFile, FunctionFile, Vector
from vhint_conformance.vectors.tables.common import cut_vectors, trailing


def mask(bits: Iterable[int]) -> Message:
    """Lay out a set of feature bits."""
    return Message.of(("bits", 8, sum(1 << bit for bit in bits)))


def bits(name: str, comment: str, numbers: Sequence[int], **given: Any) -> Vector:
    """Make a set of feature bits."""
    return Vector(name, comment, mask(numbers).data, {"bits": list(numbers)}, **given)


FEATURES = FormatFile(
    "features",
    "Feature bits, as 64 bits",
    "VIRTIO 1.4, 2.2 Feature Bits",
    {"bits": "set"},
    Codec(
        lambda data, _: features.parse(data),
        lambda decoded, _: features.build(Features.of(*decoded["bits"])),
    ),
    (
        bits("none", "no bit", []),
        *(
            bits(f"bit-{number}", f"bit {number} alone", [number])
            for number in (0, 7, 8, 22, 23, 31, 32, 63)
        ),
        bits("hinting", "what hinting needs", [22, 32]),
        bits("all", "every bit, known or not", list(range(64)), notes=("unknown-bits",)),
        bits(
            "unknown",
            "bits that nobody has named",
            [6, 21, 50],
            requirements=("virtio.driver.ignore-unknown-features",),
            notes=("unknown-bits",),
        ),
        *cut_vectors(mask([22]), [0, 1, 4, 7]),
        Vector(
            "trailing-byte", "9 bytes", mask([22]).extend(b"\0").data, fault=trailing(mask([22]))
        ),
    ),
)

# What a device may agree to


def agrees(name: str, comment: str, offered: list[int], accepted: list[int], *slugs: str) -> Call:
    """Make a choice that the device must, or (with slugs) must not, answer with FEATURES_OK."""
    return Call(
        name,
        comment,
        {"accepted": accepted, "offered": offered},
        {"features_ok": not slugs},
        slugs or ("virtio.device.valid-subset-accepted",),
    )


BALLOON = [0, 1, 2, 3, 4, 5]
EVERYTHING = [*BALLOON, 22, 23, 28, 29, 32]
NOT_OFFERED = "virtio.device.unoffered-bits-refused"


def _check_negotiation(call: Call) -> str | None:
    offered, accepted = (Features.of(*call.given[name]) for name in ("offered", "accepted"))
    found = problems(offered, accepted)
    if (not found) == call.gives["features_ok"]:
        return None
    return f"features.problems says {found or 'nothing'}"


NEGOTIATION = FunctionFile(
    "negotiation",
    "Whether FEATURES_OK stays set: (offered, accepted) -> features_ok",
    "VIRTIO 1.4, 2.2 Feature Bits; vhint, The hinting virtqueue, feature bits",
    (
        agrees("everything", "all that is offered", EVERYTHING, EVERYTHING),
        agrees("nothing-of-legacy", "nothing of a transitional offer", BALLOON, []),
        agrees("hinting", "hinting with VERSION_1", EVERYTHING, [22, 32]),
        agrees("hinting-bitmap", "both formats", EVERYTHING, [22, 23, 32]),
        agrees("no-bitmap", "hinting, but not the bitmap", EVERYTHING, [0, 22, 28, 32]),
        agrees("reporting-alone", "reporting without poison", EVERYTHING, [5, 32]),
        agrees(
            "unknown-offered",
            "an offered bit that nobody has named stays out",
            [*EVERYTHING, 50],
            [32],
        ),
        agrees(
            "bitmap-without-hinting",
            "the bitmap without hinting",
            EVERYTHING,
            [23, 32],
            "hint-bitmap.device.refuse-bitmap-alone",
        ),
        agrees(
            "unoffered-hinting", "hinting was not offered", [*BALLOON, 32], [22, 32], NOT_OFFERED
        ),
        agrees("unoffered-bit", "a bit that nobody offered", EVERYTHING, [32, 50], NOT_OFFERED),
        agrees("unoffered-among-many", "one bit too many", [0, 1, 32], [0, 1, 5, 32], NOT_OFFERED),
    ),
    _check_negotiation,
)

# Queue numbers

OPTIONAL = (("stats", 1), ("free_page", 3), ("reporting", 5), ("hinting", 22))
ALWAYS = ("inflate", "deflate")


def subsets(numbers: Sequence[int]) -> list[tuple[int, ...]]:
    """Give all subsets, the smaller ones first."""
    sizes = range(len(numbers) + 1)
    return list(chain.from_iterable(combinations(numbers, size) for size in sizes))


def numbering(offered: Sequence[int], accepted: Sequence[int]) -> dict[str, dict[str, int]]:
    """Give queue numbers by the three rules, counting the queues before each."""
    maps: dict[str, dict[str, int]] = {}
    for mode, counted in (
        ("compact-accepted", accepted),
        ("compact-offered", offered),
        ("spec-fixed", [bit for _, bit in OPTIONAL]),
    ):
        numbers = {name: index for index, name in enumerate(ALWAYS)}
        following = len(ALWAYS)
        for name, bit in OPTIONAL:
            if bit in accepted:
                numbers[name] = following
            following += bit in counted
        maps[mode] = numbers
    return maps


def label(numbers: Sequence[int]) -> str:
    """Give the part of an id that names a set of bits."""
    return "-".join(map(str, numbers)) or "none"


def mapped(name: str, comment: str, offered: Sequence[int], accepted: Sequence[int]) -> Call:
    """Make a vector of all three rules."""
    slugs: tuple[str, ...] = (
        "balloon.device.queue-first-two",
        "balloon.device.queue-map-follows-offer",
    )
    if 22 in accepted:
        slugs += ("hint.device.queue-index",)
    maps = numbering(offered, accepted)
    distinct = len({str(each) for each in maps.values()}) > 1
    return Call(
        name,
        comment,
        {"accepted": list(accepted), "offered": list(offered)},
        maps,
        slugs,
        ("queue-numbers",) if distinct else (),
    )


def refused(name: str, comment: str, offered: list[int], accepted: list[int]) -> Call:
    """Make a choice for which there is no map: what was not offered is accepted."""
    return Call(
        name,
        comment,
        {"accepted": accepted, "offered": offered},
        None,
        ("virtio.driver.accept-only-offered",),
    )


SUBSETS = subsets([bit for _, bit in OPTIONAL])


def _check_map(call: Call) -> str | None:
    offered, accepted = (Features.of(*call.given[name]) for name in ("offered", "accepted"))
    try:
        maps = {
            str(mode): {str(queue): index for queue, index in found.items()}
            for mode in QueueMode
            for found in [queue_map(mode, offered, accepted)]
        }
    except ValueError as error:
        return None if call.gives is None else f"queue_map says {error}"
    return None if maps == call.gives else f"queue_map gives {maps}"


QUEUE_MAP = FunctionFile(
    "queue-map",
    "Which queue has which index by the three rules in use: (offered, accepted) -> rule -> map",
    "VIRTIO 1.4, 5.5.2 Virtqueues; vhint, Queue numbers",
    (
        *(
            mapped(
                f"offered-{label(offered)}-accepted-{label(accepted)}",
                f"offered {label(offered)}, accepted {label(accepted)}",
                offered,
                accepted,
            )
            for offered in SUBSETS
            for accepted in SUBSETS
            if set(accepted) <= set(offered)
        ),
        mapped("other-bits", "bits without a queue take no number", EVERYTHING, [0, 4, 5, 22, 32]),
        mapped("unknown-bits", "bits that nobody has named take no number", [5, 6, 21, 50], [5, 6]),
        refused("unoffered-stats", "statistics were not offered", [5], [1, 5]),
        refused("unoffered-hinting", "hinting was not offered", [1, 3, 5], [22]),
    ),
    _check_map,
)
