"""Faults in reading chains: the descriptor table, indirect tables and the available ring."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

from vhint.host import Device
from vhint.host.work import Line
from vhint.ring import Chain, RingError, SplitDeviceQueue
from vhint.ring.errors import Fault
from vhint.spans import Span
from vhint.wire.queues import Queue
from vhint.wire.vring import DescriptorFlag
from vhint_conformance.mutants.base import Mutant, with_ring

FRAMING = "ring.device.framing-independent"
DRAINS = "ring.device.drains-available"
Entry = tuple[int, int, int, int]
_NEXT = int(DescriptorFlag.NEXT)


class OneChainPerKick(Device):
    """Takes one chain for each notification, so coalesced notifications stall the rest."""

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Take one chain only."""
        chain = line.ring.pop()
        if chain is None:
            return
        yield
        length = yield from line.handler.handle(chain)
        if length is not None:
            self.complete(name, line, chain.head, length)


class HeadOnly(SplitDeviceQueue):
    """Looks at the first buffer of each kind and ignores the rest of the chain."""

    def pop(self) -> Chain | None:
        """Cut the chain."""
        chain = super().pop()
        if chain is None:
            return None
        return replace(chain, readable=chain.readable[:1], writable=chain.writable[:1])


class LosesLastBuffer(SplitDeviceQueue):
    """Stops at the descriptor without NEXT, and does not count it if it follows others."""

    def pop(self) -> Chain | None:
        """Drop the last buffer of a long chain."""
        chain = super().pop()
        if chain is None or len(chain.readable) + len(chain.writable) < 3:
            return chain
        if chain.writable:
            return replace(chain, writable=chain.writable[:-1])
        return replace(chain, readable=chain.readable[:-1])


class AtMostFour(SplitDeviceQueue):
    """Has room for four buffers and forgets the others."""

    def pop(self) -> Chain | None:
        """Cut the chain after four buffers of a kind."""
        chain = super().pop()
        if chain is None:
            return None
        return replace(chain, readable=chain.readable[:4], writable=chain.writable[:4])


class NarrowAddress(SplitDeviceQueue):
    """Keeps the lower 32 bits of a buffer's address."""

    def _descriptors(self, table: Span, index: int, count: int) -> list[Entry]:
        found = super()._descriptors(table, index, count)
        return [
            (address & 0xFFFFFFFF, length, flags, after) for address, length, flags, after in found
        ]


class Address40(SplitDeviceQueue):
    """Keeps the lower 40 bits of a buffer's address."""

    def _descriptors(self, table: Span, index: int, count: int) -> list[Entry]:
        found = super()._descriptors(table, index, count)
        return [
            (address & 0xFF_FFFF_FFFF, length, flags, after)
            for address, length, flags, after in found
        ]


class NoIndirect(SplitDeviceQueue):
    """Takes an indirect table for an ordinary buffer."""

    def _descriptors(self, table: Span, index: int, count: int) -> list[Entry]:
        found = super()._descriptors(table, index, count)
        return [
            (address, length, flags & ~DescriptorFlag.INDIRECT, after)
            for address, length, flags, after in found
        ]


class IndirectFirstOnly(SplitDeviceQueue):
    """Knows an indirect table only where a chain begins."""

    def _walk(self, head: int) -> Chain:
        index, size = head, self.layout.size
        for _ in range(size):
            _, _, flags, after = self._descriptors(self.layout.descriptor_span, index % size, 1)[0]
            if flags & DescriptorFlag.INDIRECT and index != head:
                raise RingError(Fault.INDIRECT_NESTED, f"descriptor {index}")
            if not flags & DescriptorFlag.NEXT:
                break
            index = after
        return super()._walk(head)


class ObeysIndirectWrite(SplitDeviceQueue):
    """Refuses an indirect table that is marked device-writable."""

    def _walk(self, head: int) -> Chain:
        _, _, flags, _ = self._descriptors(self.layout.descriptor_span, head, 1)[0]
        if flags & DescriptorFlag.INDIRECT and flags & DescriptorFlag.WRITE:
            raise RingError(Fault.INDIRECT_NESTED, f"descriptor {head}")
        return super()._walk(head)


class PassesOverMixed(SplitDeviceQueue):
    """Uses a chain in which an indirect table follows other buffers, and takes none of it."""

    def _walk(self, head: int) -> Chain:
        chain = super()._walk(head)
        _, _, flags, after = self._descriptors(self.layout.descriptor_span, head, 1)[0]
        if not flags & DescriptorFlag.NEXT:
            return chain
        _, _, flags, _ = self._descriptors(self.layout.descriptor_span, after, 1)[0]
        return _empty(chain) if flags & DescriptorFlag.INDIRECT else chain


