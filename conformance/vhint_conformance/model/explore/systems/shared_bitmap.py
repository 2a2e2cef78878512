"""The shared bitmap: one bit a block, which loses data, and claim and revoke, which does not.

The states of claim and revoke are a literal table, `STEPS`; the chapter on the shared bitmap says
what they mean.  Blocks are independent of each other, so two of them say all.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from itertools import permutations

from vhint_conformance.model.explore.layout import Field
from vhint_conformance.model.explore.rules import Model, Symmetry
from vhint_conformance.model.explore.systems.builder import Builder, Values

ALLOCATE = "shared-bitmap.driver.revoke-by-exchange"
DISCARD = "shared-bitmap.device.touch-only-claimed"
FINISH = "shared-bitmap.device.release-every-claim"
TAKE_CLAIMED = "shared-bitmap.driver.no-return-before-reset-done"


class BlockState(Enum):
    """What the shared map says of a block."""

    TAKEN = auto()
    """The guest's: allocated, or not on offer."""
    FREE = auto()
    """The guest's, which does not need the content; the host is free to claim it."""
    CLAIMED = auto()
    """The host's, which is discarding it."""
    DISCARDED = auto()
    """The guest's again, content lost; the host is through with it."""


class BlockEvent(Enum):
    """A compare-and-exchange that succeeds."""

    OFFER = auto()
    """The guest offers a block that it has freed."""
    REVOKE = auto()
    """The guest takes a block, before it allocates it."""
    CLAIM = auto()
    """The host takes a block that is on offer."""
    RELEASE = auto()
    """The host is through with the block."""
    RELEASE_UNTOUCHED = auto()
    """The host has thought better of it, and has changed nothing of the block."""


S, E = BlockState, BlockEvent

STEPS: dict[tuple[BlockState, BlockEvent], BlockState] = {
    (S.TAKEN, E.OFFER): S.FREE,
    (S.FREE, E.REVOKE): S.TAKEN,
    (S.FREE, E.CLAIM): S.CLAIMED,
    (S.CLAIMED, E.RELEASE): S.DISCARDED,
    (S.CLAIMED, E.RELEASE_UNTOUCHED): S.FREE,
    (S.DISCARDED, E.REVOKE): S.TAKEN,
}
"""(what the map says, who exchanges) to what it says then; no other exchange exists."""

WORDS = tuple(BlockState)
HOST_IDLE, HOST_WORKING, HOST_READY = range(3)
NO_RESET, RESET_ASKED, RESET_DONE = range(3)


class Blocks:
    """What both schemes have in common: blocks that a guest frees and allocates."""

    def __init__(self, blocks: int, values: int) -> None:
        self.count = blocks
        self.build = Builder()
        add, numbers = self.build.layout.add, range(blocks)
        self.in_use = [add(f"in use {b}", 2) for b in numbers]
        self.word = [add(f"word {b}", values) for b in numbers]
        self.host = [add(f"host {b}", 3) for b in numbers]
        self.looked = [add(f"looked {b}", 2) for b in numbers]

    def discard(self, block: int, when: Values, then: Values, slug: str) -> None:
        """Let the host discard a block; if it is in use, that is the end."""
        self.build.step(
            "host", f"the host discards block {block}", when, then, unless=[{self.in_use[block]: 1}]
        )
        self.build.step(
            "host",
            f"the host discards block {block}, which is in use: its content is lost",
            {**when, self.in_use[block]: 1},
            then,
            breaks=slug,
        )

    def symmetries(self) -> list[Symmetry]:
        """Return every renaming of blocks."""
        groups = (self.in_use, self.word, self.host, self.looked)
        return [
            Symmetry(
                f"blocks {images}",
                {
                    group[image].name: group[block].name
                    for group in groups
                    for block, image in enumerate(images)
                },
            )
            for images in permutations(range(self.count))
        ][1:]

    def describe(self, names: tuple[str, ...]) -> Callable[[int], str]:
        """Return a function that says a state in words."""

        def text(state: int) -> str:
            return "; ".join(
                f"block {b}: {'in use' if self.in_use[b].of(state) else 'free'}, "
                f"{names[self.word[b].of(state)]}"
                f"{', the host is at it' if self.host[b].of(state) else ''}"
                for b in range(self.count)
            )

        return text


