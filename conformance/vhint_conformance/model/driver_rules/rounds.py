"""Rounds of free page hinting, as the driver has to run them."""

from __future__ import annotations

from vhint.ring import GuestMemory
from vhint.spans import Span
from vhint.trace.events import Allocated, Event, Offered, ResetDone, Returned, Touched
from vhint.wire.command import DONE, SIZE, STOP
from vhint.wire.queues import Queue
from vhint_conformance.oracle.monitor import Monitor


class RoundRules(Monitor):
    """Follows the commands on the hinting queue, and the pages until they are released.

    Whoever watches the device's config space says by `shown` which command id stands there.
    """

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__()
        self._memory = memory
        self._sent: set[int] = set()
        self._open = False
        self._done = False
        self._held: dict[int, bool] = {}

    def shown(self, value: int) -> None:
        """Learn what config space shows now: with DONE every page may be released as it is."""
        self._done = value == DONE.value
        if self._done:
            self._held = dict.fromkeys(self._held, True)

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Judge one event."""
        match event:
            case Offered(queue=Queue.FREE_PAGE):
                self._released(event.blocks)  # what is named anew was released before
                self._offered(event)
            case Offered():
                self._released(event.blocks)
            case Touched(spans):
                for number in self._known(spans):
                    self._held[number] = True
            case Returned(spans) | Allocated(spans):
                self._released(spans)
            case ResetDone():
                self._sent.clear()
                self._held.clear()
                self._open = False
            case _:
                pass

    def _offered(self, event: Offered) -> None:
        sent = b"".join(map(self._memory.read, event.readable))
        if event.readable:
            self._command(sent)
        if event.blocks and not self._open:
            self.report(
                "free-page-hint.driver.id-first",
                "the command id before any page of its round",
                "pages with no round begun",
                str(event.blocks[0]),
            )
        for span in event.blocks:
            self._held.update(dict.fromkeys(span.pages(), self._done))

    def _command(self, sent: bytes) -> None:
        if len(sent) != SIZE:
            slug = "free-page-hint.driver.command-size"
            self.report(slug, "a command of 4 bytes", f"{len(sent)} bytes")
            return
        value = int.from_bytes(sent, "little")
        if value == STOP.value:
            self._open = False
            return
        if value in self._sent:
            slug = "free-page-hint.driver.id-once"
            self.report(slug, f"command id {value} sent once", "sent again")
        elif self._open:
            self._unfinished(f"id {value} sent with the round before still open")
        self._sent.add(value)
        self._open = True

    def _released(self, spans: tuple[Span, ...]) -> None:
        for number in self._known(spans):
            if not self._held.pop(number):
                self.report(
                    "free-page-hint.driver.initialise-early-release",
                    "a page that is released before DONE to be written first",
                    "released as it was",
                    f"page {number:#x}",
                )

    def finish(self) -> None:
        """Judge a round that was never ended though its pages have all gone back."""
        if self._open and not self._held:
            self._unfinished("the end, with no STOP sent")

    def _unfinished(self, seen: str) -> None:
        slug = "free-page-hint.driver.finish-with-stop"
        self.report(slug, "STOP when there are no more pages to supply", seen)

    def _known(self, spans: tuple[Span, ...]) -> list[int]:
        return [number for span in spans for number in span.pages() if number in self._held]
