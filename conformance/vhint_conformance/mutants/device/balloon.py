"""Faults in inflating and deflating."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from vhint.host import Discarded, PunchHoles
from vhint.host.balloon import Deflate, Inflate, PartialPages
from vhint.host.context import Context
from vhint.ring import Chain
from vhint.spans import PAGE, Span
from vhint.wire import pfn_array
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant, reclaiming, serving

CONTAINMENT = "balloon.device.inflate-containment"
EVERY = "balloon.device.inflate-use-every-buffer"
SIXTY_FOUR = 16 * PAGE


def pfns_of(context: Context, chain: Chain) -> list[int]:
    """Return what a chain names, whatever it is."""
    data = chain.read(context.memory, 1 << 20)
    return list(pfn_array.parse(data[: len(data) // 4 * 4]))


class Computes(Inflate):
    """Computes the range of a page in another way."""

    def span(self, pfn: int) -> Span:
        """Return the range."""
        return Span(pfn * PAGE, PAGE)

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard what was computed, if it is RAM."""
        pfns = pfns_of(self.context, chain)
        yield
        spans = [self.span(pfn) for pfn in pfns]
        self.context.discard([span for span in spans if self.context.memory.contains(span)])
        yield
        return 0


class Neighbourly(PunchHoles):
    """Computes the end of a range one page too far."""

    def discard(self, spans: Sequence[Span]) -> Discarded:
        """Discard one page more."""
        longer = (Span(span.start, span.length + PAGE) for span in spans if span.length)
        return super().discard([span for span in longer if self.memory.contains(span)])