def one_bit(blocks: int, *, clear_first: bool) -> Model:
    """Return the obvious scheme: the guest sets and clears a bit, the host clears and discards.

    With `clear_first` the host tests and clears the bit and then discards; otherwise it tests,
    discards, and then clears.  All operations on a bit are atomic.
    """
    system = Blocks(blocks, 2)
    step = system.build.step
    for b in range(blocks):
        in_use, bit, host = system.in_use[b], system.word[b], system.host[b]
        step(
            "guest",
            f"the guest frees block {b} and sets its bit",
            {in_use: 1},
            {in_use: 0, bit: 1},
            environment=True,
        )
        step(
            "guest",
            f"the guest clears the bit of block {b}, allocates the block and writes to it",
            {in_use: 0},
            {in_use: 1, bit: 0},
            environment=True,
        )
        step(
            "host",
            f"the host finds the bit of block {b} set" + (" and clears it" if clear_first else ""),
            {bit: 1, host: HOST_IDLE},
            {host: HOST_WORKING, **({bit: 0} if clear_first else {})},
        )
        after: Values = {host: HOST_IDLE, **({} if clear_first else {bit: 0})}
        system.discard(b, {host: HOST_WORKING}, after, DISCARD)
    initial = {field.name: 1 for field in system.in_use}
    order = "clear first" if clear_first else "discard first"
    return system.build.model(
        f"one bit, {order}",
        initial,
        {"blocks": blocks},
        system.describe(("bit clear", "bit set")),
        symmetries=system.symmetries(),
    )


def claim_and_revoke(
    blocks: int, *, swaps: bool = True, resets: int = 1, waits_for_reset: bool = True
) -> Model:
    """Return claim and revoke.

    Two ways to break it: without `swaps` the guest loads a word, and stores it in another step;
    without `waits_for_reset` it takes claimed blocks back as soon as it has asked for a reset.
    """
    slug = DISCARD if swaps else ALLOCATE
    system = _ClaimAndRevoke(blocks, resets, waits_for_reset, slug)
    for b in range(blocks):
        system.guest(b, swaps)
        system.serve(b)
    if resets:
        system.reset_steps(resets)
    return system.build.model(
        "claim and revoke",
        {field.name: 1 for field in system.in_use},
        {"blocks": blocks, "resets": resets},
        system.describe(tuple(state.name for state in WORDS)),
        symmetries=system.symmetries(),
        settled={**dict.fromkeys(system.host, HOST_IDLE), system.reset: NO_RESET},
    )


