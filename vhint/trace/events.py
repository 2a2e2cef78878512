"""What can happen between a driver and a device, as frozen values.

An event's place in the trace is its time.  What is *observed* rather than done (a used element
that was polled, a hole that was found) happened some time before it was seen: such an event has
`since`, the place in the trace of the last look that did not show it, so that it happened after
event number `since` and before the event itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from vhint.spans import Span


@dataclass(frozen=True, slots=True)
class Event:
    """Anything that a trace can hold."""


@dataclass(frozen=True, slots=True)
class StatusWritten(Event):
    """The driver wrote the device status; 0 asks for a reset."""

    value: int


@dataclass(frozen=True, slots=True)
class StatusRead(Event):
    """The driver read the device status."""

    value: int


@dataclass(frozen=True, slots=True)
class FeaturesOffered(Event):
    """The driver read the device's feature bits."""

    bits: int


@dataclass(frozen=True, slots=True)
class FeaturesAccepted(Event):
    """The driver wrote the feature bits that it accepts."""

    bits: int


@dataclass(frozen=True, slots=True)
class QueueReady(Event):
    """The driver told the device where a queue lives.

    `queue` is its name, `index` its number, `size` its entries; the spans are its three parts.
    """

    queue: str
    index: int
    size: int
    descriptors: Span
    available: Span
    used: Span


@dataclass(frozen=True, slots=True)
class ConfigWritten(Event):
    """The driver wrote a little-endian `value` of `length` bytes at `offset` of config space."""

    offset: int
    length: int
    value: int


@dataclass(frozen=True, slots=True)
class Offered(Event):
    """The driver made a descriptor chain available.

    `ticket` numbers offers over the whole trace, `head` is the descriptor chain's head.
    `readable` and `writable` are its buffers; `blocks` is the memory that the request is about,
    which belongs to the device from now on or, on the deflate queue, until it is answered.
    `valid` is False for a chain that breaks the rules, so that the device need not use it.
    """

    queue: str
    ticket: int
    head: int
    readable: tuple[Span, ...]
    writable: tuple[Span, ...]
    blocks: tuple[Span, ...] = ()
    valid: bool = True


@dataclass(frozen=True, slots=True)
class Notified(Event):
    """The driver notified the device of new buffers."""

    queue: str


@dataclass(frozen=True, slots=True)
class Used(Event):
    """An element appeared in the used ring.

    `head` is the id as the device wrote it, `ticket` the offer that it answers, or None if no
    offer is outstanding under that id; `length` is the used length in bytes.  A head of -1 stands
    for a used index that makes no sense; `length` is that index.
    """

    queue: str
    head: int
    ticket: int | None
    length: int
    since: int


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The driver read the answer to a request: which of its blocks were given up, which not.

    Of `accepted` blocks the content may be gone; `refused` blocks must be as they were.
    """

    ticket: int
    accepted: tuple[Span, ...]
    refused: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Allocated(Event):
    """The guest's allocator handed memory out: somebody in the guest uses it from now on."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Freed(Event):
    """Memory was freed: nobody in the guest relies on its content any more."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Isolated(Event):
    """The guest took free memory away from its allocator, to give it to the device."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Returned(Event):
    """Memory that had been isolated went back to the guest's allocator."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Touched(Event):
    """The driver wrote to memory that it owns; from now on it relies on the content."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Discarded(Event):
    """Pages that had content were found to have none."""

    spans: tuple[Span, ...]
    since: int


@dataclass(frozen=True, slots=True)
class Changed(Event):
    """Bytes that the driver had written were found to be different."""

    spans: tuple[Span, ...]
    since: int


@dataclass(frozen=True, slots=True)
class ResetDone(Event):
    """Status read back 0: every queue is gone and every buffer is the driver's again."""


@dataclass(frozen=True, slots=True)
class Found(Event):
    """Whoever made the exchange found a requirement broken, by what need not be in the trace.

    `requirement` is its slug; the rest completes "where: expected ..., seen ...".
    """

    requirement: str
    expected: str
    seen: str
    where: str


@dataclass(frozen=True, slots=True)
class Settled(Event):
    """The device was given time to come to rest, and everything was looked at once more.

    What it owes and has not done by now it does not do.
    """


EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        StatusWritten,
        StatusRead,
        FeaturesOffered,
        FeaturesAccepted,
        QueueReady,
        ConfigWritten,
        Offered,
        Notified,
        Used,
        Answered,
        Allocated,
        Freed,
        Isolated,
        Returned,
        Touched,
        Discarded,
        Changed,
        ResetDone,
        Found,
        Settled,
    )
}
"""Event name, as it stands in a trace file, to its class."""
