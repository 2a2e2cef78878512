"""The statistics queue, the driver's half: one buffer, whole entries, always the same tags."""

from __future__ import annotations

from collections.abc import Sequence

from vhint.ring import GuestMemory
from vhint.trace.events import Event, Offered, ResetDone, Used
from vhint.wire import statistics
from vhint.wire.queues import Queue
from vhint.wire.statistics import ENTRY_SIZE
from vhint_conformance.oracle.monitor import Monitor


class StatisticsRules(Monitor):
    """Looks at every statistics buffer."""

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__()
        self._memory = memory
        self._outstanding: set[int] = set()
        self._tags: Sequence[int] | None = None

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Judge one event."""
        match event:
            case Offered(queue=Queue.STATS):
                self._offered(event)
            case Used(queue=Queue.STATS, ticket=ticket) if ticket is not None:
                self._outstanding.discard(ticket)
            case ResetDone():
                self._outstanding.clear()
            case _:
                pass

    def _offered(self, event: Offered) -> None:
        if self._outstanding:
            slug = "balloon.driver.stats-single-buffer"
            self.report(slug, "one buffer available at most", "a second one")
        self._outstanding.add(event.ticket)
        data = b"".join(map(self._memory.read, event.readable))
        if not data or event.writable:
            slug = "balloon.driver.stats-initialise-buffer"
            seen = f"{len(data)} readable bytes, {len(event.writable)} writable buffers"
            self.report(slug, "device-readable entries and nothing else", seen)
        if len(data) % ENTRY_SIZE:
            slug = "balloon.driver.stats-size-multiple"
            self.report(slug, f"a multiple of {ENTRY_SIZE} bytes", f"{len(data)} bytes")
            return
        every = [int(entry.tag) for entry in statistics.parse(data)]
        tags = sorted(set(every))
        if twice := sorted(tag for tag in tags if every.count(tag) > 1):
            slug = "balloon.driver.stats-initialise-buffer"
            self.report(slug, "one entry for each statistic", f"several with the tags {twice}")
        if self._tags is not None and tags != self._tags:
            slug = "balloon.driver.stats-same-subset"
            self.report(slug, f"the tags {self._tags} in every buffer", str(tags))
        self._tags = tags
