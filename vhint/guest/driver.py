"""The driver half of a balloon device: puts requests into rings and takes answers out.

Without I/O: it stores into guest memory, says which queues want a notification, and says what
happened as events.  It keeps the ledger of what is outstanding, by used id alone (vhint, The
hinting virtqueue, rule 5: the id, never the cookie, selects what returns).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from vhint.guest.arena import Arena
from vhint.guest.initialise import Negotiated
from vhint.guest.requests import Draft
from vhint.ring import DriverRing, Fault, GuestMemory, RingError, driver_ring
from vhint.spans import Span
from vhint.trace.events import Event, Offered, Used
from vhint.wire import vring
from vhint.wire.features import Feature
from vhint.wire.queues import Queue

Emit = Callable[[Event], int]
"""Records an event and returns its place in the trace."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was made available: its draft, its place, and its number in the trace."""

    draft: Draft
    ticket: int
    head: int
    readable: tuple[Span, ...]
    writable: tuple[Span, ...]
    taken: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A used buffer: the request, the used length, and the bytes that the device may have written.

    `data` is as long as the used length says, or as the buffers are if it says more.
    """

    request: Request
    length: int
    data: bytes


class Driver:
    """The queues of one initialised device.

    `arena` is where requests are placed; `emit` gets the events; `tickets` numbers the requests,
    and goes on over the lives of a device.
    """

    def __init__(
        self,
        memory: GuestMemory,
        negotiated: Negotiated,
        arena: Arena,
        emit: Emit,
        tickets: Iterator[int] | None = None,
    ) -> None:
        self.memory = memory
        self.negotiated = negotiated
        self.arena = arena
        self._emit = emit
        self._tickets = count() if tickets is None else tickets
        self._looked: dict[Queue, int] = {}
        self.outstanding: dict[tuple[Queue, int], Request] = {}
        self.rings: dict[Queue, DriverRing] = {
            queue: driver_ring(
                memory, set_up.layout, event_idx=Feature.EVENT_IDX in negotiated.accepted
            )
            for queue, set_up in negotiated.queues.items()
        }

    def place(self, data: bytes, pieces: Sequence[int] = ()) -> tuple[Span, ...]:
        """Store bytes in the arena, in fragments of the sizes `pieces` and one of the rest."""
        spans: list[Span] = []
        done = 0
        for size in [*pieces, max(0, len(data) - sum(pieces))]:
            part = data[done : done + size]
            if part:
                span = self.arena.take(len(part))
                self.memory.write(span.start, part)
                spans.append(span)
                done += len(part)
        return tuple(spans)

    def make_room(self, size: int, pieces: Sequence[int] = ()) -> tuple[Span, ...]:
        """Take device-writable buffers from the arena, filled so that a write is seen."""
        return self.place(UNWRITTEN * size, pieces)

    def add(
        self,
        draft: Draft,
        *,
        readable_pieces: Sequence[int] = (),
        writable_pieces: Sequence[int] = (),
        indirect: bool = False,
        valid: bool = True,
    ) -> Request:
        """Place a request and add it to its ring; `publish` makes it available.

        Pieces fragment the two sides of the chain, which means nothing to a sound device; `valid`
        is False for a request that a device need not be able to use.  If there is no room in the
        ring or the arena it raises, and everything is as it was.
        """
        with self.arena.undoing():
            readable = self.place(draft.readable, readable_pieces)
            room = self.make_room(draft.room, writable_pieces)
            writable = draft.blocks if draft.pages_are_buffers else room
            taken = [*readable, *room]
            table = None
            if indirect:
                size = (len(readable) + len(writable)) * vring.DESCRIPTOR_STRUCT.size
                table = self.arena.take(size)
                taken.append(table)
            ring = self.rings[draft.queue]
            head = ring.add(readable, writable, indirect_at=table.start if table else None)
        return self.note(draft, head, readable, writable, tuple(taken), valid=valid)

    def note(
        self,
        draft: Draft,
        head: int,
        readable: tuple[Span, ...],
        writable: tuple[Span, ...],
        taken: tuple[Span, ...] = (),
        *,
        valid: bool = True,
    ) -> Request:
        """Enter a chain that is in the ring into the ledger and the trace.

        `valid` is False for a chain that the device need not be able to use.
        """
        request = Request(draft, next(self._tickets), head, readable, writable, taken)
        self.outstanding[draft.queue, head] = request
        self._emit(
            Offered(draft.queue, request.ticket, head, readable, writable, draft.blocks, valid)
        )
        return request

    def publish(self, queue: Queue) -> bool:
        """Make what was added available; return whether the device wants to be notified."""
        ring = self.rings[queue]
        ring.publish()
        return ring.kick_needed()

    def collect(self, queue: Queue) -> Answer | None:
        """Take the next used element; return what it answers, or None if there is none.

        An element that answers nothing is recorded and skipped; on the hinting queue it is an
        error.  Raises `RingError`, after recording it, if the used index makes no sense.
        """
        ring = self.rings[queue]
        since = self._looked.get(queue, -1)
        try:
            while (completion := ring.collect()) is not None:
                request = self.outstanding.pop((queue, completion.head), None)
                ticket = None if request is None else request.ticket
                self._emit(Used(queue, completion.head, ticket, completion.length, since))
                if request is not None:
                    return self._answer(request, completion.length)
                if queue is Queue.HINTING:  # hint.driver.bad-id-detected
                    raise RingError(Fault.USED_ID, f"id {completion.head} on the {queue} queue")
        except RingError as error:
            if error.fault is Fault.USED_JUMP:
                self._emit(Used(queue, -1, None, ring.used_index, since))
            raise
        return None

    def look(self, queue: Queue, place: int) -> bool:
        """Return whether an answer waits; if not, note that at `place` there was none."""
        if self.rings[queue].waits:
            return True
        self._looked[queue] = place
        return False

    def _answer(self, request: Request, length: int) -> Answer:
        spans = () if request.draft.pages_are_buffers else request.writable
        data = b"".join(map(self.memory.read, spans))
        self.arena.give_back(request.taken)
        return Answer(request, length, data[:length])


UNWRITTEN = b"\xa5"
"""What device-writable buffers hold before the device writes them."""
