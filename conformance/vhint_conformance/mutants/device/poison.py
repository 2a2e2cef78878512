"""Faults with page poison, and with pages that larger host pages share."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace

from vhint.host import Device
from vhint.host.balloon import PartialPages
from vhint.host.hinting import Hinting, Refusal
from vhint.host.reporting import Reporting
from vhint.ring import Chain
from vhint.spans import PAGE, Span
from vhint.wire import config, hint_request
from vhint.wire.hint_ack import Status
from vhint.wire.hint_request import BitmapRequest, PfnRequest, RequestHeader
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant, serving, with_options

POISON = config.field_offset("poison_val")
KEEPS = "reporting.device.poison-preserved"
HOST_PAGE = 1 << 16


class ReportingForgets(Reporting):
    """Discards reported pages whatever they should read as."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Ignore the poison."""
        yield
        self.context.discard(chain.writable)
        yield
        return 0


class FillsWithByte(Reporting):
    """Fills reported pages with the lowest byte of poison_val."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Fill them, if there is a poison."""
        yield
        if not self.context.keeps_poison:
            self.context.discard(chain.writable)
            return 0
        value = (self.context.config.poison_val or 0) & 0xFF
        for span in chain.writable:
            self.context.memory.write(span.start, bytes([value ^ 0x55]) * span.length)
        return 0


