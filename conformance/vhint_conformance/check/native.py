"""The traces of vhint's own recorder: `vhint conform TARGET --trace DIR`.

A trace may have lost its beginning or its end, but not its middle, and everything in it is
hostile: what no recorder writes ends the reading with the line and the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, product
from typing import BinaryIO, Final

from vhint.spans import Span, intersect, merge
from vhint.trace.events import (
    Answered,
    Changed,
    ConfigWritten,
    Discarded,
    Event,
    FeaturesAccepted,
    FeaturesOffered,
    Found,
    Offered,
    ResetDone,
    Settled,
    StatusRead,
    StatusWritten,
    Used,
)
from vhint.trace.recorder import TraceError, numbered_from_json
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.check.result import Doubt
from vhint_conformance.check.states import Guess, Placed

LONGEST_LINE: Final = 16 << 20
"""Bytes of a line."""
MOST_PAGES: Final = 1 << 21
"""Pages that one event, and that all requests of a trace together, may name: 8 GiB."""

UNKNOWN: Final = (Feature.MUST_TELL_HOST, Feature.PAGE_POISON, Feature.RING_PACKED)
"""Features on which verdicts depend, and which a trace without a beginning does not tell."""
AFTER_MALFORMED: Final = "after a malformed chain the device"
GOES_ON: Final = "goes on"
ASKS_FOR_RESET: Final = "asks for a reset"
"""What a device may do that is sent a chain which breaks the rules; then it owes nothing more."""
QUEUES: Final = Features.of(*(feature for feature in QUEUE_FEATURE.values() if feature is not None))
POISON_AT: Final = config.field_offset("poison_val")


@dataclass(slots=True)
class NativeTrace:
    """A trace that is being read; `problem` says why reading ended early."""

    stream: BinaryIO
    doubts: list[Doubt] = field(default_factory=list)
    problem: str = ""
    settled: bool = False
    line: int = 0
    first: int = 0
    _tickets: dict[int, str] = field(default_factory=dict)
    _outstanding: set[int] = field(default_factory=set)
    _named: tuple[Span, ...] = ()
    _pages: int = 0

    def guesses(self, *, legacy: bool | None) -> list[Guess]:
        """Return what has to be assumed of a trace whose first event is number `first`."""
        interfaces = ["modern", "legacy"] if legacy is None else ["legacy" if legacy else "modern"]
        facts = [[("interface", each) for each in interfaces]]
        choices = [((AFTER_MALFORMED, each),) for each in (GOES_ON, ASKS_FOR_RESET)]
        if self.first:
            facts += [[(feature.name, "accepted"), (feature.name, "not")] for feature in UNKNOWN]
            facts += [[("before", "live"), ("before", "not live")]]
        return [Guess(tuple(each), choice) for each in product(*facts) for choice in choices]

    def events(self) -> Iterator[tuple[int, int, Event]]:
        """Yield (line, place, event) as long as the trace is one."""
        expected: int | None = None
        while True:
            raw = self.stream.readline(LONGEST_LINE)
            if not raw:
                return
            self.line += 1
            try:
                place, event = self._read(raw)
                if expected is None:
                    self._begin(place)
                elif place != expected:
                    raise TraceError(f"event {place} where event {expected} should be")
                expected = place + 1
                made = list(self._checked(place, event))
            except TraceError as error:
                self.problem = f"line {self.line}: {error}"
                return
            self.settled = isinstance(event, Settled)
            for each in made:
                yield self.line, place, each

    def _read(self, raw: bytes) -> tuple[int, Event]:
        if len(raw) == LONGEST_LINE:
            raise TraceError(f"longer than {LONGEST_LINE} bytes")
        if not raw.endswith(b"\n"):
            raise TraceError("cut off in the middle of a line")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise TraceError(f"byte {error.start} is no UTF-8") from None
        return numbered_from_json(text)

    def _begin(self, place: int) -> None:
        if place < 0:
            raise TraceError(f"event {place}: events are numbered from 0")
        self.first = place
        if place:
            self.doubts.append(
                Doubt(
                    f"it begins with event {place}: what was negotiated, and which requests and "
                    "pages are the device's, is not told",
                    line=self.line,
                )
            )

    # What no recorder writes

    def _checked(self, place: int, event: Event) -> Iterable[Event]:
        """Return the events to judge, or raise `TraceError` for one that cannot be."""
        match event:
            case FeaturesOffered(bits) | FeaturesAccepted(bits):
                _within("bits", bits, 1 << 64)
            case StatusWritten(value) | StatusRead(value):
                _within("value", value, 1 << 8)
            case ConfigWritten():
                _within("offset", event.offset, 1 << 12)
                _within("length", event.length, 1 << 12)
            case Offered():
                self._offered(event)
            case Used():
                _before(event.since, place)
                return [*self._used(event), event]
            case Answered():
                self._spans(event.accepted, event.refused)
                if event.ticket not in self._tickets and not self.first:
                    raise TraceError(f"an answer to request {event.ticket}, which is not there")
            case Discarded() | Changed():
                _before(event.since, place)
                self._spans(event.spans)
                return self._known(event)
            case ResetDone():
                self._outstanding.clear()
            case Found():
                self.doubts.append(
                    Doubt(
                        f"whoever recorded it found {event.requirement} broken, expected "
                        f"{event.expected}, seen {event.seen}; no event shows that",
                        (event.requirement,),
                        self.line,
                    )
                )
            case _:
                self._spans(getattr(event, "spans", ()))
        return [event]

    def _offered(self, event: Offered) -> None:
        _queue(event.queue)
        if event.ticket in self._tickets:
            raise TraceError(f"request {event.ticket} is made available a second time")
        self._spans(event.readable, event.writable, event.blocks)
        self._pages += _pages(event.blocks)
        if self._pages > MOST_PAGES:
            raise TraceError(f"requests name more than {MOST_PAGES} pages: more than is kept here")
        self._tickets[event.ticket] = event.queue
        self._outstanding.add(event.ticket)
        if self.first:
            self._named = merge((*self._named, *event.blocks))

    def _used(self, event: Used) -> Iterable[Event]:
        """Return what has to be assumed before a used element."""
        _queue(event.queue)
        ticket = event.ticket
        if ticket is None or ticket in self._outstanding:
            if ticket is not None and self._tickets[ticket] != event.queue:
                raise TraceError(f"request {ticket} was of the {self._tickets[ticket]} queue")
            self._outstanding.discard(ticket) if ticket is not None else None
            return []
        if not self.first or ticket in self._tickets:
            raise TraceError(f"request {ticket} is used and not outstanding")
        self._tickets[ticket] = event.queue
        return [Offered(event.queue, ticket, event.head, (), (), (), valid=False)]

    def _known(self, event: Discarded | Changed) -> list[Event]:
        """Return what can be judged of pages, if only some of the requests are known."""
        if not self.first:
            return [event]
        known = intersect(event.spans, self._named)
        return [type(event)(known, event.since)] if known else []

    def _spans(self, *groups: Iterable[Span]) -> None:
        pages = 0
        for span in chain(*groups):
            if not 0 <= span.start < 1 << 64 or not 0 <= span.length < 1 << 64:
                raise TraceError(f"no guest physical memory is at {span.start}, {span.length}")
            pages += _pages([span])
        if pages > MOST_PAGES:
            raise TraceError(f"more than {MOST_PAGES} pages in one event: more than is kept here")


def before(guess: Guess) -> list[Placed]:
    """Return the events that stand for what a trace without a beginning does not tell."""
    facts = dict(guess.facts)
    if "before" not in facts:
        return []
    accepted = QUEUES | Features.of(
        *(feature for feature in UNKNOWN if facts[feature.name] == "accepted")
    )
    live = int(DeviceStatus.LIVE) if facts["before"] == "live" else 0
    events = (FeaturesAccepted(accepted.bits), ConfigWritten(POISON_AT, 4, 1), StatusWritten(live))
    return [(-1, event) for event in events]


def meaning(guess: Guess, place: int, event: Event) -> list[Placed] | None:
    """Return what an event of a trace means under a guess; None if it cannot be.

    A driver need not have looked at the status before it sees that the device asks for a reset.
    """
    match event:
        case FeaturesAccepted(bits) if guess["interface"] == "legacy":
            return None if Feature.VERSION_1 in Features(bits) else [(place, event)]
        case Offered(valid=False) if guess[AFTER_MALFORMED] == ASKS_FOR_RESET:
            return [(place, event), (place, StatusRead(DeviceStatus.NEEDS_RESET))]
    return [(place, event)]


def _pages(spans: Iterable[Span]) -> int:
    return sum(span.length // 4096 + 2 for span in spans if span.length)


def _queue(name: str) -> None:
    if name not in list(Queue):
        raise TraceError(f"no queue is called {name[:40]!r}")


def _before(since: int, place: int) -> None:
    if not -1 <= since < place:
        raise TraceError(f"since {since}: not a place before event {place}")


def _within(name: str, value: int, limit: int) -> None:
    if not 0 <= value < limit:
        raise TraceError(f"{name} {value}: out of range")
