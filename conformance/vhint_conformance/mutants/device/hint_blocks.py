"""Faults in what a hinting request does to memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from itertools import pairwise

from vhint.host import DeviceOptions
from vhint.host.context import Context
from vhint.host.hinting import Hinting, Refusal, named, refused
from vhint.ring import Chain
from vhint.spans import PAGE, Span, block
from vhint.wire import hint_request
from vhint.wire.hint_ack import Status
from vhint.wire.hint_request import BitmapRequest, PfnRequest, RequestHeader
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant, serving

Request = PfnRequest | BitmapRequest
CONTAINMENT = "hint.device.containment"
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Extends(Hinting):
    """Discards other memory than is named, where that is RAM."""

    def others(self, request: Request) -> Iterable[Span]:
        """Return what is discarded."""
        raise NotImplementedError

    def _named(self, request: Request) -> Iterable[Span]:
        list(super()._named(request))
        return [span for span in self.others(request) if self.context.memory.contains(span)]


class OnePageMore(Extends):
    """Counts the last page of a block twice."""

    def others(self, request: Request) -> Iterable[Span]:
        """Lengthen every range."""
        return [Span(span.start, span.length + PAGE) for span in named(request)]


class OrderAndOne(Extends):
    """Takes a block of order n for one of order n + 1."""

    def others(self, request: Request) -> Iterable[Span]:
        """Double every block."""
        if isinstance(request, PfnRequest):
            return [block(entry.pfn, entry.order + 1) for entry in request.blocks]
        return named(request)


class BlockAround(Extends):
    """Rounds a block outward to 64 KiB."""

    def others(self, request: Request) -> Iterable[Span]:
        """Round outward."""
        size = 16 * PAGE
        return [Span(span.start // size * size, -(-span.end // size) * size
                     - span.start // size * size) for span in named(request)]  # fmt: skip


class FirstOrder(Extends):
    """Takes the order of the first entry for that of all."""

    def others(self, request: Request) -> Iterable[Span]:
        """Use one order."""
        if isinstance(request, PfnRequest) and len(request.blocks):
            order = request.blocks[0].order
            return [block(entry.pfn, order) for entry in request.blocks]
        return named(request)


class AllBits(Extends):
    """Discards from the first set bit of a bitmap to the last."""

    def others(self, request: Request) -> Iterable[Span]:
        """Fill the gaps."""
        spans = list(named(request))
        if isinstance(request, BitmapRequest) and spans:
            return [Span(spans[0].start, spans[-1].end - spans[0].start)]
        return spans


class BitsReversed(Extends):
    """Reads the bits of every byte most significant first."""

    def others(self, request: Request) -> Iterable[Span]:
        """Turn the bytes round."""
        if not isinstance(request, BitmapRequest):
            return named(request)
        size = PAGE << request.order
        data = request.bits.data.translate(REVERSED)
        start = request.start_pfn * PAGE
        return [Span(start + n * size, size)
                for n in range(8 * len(data)) if data[n // 8] >> n % 8 & 1]  # fmt: skip


class BitsInverted(Extends):
    """Takes set bits for pages in use."""

    def others(self, request: Request) -> Iterable[Span]:
        """Discard where bits are clear."""
        if not isinstance(request, BitmapRequest):
            return named(request)
        size = PAGE << request.order
        start = request.start_pfn * PAGE
        return [Span(start + n * size, size)
                for n, bit in enumerate(request.bits) if not bit]  # fmt: skip


class BitsOfPages(Extends):
    """Takes a bit of a bitmap for a page, whatever its order."""

    def others(self, request: Request) -> Iterable[Span]:
        """Count in pages from the start."""
        if not isinstance(request, BitmapRequest):
            return named(request)
        start = request.start_pfn * PAGE
        return [Span(start + int(n) * PAGE, PAGE) for n in request.bits.indices()]


class BitsFromZero(Extends):
    """Counts the bits of a bitmap from a start rounded down to a byte of it."""

    def others(self, request: Request) -> Iterable[Span]:
        """Move the start."""
        if not isinstance(request, BitmapRequest):
            return named(request)
        size = PAGE << request.order
        moved = request.start_pfn * PAGE // (8 * size) * (8 * size)
        by = request.start_pfn * PAGE - moved
        return [Span(span.start - by, span.length) for span in named(request)]


class Narrow(Hinting):
    """Computes addresses in 32 bits."""

    def _named(self, request: Request) -> Iterable[Span]:
        for span in named(request):
            wrapped = Span(span.start & 0xFFFFFFFF, span.length)
            if not self.context.memory.contains(wrapped):
                raise Refusal(Status.MALFORMED)
            yield wrapped


class OverlapRefused(Hinting):
    """Refuses a request that names a page twice."""

    def _named(self, request: Request) -> Iterable[Span]:
        spans = sorted(super()._named(request), key=lambda span: span.start)
        for one, other in pairwise(spans):
            if other.start < one.end:
                raise Refusal(Status.MALFORMED)
        return spans


class LateOnes(Hinting):
    """Discards a part of a request when the next one comes."""

    waiting: Sequence[Span] = ()

    def _discard(self, spans: Sequence[Span]) -> Generator[None, None, None]:
        self.context.discard(self.waiting)
        self.waiting = spans[1:]
        yield from super()._discard(spans[:1])


class Lazy(Hinting):
    """Marks blocks for the host to reclaim when it likes, which it does two requests later."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.marked: list[list[Span]] = []

    def _discard(self, spans: Sequence[Span]) -> Generator[None, None, None]:
        self.marked.append(list(spans))
        if len(self.marked) > 1:
            self.context.discard(self.marked.pop(0))
        yield


