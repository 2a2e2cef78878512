"""What a request must look like, and that its memory stays as it is until it is used."""

from __future__ import annotations

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span
from vhint.trace.events import (
    ConfigWritten,
    Event,
    FeaturesAccepted,
    Offered,
    QueueReady,
    ResetDone,
    Returned,
    StatusWritten,
    Used,
)
from vhint.wire import config, hint_ack
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.oracle.monitor import Monitor

POISON_FIRST = {
    Queue.HINTING: "hint.driver.poison-fill-first",
    Queue.REPORTING: "reporting.driver.poison-before-report",
}
KEPT = {
    Queue.HINTING: "hint.driver.request-memory-stable",
    Queue.INFLATE: "balloon.driver.unacknowledged-kept",
    Queue.DEFLATE: "balloon.driver.unacknowledged-kept",
}
"""What is broken by changing the memory of a request before it is used."""

UNALTERED = "ring.driver.no-alter-exposed"
"""What is broken by changing anything else of a chain that is outstanding."""

COOKIE = slice(8, 16)
INDEX = 2
"""Where the index stands in the available ring."""


class RequestRules(Monitor):
    """Looks at every request when it is offered, and again when it is used."""

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__()
        self._memory = memory
        self._accepted = Features(0)
        self._poison: int | None = None
        self._structures: dict[str, tuple[Span, ...]] = {}
        self._outstanding: dict[int, tuple[Offered, bytes]] = {}
        self._deflated: set[int] = set()
        self._rings: dict[str, Span] = {}

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Judge one event."""
        match event:
            case FeaturesAccepted(bits):
                self._accepted = Features(bits)
            case ConfigWritten(offset, _, value) if offset == config.field_offset("poison_val"):
                self._poison = value
            case QueueReady():
                # A queue that is set up once more lies where it lies now.
                self._structures[event.queue] = (event.descriptors, event.available, event.used)
                self._rings[event.queue] = event.available
            case StatusWritten(value) if value & DeviceStatus.DRIVER_OK:
                self._started()
            case Offered():
                self._offered(event)
            case Used(ticket=ticket) if ticket is not None:
                self._used(ticket)
            case Returned(spans) if self._deflated:
                self._filled_after_deflate(spans)
            case ResetDone():
                self._outstanding.clear()
                self._structures.clear()
                self._rings.clear()
                self._deflated.clear()
                self._accepted = Features(0)
                self._poison = None
            case _:
                pass

    @property
    def _keeps_poison(self) -> bool:
        return Feature.PAGE_POISON in self._accepted and self._poison is not None

    def _started(self) -> None:
        """See that no ring holds what nobody has made available in this life."""
        for queue, available in self._rings.items():
            index = self._memory.load16(available.start + INDEX)
            if index > sum(offer.queue == queue for offer, _ in self._outstanding.values()):
                self.report(
                    "virtio.driver.initialisation-order",
                    "queues set up before DRIVER_OK, empty but for what was made available",
                    f"an available index of {index}",
                    f"{queue} queue",
                )

    def _offered(self, event: Offered) -> None:
        queue = Queue(event.queue)
        own = _own(event)
        buffers = list(own)
        for offer, _ in self._outstanding.values():
            if offer.queue == Queue.FREE_PAGE:
                continue  # one buffer may hold all command ids: the rules of rounds judge them
            theirs = _own(offer)
            buffers += theirs
            if any(mine.overlaps(other) for mine in own for other in theirs):
                self.report(
                    KEPT.get(Queue(offer.queue), UNALTERED),
                    "the memory of an outstanding request left alone",
                    f"a new request on the {queue} queue placed over it",
                    str(theirs[0]),
                )
        rings = [part for parts in self._structures.values() for part in parts]
        for span in event.blocks:
            if any(span.overlaps(part) for part in (*rings, *buffers)):
                slug = "hint.driver.never-name-own-structures"
                self.report(slug, "no ring and no request named", "named", str(span))
        sent = b"".join(map(self._memory.read, event.readable))
        if queue is Queue.HINTING:
            self._hint(event, sent)
        if queue in POISON_FIRST and self._keeps_poison:
            self._filled(POISON_FIRST[queue], event.blocks)
        if queue is Queue.DEFLATE:
            self._deflated |= {number for span in event.blocks for number in span.pages()}
        if queue is Queue.REPORTING and event.readable:
            slug = "reporting.driver.buffers-device-writable"
            self.report(slug, "device-writable buffers only", "device-readable ones")
        self._outstanding[event.ticket] = (event, sent)

    def _hint(self, event: Offered, sent: bytes) -> None:
        room = sum(span.length for span in event.writable)
        if room < hint_ack.HEADER_SIZE:
            slug = "hint.driver.room-for-acknowledgement"
            self.report(slug, "at least 16 device-writable bytes", str(room))
        cookie = sent[COOKIE]
        if not any(cookie):
            self.report("hint.driver.cookie-nonzero", "a cookie other than 0", "0")
        for offer, other in self._outstanding.values():
            if offer.queue == Queue.HINTING and other[COOKIE] == cookie:
                value = int.from_bytes(cookie, "little")
                slug = "hint.driver.cookie-unique"
                self.report(slug, "another cookie than what is outstanding", f"{value:#x} again")

    def _used(self, ticket: int) -> None:
        offer, sent = self._outstanding.pop(ticket, (None, b""))
        if offer is None or offer.queue == Queue.FREE_PAGE:
            return
        if b"".join(map(self._memory.read, offer.readable)) != sent:
            self.report(
                KEPT.get(Queue(offer.queue), UNALTERED),
                "the request's bytes unchanged until it is used",
                "other bytes",
                f"{offer.queue} queue, {offer.readable[0]}",
            )

    def _filled(self, slug: str, spans: tuple[Span, ...]) -> None:
        word = (self._poison or 0).to_bytes(4, "little")
        for span in spans:
            for number in span.pages():
                if self._memory.peek(Span(number * PAGE, PAGE)) != word * (PAGE // 4):
                    seen = "something else in it"
                    self.report(
                        slug, f"a page full of {self._poison:#x}", seen, f"page {number:#x}"
                    )

    def _filled_after_deflate(self, spans: tuple[Span, ...]) -> None:
        back = [span for span in spans if self._deflated.intersection(span.pages())]
        self._deflated.difference_update(number for span in back for number in span.pages())
        if self._keeps_poison:
            self._filled("balloon.driver.poison-fill-deflated", tuple(back))


def _own(offer: Offered) -> tuple[Span, ...]:
    """Return the memory of a request itself, without the pages that it is about."""
    return (*offer.readable, *(() if offer.writable == offer.blocks else offer.writable))
