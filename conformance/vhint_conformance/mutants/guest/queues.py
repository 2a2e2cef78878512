"""Faults in the driver's half of a queue, in statistics and in what a balloon says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vhint.guest import requests
from vhint.guest.driver import Request
from vhint.guest.initialise import ReadConfig
from vhint.guest.port import RingPort
from vhint.guest.profiles.hint_format import BitmapFormat
from vhint.guest.requests import Draft
from vhint.ring import SplitDriverQueue
from vhint.ring.split_driver import Completion
from vhint.spans import PAGE, Span
from vhint.wire import config, pfn_array, vring
from vhint.wire.pfn_array import PfnArray
from vhint.wire.queues import Queue, QueueMode
from vhint.wire.statistics import Statistic
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.guest.base import GuestMutant


def with_rings(kind: type[SplitDriverQueue]) -> Mutation:
    """Return a guest whose queues are of another kind."""

    class Port(RingPort):
        """A port with broken queues."""

        def start(self) -> None:
            """Start, and exchange the queues."""
            super().start()
            if self.driver is not None:
                for ring in self.driver.rings.values():
                    if isinstance(ring, SplitDriverQueue):
                        ring.__class__ = kind

    return Mutation(port_kind=Port)


def redrafting(kind: type[RingPort]) -> Mutation:
    """Return a guest with another port."""
    return Mutation(port_kind=kind)


class ComparesOrdered(SplitDriverQueue):
    """Compares the index that the device waits for as if indices never began anew."""

    def kick_needed(self) -> bool:
        """Look whether the event lies between the old index and the new."""
        old, new = self._announced, self._published
        wanted = super().kick_needed()
        if not self.event_idx:
            return wanted
        return old <= self.memory.load16(self.layout.avail_event_at) < new


class IndexSaturates(SplitDriverQueue):
    """Counts no further than 65535, as a count that must not overflow."""

    def put_available(self, head: int) -> None:
        """Add an entry; the last is written again and again."""
        before = self.available_index
        super().put_available(head)
        if before == 0xFFFF:
            self.available_index = before


class WritableFirst(SplitDriverQueue):
    """Puts the room for an answer before the request."""

    def add(
        self,
        readable: Sequence[Span],
        writable: Sequence[Span],
        *,
        indirect_at: int | None = None,
    ) -> int:
        """Add a chain, and exchange its two buffers."""
        head = super().add(readable, writable, indirect_at=indirect_at)
        if indirect_at is None and readable and writable:
            chain = self._chains[head]
            first, last = (self.layout.descriptor_at(each) for each in (chain[0], chain[-1]))
            one, other = self.memory.read(Span(first, 12)), self.memory.read(Span(last, 12))
            flags = self.memory.read(Span(first + 12, 2)), self.memory.read(Span(last + 12, 2))
            self.memory.write(first, other)
            self.memory.write(last, one)
            self.memory.write(first + 12, bytes([flags[0][0] | 2, 0]))
            self.memory.write(last + 12, bytes([flags[1][0] & ~2, 0]))
        return head


class Loops(SplitDriverQueue):
    """Links the last descriptor of a chain to its first."""

    def add(
        self,
        readable: Sequence[Span],
        writable: Sequence[Span],
        *,
        indirect_at: int | None = None,
    ) -> int:
        """Add a chain that never ends."""
        head = super().add(readable, writable, indirect_at=indirect_at)
        if indirect_at is None:
            at = self.layout.descriptor_at(self._chains[head][-1])
            flags = self.memory.read(Span(at + 12, 1))[0] | 1
            self.memory.write(at + 12, bytes([flags, 0]) + head.to_bytes(2, "little"))
        return head


class DirtyFlags(SplitDriverQueue):
    """Sets an undefined flag of the available ring."""

    def publish(self) -> None:
        """Publish with it."""
        self.memory.store16(self.layout.available, 2)
        super().publish()


class FlagBesideEvents(SplitDriverQueue):
    """Sets NO_INTERRUPT although EVENT_IDX was negotiated."""

    def publish(self) -> None:
        """Publish with it."""
        if self.event_idx:
            self.memory.store16(self.layout.available, 1)
        super().publish()


class ChainsIndirect(SplitDriverQueue):
    """Sets NEXT on the descriptor that refers to an indirect table."""

    def put_descriptor(self, index: int, descriptor: Descriptor) -> None:
        """Store it with NEXT."""
        if descriptor.flags & DescriptorFlag.INDIRECT:
            flags = descriptor.flags | DescriptorFlag.NEXT
            descriptor = replace(descriptor, flags=flags, next=index)
        super().put_descriptor(index, descriptor)


class NestsIndirect(SplitDriverQueue):
    """Marks the first entry of an indirect table as another table."""

    def put_descriptor(self, index: int, descriptor: Descriptor) -> None:
        """Store it, and mark the entry."""
        if descriptor.flags & DescriptorFlag.INDIRECT:
            flags = self.memory.read(Span(descriptor.addr + 12, 1))[0]
            self.memory.write(descriptor.addr + 12, bytes([flags | DescriptorFlag.INDIRECT]))
        super().put_descriptor(index, descriptor)


class EventUnasked(SplitDriverQueue):
    """Goes by avail_event although EVENT_IDX was not negotiated."""

    def kick_needed(self) -> bool:
        """Look at the field."""
        real, self.event_idx = self.event_idx, True
        needed = super().kick_needed()
        self.event_idx = real
        return needed


class FlagBesideEvent(SplitDriverQueue):
    """Obeys NO_NOTIFY although EVENT_IDX was negotiated."""

    def kick_needed(self) -> bool:
        """Look at both."""
        flag = self.memory.load16(self.layout.used) & vring.USED_NO_NOTIFY
        return super().kick_needed() and not flag


class ChangesOutstanding(SplitDriverQueue):
    """Cuts an outstanding chain short when it adds another."""

    def add(
        self,
        readable: Sequence[Span],
        writable: Sequence[Span],
        *,
        indirect_at: int | None = None,
    ) -> int:
        """Add a chain, and change one that the device has."""
        for chain in list(self._chains.values())[-1:]:
            self.memory.write(self.layout.descriptor_at(chain[0]) + 8, b"\x01\x00\x00\x00")
        return super().add(readable, writable, indirect_at=indirect_at)


class StrayIdTaken(SplitDriverQueue):
    """Takes a used id that is nobody's for the chain that was added first."""

    def collect(self) -> Completion | None:
        """Believe it."""
        found = super().collect()
        if found is None or found.known or not self._chains:
            return found
        first = next(iter(self._chains))
        self._free.extend(reversed(self._chains.pop(first)))
        return Completion(first, found.length, True)


