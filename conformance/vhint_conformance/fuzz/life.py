"""How a fuzzed driver comes up: which features it leaves out, and what its queues are like."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from vhint.wire.features import Feature, Features

OPTIONAL = (
    Feature.MUST_TELL_HOST,
    Feature.STATS_VQ,
    Feature.DEFLATE_ON_OOM,
    Feature.FREE_PAGE_HINT,
    Feature.PAGE_REPORTING,
    Feature.HINTING,
    Feature.HINTING_BITMAP,
    Feature.INDIRECT_DESC,
    Feature.EVENT_IDX,
    Feature.RING_RESET,
)
"""What a fuzzed driver accepts if it is offered, unless its life declines it."""

SIZES = (1, 2, 3, 4, 8, 256)
"""Entries of a queue; 3 is for packed rings, and 4 in a split one."""

POISONS = (0xAAAAAAAA, 0)


@dataclass(frozen=True, slots=True)
class Life:
    """One life of the device, as its driver wants it.

    `declined` are features that are left out; `size` is of every queue, 0: as it comes; `packed`
    is the format of the rings, where it is offered; `poison` is poison_val, None: PAGE_POISON is
    not accepted.
    """

    declined: tuple[Feature, ...] = ()
    size: int = 0
    packed: bool = False
    poison: int | None = None

    def accepted(self, offered: Features) -> Features:
        """Return what of an offer is accepted."""
        wanted = Features.of(Feature.VERSION_1, *OPTIONAL) - Features.of(*self.declined)
        if Feature.HINTING not in wanted:
            wanted -= Features.of(Feature.HINTING_BITMAP)
        if self.packed:
            wanted |= Features.of(Feature.RING_PACKED)
        if self.poison is not None:
            wanted |= Features.of(Feature.PAGE_POISON)
        return wanted & offered

    def entries(self, accepted: Features) -> int:
        """Return the size that is asked for: a power of two in a split ring."""
        split = Feature.RING_PACKED not in accepted
        return 1 << (self.size - 1).bit_length() if split and self.size else self.size

    def __str__(self) -> str:
        words = []
        if self.declined:
            words.append(f"without {', '.join(each.name for each in self.declined)}")
        if self.size:
            words.append(f"queues of {self.size}")
        if self.packed:
            words.append("packed rings")
        if self.poison is not None:
            words.append(f"poison_val {self.poison:#x}")
        return "; ".join(words) or "all features"


PLAIN = Life()
"""Everything that is offered, in the way that it comes."""

_none = st.just(())
_few = st.lists(st.sampled_from(OPTIONAL), min_size=1, max_size=3, unique=True)
_many = st.lists(st.sampled_from(OPTIONAL), unique=True)
_declined = st.one_of(_none, _none, _few, _many).map(lambda each: tuple(sorted(each)))

TAME: st.SearchStrategy[Life] = st.builds(Life, _declined)
"""Lives in which the rings are left as the case wants them."""

LIVES: st.SearchStrategy[Life] = st.builds(
    Life,
    _declined,
    st.one_of(st.just(0), st.just(0), st.sampled_from(SIZES)),
    st.booleans(),
    st.one_of(st.none(), st.none(), st.sampled_from(POISONS)),
)
"""Every way to come up; the plainest is what a failure shrinks to."""
