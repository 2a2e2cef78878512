"""Faults that show only where a message is long, comes second, or lies where few do."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

from vhint.host import Device, Discarded, PunchHoles
from vhint.host.context import Handler
from vhint.host.hinting import Hinting, Refusal, named
from vhint.host.reporting import Reporting
from vhint.host.work import Line
from vhint.ring import Chain, GuestMemory, PackedDeviceQueue, SplitDeviceQueue
from vhint.ring.split_driver import passed
from vhint.spans import PAGE, Span, block
from vhint.wire import config, hint_ack, hint_request
from vhint.wire.blocks import MAX_ORDER
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Status
from vhint.wire.hint_request import BitmapRequest, PfnRequest, RequestType
from vhint.wire.packed_vring import PackedFlag
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import EVERYTHING, Mutant, reclaiming, serving, with_ring
from vhint_conformance.mutants.device.hint_answers import Rewrites, rewriting
from vhint_conformance.mutants.device.hint_blocks import Extends
from vhint_conformance.mutants.device.hint_refusals import Mends
from vhint_conformance.mutants.device.packed_rings import with_packed
from vhint_conformance.variants import Rings

FRAMING = "ring.device.framing-independent"
LONG = replace(EVERYTHING, queue_size=1024)
HEAD = hint_request.HEADER_SIZE
ACK = hint_ack.HEADER_SIZE
LARGE = 2 << 20
"""Bytes of what is taken for large."""


class StaleEvent(SplitDeviceQueue):
    """Compares used_event with all that was ever used."""

    def interrupt_needed(self) -> bool:
        """Take an event that was passed long ago for one that is passed now."""
        if not self.event_idx:
            return super().interrupt_needed()
        self._announced = self._used_index
        return passed(self.memory.load16(self.layout.used_event_at), self._used_index, 0)


class TellsFirst(Device):
    """Notifies of a buffer, and uses it when it gets round to it."""

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:  # noqa: ARG002
        """Speak one step too early, and then no more."""
        while (chain := line.ring.pop()) is not None:
            yield
            length = yield from line.handler.handle(chain)
            if length is not None:
                self._used_interrupt = True
                yield
                line.ring.push(chain.head, length)
                yield


class SixtyFourBuffers(SplitDeviceQueue):
    """Has room for 64 buffers of a chain and forgets the others."""

    def pop(self) -> Chain | None:
        """Cut the chain."""
        chain = super().pop()
        if chain is None:
            return None
        readable = chain.readable[:64]
        return replace(chain, readable=readable, writable=chain.writable[: 64 - len(readable)])


class NextOf8Bits(SplitDeviceQueue):
    """Keeps the low byte of a next field."""

    def _descriptors(self, table: Span, index: int, count: int) -> list[tuple[int, int, int, int]]:
        found = super()._descriptors(table, index, count)
        return [(address, length, flags, after & 0xFF) for address, length, flags, after in found]


class OneTooMany(SplitDeviceQueue):
    """Takes a next field that equals the size of the queue for one within the table."""

    def _follow(self, head: int) -> Iterator[tuple[int, list[tuple[int, int, int, int]]]]:
        layout = self.layout
        self.layout = replace(layout, size=layout.size + 1)
        try:
            yield from super()._follow(head)
        finally:
            self.layout = layout


class AvailBitOnly(PackedDeviceQueue):
    """Looks at the AVAIL bit, and not whether USED says that the list was used."""

    def pop(self) -> Chain | None:
        """Take what has the one bit as it is next, whatever the other says."""
        slot, wrap = self._available
        at = self.layout.flags_at(slot)
        flags = self.memory.load16(at)
        if bool(flags & PackedFlag.AVAIL) == wrap == bool(flags & PackedFlag.USED):
            self.memory.store16(at, flags ^ int(PackedFlag.USED))
        return super().pop()


class RemembersRefusal(Device):
    """Agrees to no features any more once it has refused some."""

    refused = False

    def _features_acceptable(self) -> bool:
        self.refused |= not super()._features_acceptable()
        return not self.refused


class LimitsWhenAccepted(Device):
    """Shows the limits of hinting to drivers that have accepted it, and zeros before."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Hide two fields."""
        whole = bytearray(super().read_config(0, 256))
        if Feature.HINTING not in self.context.accepted and self._status:
            at = config.field_offset("hint_max_count")
            whole[at : at + 8] = bytes(8)
        return bytes(whole[offset : offset + length]).ljust(length, b"\0")


