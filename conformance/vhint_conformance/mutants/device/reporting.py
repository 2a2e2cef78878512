"""Faults in free page reporting."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from vhint.host import Device, Discarded, PunchHoles
from vhint.host.reporting import Reporting
from vhint.host.work import Line
from vhint.ring import Chain, GuestMemory
from vhint.spans import PAGE, Span, merge
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant, serving

CONTAINMENT = "reporting.device.containment"
EVERY = "reporting.device.use-every-buffer"
AFTER_USE = "reporting.device.no-effect-after-use"


class Deferred(PunchHoles):
    """Keeps discards back until it is told to do them."""

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__(memory)
        self._waiting: list[Span] = []

    def discard(self, spans: Sequence[Span]) -> Discarded:
        """Note them."""
        self._waiting.extend(spans)
        return Discarded(tuple(spans))

    def flush(self) -> None:
        """Do them."""
        super().discard(self._waiting)
        self._waiting.clear()


class AcknowledgesFirst(Device):
    """Uses the buffer, and discards when it gets round to it."""

    def __init__(self, memory: GuestMemory) -> None:
        self._deferred = Deferred(memory)
        super().__init__(memory, reclaim=self._deferred)

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Do all the rest first, and then the discards."""
        for _ in super().serve(name, line):
            yield
        self._deferred.flush()


class DiscardsWhenKicked(AcknowledgesFirst):
    """Discards, when it is notified again, what it acknowledged before."""

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Discard the old first."""
        self._deferred.flush()
        yield from Device.serve(self, name, line)


class DiscardsAfterReset(Device):
    """Carries out the discards that were under way after the reset."""

    def __init__(self, memory: GuestMemory) -> None:
        self._deferred = Deferred(memory)
        super().__init__(memory, reclaim=self._deferred)

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Discard in time if nothing comes between."""
        self._deferred.flush()
        super().complete(name, line, head, length)

    def step(self, queue: Queue | None = None) -> bool:
        """Discard, once there is nothing else to do, what the reset left."""
        if not self.lines:
            self._deferred.flush()
        return super().step(queue)


