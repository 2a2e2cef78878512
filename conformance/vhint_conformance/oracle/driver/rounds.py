"""Rounds of free page hinting as the device sees them: which id is sent, and when."""

from __future__ import annotations

from vhint.spans import Span
from vhint.trace.events import Event, Offered, ResetDone
from vhint.wire.command import SIZE, STOP
from vhint.wire.queues import Queue
from vhint_conformance.model.driver_rules import RoundRules


class CommandRules(RoundRules):
    """The rules of a round, and that the id is the one which config space shows.

    The bench calls `shown` whenever it changes `free_page_hint_cmd_id`.
    """

    def _released(self, spans: tuple[Span, ...]) -> None:
        """Forget pages that came back, whenever: a device does not see who wrote them since."""
        for number in self._known(spans):
            del self._held[number]

    _shows: tuple[int, ...] = (0,)

    def shown(self, value: int) -> None:
        """Learn what config space shows now; a driver may have read what it showed before."""
        super().shown(value)
        self._shows = (self._shows[-1], value)

    def settled(self) -> None:
        """Learn that the driver has had every chance to read what config space shows."""
        self._shows = self._shows[-1:]

    def see(self, place: int, event: Event) -> None:
        """Judge one event."""
        super().see(place, event)
        match event:
            case Offered(queue=Queue.FREE_PAGE):
                self._look(event)
            case ResetDone():
                self._shows = self._shows[-1:]
            case _:
                pass

    def _look(self, event: Offered) -> None:
        if event.readable and event.writable:
            self.report(
                "free-page-hint.driver.one-page-block-a-buffer",
                "pages apart from command ids",
                "both in one chain",
            )
        elif len(event.writable) > 1:
            self.report(
                "free-page-hint.driver.one-page-block-a-buffer",
                "one block of pages in a chain",
                f"{len(event.writable)} buffers",
            )
        sent = b"".join(map(self._memory.read, event.readable))
        if len(sent) != SIZE:
            return
        value = int.from_bytes(sent, "little")
        if value == STOP.value or value in self._shows:
            return
        swapped = int.from_bytes(sent, "big") in self._shows
        slug = "id-little-endian" if swapped else "current-id-read"
        self.report(
            f"free-page-hint.driver.{slug}",
            f"the id that config space shows, {self._shows[-1]}",
            f"{value}",
        )
