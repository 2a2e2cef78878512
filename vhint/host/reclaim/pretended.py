"""Back ends that leave memory alone: one does nothing, one writes down what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vhint.host.reclaim.base import Discarded, Failure, Reclaimer
from vhint.ring import GuestMemory
from vhint.spans import Span, intersect, merge, subtract


class KeepEverything(Reclaimer):
    """Discards nothing, which is sound (`hint.device.doing-nothing-conforms`)."""

    def discard(self, spans: Sequence[Span]) -> Discarded:  # noqa: ARG002
        """Do nothing, and say so."""
        return Discarded()


class Simulated(Reclaimer):
    """Stands for a host in a model: `lose` is told of every range that goes.

    `discarded` holds every range in the order in which it went.  Ranges in `stuck` fail, as
    locked memory does.
    """

    def __init__(
        self,
        memory: GuestMemory,
        lose: Callable[[Span], None] | None = None,
        stuck: Sequence[Span] = (),
    ) -> None:
        super().__init__(memory)
        self.discarded: list[Span] = []
        self.stuck = merge(stuck)
        self._lose = lose

    def discard(self, spans: Sequence[Span]) -> Discarded:
        """Note the union of the spans, without what is stuck."""
        gone = subtract(spans, self.stuck) if self.stuck else merge(spans)
        for span in gone:
            self.discarded.append(span)
            if self._lose:
                self._lose(span)
        failed = intersect(spans, self.stuck) if self.stuck else ()
        return Discarded(gone, tuple(Failure(span, "simulated: stuck") for span in failed))