class Outward(Reporting):
    """Rounds the ranges outward to pages."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard every page of which a byte was reported."""
        yield
        for span in chain.writable:
            start = span.start // PAGE * PAGE
            whole = Span(start, -(-span.end // PAGE) * PAGE - start)
            if span.length and self.context.memory.contains(whole):
                self.context.discard([whole])
        return 0


class JoinsHalves(Reporting):
    """Puts ranges together that meet, and then rounds inward."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Join first."""
        yield
        if not self.context.keeps_poison:
            self.context.discard(merge(chain.writable))
        return 0


class LengthUp(Reporting):
    """Rounds the start down and keeps the length."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Move the range."""
        yield
        for span in chain.writable:
            moved = Span(span.start // PAGE * PAGE, -(-span.length // PAGE) * PAGE)
            if self.context.memory.contains(moved):
                self.context.discard([moved])
        return 0


class Huge(Reporting):
    """Discards the 2 MiB around each report."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Round outward to huge pages, unless there is a poison to keep."""
        yield
        size = 512 * PAGE
        for span in chain.writable:
            whole = Span(span.start // size * size, size)
            sound = span.length and self.context.memory.contains(whole)
            if sound and not self.context.keeps_poison:
                self.context.discard([whole])
        return 0


class SumOfLengths(Reporting):
    """Takes the sum of all buffers for the length of the first."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard one range."""
        yield
        if chain.writable:
            span = Span(chain.writable[0].start, chain.writable_size)
            if self.context.memory.contains(span):
                self.context.discard([span])
        return 0


class MixesLengths(Reporting):
    """Pairs the address of each buffer with the length of the first."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard the wrong lengths."""
        yield
        spans = [Span(span.start, chain.writable[0].length) for span in chain.writable]
        self.context.discard([span for span in spans if self.context.memory.contains(span)])
        return 0


class ReadableToo(Reporting):
    """Takes device-readable buffers for reported pages."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard them all."""
        yield
        self.context.discard([*chain.readable, *chain.writable])
        return 0


class SmallDropped(Reporting):
    """Never uses a report with less than a page in it."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        """Drop it."""
        if any(span.length < PAGE for span in chain.writable):
            yield
            return None
        return (yield from super().handle(chain))


class UnalignedDropped(Reporting):
    """Never uses a report that is not aligned."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        """Drop it."""
        if any(span.start % PAGE or span.length % PAGE for span in chain.writable):
            yield
            return None
        return (yield from super().handle(chain))


class At32(Reporting):
    """Never uses a report of more than 32 ranges."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        """Drop it."""
        if len(chain.writable) > 32:
            yield
            return None
        return (yield from super().handle(chain))


class ClaimsPages(Reporting):
    """Uses a report with the size of its pages."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Claim to have written them."""
        yield from super().handle(chain)
        return chain.writable_size


class WritesStatus(Reporting):
    """Writes a status into the page that it was given, after it has discarded it."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Write one byte where the request of another queue would have one."""
        yield from super().handle(chain)
        if chain.writable and chain.writable[-1].length:
            behind = Span(chain.writable[-1].end, 1)
            if self.context.memory.contains(behind):
                self.context.memory.write(behind.start, b"\1")
        return 0


class ForgetsOverflow(Device):
    """Leaves reports that come while it works on another for the next notification."""

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Serve as many as there were at the start, at most 8."""
        if name is not Queue.REPORTING:
            yield from super().serve(name, line)
            return
        for _ in range(min(8, line.ring.pending)):
            chain = line.ring.pop()
            if chain is None:
                return
            yield
            length = yield from line.handler.handle(chain)
            if length is not None:
                self.complete(name, line, chain.head, length)
                yield


class Batched(Device):
    """Uses reports in pairs, and keeps a single one until the next comes."""

    waiting: list[tuple[int, int]]

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Wait for a second."""
        if name is not Queue.REPORTING:
            super().complete(name, line, head, length)
            return
        self.waiting.append((head, length))
        if len(self.waiting) == 2:
            for each in self.waiting:
                super().complete(name, line, *each)
            self.waiting = []

    def _begin(self) -> None:
        super()._begin()
        self.waiting = []


MUTANTS = (
    Mutant(
        "ack-before-discard",
        "uses the buffer before it discards the pages, which may be in use again by then",
        (AFTER_USE, "hint.device.no-effect-after-use",
         "balloon.device.no-effect-after-inflate-use"),
        AcknowledgesFirst,
        bugs=("F14",),
        machine="PlainPages",
    ),
    Mutant(
        "discards-when-kicked-again",
        "discards, when it is notified again, what it has acknowledged before",
        (AFTER_USE, "hint.device.no-effect-after-use", "hint.device.content-stable-after-use",
         "balloon.device.no-effect-after-inflate-use", "reporting.device.page-usable-after-use"),
        DiscardsWhenKicked,
        bugs=("F14",),
    ),
    Mutant(
        "discards-after-reset",
        "carries out discards that were under way after the reset",
        ("reporting.device.no-effect-after-reset", "hint.device.no-effect-after-reset"),
        DiscardsAfterReset,
        bugs=("Q4",),
    ),
    Mutant(
        "report-rounded-outward",
        "discards every page of which a byte was reported",
        ("reporting.device.round-inward", CONTAINMENT),
        serving(Queue.REPORTING, Outward),
        bugs=("H12", "Q1"),
    ),
    Mutant(
        "report-joins-halves",
        "puts ranges together that meet inside a page, and discards it",
        ("reporting.device.round-inward", CONTAINMENT),
        serving(Queue.REPORTING, JoinsHalves),
    ),
    Mutant(
        "report-start-rounded-down",
        "rounds the start of a range down and its length up",
        ("reporting.device.round-inward", CONTAINMENT),
        serving(Queue.REPORTING, LengthUp),
        bugs=("H12",),
    ),
    Mutant(
        "report-to-huge-page",
        "discards the 2 MiB around each report",
        (CONTAINMENT,),
        serving(Queue.REPORTING, Huge),
        bugs=("F12", "H2"),
    ),
    Mutant(
        "report-sum-of-lengths",
        "takes the sum of all buffers for the length of the first",
        (CONTAINMENT,),
        serving(Queue.REPORTING, SumOfLengths),
    ),
    Mutant(
        "report-length-of-first",
        "pairs the address of each buffer with the length of the first",
        (CONTAINMENT,),
        serving(Queue.REPORTING, MixesLengths),
    ),
    Mutant(
        "readable-buffer-reported",
        "takes device-readable buffers for reported pages",
        ("reporting.device.readable-buffer-untouched", "ring.device.readable-never-written"),
        serving(Queue.REPORTING, ReadableToo),
    ),
    Mutant(
        "small-report-dropped",
        "never uses a report in which a range is less than a page",
        ("reporting.device.small-ranges-answered", EVERY),
        serving(Queue.REPORTING, SmallDropped),
    ),
    Mutant(
        "unaligned-report-dropped",
        "never uses a report in which a range is not aligned to pages",
        ("reporting.device.small-ranges-answered", EVERY),
        serving(Queue.REPORTING, UnalignedDropped),
    ),
    Mutant(
        "report-32-at-most",
        "never uses a report of more than 32 ranges",
        (EVERY,),
        serving(Queue.REPORTING, At32),
    ),
    Mutant(
        "report-length-claimed",
        "uses a report with the size of its pages, which it has discarded",
        ("reporting.device.used-length-zero",),
        serving(Queue.REPORTING, ClaimsPages),
        bugs=("H11",),
    ),
    Mutant(
        "report-writes-behind",
        "writes a status byte behind the last page of a report",
        ("ring.device.writes-within-buffers", CONTAINMENT),
        serving(Queue.REPORTING, WritesStatus),
    ),
    Mutant(
        "eight-reports-a-kick",
        "takes at most eight reports for each notification",
        ("ring.device.drains-available", EVERY),
        ForgetsOverflow,
        bugs=("N7",),
    ),
    Mutant(
        "reports-used-in-pairs",
        "keeps a report until the next one comes",
        (EVERY,),
        Batched,
    ),
)  # fmt: skip
"""Mutants that take reports wrongly."""