class _ClaimAndRevoke(Blocks):
    def __init__(self, blocks: int, resets: int, waits_for_reset: bool, slug: str) -> None:
        super().__init__(blocks, len(WORDS))
        self.reset = self.build.layout.add("reset", 3)
        self.resets = self.build.layout.add("resets", resets + 1)
        self._waits = waits_for_reset
        self._slug = slug if waits_for_reset else TAKE_CLAIMED

    def _swap(self, b: int, before: BlockState, event: BlockEvent) -> tuple[Values, Values]:
        after = STEPS[before, event]
        return {self.word[b]: WORDS.index(before)}, {self.word[b]: WORDS.index(after)}

    def guest(self, b: int, swaps: bool) -> None:
        """Let the guest free, offer, take back and allocate a block."""
        step, in_use, looked = self.build.step, self.in_use[b], self.looked[b]
        free: dict[Field, int] = {in_use: 0, looked: 0}
        step("guest", f"the guest frees block {b}", {in_use: 1}, {in_use: 0}, environment=True)
        when, then = self._swap(b, S.TAKEN, E.OFFER)
        step(
            "guest",
            f"the guest offers block {b}",
            {**free, **when, self.reset: NO_RESET},
            then,
            environment=True,
        )
        step(
            "guest",
            f"the guest allocates block {b}, which was not on offer, and writes to it",
            {**free, **when},
            {in_use: 1},
            environment=True,
        )
        for before, event in ((S.FREE, E.REVOKE), (S.DISCARDED, E.REVOKE)):
            when, then = self._swap(b, before, event)
            label = f"block {b} from {before.name} to {S.TAKEN.name}"
            if swaps:
                step(
                    "guest",
                    f"the guest swaps {label}, allocates it and writes to it",
                    {**free, **when},
                    {**then, in_use: 1},
                    environment=True,
                )
            else:
                step(
                    "guest",
                    f"the guest reads that block {b} is {before.name}",
                    {**free, **when},
                    {looked: 1},
                    environment=True,
                )
        if not swaps:
            step(
                "guest",
                f"the guest stores that block {b} is {S.TAKEN.name}, allocates it and writes to it",
                {looked: 1},
                {looked: 0, in_use: 1, self.word[b]: WORDS.index(S.TAKEN)},
                environment=True,
            )

    def serve(self, b: int) -> None:
        """Let the host claim a block, discard it or not, and finish."""
        step, host = self.build.step, self.host[b]
        when, then = self._swap(b, S.FREE, E.CLAIM)
        live: Values = {self.reset: NO_RESET}
        step(
            "host",
            f"the host swaps block {b} from {S.FREE.name} to {S.CLAIMED.name}",
            {**when, host: HOST_IDLE, **live},
            {**then, host: HOST_WORKING},
            environment=True,  # it claims what it likes, and owes an end to each claim alone
        )
        # A reset that is asked for does not stop a discard that is under way.
        for moment in (NO_RESET, RESET_ASKED):
            working = {host: HOST_WORKING, self.reset: moment}
            self.discard(b, working, {host: HOST_READY}, self._slug)
        for place, event, why in (
            (HOST_READY, E.RELEASE, "has discarded it"),
            (HOST_WORKING, E.RELEASE, "is through with it"),
            (HOST_WORKING, E.RELEASE_UNTOUCHED, "has not touched it"),
        ):
            when, then = self._swap(b, S.CLAIMED, event)
            after = STEPS[S.CLAIMED, event].name
            step(
                "host",
                f"the host {why} and swaps block {b} from {S.CLAIMED.name} to {after}",
                {**when, host: place},
                {**then, host: HOST_IDLE},
            )
        self.build.never(
            FINISH,
            f"block {b} is claimed and nobody is at it",
            {self.word[b]: WORDS.index(S.CLAIMED), host: HOST_IDLE, self.reset: NO_RESET},
        )

    def reset_steps(self, resets: int) -> None:
        """Let the guest reset: the host stops, and then every word is set to USED."""
        step = self.build.step
        for count in range(resets):
            step(
                "guest",
                "the guest writes 0 to the device status",
                {self.reset: NO_RESET, self.resets: count},
                {self.reset: RESET_ASKED, self.resets: count + 1},
                environment=True,
            )
        step(
            "host",
            "the host stops all work; the status reads 0",
            {self.reset: RESET_ASKED},
            {self.reset: RESET_DONE, **dict.fromkeys(self.host, HOST_IDLE)},
        )
        for b in range(self.count):
            moments = (RESET_DONE,) if self._waits else (RESET_ASKED, RESET_DONE)
            for moment in moments:
                for state in WORDS[1:]:
                    step(
                        "guest",
                        f"the guest sets block {b}, which was {state.name}, to {S.TAKEN.name}",
                        {self.reset: moment, self.word[b]: WORDS.index(state)},
                        {self.word[b]: WORDS.index(S.TAKEN)},
                    )
        step(
            "guest",
            "the guest initialises the device again",
            {self.reset: RESET_DONE, **dict.fromkeys(self.word, WORDS.index(S.TAKEN))},
            {self.reset: NO_RESET},
        )
