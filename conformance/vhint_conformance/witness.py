"""What is kept of an exchange while it happens, so that a failure can be shown later.

The trace names memory and does not hold it.  The witness takes a copy of the bytes of requests and
answers, of each no more than the beginning, and notes at which event which violation was seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vhint.spans import Span
from vhint.trace import Event, Recorder
from vhint.trace.events import Offered, Used
from vhint_conformance.oracle.monitor import Monitor
from vhint_conformance.verdict import Violation

MOST_BYTES = 256
"""Bytes kept of one side of a chain."""
MOST_PAYLOADS = 512
"""Sides of chains kept, the newest of them."""


class Readable(Protocol):
    """Guest memory that can be read without making pages of its holes."""

    def peek(self, span: Span) -> bytes:
        """Return the bytes of a span, or raise."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The beginning of one side of a chain, as it was at event number `place`.

    `side` is "request" for what the device reads and "answer" for what it may write; `size` is how
    many bytes the buffers have.
    """

    place: int
    ticket: int
    queue: str
    side: str
    size: int
    data: bytes


class Witness:
    """Looks at the events of a recorder once it is told to `begin`."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.payloads: deque[Payload] = deque(maxlen=MOST_PAYLOADS)
        #: What the monitors reported, at the event at which they did.
        self.seen: list[tuple[int, Violation]] = []
        #: What the case itself found, after which event.
        self.blamed: list[tuple[int, Violation]] = []
        self._memory: Readable | None = None
        self._monitors: Sequence[Monitor] = ()
        self._reported = 0
        self._answers: dict[int, Offered] = {}

    def begin(self, memory: Readable, monitors: Sequence[Monitor] = ()) -> None:
        """Listen from now on, which is after the monitors."""
        self._memory = memory
        self._monitors = monitors
        self.recorder.listen(self.see)

    def see(self, place: int, event: Event) -> None:
        """Keep the bytes that an event is about, and what the monitors have just reported."""
        if isinstance(event, Offered):
            self._keep(place, event, "request", event.readable)
            # Pages that are the buffers themselves are content and no format.
            if event.writable and event.writable != event.blocks:
                self._answers[event.ticket] = event
        elif isinstance(event, Used) and event.ticket is not None:
            offer = self._answers.pop(event.ticket, None)
            if offer is not None:
                self._keep(place, offer, "answer", offer.writable)
        if sum(len(monitor.violations) for monitor in self._monitors) > self._reported:
            found = [each for monitor in self._monitors for each in monitor.violations]
            self._reported = len(found)
            known = {violation for _, violation in self.seen}
            self.seen += [(place, each) for each in found if each not in known]

    def blame(self, violations: Iterable[Violation]) -> None:
        """Note that a case has found these just now, which is after the last event."""
        self.blamed += [(self.recorder.last, each) for each in violations]

    def _keep(self, place: int, offer: Offered, side: str, spans: Sequence[Span]) -> None:
        if not spans or self._memory is None:
            return
        parts: list[bytes] = []
        left = MOST_BYTES
        try:
            for span in spans:
                size = min(span.length, left)
                parts.append(self._memory.peek(Span(span.start, size)) if size > 0 else b"")
                left -= size
                if left <= 0:
                    break
        except (ValueError, OSError):
            pass  # a hostile chain leads out of guest memory
        size = sum(span.length for span in spans)
        self.payloads.append(Payload(place, offer.ticket, offer.queue, side, size, b"".join(parts)))