class AlwaysIndirect(RingPort):
    """Uses indirect tables whether or not they were negotiated."""

    def add(self, draft: Draft) -> Request:
        """Add it indirectly."""
        return self._live.add(draft, indirect=True)


class FixedNumbers(RingPort):
    """Numbers its queues as the standard lists them, whatever the device does."""

    def start(self) -> None:
        """Start with other numbers."""
        self._wish = replace(self._wish, mode=QueueMode.SPEC_FIXED)
        super().start()


class LimitIgnored(RingPort):
    """Takes a much larger count for the device's limit."""

    def read_config(self, field: str) -> int:
        """Read a larger one."""
        value = super().read_config(field)
        return value * 64 if field == "hint_max_count" else value


class ReadsByBytes(RingPort):
    """Reads the fields of configuration byte by byte."""

    def read_config(self, field: str) -> int:
        """Put a value together from what was there at four times."""
        at, size = config.field_offset(field), config.field_size(field)
        parts = [int(self._perform(ReadConfig(at + each, 1)) or 0) for each in range(size)]
        return int.from_bytes(bytes(parts), "little")


class CommandsBigEndian(RingPort):
    """Sends command ids most significant byte first."""

    def add(self, draft: Draft) -> Request:
        """Turn them round."""
        if draft.queue is Queue.FREE_PAGE and draft.readable:
            draft = replace(draft, readable=draft.readable[::-1])
        return super().add(draft)