class WholeHostPage(Computes):
    """Discards the 64 KiB around a page."""

    def span(self, pfn: int) -> Span:
        """Round outward."""
        return Span(pfn * PAGE // SIXTY_FOUR * SIXTY_FOUR, SIXTY_FOUR)


class AnyPartOfHostPage(Computes):
    """Discards the 64 KiB that begin with a page."""

    def span(self, pfn: int) -> Span:
        """Round the length only."""
        return Span(pfn * PAGE, SIXTY_FOUR)


class Address32(Computes):
    """Computes addresses in 32 bits."""

    def span(self, pfn: int) -> Span:
        """Wrap at 4 GiB."""
        return Span(pfn * PAGE & 0xFFFFFFFF, PAGE)


class SignedNumber(Computes):
    """Drops the highest bit of a PFN."""

    def span(self, pfn: int) -> Span:
        """Take it for a sign."""
        return Span((pfn & 0x7FFFFFFF) * PAGE, PAGE)


class Number16(Computes):
    """Keeps 16 bits of a PFN."""

    def span(self, pfn: int) -> Span:
        """Wrap at 256 MiB."""
        return Span((pfn & 0xFFFF) * PAGE, PAGE)


class EightKibibytes(Computes):
    """Takes PFNs for numbers of its own pages, which are of 8 KiB."""

    def span(self, pfn: int) -> Span:
        """Multiply by another size."""
        return Span(pfn * 2 * PAGE, 2 * PAGE)


class NextPage(Computes):
    """Counts pages from one."""

    def span(self, pfn: int) -> Span:
        """Take the page behind."""
        return Span((pfn + 1) * PAGE, PAGE)


class BigEndianNumbers(Computes):
    """Reads PFNs most significant byte first."""

    def span(self, pfn: int) -> Span:
        """Turn the number round, within RAM."""
        turned = int.from_bytes(pfn.to_bytes(4, "little"), "big")
        pages = sum(region.length for region in self.context.memory.regions) // PAGE
        return Span(turned % pages * PAGE, PAGE)


class FillsGaps(Inflate):
    """Discards everything from the lowest page of a request to the highest."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Take the pages for one range."""
        memory = self.context.memory
        pfns = [pfn for pfn in pfns_of(self.context, chain)
                if memory.contains(Span(pfn * PAGE, PAGE))]  # fmt: skip
        yield
        if pfns:
            first, last = min(pfns), max(pfns)
            self.context.discard([Span(first * PAGE, (last - first + 1) * PAGE)])
        return 0


class SixtyFourBits(Inflate):
    """Takes the array for one of 64-bit numbers."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Read every second entry, and the others as its upper half."""
        pfns = pfns_of(self.context, chain)
        yield
        spans = [Span((low + (high << 32)) * PAGE % (1 << 45), PAGE)
                 for low, high in zip(pfns[::2], pfns[1::2], strict=False)]  # fmt: skip
        odd = [Span(pfn * PAGE, 2 * PAGE) for pfn in pfns[-1:] if len(pfns) % 2]
        self.context.discard([s for s in [*spans, *odd] if self.context.memory.contains(s)])
        return 0


class NoMoreThan256(Inflate):
    """Has room for 256 PFNs and forgets a request with more."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        """Drop what is too long, and never use it."""
        if chain.readable_size > 256 * 4:
            yield
            return None
        return (yield from super().handle(chain))


class OneBufferOnly(Inflate):
    """Drops a request in more than one buffer."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        """Drop it, and never use it."""
        if len(chain.readable) > 1:
            yield
            return None
        return (yield from super().handle(chain))


class ErrorEndsQueue(Inflate):
    """Drops a request in which a PFN is not RAM."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        """Drop it, and never use it."""
        pfns = pfns_of(self.context, chain)
        if not all(self.context.memory.contains(Span(pfn * PAGE, PAGE)) for pfn in pfns):
            yield
            return None
        return (yield from super().handle(chain))


class WholeEntriesOnly(Inflate):
    """Drops a request whose length is not a multiple of 4."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        """Drop it, and never use it."""
        if chain.readable_size % 4:
            yield
            return None
        return (yield from super().handle(chain))


class ReportsSize(Inflate):
    """Uses a request with its own size."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Return how much was read."""
        yield from super().handle(chain)
        return chain.readable_size


class DiscardsLate(Inflate):
    """Discards the pages of a request when the next one comes."""

    waiting: list[Span]

    def __init__(self, context: Context, partial: PartialPages) -> None:
        super().__init__(context, partial)
        self.waiting = []

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard what waits, and let these wait."""
        pfns = pfns_of(self.context, chain)
        self.context.discard(self.waiting)
        spans = [Span(pfn * PAGE, PAGE) for pfn in pfns]
        self.waiting = [span for span in spans if self.context.memory.contains(span)]
        yield
        return 0


class DiscardsOnDeflate(Deflate):
    """Discards pages when they are deflated, so that they begin clean."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard them once more."""
        spans = [Span(pfn * PAGE, PAGE) for pfn in pfns_of(self.context, chain)]
        result = yield from super().handle(chain)
        self.context.discard([span for span in spans if self.context.memory.contains(span)])
        return result


class DiscardsAfterDeflate(Deflate):
    """Discards the pages of a deflate request when the next one comes."""

    def __init__(self, context: Context, partial: PartialPages) -> None:
        super().__init__(context, partial)
        self.waiting: list[Span] = []

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard what waits, and let these wait."""
        self.context.discard(self.waiting)
        spans = [Span(pfn * PAGE, PAGE) for pfn in pfns_of(self.context, chain)]
        self.waiting = [span for span in spans if self.context.memory.contains(span)]
        return (yield from super().handle(chain))


class NeverDeflates(Deflate):
    """Does not use deflate requests."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        """Keep it."""
        yield from super().handle(chain)
        return None


class DeflateReportsSize(Deflate):
    """Uses a deflate request with its own size."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Return how much was read."""
        yield from super().handle(chain)
        return chain.readable_size


class WritesPattern(Inflate):
    """Fills a writable buffer that somebody put into an inflate request."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Write a status nobody asked for, behind the buffer if there is none."""
        yield from super().handle(chain)
        span = chain.readable[-1] if chain.readable else None
        if span and span.length:
            self.context.memory.write(span.start, b"\1")
        return 0


MUTANTS = (
    Mutant(
        "discard-neighbour",
        "discards one page more than it was given",
        ("reporting.device.containment", CONTAINMENT, "hint.device.containment"),
        reclaiming(Neighbourly),
        bugs=("H12",),
        machine="HintPages",
    ),
    Mutant(
        "inflate-whole-host-page",
        "discards the 64 KiB around each inflated page",
        (CONTAINMENT,),
        serving(Queue.INFLATE, WholeHostPage),
        bugs=("Q1", "H2"),
    ),
    Mutant(
        "inflate-length-of-host-page",
        "discards 64 KiB from each inflated page on",
        (CONTAINMENT,),
        serving(Queue.INFLATE, AnyPartOfHostPage),
        bugs=("H12",),
    ),
    Mutant(
        "pfn-wraps-at-4-gib",
        "computes the address of an inflated page in 32 bits",
        ("balloon.device.pfn-address-width", CONTAINMENT, "balloon.device.inflate-ram-only"),
        serving(Queue.INFLATE, Address32),
        bugs=("H1",),
    ),
    Mutant(
        "pfn-signed",
        "drops the highest bit of a page number",
        (CONTAINMENT, "balloon.device.pfn-address-width", "balloon.device.inflate-ram-only"),
        serving(Queue.INFLATE, SignedNumber),
    ),
    Mutant(
        "pfn-16-bit",
        "keeps 16 bits of a page number",
        (CONTAINMENT, "balloon.device.pfn-address-width", "balloon.device.inflate-ram-only"),
        serving(Queue.INFLATE, Number16),
    ),
    Mutant(
        "pfn-of-8-kib",
        "takes page numbers for those of pages of 8 KiB",
        ("balloon.device.pfn-unit", CONTAINMENT),
        serving(Queue.INFLATE, EightKibibytes),
        bugs=("Q7",),
    ),
    Mutant(
        "pfn-counts-from-one",
        "discards the page behind each inflated one",
        (CONTAINMENT,),
        serving(Queue.INFLATE, NextPage),
    ),
    Mutant(
        "pfn-big-endian",
        "reads page numbers most significant byte first",
        (CONTAINMENT,),
        serving(Queue.INFLATE, BigEndianNumbers),
        bugs=("L2",),
    ),
    Mutant(
        "pfn-64-bit",
        "takes an inflate request for an array of 64-bit numbers",
        (CONTAINMENT,),
        serving(Queue.INFLATE, SixtyFourBits),
        bugs=("W6",),
    ),
    Mutant(
        "inflate-fills-gaps",
        "discards everything between the lowest and the highest page of a request",
        (CONTAINMENT,),
        serving(Queue.INFLATE, FillsGaps),
    ),
    Mutant(
        "inflate-256-at-most",
        "never uses an inflate request of more than 256 pages",
        (EVERY,),
        serving(Queue.INFLATE, NoMoreThan256),
        bugs=("F15",),
    ),
    Mutant(
        "inflate-one-buffer-only",
        "never uses an inflate request in more than one buffer",
        (EVERY, "ring.device.framing-independent"),
        serving(Queue.INFLATE, OneBufferOnly),
        bugs=("F16",),
    ),
    Mutant(
        "inflate-bad-pfn-dropped",
        "never uses a request in which a page is not RAM",
        ("balloon.device.bad-pfn-answered", EVERY),
        serving(Queue.INFLATE, ErrorEndsQueue),
        bugs=("F6", "H7"),
    ),
    Mutant(
        "inflate-trailing-bytes-dropped",
        "never uses a request whose length is not a multiple of 4",
        ("balloon.device.trailing-bytes-ignored",),
        serving(Queue.INFLATE, WholeEntriesOnly),
        bugs=("N19",),
    ),
    Mutant(
        "inflate-used-length-of-request",
        "uses an inflate request with the size of the request",
        ("balloon.device.used-length-zero", "ring.device.len-truthful"),
        serving(Queue.INFLATE, ReportsSize),
        bugs=("H6",),
    ),
    Mutant(
        "deflate-used-length-of-request",
        "uses a deflate request with the size of the request",
        ("balloon.device.used-length-zero", "ring.device.len-truthful"),
        serving(Queue.DEFLATE, DeflateReportsSize),
        bugs=("H6",),
    ),
    Mutant(
        "inflate-discards-late",
        "discards the pages of an inflate request when the next one comes",
        ("balloon.device.no-effect-after-inflate-use", CONTAINMENT,
         "balloon.device.no-effect-after-deflate-use"),
        serving(Queue.INFLATE, DiscardsLate),
        bugs=("F14",),
    ),
    Mutant(
        "deflate-discards",
        "discards pages once more when they are deflated",
        ("balloon.device.deflate-outside-balloon", "balloon.device.deflated-page-keeps-writes",
         "balloon.device.no-effect-after-deflate-use"),
        serving(Queue.DEFLATE, DiscardsOnDeflate),
    ),
    Mutant(
        "deflate-discards-late",
        "discards the pages of a deflate request when the next one comes",
        ("balloon.device.no-effect-after-deflate-use",
         "balloon.device.deflated-page-keeps-writes"),
        serving(Queue.DEFLATE, DiscardsAfterDeflate),
    ),
    Mutant(
        "deflate-never-used",
        "does not use deflate requests",
        ("balloon.device.deflate-use-every-buffer",),
        serving(Queue.DEFLATE, NeverDeflates),
    ),
    Mutant(
        "inflate-writes-request",
        "writes a status into the request of an inflation",
        ("ring.device.readable-never-written",),
        serving(Queue.INFLATE, WritesPattern),
    ),
)  # fmt: skip
"""Mutants that inflate and deflate wrongly."""
