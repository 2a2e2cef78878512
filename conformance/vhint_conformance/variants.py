"""The ways in which one target is judged: every case runs once in each way that concerns it.

A target declares its variants.  The plain one comes first and leaves the ids of cases as they are;
every other one adds its name: `ring.heads[2]` is `ring.heads[2]@packed` in the variant `packed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MARK = "@"
"""What stands between the id of a case and the name of a variant."""


class Rings(StrEnum):
    """The format of the virtqueues."""

    SPLIT = "split"
    """Descriptor table, available ring, used ring (VIRTIO 1.4, Split Virtqueues)."""
    PACKED = "packed"
    """One ring of descriptors (VIRTIO 1.4, Packed Virtqueues)."""


ANY_RINGS = (Rings.SPLIT, Rings.PACKED)
"""What a case says whose rings may have either format."""

NO_RINGS: tuple[Rings, ...] = ()
"""What a case says that does nothing with a ring: once is enough."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to judge a target: its name and what is particular to it.

    The name is `""` for the plain variant.  `bus` is how the target is reached, in its own words,
    if there is more than one way (`Target.in_variant`).
    """

    name: str = ""
    rings: Rings = Rings.SPLIT
    bus: str = ""

    def names(self, case: str) -> str:
        """Return the id of a case in this variant.

        >>> Variant("packed", Rings.PACKED).names("ring.heads")
        'ring.heads@packed'
        """
        return f"{case}{MARK}{self.name}" if self.name else case


SPLIT = Variant()
PACKED = Variant("packed", Rings.PACKED)
RING_VARIANTS = (SPLIT, PACKED)
"""The variants of a target that may offer or accept RING_PACKED."""


def concerning(
    rings: Iterable[Rings], variants: Iterable[Variant], *, buses: bool = True
) -> tuple[Variant, ...]:
    """Return those variants of a target in which a case for these ring formats runs.

    A case without rings runs in those that differ by more than the format.  One for a format that
    the target has not got runs all the same, to say that it is not applicable.  Without `buses`
    only those count that are on the bus of the first.

    >>> [each.name for each in concerning([Rings.PACKED], RING_VARIANTS)]
    ['packed']
    >>> concerning(NO_RINGS, RING_VARIANTS) == (SPLIT,)
    True
    >>> concerning([Rings.PACKED], [SPLIT]) == (PACKED,)
    True
    """
    variants = tuple(variants)
    if not buses:
        variants = tuple(each for each in variants if each.bus == variants[0].bus)
    formats = tuple(rings) or (Rings.SPLIT,)
    found = tuple(each for each in variants if each.rings in formats)
    return found or tuple(each for each in RING_VARIANTS if each.rings in formats)


def variant_in(case: str) -> str:
    """Return the name of the variant in the id of a case.

    >>> variant_in("ring.heads@packed"), variant_in("ring.heads[1]")
    ('packed', '')
    """
    return case.partition(MARK)[2]
