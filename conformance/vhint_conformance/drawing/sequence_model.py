"""Turning a recorded trace into the steps of a sequence diagram, event by event.

>>> from vhint.trace.events import Notified, StatusWritten
>>> [(step.kind.name, step.lines) for step in steps([StatusWritten(3), Notified("hinting")])]
[('TO_DEVICE', ('status ← ACKNOWLEDGE | DRIVER',)), ('TO_DEVICE', ('notify hinting',))]
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum, auto

from vhint.host.status import SEQUENCE
from vhint.spans import PAGE, Span, subtract
from vhint.trace import events as ev
from vhint.wire.features import Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus

LINE = 64
"""Characters in a line of a step."""
SPANS = 3
"""Ranges that are named before the rest is only counted."""


KEEPING = (Queue.INFLATE, Queue.FREE_PAGE)
"""Queues whose blocks stay the device's when the buffer has been used."""


class Kind(Enum):
    """Where a step is drawn."""

    TO_DEVICE = auto()
    """From the driver to the device."""
    TO_DRIVER = auto()
    """From the device to the driver."""
    DRIVER = auto()
    """Something that the driver does by itself."""
    DEVICE = auto()
    """Something that the device does by itself."""
    ASIDE = auto()
    """Nobody's: what is said about steps that are not drawn."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: where it is drawn and what stands beside it.

    `gives` and `returns` are the tickets whose blocks become the device's, or cease to be.
    `number` is the event's place in its trace, if that is to be shown, and `wrong` says that a
    violation was seen there.
    """

    kind: Kind
    lines: tuple[str, ...]
    gives: int | None = None
    returns: tuple[int, ...] = ()
    returns_all: bool = False
    number: int | None = None
    wrong: bool = False


def steps(events: Iterable[ev.Event]) -> list[Step]:
    """Return the steps of a trace in order.

    Blocks are the device's from the offer to the use of the buffer. But what is inflated stays its
    own until the use of a buffer that deflates it, and a free page hint stands until the driver
    uses the page again.
    """
    found: list[Step] = []
    kept: dict[int, tuple[Span, ...]] = {}
    deflating: dict[int, tuple[Span, ...]] = {}
    for event in events:
        step = step_of(event)
        if isinstance(event, ev.Offered) and event.queue in KEEPING and event.blocks:
            kept[event.ticket] = event.blocks
        elif isinstance(event, ev.Offered) and event.queue == Queue.DEFLATE:
            deflating[event.ticket] = event.blocks
            step = replace(step, gives=None)
        elif isinstance(event, ev.Used) and event.ticket in kept:
            step = replace(step, returns=())
        elif isinstance(event, ev.Used) and event.ticket in deflating:
            step = replace(step, returns=_leave(kept, deflating.pop(event.ticket)))
        elif isinstance(event, (ev.Touched, ev.Returned)):
            step = replace(step, returns=_leave(kept, event.spans))
        found.append(step)
    return found


def _leave(kept: dict[int, tuple[Span, ...]], spans: Sequence[Span]) -> tuple[int, ...]:
    """Take those of which every block is among the spans out of `kept`; return their tickets."""
    back = tuple(ticket for ticket, blocks in kept.items() if not subtract(blocks, spans))
    for ticket in back:
        del kept[ticket]
    return back


@functools.singledispatch
def step_of(event: ev.Event) -> Step:
    """Return the step of an event; one of a kind not known here is shown by its fields."""
    values = (f"{field.name} {getattr(event, field.name)}" for field in fields(event))
    said = ", ".join(values)
    return Step(
        Kind.DRIVER, _wrapped(f"{type(event).__name__}: {said}" if said else type(event).__name__)
    )


@step_of.register
def _(event: ev.StatusWritten) -> Step:
    return Step(Kind.TO_DEVICE, _wrapped(f"status ← {_status(event.value)}"))


@step_of.register
def _(event: ev.StatusRead) -> Step:
    return Step(Kind.TO_DRIVER, _wrapped(f"status reads {_status(event.value)}"))


@step_of.register
def _(event: ev.FeaturesOffered) -> Step:
    return Step(Kind.TO_DRIVER, _wrapped(f"offers {_features(event.bits)}"))


@step_of.register
def _(event: ev.FeaturesAccepted) -> Step:
    return Step(Kind.TO_DEVICE, _wrapped(f"accepts {_features(event.bits)}"))


