"""The driver half of a split virtqueue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vhint.ring.errors import Fault, RingError
from vhint.ring.layout import SplitLayout
from vhint.ring.memory import GuestMemory
from vhint.spans import Span
from vhint.wire import vring
from vhint.wire.vring import Descriptor, DescriptorFlag


class QueueFullError(Exception):
    """There are not enough free descriptors for the chain."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One used element: the head of the chain and the number of bytes that were written.

    `known` is False if no chain with that head was outstanding: then the device is at fault.
    """

    head: int
    length: int
    known: bool


class SplitDriverQueue:
    """Makes buffers available and collects those that were used.

    `add` and `publish` are separate so that several chains can become visible at one instant;
    `put_descriptor` and `put_available` are the raw stores under them, for a driver that means
    harm.
    """

    def __init__(self, memory: GuestMemory, layout: SplitLayout, *, event_idx: bool) -> None:
        self.memory = memory
        self.layout = layout
        self.event_idx = event_idx
        self.available_index = 0
        self._published = 0
        self._announced = 0
        self._used_index = 0
        self._free = list(range(layout.size - 1, -1, -1))
        self._chains: dict[int, tuple[int, ...]] = {}
        for span in (layout.descriptor_span, layout.available_span, layout.used_span):
            memory.write(span.start, bytes(span.length))

    @property
    def outstanding(self) -> frozenset[int]:
        """Heads of the chains that were added and have not come back."""
        return frozenset(self._chains)

    @property
    def free(self) -> int:
        """How many descriptors can still be used."""
        return len(self._free)

    def add(
        self,
        readable: Sequence[Span],
        writable: Sequence[Span],
        *,
        indirect_at: int | None = None,
    ) -> int:
        """Write a chain and its available entry; return the head.  `publish` makes it visible.

        With `indirect_at` the descriptors go into a table at that address (a multiple of 16) and
        the chain takes one entry of the queue.  Raises `QueueFullError`, and writes nothing, if
        the queue has too few free descriptors; an empty chain is a `ValueError`.
        """
        buffers = [(span, DescriptorFlag(0)) for span in readable]
        buffers += [(span, DescriptorFlag.WRITE) for span in writable]
        if not buffers:
            raise ValueError("a chain needs at least one buffer")
        needed = 1 if indirect_at is not None else len(buffers)
        if needed > len(self._free):
            raise QueueFullError(f"{needed} descriptors needed, {len(self._free)} free")
        taken = [self._free.pop() for _ in range(needed)]
        if indirect_at is None:
            self._write_chain(self.layout.descriptors, taken, buffers)
        else:
            self._write_chain(indirect_at, list(range(len(buffers))), buffers)
            table = len(buffers) * vring.DESCRIPTOR_STRUCT.size
            self.put_descriptor(
                taken[0], Descriptor(indirect_at, table, DescriptorFlag.INDIRECT, 0)
            )
        self._chains[taken[0]] = tuple(taken)
        self.put_available(taken[0])
        return taken[0]

    def claim(self, *indices: int) -> int:
        """Take descriptors that the caller writes itself; the first is the head.

        Raises `ValueError`, and takes none, if one of them is in use or named twice.
        """
        if not indices or len(set(indices)) < len(indices) or not set(indices) <= {*self._free}:
            raise ValueError(f"descriptors {indices} are not all free")
        for index in indices:
            self._free.remove(index)
        self._chains[indices[0]] = indices
        return indices[0]

    def begin_at(self, index: int) -> None:
        """Let an empty queue go on where one has left off that was used up to this index.

        Both sides left it waiting to hear of the next entry.
        """
        self.available_index = self._published = self._announced = self._used_index = index
        layout = self.layout
        for at in (layout.available_index_at, layout.used_index_at):
            self.memory.store16(at, index)
        for at in (layout.avail_event_at, layout.used_event_at):
            self.memory.store16(at, index)

    def put_descriptor(self, index: int, descriptor: Descriptor) -> None:
        """Store one entry of the descriptor table."""
        self.memory.write(self.layout.descriptor_at(index), pack_descriptor(descriptor))

    def put_available(self, head: int) -> None:
        """Store one entry of the available ring without making it visible."""
        self.memory.store16(self.layout.available_entry_at(self.available_index), head)
        self.available_index = (self.available_index + 1) & 0xFFFF

    def publish(self) -> None:
        """Make everything that was added visible to the device: one aligned store."""
        self.memory.store16(self.layout.available_index_at, self.available_index)
        self._published = self.available_index

    def suppress_interrupts(self, suppress: bool) -> None:
        """Set or clear NO_INTERRUPT (meaningful only without EVENT_IDX)."""
        self.memory.store16(self.layout.available, vring.AVAIL_NO_INTERRUPT if suppress else 0)

    def put_used_event(self, index: int) -> None:
        """Ask for an interrupt when entry `index` is used (with EVENT_IDX)."""
        self.memory.store16(self.layout.used_event_at, index)

    def kick_needed(self) -> bool:
        """Whether the device asked to be notified of what was published since the last call.

        VIRTIO 1.4, Split Virtqueues, Available Buffer Notification Suppression.
        """
        old, self._announced = self._announced, self._published
        if old == self._announced:
            return False
        if not self.event_idx:
            return not self.memory.load16(self.layout.used) & vring.USED_NO_NOTIFY
        event = self.memory.load16(self.layout.avail_event_at)
        return passed(event, self._announced, old)

    @property
    def used_index(self) -> int:
        """The device's used index as it stands in memory now."""
        return self.memory.load16(self.layout.used_index_at)

    @property
    def pending(self) -> int:
        """How many used elements wait to be collected."""
        return (self.used_index - self._used_index) & 0xFFFF

    @property
    def waits(self) -> bool:
        """Whether a used element waits to be collected."""
        return self.used_index != self._used_index

    def collect(self) -> Completion | None:
        """Take the next used element and free its descriptors, or return None.

        Raises `RingError` if the index ran ahead by more than the queue is long; what lies behind
        it is skipped.
        """
        pending = self.pending
        if not pending:
            return None
        if pending > self.layout.size:
            self._used_index = self.used_index
            raise RingError(
                Fault.USED_JUMP, f"{pending} new elements in a queue of {self.layout.size}"
            )
        entry = Span(self.layout.used_entry_at(self._used_index), vring.USED_ELEMENT_STRUCT.size)
        head, length = vring.USED_ELEMENT_STRUCT.unpack(self.memory.read(entry))
        self._used_index = (self._used_index + 1) & 0xFFFF
        chain = self._chains.pop(head, None)
        self._free.extend(reversed(chain or ()))
        return Completion(head, length, chain is not None)

    def _write_chain(
        self, table: int, indices: list[int], buffers: Sequence[tuple[Span, DescriptorFlag]]
    ) -> None:
        follow = [*indices[1:], None]
        for index, after, (span, flags) in zip(indices, follow, buffers, strict=True):
            linked = flags if after is None else flags | DescriptorFlag.NEXT
            descriptor = Descriptor(span.start, span.length, linked, after or 0)
            self.memory.write(
                table + index * vring.DESCRIPTOR_STRUCT.size, pack_descriptor(descriptor)
            )


def pack_descriptor(descriptor: Descriptor) -> bytes:
    """Return the 16 bytes of a descriptor, unchecked: a hostile driver may write anything."""
    return vring.DESCRIPTOR_STRUCT.pack(
        descriptor.addr, descriptor.len, descriptor.flags, descriptor.next
    )


def passed(event: int, new: int, old: int) -> bool:
    """Whether index `event` is among those that `old` -> `new` stepped over (16-bit, wrapping).

    VIRTIO 1.4, Split Virtqueues: with EVENT_IDX the other side is notified exactly then.

    >>> passed(event=5, new=6, old=5), passed(event=5, new=5, old=4), passed(0xFFFF, 1, 0xFFFE)
    (True, False, True)
    """
    return (new - event - 1) & 0xFFFF < (new - old) & 0xFFFF
