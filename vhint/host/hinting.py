"""The hinting virtqueue: validate the whole request, discard, and only then acknowledge.

The order is the table of `request_life`, which every request walks step by step.  Rule numbers
are those of vhint, The hinting virtqueue.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from vhint.host.context import Context, Handler
from vhint.host.request_life import Event, State, advance
from vhint.ring import Chain
from vhint.spans import PAGE, Span, block
from vhint.wire import blocks, config, hint_ack, hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import WireError
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.hint_request import BitmapRequest, PfnRequest, RequestHeader, RequestType

SPANS_A_STEP = 1024
"""How many ranges are discarded in one step."""

EMPTY_BITMAP = len(hint_request.build(BitmapRequest(0, 0, 0, Bitmap(0, b""))))
"""Bytes of a bitmap request before its first bit."""


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """The request is answered with `status`; nothing is touched."""

    status: Status


class Hinting(Handler):
    """Serves both request formats; `life` is the state of the request in hand."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.life = State.USED

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Answer one request; the used length is what was written of the acknowledgement."""
        self.life = State.POPPED
        try:
            answer = yield from self._answer(chain)
        except GeneratorExit:
            self._step(Event.RESET)
            raise
        self._step(Event.USE)
        return chain.write(self.context.memory, answer)

    def _answer(self, chain: Chain) -> Generator[None, None, bytes]:
        """Walk a request up to its answer, which is empty if there is no room for one."""
        if chain.writable_size < hint_ack.HEADER_SIZE:
            self._step(Event.FIND_NO_ROOM)  # rule 4: touch nothing, write nothing
            return b""
        # One byte more than any valid request, so that a longer one is seen to be longer.
        data = chain.read(self.context.memory, self._longest() + 1)
        self._step(Event.COPY)
        yield
        cookie = 0
        try:
            if len(data) < hint_request.HEADER_SIZE:
                raise Refusal(Status.MALFORMED)  # rule 4
            header = hint_request.peek_header(data)
            cookie = header.cookie
            request = self._validated(header, data)
            spans = list(self._named(request))
        except Refusal as refusal:
            self._step(Event.REFUSE)
            yield
            return refused(cookie, refusal.status)
        self._step(Event.ACCEPT)
        yield
        # A count of 0 is OK all the same (rule 3).
        if header.count and (self.context.inhibited or self.context.keeps_poison):
            self._step(Event.INHIBIT)
            yield
            return refused(cookie, Status.INHIBITED)  # rule 7
        self._step(Event.DISCARD)
        yield from self._discard(spans)
        self._step(Event.FINISH)
        answer = accepted(request, chain.writable_size - hint_ack.HEADER_SIZE)
        return hint_ack.build(answer, header.count)

    def _discard(self, spans: Sequence[Span]) -> Generator[None, None, None]:
        """Discard the spans, a bounded part of them in a step.

        What cannot be discarded, or may no longer be, counts as accepted nevertheless: of OK the
        driver learns that content may be lost, which is true of a range that failed half-way,
        and OK promises no memory (`hint.device.doing-nothing-conforms`).  Only a clear result
        bit is a promise, and none is made.
        """
        for first in range(0, max(1, len(spans)), SPANS_A_STEP):
            self.context.discard(spans[first : first + SPANS_A_STEP])
            yield

    def _step(self, event: Event) -> None:
        self.life = advance(self.life, event)

    def _longest(self) -> int:
        entries = self.context.options.hint_max_count * blocks.DTYPE.itemsize
        return max(hint_request.HEADER_SIZE, EMPTY_BITMAP) + entries

    def _validated(self, header: RequestHeader, data: bytes) -> PfnRequest | BitmapRequest:
        """Return the request if rule 3 allows it, or raise `Refusal`."""
        limit = self.context.options.hint_max_count
        if header.type == RequestType.BITMAP:
            if Feature.HINTING_BITMAP not in self.context.accepted:
                raise Refusal(Status.UNSUPPORTED)
            limit *= config.BITMAP_COUNT_FACTOR
        elif header.type != RequestType.PFN:
            raise Refusal(Status.UNSUPPORTED)
        if header.count > limit:
            raise Refusal(Status.UNSUPPORTED)
        try:
            request = hint_request.parse(data)
        except WireError as error:
            raise Refusal(Status.MALFORMED) from error
        if isinstance(request, PfnRequest):
            self._check_blocks(request)
        else:
            self._check_bitmap(request)
        return request

    def _check_blocks(self, request: PfnRequest) -> None:
        if not len(request.blocks):
            return
        if int(request.blocks.order.min()) < self.context.options.hint_min_order:
            raise Refusal(Status.UNSUPPORTED)
        if request.blocks.first_misaligned() is not None:
            raise Refusal(Status.MALFORMED)

    def _check_bitmap(self, request: BitmapRequest) -> None:
        # Also with a count of 0: start and order are fields of the request, not of a block.
        if request.order < self.context.options.hint_min_order:
            raise Refusal(Status.UNSUPPORTED)
        if request.start_pfn % (1 << request.order):
            raise Refusal(Status.MALFORMED)

    def _named(self, request: PfnRequest | BitmapRequest) -> Iterable[Span]:
        """Yield what the request names; raise `Refusal` at a byte outside RAM."""
        for span in named(request):
            if not self.context.memory.contains(span):
                raise Refusal(Status.MALFORMED)
            yield span


def named(request: PfnRequest | BitmapRequest) -> Iterable[Span]:
    """Yield the memory that a request names; neighbouring blocks of a bitmap are one span."""
    if isinstance(request, PfnRequest):
        for entry in request.blocks:
            yield block(entry.pfn, entry.order)
    else:
        size = PAGE << request.order
        for start, length in zip(*request.bits.runs(), strict=True):
            yield Span(request.start_pfn * PAGE + int(start) * size, int(length) * size)


def refused(cookie: int, status: Status) -> bytes:
    """Return an answer that says why nothing was touched."""
    return hint_ack.build(Acknowledgement(cookie, status, 0, None), 0)


def accepted(request: PfnRequest | BitmapRequest, room: int) -> Acknowledgement:
    """Return the answer that every named block was accepted, with as many result bits as fit."""
    if isinstance(request, PfnRequest):
        results = Bitmap.from_indices(len(request.blocks), range(len(request.blocks)))
    else:
        results = request.bits
    fits = min(room, len(results.data))
    shown = Bitmap(min(results.count, 8 * fits), results.data[:fits]) if fits else None
    return Acknowledgement(request.cookie, Status.OK, results.popcount(), shown)