class InflatesInAddresses(RingPort):
    """Sends the addresses of pages to be inflated."""

    def add(self, draft: Draft) -> Request:
        """Multiply them."""
        if draft.queue is Queue.INFLATE:
            pfns = [span.start & 0xFFFFFFFF for span in draft.blocks]
            draft = replace(draft, readable=pfn_array.build(PfnArray.of(pfns)))
        return super().add(draft)


class InflatesIn64Bits(RingPort):
    """Sends page numbers as 64-bit numbers."""

    def add(self, draft: Draft) -> Request:
        """Widen them."""
        if draft.queue is Queue.INFLATE:
            data = b"".join((span.start // PAGE).to_bytes(8, "little") for span in draft.blocks)
            draft = replace(draft, readable=data)
        return super().add(draft)


class InflatesNeighbours(RingPort):
    """Names the neighbours of the pages that it gives up."""

    def add(self, draft: Draft) -> Request:
        """Change the lowest bit of each number."""
        if draft.queue is Queue.INFLATE:
            pfns = [span.start // PAGE ^ 1 for span in draft.blocks]
            draft = replace(draft, readable=pfn_array.build(PfnArray.of(pfns)))
        return super().add(draft)


class InflatesTwice(RingPort):
    """Names the first page of an inflate request twice."""

    def add(self, draft: Draft) -> Request:
        """Name it again."""
        if draft.queue is Queue.INFLATE:
            draft = replace(draft, readable=draft.readable + draft.readable[:4])
        return super().add(draft)


class DeflatesOthers(RingPort):
    """Asks to deflate pages that it never inflated."""

    def add(self, draft: Draft) -> Request:
        """Ask for other pages."""
        if draft.queue is Queue.DEFLATE:
            pfns = [span.start // PAGE ^ 1 for span in draft.blocks]
            draft = replace(draft, readable=pfn_array.build(PfnArray.of(pfns)))
        return super().add(draft)


class ActualUnset(RingPort):
    """Never writes how large the balloon is."""

    def write_config(self, field: str, value: int) -> None:
        """Leave actual alone."""
        if field != "actual":
            super().write_config(field, value)


class ActualInBytes(RingPort):
    """Writes the size of the balloon in bytes."""

    def write_config(self, field: str, value: int) -> None:
        """Multiply it."""
        super().write_config(field, value * PAGE if field == "actual" else value)


class ReportsReadable(RingPort):
    """Reports pages as buffers that the device may only read."""

    def start(self) -> None:
        """Start, and change the reporting queue."""
        super().start()
        if self.driver is not None and Queue.REPORTING in self.driver.rings:
            self.driver.rings[Queue.REPORTING].__class__ = _AllReadable


class _AllReadable(SplitDriverQueue):
    def add(
        self,
        readable: Sequence[Span],
        writable: Sequence[Span],
        *,
        indirect_at: int | None = None,
    ) -> int:
        """Add every buffer as readable."""
        return super().add([*readable, *writable], (), indirect_at=indirect_at)


class ReportsParts(RingPort):
    """Leaves the first 64 bytes of every page that it reports to itself."""

    def add(self, draft: Draft) -> Request:
        """Shorten them."""
        if draft.queue is Queue.REPORTING:
            shorter = tuple(Span(each.start + 64, each.length - 64) for each in draft.blocks)
            draft = replace(draft, blocks=shorter)
        return super().add(draft)


class ReportsTwice(RingPort):
    """Names the first page of a report twice."""

    def add(self, draft: Draft) -> Request:
        """Name it again."""
        if draft.queue is Queue.REPORTING and self.room(Queue.REPORTING) > len(draft.blocks) + 1:
            draft = replace(draft, blocks=(*draft.blocks, draft.blocks[0]))
        return super().add(draft)


class OddStatistics(RingPort):
    """Sends a statistics buffer that ends within an entry."""

    def add(self, draft: Draft) -> Request:
        """Add 6 bytes, as if its header were padded."""
        if draft.queue is Queue.STATS:
            draft = replace(draft, readable=draft.readable + bytes(6))
        return super().add(draft)


class UnsetStatistics(RingPort):
    """Sends the tags of statistics with what was in the buffer before."""

    def add(self, draft: Draft) -> Request:
        """Leave the values as they were."""
        if draft.queue is Queue.STATS:
            tags = [draft.readable[at : at + 2] for at in range(0, len(draft.readable), 10)]
            draft = replace(draft, readable=b"".join(tag + b"\xa5" * 8 for tag in tags))
        return super().add(draft)


class FewerStatistics(RingPort):
    """Leaves a figure out of every second statistics buffer."""

    turn = 0

    def add(self, draft: Draft) -> Request:
        """Cut an entry off."""
        if draft.queue is Queue.STATS:
            self.turn += 1
            if self.turn % 2 == 0:
                draft = replace(draft, readable=draft.readable[:-10])
        return super().add(draft)


class TwoStatistics(RingPort):
    """Gives the device a second statistics buffer besides the one that it holds."""

    def add(self, draft: Draft) -> Request:
        """Add another first."""
        if draft.queue is Queue.STATS and self.room(Queue.STATS) > 1:
            super().add(requests.give_statistics([Statistic(0, 1)]))
        return super().add(draft)


class NoStatistics(RingPort):
    """Never gives the device a statistics buffer."""

    def room(self, queue: Queue) -> int:
        """Say that there is no room for it."""
        return 0 if queue is Queue.STATS else super().room(queue)


def _mutant(
    name: str,
    summary: str,
    violates: tuple[str, ...],
    how: Mutation,
    bugs: tuple[str, ...] = (),
) -> GuestMutant:
    return GuestMutant(name, summary, violates[0], "", how, also=violates[1:], bugs=bugs)


MUTANTS = (
    _mutant("writable-before-readable", "puts the room for an answer before the request",
            ("ring.driver.readable-before-writable",), with_rings(WritableFirst)),
    _mutant("chain-loops", "links the last descriptor of a chain to its first",
            ("ring.driver.no-loop", "ring.driver.chain-within-queue-size"), with_rings(Loops)),
    _mutant("available-flags-dirty", "sets an undefined flag of the available ring",
            ("ring.driver.avail-flags-valid",), with_rings(DirtyFlags)),
    _mutant("no-interrupt-with-event-idx", "sets NO_INTERRUPT although EVENT_IDX was negotiated",
            ("ring.driver.event-idx-avail-flags-zero",), with_rings(FlagBesideEvents)),
    _mutant("indirect-chained", "sets NEXT on the descriptor of an indirect table",
            ("ring.driver.indirect-not-chained",), with_rings(ChainsIndirect), ("Q31",)),
    _mutant("indirect-nested", "puts an indirect table into another",
            ("ring.driver.indirect-not-nested",), with_rings(NestsIndirect)),
    _mutant("indirect-unnegotiated", "uses indirect tables that were not negotiated",
            ("ring.driver.indirect-only-negotiated",), redrafting(AlwaysIndirect), ("L16",)),
    _mutant("avail-event-unasked", "goes by avail_event although EVENT_IDX was not negotiated",
            ("ring.driver.avail-event-ignored", "ring.driver.kick-when-flags-zero"),
            with_rings(EventUnasked), ("N13",)),
    _mutant("no-notify-with-events", "obeys NO_NOTIFY although EVENT_IDX was negotiated",
            ("ring.driver.event-idx-flag-ignored", "ring.driver.kick-at-avail-event"),
            with_rings(FlagBesideEvent), ("N13",)),
    _mutant("event-compared-ordered", "misses the device's event where indices begin anew",
            ("ring.driver.kick-at-avail-event",), with_rings(ComparesOrdered)),
    _mutant("index-saturates", "counts the available index no further than 65535",
            ("balloon.driver.inflate-on-demand", "ring.driver.avail-idx-never-back",
             "balloon.driver.stats-answer-use"), with_rings(IndexSaturates)),
    _mutant("outstanding-chain-changed", "changes a chain that the device has",
            ("ring.driver.no-alter-exposed",), with_rings(ChangesOutstanding)),
    _mutant("stray-id-taken", "takes a used id that is nobody's for its first chain",
            ("ring.driver.used-id-checked", "balloon.driver.acknowledgement-matched"),
            with_rings(StrayIdTaken)),
    _mutant("queue-numbers-fixed", "numbers queues as the standard lists them, not the device",
            ("balloon.driver.queue-map-follows-device", "balloon.driver.absent-queue-not-used",
             "hint.driver.queue-index", "virtio.driver.initialisation-order"),
            redrafting(FixedNumbers), ("L10", "L14")),
    _mutant("sends-unnegotiated-bitmaps", "sends bitmaps that were not negotiated",
            ("hint-bitmap.driver.only-negotiated",),
            Mutation(formats=lambda _made, _whole: BitmapFormat())),
    _mutant("hint-limit-ignored", "sends more entries than the device takes",
            ("hint-pfn.driver.count-within-limit", "hint.driver.config-limits-read",
             "hint-bitmap.driver.count-within-limit"), redrafting(LimitIgnored), ("L11",)),
    _mutant("config-read-by-bytes", "reads the fields of configuration byte by byte",
            ("virtio.driver.config-not-atomic", "virtio.driver.config-access-width",
             "free-page-hint.driver.current-id-read"), redrafting(ReadsByBytes)),
    _mutant("command-big-endian", "sends command ids most significant byte first",
            ("free-page-hint.driver.id-little-endian", "free-page-hint.driver.current-id-read"),
            redrafting(CommandsBigEndian), ("L2",)),
    _mutant("inflate-in-addresses", "sends addresses of pages to be inflated",
            ("balloon.driver.pfn-unit", "balloon.driver.pfn-width"),
            redrafting(InflatesInAddresses)),
    _mutant("inflate-in-64-bits", "sends page numbers as 64-bit numbers",
            ("balloon.driver.pfn-width", "balloon.driver.no-page-in-balloon-twice",
             "balloon.driver.inflate-on-demand"),
            redrafting(InflatesIn64Bits), ("W6",)),
    _mutant("inflate-of-neighbours", "gives up other pages than those it took",
            ("balloon.driver.never-inflate-in-use", "balloon.driver.deflate-only-own",
             "balloon.driver.no-page-in-balloon-twice"), redrafting(InflatesNeighbours)),
    _mutant("inflate-names-twice", "names the first page of an inflate request twice",
            ("balloon.driver.no-page-in-balloon-twice",), redrafting(InflatesTwice), ("L9",)),
    _mutant("deflate-of-others", "asks to deflate pages that it never inflated",
            ("balloon.driver.deflate-only-own",), redrafting(DeflatesOthers)),
    _mutant("actual-never-written", "never writes how large the balloon is",
            ("balloon.driver.update-actual", "balloon.driver.actual-true"),
            redrafting(ActualUnset)),
    _mutant("actual-in-bytes", "writes the size of the balloon in bytes",
            ("balloon.driver.actual-true", "balloon.driver.update-actual"),
            redrafting(ActualInBytes)),
    _mutant("reports-readable", "reports pages as buffers that the device may only read",
            ("reporting.driver.buffers-device-writable",), redrafting(ReportsReadable)),
    _mutant("reports-parts-of-pages", "keeps the first bytes of reported pages for itself",
            ("reporting.driver.whole-pages",), redrafting(ReportsParts)),
    _mutant("report-names-twice", "names the first page of a report twice",
            ("reporting.driver.no-overlap-in-report",), redrafting(ReportsTwice)),
    _mutant("statistics-end-within-entry", "sends statistics with 6 bytes behind the last entry",
            ("balloon.driver.stats-size-multiple",), redrafting(OddStatistics), ("N14",)),
    _mutant("statistics-unset", "sends the tags of statistics with stray values",
            ("balloon.driver.stats-initialise-buffer",), redrafting(UnsetStatistics)),
    _mutant("statistics-of-varying-tags", "leaves a figure out of every second buffer",
            ("balloon.driver.stats-same-subset",), redrafting(FewerStatistics)),
    _mutant("two-statistics-buffers", "gives the device a second statistics buffer",
            ("balloon.driver.stats-single-buffer",), redrafting(TwoStatistics), ("Q18",)),
    _mutant("no-statistics-buffer", "never gives the device a statistics buffer",
            ("balloon.driver.stats-first-buffer", "balloon.driver.stats-answer-use"),
            redrafting(NoStatistics)),
)  # fmt: skip
"""Guest mutants of queues, of the balloon's words and of statistics."""
