"""What requests look like: buffers, lengths, alignment, bounds and limits, queue by queue."""

from __future__ import annotations

import struct

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span, block
from vhint.trace.events import Event, FeaturesAccepted, Offered
from vhint.wire import hint_request
from vhint.wire.config import BITMAP_COUNT_FACTOR
from vhint.wire.errors import WireError
from vhint.wire.features import Feature, Features
from vhint.wire.hint_request import HEADER_SIZE, MAX_ORDER, PFN_LIMIT, RequestType
from vhint.wire.queues import Queue
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.oracle.monitor import Monitor

PFN_SIZE = 4
WIDE = struct.Struct("<Q")
SWAPPED = struct.Struct(">I")
"""A page number as it must not be sent."""
ENTRY = struct.Struct("<QII")
"""An entry of a PFN array, field by field, so that each fault has its own name."""
START = struct.Struct("<QII")
"""What stands between the header and the bits of a bitmap request."""


class ShapeRules(Monitor):
    """Looks at every request by itself."""

    def __init__(self, memory: GuestMemory, offer: Offer) -> None:
        super().__init__()
        self._memory = memory
        self.offer = offer
        self._accepted = Features(0)

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Judge one event."""
        match event:
            case FeaturesAccepted(bits):
                self._accepted = Features(bits)
            case Offered(queue=Queue.REPORTING):
                self._whole_pages("reporting.driver.whole-pages", event)
            case Offered(queue=Queue.INFLATE | Queue.DEFLATE):
                self._pfns(event)
            case Offered(queue=Queue.HINTING):
                self._hint(event)
            case Offered(queue=Queue.FREE_PAGE) if event.writable:
                self._whole_pages("free-page-hint.driver.one-page-block-a-buffer", event)
            case _:
                pass

    def _whole_pages(self, slug: str, event: Offered) -> None:
        for span in event.writable:
            if span.start % PAGE or span.length % PAGE or not span.length:
                self.report(slug, "whole pages", str(span))

    def _pfns(self, event: Offered) -> None:
        size = sum(span.length for span in event.readable)
        where = f"{event.queue} queue"
        if size % PFN_SIZE or not size:
            slug = "balloon.driver.pfn-width"
            self.report(slug, "32-bit page numbers and nothing else", f"{size} bytes", where)
        if event.writable:
            slug = "balloon.driver.pfn-width"
            self.report(slug, "device-readable buffers only", "device-writable ones", where)
        data = b"".join(map(self._memory.read, event.readable))
        strange = [span for span in event.blocks if not self._memory.contains(span)]
        if form := self._other_form(data, bool(strange)):
            slug = "balloon.driver.pfn-width"
            self.report(slug, "32-bit little-endian page numbers", form, where)
            return
        for span in strange:
            slug = "balloon.driver.pfn-unit"
            self.report(slug, "guest physical addresses of RAM / 4096", str(span), where)

    def _other_form(self, data: bytes, strange: bool) -> str:
        """Say in which other form an array makes sense that makes none as it is, or return ""."""
        if len(data) > WIDE.size and len(data) % WIDE.size == 0:
            wide = [pfn for (pfn,) in WIDE.iter_unpack(data)]  # else page 0 is named twice
            if all(map(self._is_ram, wide)):
                return f"{len(wide)} that are 64 bits wide"
        if strange and len(data) % SWAPPED.size == 0:
            swapped = [pfn for (pfn,) in SWAPPED.iter_unpack(data)]
            if all(map(self._is_ram, swapped)):
                return f"{len(swapped)} that are big-endian"
        return ""

    def _is_ram(self, pfn: int) -> bool:
        return self._memory.contains(block(pfn))

    # The hinting virtqueue

    def _hint(self, event: Offered) -> None:
        data = b"".join(map(self._memory.read, event.readable))
        if len(data) < HEADER_SIZE:
            slug = "hint.driver.length-exact"
            self.report(slug, "a header of 16 bytes", f"{len(data)} bytes")
            return
        head = hint_request.peek_header(data)
        known = len(self.violations)
        if head.flags:
            self.report("hint.driver.flags-zero", "flags 0", f"{head.flags:#x}")
        match head.type:
            case RequestType.PFN:
                self._pfn_request(data, head.count)
            case RequestType.BITMAP:
                self._bitmap_request(data, head.count)
            case _:
                self.report("hint.driver.known-type", "type 1 or 2", str(head.type))
        self._in_ram(event.blocks)
        if len(self.violations) == known:
            try:
                hint_request.parse(data)
            except WireError as error:
                slug = "hint.driver.only-defined-requests"
                self.report(slug, "a request that can be read", str(error))

    def _pfn_request(self, data: bytes, count: int) -> None:
        self._limit("hint-pfn.driver.count-within-limit", count, self.offer.hint_max_count)
        self._length(data, HEADER_SIZE + count * ENTRY.size)
        body = data[HEADER_SIZE:]
        for pfn, order, reserved in ENTRY.iter_unpack(body[: len(body) // ENTRY.size * ENTRY.size]):
            self._reserved(reserved)
            self._block(pfn, order, 1)

    def _bitmap_request(self, data: bytes, count: int) -> None:
        if Feature.HINTING_BITMAP not in self._accepted:
            slug = "hint-bitmap.driver.only-negotiated"
            self.report(slug, "no bitmap without HINTING_BITMAP", "one")
        most = self.offer.hint_max_count * BITMAP_COUNT_FACTOR
        self._limit("hint-bitmap.driver.count-within-limit", count, most)
        self._length(data, HEADER_SIZE + START.size + -(-count // 8))
        if len(data) < HEADER_SIZE + START.size:
            return
        pfn, order, reserved = START.unpack_from(data, HEADER_SIZE)
        self._reserved(reserved)
        self._block(pfn, order, count)
        if count % 8 and data[-1] >> count % 8:
            slug = "hint-bitmap.driver.padding-zero"
            self.report(slug, "padding bits 0", f"{data[-1]:#x} in the last byte")

    def _limit(self, slug: str, count: int, most: int) -> None:
        if count > most:
            self.report(slug, f"at most {most}", str(count))

    def _length(self, data: bytes, expected: int) -> None:
        if len(data) != expected:
            slug = "hint.driver.length-exact"
            self.report(slug, f"{expected} device-readable bytes", str(len(data)))

    def _reserved(self, reserved: int) -> None:
        if reserved:
            self.report("hint.driver.reserved-zero", "reserved fields 0", f"{reserved:#x}")

    def _block(self, pfn: int, order: int, count: int) -> None:
        where = f"block {pfn:#x}, order {order}"
        if not self.offer.hint_min_order <= order <= MAX_ORDER:
            expected = f"an order from {self.offer.hint_min_order} to {MAX_ORDER}"
            self.report("hint.driver.order-within-bounds", expected, str(order), where)
            return
        if pfn % (1 << order):
            slug = "hint.driver.aligned"
            self.report(slug, f"a multiple of {1 << order}", f"{pfn:#x}", where)
        if pfn + (count << order) > PFN_LIMIT:
            slug = "hint.driver.within-address-limit"
            self.report(slug, "an end within page 2^52", f"{pfn + (count << order):#x}", where)

    def _in_ram(self, blocks: tuple[Span, ...]) -> None:
        for span in blocks:
            if not self._memory.contains(span):
                self.report("hint.driver.ram-only", "guest RAM", str(span))