class PassesOverWritable(SplitDeviceQueue):
    """Uses a chain whose indirect table is marked device-writable, and takes none of it."""

    def _walk(self, head: int) -> Chain:
        chain = super()._walk(head)
        _, _, flags, _ = self._descriptors(self.layout.descriptor_span, head, 1)[0]
        both = DescriptorFlag.INDIRECT | DescriptorFlag.WRITE
        return _empty(chain) if flags & both == both else chain


def _empty(chain: Chain) -> Chain:
    return replace(chain, readable=(), writable=())


class IndirectInOrder(SplitDeviceQueue):
    """Walks an indirect table entry after entry and ignores its next fields."""

    def _indirect_table(self, span: Span) -> list[Entry]:
        table = super()._indirect_table(span)
        return [(*entry[:3], index + 1) for index, entry in enumerate(table)]


class MarksIndirectTable(SplitDeviceQueue):
    """Notes in an indirect table that it has seen it."""

    def _indirect_table(self, span: Span) -> list[Entry]:
        table = super()._indirect_table(span)
        self.memory.write(span.start + 14, b"\xff\xff")
        return table


class MarksTable(SplitDeviceQueue):
    """Clears the flags of a head descriptor that it has taken."""

    def pop(self) -> Chain | None:
        """Take a chain and mark it."""
        chain = super().pop()
        if chain is not None:
            self.memory.write(self.layout.descriptor_at(chain.head) + 12, b"\0\0\0\0")
        return chain


class MarksAvailable(SplitDeviceQueue):
    """Overwrites the entry of the available ring that it has taken."""

    def pop(self) -> Chain | None:
        """Take a chain and clear its entry."""
        at = self.layout.available_entry_at(self._next_available)
        chain = super().pop()
        if chain is not None:
            self.memory.store16(at, 0xFFFF)
        return chain


class ScribblesRequest(SplitDeviceQueue):
    """Uses the first bytes of a request as a scratch area."""

    def pop(self) -> Chain | None:
        """Take a chain; once its request was copied it is used as memory."""
        chain = super().pop()
        if chain is not None and chain.readable and chain.readable[-1].length >= 4:
            span = chain.readable[-1]
            copy = self.memory.read(span)
            self.memory.write(span.end - 1, bytes([copy[-1] ^ 0xFF]))
        return chain


class AvailableWrapsEarly(SplitDeviceQueue):
    """Keeps its place in the available ring in 15 bits."""

    def pop(self) -> Chain | None:
        """Take a chain, and lose a bit of the index."""
        chain = super().pop()
        self._next_available &= 0x7FFF
        return chain


class UsedSaturates(SplitDeviceQueue):
    """Counts the used index no further than 65535."""

    def push(self, head: int, length: int) -> None:
        """Use a chain; the last index is written again and again."""
        last = self._used_index == 0xFFFF
        super().push(head, length)
        if last:
            self._used_index = 0xFFFF
            self.memory.store16(self.layout.used_index_at, 0xFFFF)


class SaturatesElsewhere(Device):
    """Goes on past 65535 on the deflate queue, and on no other."""

    def _start(self, only: int | None = None) -> None:
        super()._start(only)
        for name, line in self.lines.items():
            if name is not Queue.DEFLATE and isinstance(line.ring, SplitDeviceQueue):
                line.ring.__class__ = UsedSaturates


class AvailableBySize(SplitDeviceQueue):
    """Counts its place in the available ring modulo the size of the queue."""

    @property
    def pending(self) -> int:
        """Compare what is no longer comparable."""
        index = self.memory.load16(self.layout.available_index_at) % self.layout.size
        return (index - self._next_available) % self.layout.size


class DirectPartLost(SplitDeviceQueue):
    """Forgets the descriptors before an indirect table."""

    def _indirect_table(self, span: Span) -> list[Entry]:
        self._in_table = True
        return super()._indirect_table(span)

    def _follow(self, head: int) -> Iterator[tuple[int, list[Entry]]]:
        self._in_table, before = False, []
        for run in super()._follow(head):
            if not self._in_table:
                before.append(run)
            else:
                before.clear()
                yield run
        yield from before


class NextZeroEnds(SplitDeviceQueue):
    """Takes a next field of 0 for the end of a chain."""

    def _descriptors(self, table: Span, index: int, count: int) -> list[Entry]:
        found = super()._descriptors(table, index, count)
        return [
            (a, size, flags if after else flags & ~_NEXT, after) for a, size, flags, after in found
        ]