class OneByOne(Hinting):
    """Reads each entry from the driver's memory when it comes to it."""

    def _answer(self, chain: Chain) -> Generator[None, None, bytes]:
        self.chain = chain
        return (yield from super()._answer(chain))

    def _validated(self, header: RequestHeader, data: bytes) -> Request:
        request = super()._validated(header, data)
        self.seen = data
        return request

    def _discard(self, spans: Sequence[Span]) -> Generator[None, None, None]:
        yield from super()._discard(spans)
        again = self.chain.read(self.context.memory, len(self.seen))
        if again != self.seen and len(again) >= hint_request.HEADER_SIZE:
            self.lost = True

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Answer, or find that the request has gone."""
        self.lost = False
        length = yield from super().handle(chain)
        if self.lost and length:
            # The cookie is read where the request was.
            cookie = self.chain.read(self.context.memory, 16)[8:16]
            chain.write(self.context.memory, cookie)
        return length

    chain: Chain
    seen: bytes = b""
    lost = False


class Inhibits(Hinting):
    """Discards, and then answers that discards were inhibited."""

    def _answer(self, chain: Chain) -> Generator[None, None, bytes]:
        answer = yield from super()._answer(chain)
        if len(answer) > hint_request.HEADER_SIZE:
            return refused(int.from_bytes(answer[:8], "little"), Status.INHIBITED)
        return answer


class MinimumTooSmall(Hinting):
    """Shows a minimum order and holds nobody to it."""

    def _check_blocks(self, request: PfnRequest) -> None:
        if len(request.blocks) and request.blocks.first_misaligned() is not None:
            raise Refusal(Status.MALFORMED)

    def _check_bitmap(self, request: BitmapRequest) -> None:
        if request.start_pfn % (1 << request.order):
            raise Refusal(Status.MALFORMED)


def _mutant(
    name: str,
    summary: str,
    violates: tuple[str, ...],
    handler: type[Hinting],
    bugs: tuple[str, ...] = (),
) -> Mutant:
    return Mutant(name, summary, violates, serving(Queue.HINTING, handler), bugs)


MUTANTS = (
    _mutant(
        "hint-one-page-more",
        "discards one page behind each hinted block",
        (CONTAINMENT,),
        OnePageMore,
        ("H12",),
    ),
    _mutant(
        "hint-order-and-one",
        "takes a block for one of the next order",
        (CONTAINMENT,),
        OrderAndOne,
        ("N12",),
    ),
    _mutant(
        "hint-rounded-outward",
        "rounds a block outward to 64 KiB",
        (CONTAINMENT, "hint.device.round-inward"),
        BlockAround,
        ("Q1",),
    ),
    _mutant(
        "hint-order-of-first",
        "takes the order of the first entry for that of all",
        (CONTAINMENT,),
        FirstOrder,
    ),
    _mutant(
        "hint-address-32-bit",
        "computes addresses in 32 bits",
        ("hint.device.refuse-outside-ram",),
        Narrow,
        ("H1",),
    ),
    _mutant(
        "bitmap-gaps-filled",
        "discards everything from the first set bit to the last",
        ("hint-bitmap.device.clear-bit-untouched", CONTAINMENT),
        AllBits,
    ),
    _mutant(
        "bitmap-most-significant-first",
        "reads the bits of a request most significant first",
        ("hint-bitmap.device.request-order", "hint-bitmap.device.clear-bit-untouched",
         CONTAINMENT),
        BitsReversed,
        ("B5",),
    ),
    _mutant(
        "bitmap-inverted",
        "takes set bits for blocks in use",
        ("hint-bitmap.device.clear-bit-untouched", CONTAINMENT),
        BitsInverted,
    ),
    _mutant(
        "bitmap-order-ignored",
        "takes a bit for a page, whatever the order",
        ("hint-bitmap.device.request-order", "hint-bitmap.device.clear-bit-untouched",
         CONTAINMENT),
        BitsOfPages,
    ),
    _mutant(
        "bitmap-start-rounded",
        "counts bits from a start that is rounded down to a byte of the bitmap",
        ("hint-bitmap.device.request-order", "hint-bitmap.device.clear-bit-untouched",
         CONTAINMENT),
        BitsFromZero,
    ),
    _mutant(
        "overlap-refused",
        "refuses a request that names a page twice",
        ("hint.device.overlap-union", "hint.device.no-refusal-without-cause"),
        OverlapRefused,
    ),
    _mutant(
        "hint-rest-late",
        "discards all but the first block of a request when the next one comes",
        ("hint.device.no-effect-after-use", "hint.device.content-stable-after-use"),
        LateOnes,
    ),
    _mutant(
        "hint-lazily",
        "discards blocks at its leisure after it has given them back",
        ("hint.device.content-stable-after-use", "hint.device.no-effect-after-use"),
        Lazy,
        ("F14",),
    ),
    _mutant(
        "request-read-twice",
        "reads the cookie again from a request that the blocks named in it have taken along",
        ("hint.device.copy-before-touch", "hint.device.cookie-echo"),
        OneByOne,
    ),
    _mutant(
        "inhibited-but-discarded",
        "answers INHIBITED when it has discarded the blocks",
        ("hint.device.refusal-touches-nothing",),
        Inhibits,
    ),
    Mutant(
        "minimum-order-ignored",
        "shows a minimum order and takes smaller blocks",
        ("hint.device.refuse-order-under-minimum",),
        serving(Queue.HINTING, MinimumTooSmall, DeviceOptions(hint_min_order=2)),
    ),
)  # fmt: skip
"""Mutants that discard wrongly."""
