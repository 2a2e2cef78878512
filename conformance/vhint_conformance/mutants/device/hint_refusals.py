"""Faults in judging requests of the hinting queue: what is let through, what is refused."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

from vhint.host import DeviceOptions
from vhint.host.hinting import Hinting, Refusal, named
from vhint.ring import Chain
from vhint.spans import PAGE, Span
from vhint.wire import hint_request
from vhint.wire.blocks import PFN_LIMIT
from vhint.wire.errors import WireError
from vhint.wire.hint_ack import Status
from vhint.wire.hint_request import BitmapRequest, PfnRequest, RequestHeader, RequestType
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant, serving

HEAD = hint_request.HEADER_SIZE
ENTRY = 16
Request = PfnRequest | BitmapRequest


class Mends(Hinting):
    """Changes the copy of a request, so that a fault in it is not seen."""

    def mend(self, data: bytes) -> bytes:
        """Return the request without the fault."""
        raise NotImplementedError

    def _validated(self, header: RequestHeader, data: bytes) -> Request:  # noqa: ARG002
        data = self.mend(data)
        if len(data) < HEAD:
            raise Refusal(Status.MALFORMED)
        return super()._validated(hint_request.peek_header(data), data)


def kind_of(data: bytes) -> int:
    """Return the type of a request."""
    return int.from_bytes(data[:2], "little")


def count_of(data: bytes) -> int:
    """Return its count."""
    return int.from_bytes(data[4:8], "little")


def length_of(data: bytes) -> int:
    """Return how long it is to be."""
    if kind_of(data) == RequestType.BITMAP:
        return HEAD + ENTRY + -(-count_of(data) // 8)
    return HEAD + ENTRY * count_of(data)


class AnyType(Mends):
    """Takes every type that it does not know for an array of PFNs."""

    def mend(self, data: bytes) -> bytes:
        """Change the type."""
        return data if kind_of(data) in (1, 2) else b"\1\0" + data[2:]


class LowByteOfType(Mends):
    """Looks at the low byte of the type only."""

    def mend(self, data: bytes) -> bytes:
        """Clear the high byte."""
        return data[:1] + b"\0" + data[2:]


class AnyFlags(Mends):
    """Ignores the flags."""

    def mend(self, data: bytes) -> bytes:
        """Clear them."""
        return data[:2] + b"\0\0" + data[4:]


class AnyReserved(Mends):
    """Ignores reserved fields."""

    def mend(self, data: bytes) -> bytes:
        """Clear them."""
        done = bytearray(data)
        last = HEAD + ENTRY if kind_of(data) == RequestType.BITMAP else len(data)
        for at in range(HEAD + 12, min(last, len(data)) - 3, ENTRY):
            done[at : at + 4] = bytes(4)
        return bytes(done)


class FirstReservedOnly(Mends):
    """Looks at the reserved field of the first entry only."""

    def mend(self, data: bytes) -> bytes:
        """Clear the others."""
        if kind_of(data) != RequestType.PFN:
            return data
        done = bytearray(data)
        for at in range(HEAD + ENTRY + 12, len(data) - 3, ENTRY):
            done[at : at + 4] = bytes(4)
        return bytes(done)


class AnyPadding(Mends):
    """Ignores the padding of a bitmap."""

    def mend(self, data: bytes) -> bytes:
        """Clear it."""
        spare = -count_of(data) % 8
        if kind_of(data) != RequestType.BITMAP or not spare or len(data) != length_of(data):
            return data
        return data[:-1] + bytes([data[-1] & 0xFF >> spare])


class MoreIsFine(Mends):
    """Ignores bytes behind a request."""

    def mend(self, data: bytes) -> bytes:
        """Cut them."""
        return data[: max(HEAD, length_of(data))]


class LessIsFine(Mends):
    """Takes the last entry of a request that is too short for those that are missing."""

    def mend(self, data: bytes) -> bytes:
        """Take what entries there are."""
        if kind_of(data) != RequestType.PFN or len(data) >= length_of(data):
            return data
        whole = (len(data) - HEAD) // ENTRY
        there = data[: HEAD + whole * ENTRY]
        return there + there[-ENTRY:] * (count_of(data) - whole) if whole else data


class CountFromLength(Mends):
    """Takes the count from the length of the request."""

    def mend(self, data: bytes) -> bytes:
        """Ignore what it says."""
        if kind_of(data) != RequestType.PFN:
            return data
        whole = (len(data) - HEAD) // ENTRY
        return data[:4] + whole.to_bytes(4, "little") + data[8 : HEAD + whole * ENTRY]


class OrderModulo64(Mends):
    """Keeps 6 bits of an order, and takes what is over 40 for 0."""

    def mend(self, data: bytes) -> bytes:
        """Cut them."""
        done = bytearray(data)
        for at in range(HEAD + 8, len(data) - 3, ENTRY):
            order = int.from_bytes(data[at : at + 4], "little") % 64
            done[at : at + 4] = (order if order <= 40 else 0).to_bytes(4, "little")
            if kind_of(data) == RequestType.BITMAP:
                break
        return bytes(done)


class AddressWraps(Mends):
    """Keeps 52 bits of a PFN."""

    def mend(self, data: bytes) -> bytes:
        """Cut them."""
        done = bytearray(data)
        for at in range(HEAD, len(data) - 7, ENTRY):
            done[at + 6 : at + 8] = bytes([data[at + 6] & 0x0F, 0])
            if kind_of(data) == RequestType.BITMAP:
                break
        return bytes(done)


class AnyAlignment(Hinting):
    """Takes blocks that are not aligned to their size."""

    def _check_blocks(self, request: PfnRequest) -> None:
        orders = request.blocks.order
        if len(orders) and int(orders.min()) < self.context.options.hint_min_order:
            raise Refusal(Status.UNSUPPORTED)

    def _check_bitmap(self, request: BitmapRequest) -> None:
        if request.order < self.context.options.hint_min_order:
            raise Refusal(Status.UNSUPPORTED)


class AlignedToOrder(Hinting):
    """Wants a PFN to be a multiple of the order, not of 2 to its power."""

    def _check_blocks(self, request: PfnRequest) -> None:
        for entry in request.blocks:
            if entry.order and entry.pfn % entry.order:
                raise Refusal(Status.MALFORMED)


class FirstAlignedOnly(Hinting):
    """Looks at the alignment of the first block only."""

    def _check_blocks(self, request: PfnRequest) -> None:
        first = request.blocks[0] if len(request.blocks) else None
        if first and first.pfn % (1 << first.order):
            raise Refusal(Status.MALFORMED)


class OutsideSkipped(Hinting):
    """Leaves out what is not RAM and answers OK."""

    def _named(self, request: Request) -> Iterable[Span]:
        for span in named(request):
            if self.context.memory.contains(span):
                yield span


class LastByteOnly(Hinting):
    """Looks only at whether a block begins in RAM, and discards the part that is."""

    def _named(self, request: Request) -> Iterable[Span]:
        memory = self.context.memory
        end = max(region.start + region.length for region in memory.regions)
        for span in named(request):
            if not span.start < end:
                raise Refusal(Status.MALFORMED)
            yield Span(span.start, min(span.length, end - span.start))


class SwapsRefusals(Hinting):
    """Says MALFORMED for UNSUPPORTED and the other way round."""

    def _validated(self, header: RequestHeader, data: bytes) -> Request:
        try:
            return super()._validated(header, data)
        except Refusal as refusal:
            other = {Status.MALFORMED: Status.UNSUPPORTED, Status.UNSUPPORTED: Status.MALFORMED}
            raise Refusal(other[refusal.status]) from refusal


class ChecksAsItGoes(Hinting):
    """Discards the blocks before a faulty one."""

    def _named(self, request: Request) -> Iterable[Span]:
        for span in super()._named(request):
            self.context.discard([span])
            yield span


class ZeroesWhatItRefuses(Hinting):
    """Clears the first bytes of a block, and then finds that it cannot discard."""

    def _named(self, request: Request) -> Iterable[Span]:
        for span in super()._named(request):
            self.context.memory.write(span.start, bytes(8))
            yield span
        raise Refusal(Status.INHIBITED)


class StopsAtFault(Hinting):
    """Carries out the blocks before a faulty one and answers OK."""

    def _named(self, request: Request) -> Iterable[Span]:
        try:
            yield from super()._named(request)
        except Refusal:
            return


class RefusalUnused(Hinting):
    """Does not use a request that it refuses."""

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        """Drop it."""
        data = chain.read(self.context.memory, self._longest() + 1)
        try:
            if len(data) >= HEAD:
                for _ in self._named(self._validated(hint_request.peek_header(data), data)):
                    pass
        except Refusal:
            yield
            return None
        return (yield from super().handle(chain))


def mutant(
    name: str,
    summary: str,
    violates: tuple[str, ...],
    handler: type[Hinting],
    bugs: tuple[str, ...] = (),
) -> Mutant:
    """Return a mutant whose hinting queue is served by another handler."""
    return Mutant(name, summary, violates, serving(Queue.HINTING, handler), bugs)


OUTSIDE = "hint.device.refuse-outside-ram"


class MinimumOfFirst(Hinting):
    """Holds the order of the first entry alone against the minimum."""

    def _check_blocks(self, request: PfnRequest) -> None:
        if len(request.blocks) and request.blocks[0].order < self.context.options.hint_min_order:
            raise Refusal(Status.UNSUPPORTED)
        if request.blocks.first_misaligned() is not None:
            raise Refusal(Status.MALFORMED)


class BitmapWraps(Hinting):
    """Computes the pages of a bitmap with 52 bits."""

    def _named(self, request: Request) -> Iterable[Span]:
        for span in named(request):
            wrapped = Span(span.start % (PFN_LIMIT * PAGE), span.length)
            if not self.context.memory.contains(wrapped):
                raise Refusal(Status.MALFORMED)
            yield wrapped


class ReadsAgain(Hinting):
    """Judges a copy of a request and takes the blocks from the request itself."""

    def _answer(self, chain: Chain) -> Generator[None, None, bytes]:
        self._chain = chain
        return (yield from super()._answer(chain))

    def _discard(self, spans: Sequence[Span]) -> Generator[None, None, None]:
        try:
            again = hint_request.parse(self._chain.read(self.context.memory, self._longest()))
            spans = [span for span in named(again) if self.context.memory.contains(span)]
        except WireError:
            pass
        yield
        yield from super()._discard(spans)


MUTANTS = (
    mutant(
        "unknown-type-as-pfn",
        "takes a request of an unknown type for an array of PFNs",
        ("hint.device.refuse-unknown-type",),
        AnyType,
    ),
    mutant(
        "type-low-byte",
        "looks at the low byte of a type only",
        ("hint.device.refuse-unknown-type",),
        LowByteOfType,
    ),
    mutant("flags-ignored", "ignores the flags", ("hint.device.refuse-nonzero-flags",), AnyFlags),
    mutant(
        "reserved-ignored",
        "ignores reserved fields",
        ("hint.device.refuse-nonzero-reserved",),
        AnyReserved,
    ),
    mutant(
        "reserved-of-first-only",
        "looks at the reserved field of the first entry only",
        ("hint.device.refuse-nonzero-reserved",),
        FirstReservedOnly,
    ),
    mutant(
        "padding-ignored",
        "ignores the padding of a bitmap",
        ("hint-bitmap.device.refuse-nonzero-padding",),
        AnyPadding,
        ("B4",),
    ),
    mutant(
        "longer-taken",
        "ignores bytes behind a request",
        ("hint.device.refuse-inexact-length",),
        MoreIsFine,
    ),
    mutant(
        "shorter-taken",
        "takes the entries that there are when some are missing",
        ("hint.device.refuse-inexact-length",),
        LessIsFine,
        ("N19",),
    ),
    mutant(
        "count-from-length",
        "takes the count from the length of a request",
        ("hint.device.refuse-inexact-length",),
        CountFromLength,
        ("N1",),
    ),
    mutant(
        "order-6-bit",
        "keeps 6 bits of an order and takes what is over 40 for 0",
        ("hint.device.refuse-order-over-40",),
        OrderModulo64,
        ("N12",),
    ),
    mutant(
        "address-wraps",
        "keeps 52 bits of a PFN",
        ("hint.device.refuse-past-address-limit", OUTSIDE),
        AddressWraps,
        ("B1",),
    ),
    mutant(
        "misaligned-taken",
        "takes blocks that are not aligned to their size",
        ("hint-pfn.device.refuse-misaligned", "hint-bitmap.device.refuse-misaligned"),
        AnyAlignment,
    ),
    mutant(
        "aligned-to-order",
        "wants a PFN to be a multiple of the order instead of 2 to its power",
        ("hint-pfn.device.refuse-misaligned", "hint.device.no-refusal-without-cause"),
        AlignedToOrder,
        ("N23",),
    ),
    mutant(
        "aligned-first-only",
        "looks at the alignment of the first block only",
        ("hint-pfn.device.refuse-misaligned",),
        FirstAlignedOnly,
    ),
    mutant(
        "outside-ram-skipped",
        "leaves out what is not RAM and answers OK",
        (OUTSIDE,),
        OutsideSkipped,
        ("Q27",),
    ),
    mutant(
        "outside-ram-clipped",
        "discards the part of a block that is RAM",
        (OUTSIDE, "hint.device.validate-before-touch"),
        LastByteOnly,
        ("Q27",),
    ),
    mutant(
        "refusals-swapped",
        "says MALFORMED for UNSUPPORTED and the other way round",
        ("hint.device.refuse-unknown-type", "hint.device.refuse-nonzero-flags",
         "hint-pfn.device.refuse-count-over-limit", "hint-bitmap.device.refuse-count-over-limit",
         "hint.device.refuse-inexact-length", "hint-bitmap.device.refuse-not-negotiated"),
        SwapsRefusals,
    ),
    mutant(
        "checks-as-it-goes",
        "discards the blocks that come before a faulty one",
        ("hint.device.validate-before-touch", "hint.device.refusal-touches-nothing"),
        ChecksAsItGoes,
        ("N11",),
    ),
    mutant(
        "clears-what-it-refuses",
        "clears the first bytes of blocks that it goes on to refuse",
        ("hint.device.refusal-touches-nothing",),
        ZeroesWhatItRefuses,
    ),
    mutant(
        "stops-at-faulty-block",
        "carries out the blocks before a faulty one and answers OK",
        (OUTSIDE, "hint.device.validate-before-touch"),
        StopsAtFault,
        ("N11",),
    ),
    mutant(
        "refusal-never-used",
        "does not use a request that it refuses",
        ("hint.device.use-every-buffer", "hint.device.refuse-unknown-type"),
        RefusalUnused,
        ("H7",),
    ),
    Mutant(
        "minimum-order-of-first",
        "looks at the order of the first entry only",
        ("hint.device.refuse-order-under-minimum",),
        serving(Queue.HINTING, MinimumOfFirst, DeviceOptions(hint_min_order=2)),
    ),
    Mutant(
        "bitmap-wraps-round",
        "takes blocks past page 2^52 for those from 0 on",
        ("hint.device.refuse-past-address-limit",),
        serving(Queue.HINTING, BitmapWraps),
    ),
    Mutant(
        "blocks-read-again",
        "judges a copy of the request and acts by the request itself",
        ("hint.device.copy-before-touch",),
        serving(Queue.HINTING, ReadsAgain),
    ),
)  # fmt: skip
"""Mutants that judge requests wrongly."""
