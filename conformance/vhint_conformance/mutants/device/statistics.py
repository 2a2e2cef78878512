"""Faults in the statistics queue."""

from __future__ import annotations

from collections.abc import Generator

from vhint.host import Device
from vhint.host.statistics import StatisticsQueue
from vhint.host.work import Line
from vhint.ring import Chain
from vhint.wire import statistics
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant, serving

KNOWN = 10
SIZE = statistics.ENTRY_SIZE


class Reads(StatisticsQueue):
    """Reads the figures of a buffer in another way."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Return the figures, or None if there are none to take."""
        whole = data[: len(data) // SIZE * SIZE]
        return {int(entry.tag): entry.value for entry in statistics.parse(whole)}

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:
        """Take what was read, and hold the buffer."""
        data = chain.read(self.context.memory, self.MAX_BYTES)
        yield
        found = self.figures(data)
        if found is not None:
            self.latest = found
        self.fresh = True
        if self.held is not None:
            return 0
        self.held = chain
        return None


class KnownOnly(Reads):
    """Throws a buffer away in which there is a tag that it does not know."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Refuse what is unknown."""
        found = super().figures(data) or {}
        return found if all(tag < KNOWN for tag in found) else None


class StopsAtUnknown(Reads):
    """Stops reading at a tag that it does not know."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Take what comes before."""
        found: dict[int, int] = {}
        for tag, value in (super().figures(data) or {}).items():
            if tag >= KNOWN:
                break
            found[tag] = value
        return found


class ByPlace(Reads):
    """Takes the place of an entry for its tag."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Take the first value for tag 0, and so on."""
        values = (super().figures(data) or {}).values()
        return dict(enumerate(values))


class AllOrNothing(Reads):
    """Takes figures only if every one that it knows is there."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Refuse a part."""
        found = super().figures(data) or {}
        return found if len(found) >= KNOWN else None


class Padded(Reads):
    """Takes entries for 12 bytes long, as a C compiler lays them out."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Read at the wrong places."""
        return {
            int.from_bytes(data[at : at + 2], "little"): int.from_bytes(
                data[at + 4 : at + 12], "little"
            )
            for at in range(0, len(data) - 11, 12)
        }


class Narrow(Reads):
    """Keeps 32 bits of a value."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Cut them."""
        return {tag: value & 0xFFFFFFFF for tag, value in (super().figures(data) or {}).items()}


class WholeEntries(Reads):
    """Throws a buffer away that ends within an entry."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Refuse it."""
        return super().figures(data) if len(data) % SIZE == 0 else None


class Overwrites(StatisticsQueue):
    """Forgets the buffer that it holds when a second one comes."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:
        """Hold the newer."""
        self.held = None
        return (yield from super().handle(chain))


class ClaimsLength(Device):
    """Uses the statistics buffer with the length that was read."""

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Claim a hundred bytes."""
        super().complete(name, line, head, 100 if name is Queue.STATS else length)


class DeadAfterReset(Device):
    """Never asks for figures again once it was reset."""

    was_reset = False

    def _reset(self) -> None:
        self.was_reset = self.was_reset or Queue.STATS in self.lines
        super()._reset()

    def poll_statistics(self) -> bool:
        """Ask, before the first reset."""
        return not self.was_reset and super().poll_statistics()


class HoldsOverReset(Device):
    """Goes on holding, after a reset, the buffer that it held before."""

    def _reset(self) -> None:
        held = self._statistics().held
        super()._reset()
        self._statistics().held = held


class TenAtMost(Reads):
    """Has room for ten figures of a buffer, and looks at no more."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Cut the buffer."""
        return super().figures(data[: KNOWN * SIZE])


class TagsOf8Bits(Reads):
    """Keeps the low byte of a tag."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Take one tag for another."""
        return {tag & 0xFF: value for tag, value in (super().figures(data) or {}).items()}


class SignedFigures(Reads):
    """Takes a value from 2^63 on for one below 0, and shows 0."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Lose large values."""
        found = super().figures(data) or {}
        return {tag: 0 if value >> 63 else value for tag, value in found.items()}


class KeepsFigures(Reads):
    """Keeps the figures that the newest buffer leaves out."""

    def figures(self, data: bytes) -> dict[int, int] | None:
        """Add to what is there."""
        return {**self.latest, **(super().figures(data) or {})}


MUTANTS = (
    Mutant(
        "unknown-tag-refused",
        "throws figures away among which is a tag that it does not know",
        ("balloon.device.stats-ignore-unknown-tags",),
        serving(Queue.STATS, KnownOnly),
    ),
    Mutant(
        "stops-at-unknown-tag",
        "stops reading at a tag that it does not know",
        ("balloon.device.stats-ignore-unknown-tags",),
        serving(Queue.STATS, StopsAtUnknown),
    ),
    Mutant(
        "tag-by-place",
        "takes the place of an entry for its tag",
        ("balloon.device.stats-any-order", "balloon.device.stats-accept-subset"),
        serving(Queue.STATS, ByPlace),
    ),
    Mutant(
        "figures-all-or-nothing",
        "takes figures only if every one that it knows is there",
        ("balloon.device.stats-accept-subset",),
        serving(Queue.STATS, AllOrNothing),
    ),
    Mutant(
        "statistics-padded",
        "takes an entry for 12 bytes long",
        ("balloon.device.stats-entry-size",),
        serving(Queue.STATS, Padded),
        bugs=("N14",),
    ),
    Mutant(
        "statistics-32-bit",
        "keeps 32 bits of a value",
        ("balloon.device.stats-entry-size",),
        serving(Queue.STATS, Narrow),
        bugs=("N4",),
    ),
    Mutant(
        "partial-entry-refused",
        "throws figures away if the buffer ends within an entry",
        ("balloon.device.stats-partial-entry-ignored",),
        serving(Queue.STATS, WholeEntries),
    ),
    Mutant(
        "second-statistics-buffer-lost",
        "forgets the buffer that it holds when a second one comes",
        ("balloon.device.stats-second-buffer-survived",),
        serving(Queue.STATS, Overwrites),
        bugs=("F4", "Q18"),
    ),
    Mutant(
        "statistics-length-claimed",
        "uses the statistics buffer with a length other than 0",
        ("balloon.device.stats-used-length-zero", "ring.device.len-truthful"),
        ClaimsLength,
    ),
    Mutant(
        "statistics-dead-after-reset",
        "never asks for figures again once it was reset",
        ("balloon.device.stats-alive-after-reset",),
        DeadAfterReset,
        bugs=("F11", "Q17"),
    ),
    Mutant(
        "statistics-held-over-reset",
        "uses a statistics buffer that it was given before the reset",
        ("ring.device.use-only-available", "ring.device.used-id-is-head"),
        HoldsOverReset,
    ),
    Mutant(
        "ten-figures-at-most",
        "reads ten entries of a buffer, known or not, and no more",
        ("balloon.device.stats-ignore-unknown-tags",),
        serving(Queue.STATS, TenAtMost),
    ),
    Mutant(
        "tags-of-8-bits",
        "keeps the low byte of a statistic's tag",
        ("balloon.device.stats-ignore-unknown-tags",),
        serving(Queue.STATS, TagsOf8Bits),
    ),
    Mutant(
        "figures-signed",
        "takes statistics from 2^63 on for negative ones",
        ("balloon.device.stats-entry-size",),
        serving(Queue.STATS, SignedFigures),
    ),
    Mutant(
        "figures-kept",
        "goes on telling figures that the newest buffer leaves out",
        ("balloon.device.stats-no-stale-answer",),
        serving(Queue.STATS, KeepsFigures),
    ),
)
"""Mutants that take figures wrongly."""
