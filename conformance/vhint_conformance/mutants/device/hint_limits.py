"""Faults in the limits of the hinting queue: counts, and what was negotiated."""

from __future__ import annotations

from collections.abc import Iterable

from vhint.host.hinting import Hinting, Refusal
from vhint.spans import PAGE, Span
from vhint.wire import hint_request
from vhint.wire.hint_ack import Status
from vhint.wire.hint_request import BitmapRequest, PfnRequest, RequestHeader, RequestType
from vhint_conformance.mutants.base import Mutant
from vhint_conformance.mutants.device.hint_refusals import Request, kind_of
from vhint_conformance.mutants.device.hint_refusals import mutant as _mutant


class AnyCount(Hinting):
    """Takes requests of any count."""

    def _validated(self, header: RequestHeader, data: bytes) -> Request:  # noqa: ARG002
        request = _parsed(data)
        if isinstance(request, PfnRequest):
            self._check_blocks(request)
        else:
            self._check_bitmap(request)
        return request

    def _longest(self) -> int:
        return 4 << 20


def _parsed(data: bytes) -> Request:
    try:
        return hint_request.parse(data)
    except ValueError as error:
        known = kind_of(data) in (1, 2)
        raise Refusal(Status.MALFORMED if known else Status.UNSUPPORTED) from error


class BelowLimit(Hinting):
    """Refuses a request whose count is the limit."""

    def _validated(self, header: RequestHeader, data: bytes) -> Request:
        if header.type == RequestType.PFN and header.count >= self.context.options.hint_max_count:
            raise Refusal(Status.UNSUPPORTED)
        return super()._validated(header, data)


class SameLimit(Hinting):
    """Holds bitmaps to the limit of PFN entries."""

    def _validated(self, header: RequestHeader, data: bytes) -> Request:
        if header.count > self.context.options.hint_max_count:
            raise Refusal(Status.UNSUPPORTED)
        return super()._validated(header, data)


class EmptyMalformed(Hinting):
    """Refuses a request without entries."""

    def _validated(self, header: RequestHeader, data: bytes) -> Request:
        if not header.count:
            raise Refusal(Status.MALFORMED)
        return super()._validated(header, data)


class BitmapAlways(Hinting):
    """Takes bitmaps although they were not negotiated."""

    def _validated(self, header: RequestHeader, data: bytes) -> Request:
        if header.type != RequestType.BITMAP:
            return super()._validated(header, data)
        request = _parsed(data)
        if isinstance(request, BitmapRequest):
            self._check_bitmap(request)
        return request


class ClearBitsJudged(Hinting):
    """Refuses a bitmap that reaches outside RAM, whatever its bits."""

    def _named(self, request: Request) -> Iterable[Span]:
        if isinstance(request, BitmapRequest):
            size = 4096 << request.order
            whole = Span(request.start_pfn * 4096, request.bits.count * size)
            if not self.context.memory.contains(whole):
                raise Refusal(Status.MALFORMED)
        return super()._named(request)


class CookieZeroRefused(Hinting):
    """Refuses a request whose cookie is 0."""

    def _validated(self, header: RequestHeader, data: bytes) -> Request:
        if not header.cookie:
            raise Refusal(Status.MALFORMED)
        return super()._validated(header, data)


class LastPageMissing(Hinting):
    """Takes RAM to end one page early."""

    def _named(self, request: Request) -> Iterable[Span]:
        for span in super()._named(request):
            if not self.context.memory.contains(Span(span.start, span.length + PAGE)):
                raise Refusal(Status.MALFORMED)
            yield span


class InhibitedFirst(Hinting):
    """Answers INHIBITED whatever the request, while discards are inhibited."""

    def _validated(self, header: RequestHeader, data: bytes) -> Request:
        if self.context.inhibited:
            raise Refusal(Status.INHIBITED)
        return super()._validated(header, data)


MUTANTS: tuple[Mutant, ...] = (
    _mutant(
        "cookie-zero-refused",
        "refuses a request whose cookie is 0",
        ("hint.device.no-refusal-without-cause",),
        CookieZeroRefused,
    ),
    _mutant(
        "last-page-refused",
        "takes RAM to end one page early",
        ("hint.device.no-refusal-without-cause",),
        LastPageMissing,
    ),
    _mutant(
        "inhibited-first",
        "answers INHIBITED before it has looked for faults",
        ("hint.device.refusal-before-inhibition",),
        InhibitedFirst,
    ),
    _mutant(
        "limit-ignored",
        "takes requests of any count",
        ("hint-pfn.device.refuse-count-over-limit", "hint-bitmap.device.refuse-count-over-limit"),
        AnyCount,
        ("H8",),
    ),
    _mutant(
        "limit-refused",
        "refuses a request whose count is the limit",
        ("hint.device.no-refusal-without-cause",),
        BelowLimit,
    ),
    _mutant(
        "bitmap-limit-of-pfn",
        "holds bitmaps to the limit of PFN entries",
        ("hint.device.no-refusal-without-cause",),
        SameLimit,
    ),
    _mutant(
        "empty-refused",
        "refuses a request without entries",
        ("hint.device.count-zero-ok",),
        EmptyMalformed,
    ),
    _mutant(
        "bitmap-unnegotiated",
        "takes bitmaps although they were not negotiated",
        ("hint-bitmap.device.refuse-not-negotiated",),
        BitmapAlways,
    ),
    _mutant(
        "clear-bits-judged",
        "refuses a bitmap of which clear bits are outside RAM",
        ("hint-bitmap.device.clear-bits-not-judged",),
        ClearBitsJudged,
    ),
)
"""Mutants with other limits."""
