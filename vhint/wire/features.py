"""Feature bits of the balloon device and of the rings it uses.

Source: VIRTIO 1.4, 5.5.3 Feature bits, and 6 Reserved Feature Bits; bits 22 and 23: vhint, The
hinting virtqueue (provisional: not assigned by OASIS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.schema import End, le64
from vhint.wire.source import Face

FORMAT: Final = Struct("bits" / le64, "end" / End)
"""The declaration of a feature set as vhost-user and virtio-mmio's two halves together carry it."""


class Feature(IntEnum):
    """A feature, as the number of its bit; 24 and 27 are of the legacy interface.

    >>> Feature.HINTING, Feature(5)
    (<Feature.HINTING: 22>, <Feature.PAGE_REPORTING: 5>)
    """

    MUST_TELL_HOST = 0
    STATS_VQ = 1
    DEFLATE_ON_OOM = 2
    FREE_PAGE_HINT = 3
    PAGE_POISON = 4
    PAGE_REPORTING = 5
    HINTING = 22
    HINTING_BITMAP = 23
    NOTIFY_ON_EMPTY = 24
    ANY_LAYOUT = 27
    INDIRECT_DESC = 28
    EVENT_IDX = 29
    VERSION_1 = 32
    ACCESS_PLATFORM = 33
    RING_PACKED = 34
    IN_ORDER = 35
    ORDER_PLATFORM = 36
    SR_IOV = 37
    NOTIFICATION_DATA = 38
    NOTIF_CONFIG_DATA = 39
    RING_RESET = 40
    ADMIN_VQ = 41


KNOWN: Final = sum(1 << feature for feature in Feature)


@dataclass(frozen=True, slots=True, repr=False)
class Features:
    """A set of feature bits: an immutable 64-bit mask that never loses a bit it has no name for.

    Range: ``0 <= bits < 2**64``; anything else is a `WireError` when it is built, not before.

    >>> offered = Features.of(Feature.HINTING, Feature.VERSION_1) | Features(1 << 50)
    >>> offered
    Features(HINTING | VERSION_1 | bit 50)
    >>> Feature.HINTING in offered, list(offered), hex(offered.unknown)
    (True, [<Feature.HINTING: 22>, <Feature.VERSION_1: 32>], '0x4000000000000')
    """

    bits: int = 0

    @classmethod
    def of(cls, *features: Feature | int) -> Features:
        """Make the set of the given features (or bit numbers).

        Raises `ValueError` for a bit number that is not 0..63.
        """
        bits = 0
        for feature in features:
            if not 0 <= feature < 64:
                raise ValueError(f"a feature bit is 0..63, not {feature}")
            bits |= 1 << feature
        return cls(bits)

    @property
    def unknown(self) -> int:
        """The mask of the bits that `Feature` has no name for."""
        return self.bits & ~KNOWN

    def __contains__(self, feature: Feature | int) -> bool:
        return bool(self.bits >> feature & 1)

    def __iter__(self) -> Iterator[Feature]:
        return (feature for feature in Feature if feature in self)

    def __bool__(self) -> bool:
        return self.bits != 0

    def __or__(self, other: Features) -> Features:
        return Features(self.bits | other.bits)

    def __and__(self, other: Features) -> Features:
        return Features(self.bits & other.bits)

    def __sub__(self, other: Features) -> Features:
        return Features(self.bits & ~other.bits)

    def __repr__(self) -> str:
        names = [feature.name for feature in self]
        unknown = self.unknown
        names += [f"bit {n}" for n in range(unknown.bit_length()) if unknown >> n & 1]
        return f"Features({' | '.join(names)})"


def problems(offered: Features, accepted: Features) -> tuple[str, ...]:
    """Say in words what is wrong with accepting these features when those were offered.

    An empty tuple means that a device may agree (FEATURES_OK). Source: VIRTIO 1.4, 2.2 Feature
    Bits; vhint, The hinting virtqueue.

    >>> problems(Features.of(22, 32), Features.of(22))
    ('HINTING is accepted without VERSION_1',)
    """
    found: list[str] = []
    extra = accepted - offered
    if extra:
        found.append(f"{extra!r} accepted but not offered")
    if Feature.HINTING_BITMAP in accepted and Feature.HINTING not in accepted:
        found.append("HINTING_BITMAP is accepted without HINTING")
    if Feature.HINTING in accepted and Feature.VERSION_1 not in accepted:
        found.append("HINTING is accepted without VERSION_1")
    if Feature.HINTING in accepted and Feature.ACCESS_PLATFORM in accepted:
        found.append("HINTING is accepted with ACCESS_PLATFORM")
    return tuple(found)


CODEC: Final = Codec[Features]("features", FORMAT, Face(Features))

parse: Final[Callable[[Data], Features]] = CODEC.parse
"""Parse exactly 8 bytes. Raises `ShortInput` or `TrailingBytes`."""
build: Final[Callable[[Features], bytes]] = CODEC.build
"""Build the 8 bytes. Raises `OutOfRange` or `WrongType`."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""
