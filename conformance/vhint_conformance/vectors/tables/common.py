"""What the tables of hinting and balloon vectors share: memory, settings, answers, cuts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from vhint.spans import Span, block, merge
from vhint_conformance.vectors.message import Message
from vhint_conformance.vectors.model import ErrorKind, Expected, Fault, Setting, Vector

LOW = Span(0, 0x200000)
HIGH = Span(1 << 32, 0x400000)
TOP = Span((1 << 64) - 0x100000, 0x100000)
STRUCTURES = Span(0x40000, 0x40000)

STATS_VQ, PAGE_POISON, PAGE_REPORTING, HINTING, HINTING_BITMAP, VERSION_1 = 1, 4, 5, 22, 23, 32
ALL = (0, STATS_VQ, PAGE_REPORTING, HINTING, HINTING_BITMAP, VERSION_1)

DEFAULT = Setting(
    "two regions of memory, one of them above 4 GiB, and the smallest limits",
    (LOW, HIGH),
    STRUCTURES,
    ALL,
)
SETTINGS: dict[str, Setting] = {
    "default": DEFAULT,
    "top": replace(DEFAULT, comment="memory up to the last page below 2^52", ram=(LOW, HIGH, TOP)),
    "order-4": replace(
        DEFAULT, comment="host pages of 64 KiB", host_page=0x10000, hint_min_order=4
    ),
    "order-9": replace(
        DEFAULT, comment="host pages of 2 MiB", host_page=0x200000, hint_min_order=9
    ),
    "no-bitmap": replace(
        DEFAULT,
        comment="HINTING_BITMAP is not negotiated",
        accepted=tuple(bit for bit in ALL if bit != HINTING_BITMAP),
    ),
    "poison": replace(
        DEFAULT,
        comment="PAGE_POISON is negotiated, and a discarded page would not read as poison_val",
        accepted=tuple(sorted((*ALL, PAGE_POISON))),
        poison_val=0xAAAAAAAA,
    ),
}

MALFORMED = ("MALFORMED",)
UNSUPPORTED = ("UNSUPPORTED",)
EITHER = ("MALFORMED", "UNSUPPORTED")


def accepts(*blocks: tuple[int, int], requirements: tuple[str, ...] = ()) -> Expected:
    """Expect any answer to a valid request; only whole (pfn, order) blocks may be discarded."""
    statuses = ("INHIBITED", "OK", "PARTIAL") if blocks else ("OK",)
    spans = merge(block(pfn, order) for pfn, order in blocks)
    return Expected(statuses=statuses, may_discard=spans, requirements=requirements)


def refuses(statuses: tuple[str, ...], *requirements: str) -> Expected:
    """Expect one of these answers, and that nothing is touched."""
    return Expected(statuses=statuses, may_discard=(), requirements=requirements)


def short(message: Message, length: int) -> Fault:
    """Give the first offence of the message's first `length` bytes."""
    return Fault(ErrorKind.SHORT_INPUT, *message.at(length))


def cuts(message: Message, lengths: Iterable[int] = ()) -> Iterator[tuple[int, Fault]]:
    """Yield lengths at which the message is cut, with their offence.

    By default: before and one byte into every field (so that a one-byte field is cut once).
    """
    size = len(message.data)
    starts = message.starts()
    chosen = set(lengths) or {at for start in starts for at in (start, start + 1) if at < size}
    for length in sorted(chosen):
        yield length, short(message, length)


def cut_vectors(
    message: Message,
    lengths: Iterable[int] = (),
    *,
    stem: str = "short-at",
    **given: object,
) -> list[Vector]:
    """Make a vector of every cut of a message."""
    return [
        Vector(
            f"{stem}-{length}",
            f"the first {length} of {len(message.data)} bytes",
            message.data[:length],
            fault=fault,
            **given,  # type: ignore[arg-type]
        )
        for length, fault in cuts(message, lengths)
    ]


def trailing(message: Message) -> Fault:
    """Give the offence of bytes after the message."""
    whole = Message(message.fields)
    return Fault(ErrorKind.TRAILING_BYTES, "", len(whole.data))