@step_of.register
def _(event: ev.QueueReady) -> Step:
    return Step(
        Kind.TO_DEVICE, _wrapped(f"queue {event.index} is {event.queue}, {event.size} entries")
    )


@step_of.register
def _(event: ev.ConfigWritten) -> Step:
    return Step(Kind.TO_DEVICE, _wrapped(f"config[{event.offset}] ← {event.value:#x}"))


@step_of.register
def _(event: ev.Offered) -> Step:
    sides = [
        f"{sum(span.length for span in spans)} bytes {word}"
        for word, spans in (("to read", event.readable), ("to write", event.writable))
        if spans
    ]
    said = f": {', '.join(sides)}" if sides else ""
    lines = [*_wrapped(f"offers #{event.ticket} on {event.queue}{said}")]
    if event.blocks:
        lines += _wrapped(f"blocks {ranges(event.blocks)}")
    return Step(Kind.TO_DEVICE, tuple(lines), gives=event.ticket if event.blocks else None)


@step_of.register
def _(event: ev.Notified) -> Step:
    return Step(Kind.TO_DEVICE, (f"notify {event.queue}",))


@step_of.register
def _(event: ev.Used) -> Step:
    which = (
        f"#{event.ticket}" if event.ticket is not None else f"head {event.head}, not outstanding"
    )
    said = f"uses {which} on {event.queue}, length {event.length}"
    return Step(
        Kind.TO_DRIVER, _wrapped(said), returns=() if event.ticket is None else (event.ticket,)
    )


@step_of.register
def _(event: ev.Answered) -> Step:
    said = f"reads the answer to #{event.ticket}: {_blocks(event.accepted)} accepted"
    said += f", {_blocks(event.refused)} refused" if event.refused else ""
    return Step(Kind.DRIVER, _wrapped(said))


@step_of.register
def _(event: ev.Touched) -> Step:
    return Step(Kind.DRIVER, _wrapped(f"writes {ranges(event.spans)}"))


@step_of.register
def _(event: ev.Allocated) -> Step:
    return Step(Kind.DRIVER, _wrapped(f"allocates {ranges(event.spans)}"))


@step_of.register
def _(event: ev.Freed) -> Step:
    return Step(Kind.DRIVER, _wrapped(f"frees {ranges(event.spans)}"))


@step_of.register
def _(event: ev.Isolated) -> Step:
    return Step(Kind.DRIVER, _wrapped(f"isolates {ranges(event.spans)}"))


@step_of.register
def _(event: ev.Returned) -> Step:
    return Step(Kind.DRIVER, _wrapped(f"returns {ranges(event.spans)} to the allocator"))


@step_of.register
def _(event: ev.Discarded) -> Step:
    return Step(Kind.DEVICE, _wrapped(f"discards {ranges(event.spans)}"))


@step_of.register
def _(event: ev.Changed) -> Step:
    return Step(Kind.DEVICE, _wrapped(f"changed {ranges(event.spans)}"))


@step_of.register
def _(_event: ev.ResetDone) -> Step:
    return Step(
        Kind.DRIVER, ("the reset is done: everything is the driver's again",), returns_all=True
    )


def ranges(spans: Sequence[Span]) -> str:
    """Name ranges by their address and size.

    >>> ranges([Span(0x200000, 0x4000), Span(0x300000, 0x1000)]).replace("\N{NO-BREAK SPACE}", "_")
    '0x200000_(4_pages), 0x300000_(1_page)'
    """
    named = [f"{span.start:#x}\N{NO-BREAK SPACE}({_size(span.length)})" for span in spans[:SPANS]]
    rest = len(spans) - SPANS
    return ", ".join(named) + (f" and {rest} more" if rest > 0 else "")


def _size(length: int) -> str:
    if length % PAGE:
        return f"{length}\N{NO-BREAK SPACE}bytes"
    pages = length // PAGE
    return f"{pages}\N{NO-BREAK SPACE}page{'' if pages == 1 else 's'}"


def _blocks(spans: Sequence[Span]) -> str:
    return "1 block" if len(spans) == 1 else f"{len(spans)} blocks"


def _status(value: int) -> str:
    order = [*SEQUENCE, *(bit for bit in DeviceStatus if bit not in SEQUENCE)]
    names = [bit.name or "" for bit in order if value & bit]
    return " | ".join(names) or "0"


def _features(bits: int) -> str:
    return repr(Features(bits)).removeprefix("Features(").removesuffix(")")


def _wrapped(said: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(said, LINE, break_long_words=False, subsequent_indent="  "))