class ConfigBeginsAnew(Device):
    """Takes an offset in config space modulo the size of what is there."""

    def write_config(self, offset: int, data: bytes) -> None:
        """Write somewhere."""
        super().write_config(offset % 32, data)


class GrowsLast(PunchHoles):
    """Discards what it discarded last once more if what comes now touches it."""

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__(memory)
        self._last = Span(0, 0)

    def discard(self, spans: Sequence[Span]) -> Discarded:
        """Make one range of two."""
        spans = list(spans)
        if len(spans) == 1:
            (span,), last = spans, self._last
            self._last = span
            if last.length and last.end == span.start:
                spans = [Span(last.start, last.length + span.length)]
        return super().discard(spans)


class LargeWithoutPoison(Reporting):
    """Keeps the poison of reported pages, but for large ranges."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard what is large."""
        length = yield from super().handle(chain)
        self.context.discard([span for span in chain.writable if span.length >= LARGE])
        return length


class WholeWords(Rewrites):
    """Looks at whole 64-bit words of a bitmap only, if there is one."""

    def rewrite(self, answer: bytes, request: bytes) -> bytes:
        """Count no bits behind the last whole word."""
        count = int.from_bytes(request[4:8], "little")
        accepted = int.from_bytes(answer[8:12], "little") == Status.OK
        if request[0] != RequestType.BITMAP or not accepted or count < 64:
            return answer
        whole = count // 64 * 8
        bits = request[HEAD + 16 : HEAD + 16 + whole]
        processed = int.from_bytes(bits, "little").bit_count().to_bytes(4, "little")
        shown = answer[ACK : ACK + whole]
        return answer[:12] + processed + shown + bytes(len(answer) - ACK - len(shown))