class FillsFirstPage(Reporting):
    """Discards reported ranges, and fills the first page of each with poison_val."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Fill them, if there is a poison."""
        yield
        self.context.discard(chain.writable)
        if self.context.keeps_poison:
            value = (self.context.config.poison_val or 0).to_bytes(4, "little")
            for span in chain.writable:
                first = Span(span.start, min(span.length, PAGE))
                if self.context.memory.contains(first):
                    self.context.memory.write(first.start, value * (first.length // 4))
        return 0


class FillsWithLowByte(Reporting):
    """Fills reported pages with four times the lowest byte of poison_val."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Fill them, if there is a poison."""
        yield
        if not self.context.keeps_poison:
            self.context.discard(chain.writable)
            return 0
        value = (self.context.config.poison_val or 0) & 0xFF
        for span in chain.writable:
            if self.context.memory.contains(span):
                self.context.memory.write(span.start, bytes([value]) * span.length)
        return 0


class HintsForget(Hinting):
    """Discards hinted blocks whatever they should read as, and answers OK."""

    def _answer(self, chain: Chain) -> Generator[None, None, bytes]:
        kept = self.context.config
        self.context.config = replace(kept, poison_val=0)
        answer = yield from super()._answer(chain)
        self.context.config = kept
        return answer


class InhibitsAndDiscards(Hinting):
    """Answers INHIBITED where there is a poison, after it has discarded."""

    def _named(
        self, request: hint_request.PfnRequest | hint_request.BitmapRequest
    ) -> Iterable[Span]:
        spans = list(super()._named(request))
        if self.context.keeps_poison:
            self.context.discard(spans)
        return spans


class PoisonFixed(Device):
    """Ignores what the driver writes to poison_val."""

    def write_config(self, offset: int, data: bytes) -> None:
        """Ignore a write of it."""
        if offset != POISON:
            super().write_config(offset, data)


class PoisonSurvives(Device):
    """Keeps poison_val over a reset."""

    def _reset(self) -> None:
        kept = self.context.config.poison_val
        super()._reset()
        self.context.config = replace(self.context.config, poison_val=kept)


class PoisonHidden(Device):
    """Offers PAGE_POISON and has no field for it."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Show other bytes there."""
        shown = bytearray(super().read_config(0, 32))
        shown[POISON : POISON + 4] = b"\xef\xbe\xad\xde"
        return bytes(shown)[offset : offset + length].ljust(length, b"\0")


class RemembersDeflated(PartialPages):
    """Counts parts of a host page that were taken back since."""

    def take(self, pfns: Iterable[int]) -> None:
        """Forget nothing."""


class ForgetsNothing(PartialPages):
    """Keeps the parts of host pages over a reset."""

    def forget(self) -> None:
        """Forget nothing."""


class DeflateIgnored(Device):
    """Does not clear parts of a host page that were deflated."""

    def _begin(self) -> None:
        super()._begin()
        self._partial = RemembersDeflated(self.options.host_page)
        self._handlers = self._fresh_handlers()


class PartsSurviveReset(Device):
    """Does not clear parts of host pages when it is reset."""

    kept: PartialPages | None = None

    def _begin(self) -> None:
        super()._begin()
        self.kept = self.kept or ForgetsNothing(self.options.host_page)
        self._partial = self.kept
        self._handlers = self._fresh_handlers()


class BitmapForgets(Hinting):
    """Has learned of the poison for PFN arrays, and not for bitmaps."""

    def _named(self, request: PfnRequest | BitmapRequest) -> Iterable[Span]:
        spans = list(super()._named(request))
        if isinstance(request, BitmapRequest) and self.context.keeps_poison:
            self.context.discard(spans)
        return spans


class PoisonIsByte(Reporting):
    """Looks at the lowest byte of poison_val alone."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard if that byte is 0."""
        yield
        if not (self.context.keeps_poison and (self.context.config.poison_val or 0) & 0xFF):
            self.context.discard(chain.writable)
        return 0


class InhibitsEverything(Hinting):
    """Answers INHIBITED under a poison before it has judged the request."""

    def _validated(self, header: RequestHeader, data: bytes) -> PfnRequest | BitmapRequest:
        if self.context.keeps_poison:
            raise Refusal(Status.INHIBITED)
        return super()._validated(header, data)


class InhibitsNothing(Hinting):
    """Answers INHIBITED under a poison also to a request for no block."""

    def _named(self, request: PfnRequest | BitmapRequest) -> Iterable[Span]:
        if self.context.keeps_poison:
            raise Refusal(Status.INHIBITED)
        return super()._named(request)


MUTANTS = (
    Mutant(
        "report-loses-poison",
        "discards reported pages that must go on reading as poison_val",
        (KEEPS,),
        serving(Queue.REPORTING, ReportingForgets),
        bugs=("Q26", "L1"),
    ),
    Mutant(
        "report-fills-wrongly",
        "fills reported pages with another value than poison_val",
        (KEEPS,),
        serving(Queue.REPORTING, FillsWithByte),
        bugs=("L1",),
    ),
    Mutant(
        "report-fills-first-page",
        "fills the first page of each reported range with poison_val, and leaves the rest zeros",
        (KEEPS,),
        serving(Queue.REPORTING, FillsFirstPage),
    ),
    Mutant(
        "report-fills-with-low-byte",
        "fills reported pages with the lowest byte of poison_val",
        (KEEPS,),
        serving(Queue.REPORTING, FillsWithLowByte),
    ),
    Mutant(
        "hint-loses-poison",
        "discards hinted blocks that must go on reading as poison_val, and answers OK",
        ("hint.device.poison-preserved", "hint.device.poison-inhibited"),
        serving(Queue.HINTING, HintsForget),
        bugs=("Q26",),
    ),
    Mutant(
        "inhibits-and-discards",
        "answers INHIBITED because of the poison, and has discarded the blocks by then",
        ("hint.device.poison-inhibited", "hint.device.poison-preserved",
         "hint.device.refusal-touches-nothing"),
        serving(Queue.HINTING, InhibitsAndDiscards),
    ),
    Mutant(
        "poison-ignored",
        "ignores what the driver writes to poison_val",
        ("balloon.device.poison-config-writable",),
        PoisonFixed,
        bugs=("Q26",),
    ),
    Mutant(
        "poison-survives-reset",
        "keeps poison_val over a reset",
        ("balloon.device.poison-cleared-by-reset",),
        PoisonSurvives,
        bugs=("Q26",),
    ),
    Mutant(
        "poison-field-uninitialised",
        "shows in poison_val, before anybody wrote it, what was in memory",
        ("balloon.device.poison-config-present", "balloon.device.poison-cleared-by-reset"),
        PoisonHidden,
        bugs=("Q14",),
    ),
    Mutant(
        "deflated-part-counts",
        "discards a host page of which a part was deflated since",
        ("balloon.device.partial-page-cleared-by-deflate",
         "balloon.device.inflate-containment", "balloon.device.no-effect-after-deflate-use"),
        with_options(DeflateIgnored, host_page=HOST_PAGE, hint_min_order=4),
        bugs=("Q2",),
        host_page=HOST_PAGE,
    ),
    Mutant(
        "parts-survive-reset",
        "discards a host page of which a part was inflated before a reset",
        ("balloon.device.partial-page-cleared-by-reset",
         "balloon.device.no-effect-after-inflate-use"),
        with_options(PartsSurviveReset, host_page=HOST_PAGE, hint_min_order=4),
        bugs=("Q4",),
        host_page=HOST_PAGE,
    ),
    Mutant(
        "bitmap-loses-poison",
        "discards blocks of a bitmap that must go on reading as poison_val",
        (
            "hint.device.poison-preserved",
            "hint.device.poison-inhibited",
            "hint.device.refusal-touches-nothing",
        ),
        serving(Queue.HINTING, BitmapForgets),
    ),
    Mutant(
        "poison-is-a-byte",
        "takes a poison_val whose lowest byte is 0 for 0",
        (KEEPS,),
        serving(Queue.REPORTING, PoisonIsByte),
    ),
    Mutant(
        "inhibited-before-judged",
        "answers INHIBITED to requests that have a fault",
        ("hint.device.refusal-before-inhibition",),
        serving(Queue.HINTING, InhibitsEverything),
    ),
    Mutant(
        "nothing-inhibited",
        "answers INHIBITED to a request for no block",
        ("hint.device.count-zero-ok",),
        serving(Queue.HINTING, InhibitsNothing),
    ),
)  # fmt: skip
"""Mutants that mistake poison and parts of pages."""
