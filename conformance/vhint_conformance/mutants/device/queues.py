"""Faults in numbering queues and in their sizes."""

from __future__ import annotations

from vhint.host import Device
from vhint.ring import Layout, SplitLayout
from vhint.wire.queues import Queue, queue_map
from vhint_conformance.mutants.base import Mutant

FOLLOWS = "balloon.device.queue-map-follows-offer"


class Renumbered(Device):
    """Exchanges the numbers of two queues if both exist."""

    pair: tuple[Queue, Queue]

    def _indices(self) -> dict[Queue, int]:
        found = dict(super()._indices())
        one, other = self.pair
        if one in found and other in found:
            found[one], found[other] = found[other], found[one]
        return found


class InflateSecond(Renumbered):
    """Puts deflate before inflate."""

    pair = (Queue.INFLATE, Queue.DEFLATE)


class StatsAfterReporting(Renumbered):
    """Puts statistics where reporting belongs."""

    pair = (Queue.STATS, Queue.REPORTING)


class HintingBeforeReporting(Renumbered):
    """Puts the hinting queue before the last."""

    pair = (Queue.REPORTING, Queue.HINTING)


class RoundsForReports(Renumbered):
    """Takes the queue of rounds for that of reports."""

    pair = (Queue.REPORTING, Queue.FREE_PAGE)


class FixedReporting(Device):
    """Takes 4 for the number of reporting, whatever else exists, and counts the rest."""

    def _indices(self) -> dict[Queue, int]:
        found = dict(super()._indices())
        if Queue.REPORTING in found and Queue.STATS not in found:
            found[Queue.REPORTING] = 2
        return found


class ServesUnaccepted(Device):
    """Serves every queue that it offers, accepted or not."""

    def _indices(self) -> dict[Queue, int]:
        offered = self.options.offered
        return queue_map(self.options.queue_mode, offered, offered)

    def _known_indices(self) -> frozenset[int]:
        return frozenset(self._indices().values())


class OddSize(Device):
    """Says that its queues have 200 entries."""

    def queue_max(self, index: int) -> int:
        """Return a number that is no power of two."""
        return 200 if super().queue_max(index) else 0


class QueueEverywhere(Device):
    """Says of every number that there is a queue."""

    def queue_max(self, index: int) -> int:  # noqa: ARG002
        """Return the size."""
        return self.options.queue_size


class OwnSize(Device):
    """Uses its own size of a queue, not the driver's."""

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Take the places, and not the size."""
        if not isinstance(layout, SplitLayout):
            return super().set_up_queue(index, layout)
        own = SplitLayout(
            self.options.queue_size, layout.descriptors, layout.available, layout.used
        )
        return super().set_up_queue(index, own)


class ReadyAfterReset(Device):
    """Says that queues are ready which a reset disabled."""

    def __init__(self, *arguments: object) -> None:
        self.ready: set[int] = set()
        super().__init__(*arguments)  # type: ignore[arg-type]

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Remember it."""
        done = super().set_up_queue(index, layout)
        if done:
            self.ready.add(index)
        return done

    def queue_ready(self, index: int) -> bool:
        """Return whether it ever was."""
        return super().queue_ready(index) or index in self.ready


MUTANTS = (
    Mutant(
        "inflate-second",
        "puts deflate before inflate",
        ("balloon.device.queue-first-two", "balloon.device.deflate-outside-balloon"),
        InflateSecond,
    ),
    Mutant(
        "statistics-after-reporting",
        "takes optional queues in another order than the standard's",
        (FOLLOWS,),
        StatsAfterReporting,
        bugs=("C2", "C4"),
    ),
    Mutant(
        "hinting-before-reporting",
        "numbers the hinting queue before reporting",
        ("hint.device.queue-index", FOLLOWS),
        HintingBeforeReporting,
        bugs=("C4",),
    ),
    Mutant(
        "rounds-for-reports",
        "takes the queue of rounds for that of reports",
        (FOLLOWS,),
        RoundsForReports,
        bugs=("C4",),
    ),
    Mutant(
        "reporting-follows-first-two",
        "numbers reporting as the first optional queue when statistics are not accepted",
        (FOLLOWS,),
        FixedReporting,
        bugs=("K2",),
    ),
    Mutant(
        "unaccepted-queue-served",
        "serves every queue that it offers, accepted or not",
        ("balloon.device.unaccepted-queue-idle",),
        ServesUnaccepted,
    ),
    Mutant(
        "queue-size-200",
        "offers queues of a size that is no power of two",
        ("virtio.device.queue-size-power-of-two",),
        OddSize,
    ),
    Mutant(
        "queue-everywhere",
        "says of every number that there is a queue",
        ("virtio.device.absent-queue-size-zero",),
        QueueEverywhere,
    ),
    Mutant(
        "own-queue-size",
        "uses its own size of a queue instead of the driver's",
        ("virtio.device.smaller-queue-size-honoured",),
        OwnSize,
    ),
    Mutant(
        "queue-ready-after-reset",
        "says that queues are ready which a reset has disabled",
        ("virtio.device.reset-disables-queues",),
        ReadyAfterReset,
    ),
)
"""Mutants that number or size their queues wrongly."""