MUTANTS = (
    Mutant(
        "one-chain-per-kick",
        "takes one chain for each notification and leaves the rest",
        (DRAINS,),
        OneChainPerKick,
        bugs=("N7",),
        machine="FullRing",
    ),
    Mutant(
        "head-of-chain-only",
        "looks at the first buffer of each kind and ignores the rest of the chain",
        (FRAMING, "hint.device.any-fragmentation", "hint.device.no-refusal-without-cause"),
        with_ring(HeadOnly),
        bugs=("F16",),
    ),
    Mutant(
        "last-buffer-lost",
        "does not count the last buffer of a chain of three or more",
        (FRAMING, "hint.device.any-fragmentation"),
        with_ring(LosesLastBuffer),
    ),
    Mutant(
        "four-buffers-at-most",
        "has room for four buffers of a chain and forgets the others",
        (FRAMING, "hint.device.any-fragmentation"),
        with_ring(AtMostFour),
    ),
    Mutant(
        "buffer-address-32-bit",
        "keeps the lower half of a buffer's address only",
        ("ring.device.address-64-bit",),
        with_ring(NarrowAddress),
        bugs=("H1",),
    ),
    Mutant(
        "buffer-address-40-bit",
        "keeps the lower 40 bits of a buffer's address",
        ("ring.device.address-64-bit",),
        with_ring(Address40),
    ),
    Mutant(
        "indirect-taken-for-buffer",
        "negotiates INDIRECT_DESC and takes the table for a buffer",
        ("ring.device.indirect-supported-when-negotiated", "ring.device.indirect-after-direct"),
        with_ring(NoIndirect),
    ),
    Mutant(
        "indirect-only-first",
        "knows an indirect table only where a chain begins",
        ("ring.device.indirect-after-direct",),
        with_ring(IndirectFirstOnly),
    ),
    Mutant(
        "indirect-write-flag-obeyed",
        "refuses an indirect table that is marked device-writable",
        ("ring.device.indirect-write-flag-ignored",),
        with_ring(ObeysIndirectWrite),
    ),
    Mutant(
        "indirect-after-direct-passed-over",
        "uses a chain in which an indirect table follows other buffers, and takes none of it",
        ("ring.device.indirect-after-direct",),
        with_ring(PassesOverMixed),
    ),
    Mutant(
        "indirect-write-flag-passed-over",
        "uses a chain whose indirect table is marked device-writable, and takes none of it",
        ("ring.device.indirect-write-flag-ignored",),
        with_ring(PassesOverWritable),
    ),
    Mutant(
        "indirect-next-ignored",
        "walks an indirect table in the order of its entries and ignores their next fields",
        ("ring.device.indirect-supported-when-negotiated",),
        with_ring(IndirectInOrder),
    ),
    Mutant(
        "indirect-table-written",
        "notes in an indirect table that it has seen it",
        ("ring.device.indirect-table-never-written", "balloon.device.inflate-containment"),
        with_ring(MarksIndirectTable),
    ),
    Mutant(
        "descriptor-table-written",
        "clears the flags of the descriptors that it has taken",
        ("ring.device.descriptor-table-never-written",),
        with_ring(MarksTable),
    ),
    Mutant(
        "available-ring-written",
        "overwrites the entries of the available ring that it has taken",
        ("ring.device.avail-ring-never-written",),
        with_ring(MarksAvailable),
    ),
    Mutant(
        "request-scribbled",
        "uses the memory of a request as a scratch area",
        ("ring.device.readable-never-written",),
        with_ring(ScribblesRequest),
    ),
    Mutant(
        "available-index-15-bit",
        "keeps its place in the available ring in 15 bits",
        ("ring.device.idx-wrap",),
        with_ring(AvailableWrapsEarly),
    ),
    Mutant(
        "used-index-saturates",
        "counts the used index of all queues but deflate no further than 65535",
        ("ring.device.idx-wrap",),
        lambda memory: SaturatesElsewhere(memory),
    ),
    Mutant(
        "available-index-modulo-size",
        "counts its place in the available ring modulo the size of the queue",
        (DRAINS, "ring.device.idx-wrap"),
        with_ring(AvailableBySize),
    ),
    Mutant(
        "direct-part-lost",
        "forgets the descriptors before an indirect table",
        ("ring.device.indirect-after-direct",),
        with_ring(DirectPartLost),
    ),
    Mutant(
        "next-zero-ends",
        "takes a next field of 0 for the end of a chain",
        (FRAMING,),
        with_ring(NextZeroEnds),
    ),
)
"""Mutants that read chains wrongly."""