class LastResults(Rewrites):
    """Writes the last result bytes of a bitmap where there is no room for all."""

    def rewrite(self, answer: bytes, request: bytes) -> bytes:
        """Cut the results at their beginning."""
        shown = len(answer) - ACK
        size = -(-int.from_bytes(request[4:8], "little") // 8)
        accepted = int.from_bytes(answer[8:12], "little") == Status.OK
        if request[0] != RequestType.BITMAP or not accepted or not 0 < shown < size:
            return answer
        bits = request[HEAD + 16 : HEAD + 16 + size]
        return answer[:ACK] + bits[size - shown :]


class BelowLargestOrder(Hinting):
    """Takes the largest order of a bitmap for one that is too large."""

    def _check_bitmap(self, request: BitmapRequest) -> None:
        if request.order >= MAX_ORDER:
            raise Refusal(Status.MALFORMED)
        super()._check_bitmap(request)


class LargeAndAPage(Extends):
    """Takes a large block for one page longer than it is."""

    def others(self, request: PfnRequest | BitmapRequest) -> Iterable[Span]:
        """Lengthen what is large."""
        return [
            Span(span.start, span.length + (PAGE if span.length >= LARGE else 0))
            for span in named(request)
        ]


class BitsOf8Bits(Extends):
    """Keeps the low byte of the number of a bit."""

    def others(self, request: PfnRequest | BitmapRequest) -> Iterable[Span]:
        """Begin anew at bit 256."""
        if isinstance(request, PfnRequest):
            return named(request)
        return [
            block(request.start_pfn + (int(bit) % 256 << request.order), request.order)
            for bit in request.bits.indices()
        ]


class CountTurned(Mends):
    """Reads the count of a request most significant byte first."""

    def mend(self, data: bytes) -> bytes:
        """Turn it round."""
        return data[:4] + data[4:8][::-1] + data[8:]


def cookieless_refusal(answer: bytes, _: bytes) -> bytes:
    """Leave the cookie out of what says MALFORMED."""
    return bytes(8) + answer[8:] if answer[8] == Status.MALFORMED else answer


class ManyTwice(Device):
    """Uses a report of more than eight ranges twice."""

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use it, and then again if it was long."""
        super().complete(name, line, head, length)
        if name is Queue.REPORTING and self.ranges > 8:
            super().complete(name, line, head, length)

    def _fresh_handlers(self) -> dict[Queue, Handler]:
        device = self

        class Counts(Reporting):
            """Tells the device how many ranges there were."""

            def handle(self, chain: Chain) -> Generator[None, None, int]:
                """Count, and serve."""
                device.ranges = len(chain.writable)
                return (yield from super().handle(chain))

        return {**super()._fresh_handlers(), Queue.REPORTING: Counts(self.context)}

    ranges = 0


MUTANTS = (
    Mutant("used-event-of-long-ago", "notifies again of an entry that used_event named before",
           ("ring.device.event-idx-quiet",), with_ring(StaleEvent)),
    Mutant("notifies-before-use", "notifies of a buffer before the driver can see that it is used",
           ("ring.device.flags-zero-notifies", "ring.device.event-idx-notifies"), TellsFirst),
    Mutant("sixty-four-buffers-at-most", "has room for 64 buffers and forgets the others",
           (FRAMING, "hint.device.any-fragmentation"), with_ring(SixtyFourBuffers, LONG)),
    Mutant("next-of-8-bits", "keeps the low byte of a next field",
           (FRAMING,), with_ring(NextOf8Bits, LONG)),
    Mutant("next-at-size-followed", "follows a next field to what lies right behind the table",
           ("ring.device.malformed-contained",), with_ring(OneTooMany)),
    Mutant("packed-avail-bit-only", "looks at the AVAIL bit of a descriptor and not at USED",
           ("ring.device.packed-use-only-available",), with_packed(AvailBitOnly),
           rings=(Rings.PACKED,)),
    Mutant("refusal-remembered", "agrees to no features any more once it has refused some",
           ("virtio.device.renegotiation-not-refused",), RemembersRefusal),
    Mutant("limits-when-accepted", "shows the limits of hinting once hinting was accepted",
           ("virtio.device.config-optional-when-offered",), LimitsWhenAccepted),
    Mutant("config-begins-anew", "takes an offset in config space modulo its size",
           ("balloon.device.config-odd-access-survived",), ConfigBeginsAnew),
    Mutant("neighbour-discarded-again", "joins what it discards to what it discarded before",
           ("reporting.device.no-effect-after-use", "hint.device.no-effect-after-use",
            "balloon.device.no-effect-after-deflate-use"), reclaiming(GrowsLast)),
    Mutant("large-report-unpoisoned", "discards reported ranges of 2 MiB whatever the poison",
           ("reporting.device.poison-preserved",), serving(Queue.REPORTING, LargeWithoutPoison)),
    Mutant("bitmap-in-whole-words", "does not count what is behind a bitmap's last whole word",
           ("hint.device.ok-means-all", "hint.device.processed-counts-accepted"),
           serving(Queue.HINTING, WholeWords)),
    Mutant("last-results-first", "writes the last result bytes where there is no room for all",
           ("hint-bitmap.device.result-only-named", "hint-bitmap.device.result-order"),
           serving(Queue.HINTING, LastResults)),
    Mutant("largest-order-refused", "refuses bitmaps of blocks of the largest order",
           ("hint-bitmap.device.clear-bits-not-judged", "hint.device.no-refusal-without-cause"),
           serving(Queue.HINTING, BelowLargestOrder)),
    Mutant("large-block-and-a-page", "takes a block of 2 MiB or more for one page longer",
           ("hint.device.containment",), serving(Queue.HINTING, LargeAndAPage)),
    Mutant("bit-numbers-of-8-bits", "begins anew with the blocks of a bitmap at bit 256",
           ("hint-bitmap.device.request-order", "hint-bitmap.device.clear-bit-untouched",
            "hint.device.containment"), serving(Queue.HINTING, BitsOf8Bits)),
    Mutant("malformed-without-cookie", "answers MALFORMED under cookie 0",
           ("hint.device.cookie-echo",), serving(Queue.HINTING, rewriting(cookieless_refusal))),
    Mutant("long-report-used-twice", "uses a report of more than eight ranges twice",
           ("reporting.device.use-once", "ring.device.use-chain-once",
            "ring.device.used-idx-counts-chains"), ManyTwice),
    Mutant("count-big-endian", "reads the count of a request most significant byte first",
           ("hint.device.little-endian", "hint.device.no-refusal-without-cause"),
           serving(Queue.HINTING, CountTurned), bugs=("B2",)),
)  # fmt: skip
"""Mutants that long went unseen."""
