"""The device half of a split virtqueue.

All that the driver wrote is hostile: every index is bounded before it is used, every descriptor
is read once and never looked at again, and no chain costs more than the queue is long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import add

from vhint.ring.chain import MAX_CHAIN_BYTES, Chain
from vhint.ring.errors import Fault, RingError
from vhint.ring.fence import fence
from vhint.ring.layout import SplitLayout
from vhint.ring.memory import AddressError, GuestMemory
from vhint.ring.split_driver import passed
from vhint.spans import Span
from vhint.wire import vring
from vhint.wire.vring import DescriptorFlag

# Plain numbers: an IntFlag costs more than all the rest of looking at a descriptor.
_NEXT = int(DescriptorFlag.NEXT)
_WRITE = int(DescriptorFlag.WRITE)
_INDIRECT = int(DescriptorFlag.INDIRECT)

_Descriptor = tuple[int, int, int, int]  # addr, len, flags, next
_LEADS_ON = {_NEXT, _NEXT | _WRITE}
_new = tuple.__new__  # costs less than calling Span


class SplitDeviceQueue:
    """Takes chains that were made available and puts them into the used ring.

    `base` is the index of the available ring to begin at, for a queue that has run before; it then
    goes on in the used ring where that stands.  Raises `RingError` for a layout that is not inside
    guest memory or not aligned.
    """

    def __init__(
        self,
        memory: GuestMemory,
        layout: SplitLayout,
        *,
        event_idx: bool,
        indirect: bool,
        base: int | None = None,
    ) -> None:
        problem = layout.problem()
        if problem:
            raise RingError(Fault.LAYOUT, problem)
        for span in (layout.descriptor_span, layout.available_span, layout.used_span):
            if not memory.contains(span):
                raise RingError(Fault.LAYOUT, f"{span} is not inside guest memory")
        self.memory = memory
        self.layout = layout
        self.event_idx = event_idx
        self.indirect = indirect
        self._next_available = base or 0
        self._used_index = 0 if base is None else memory.load16(layout.used_index_at)
        self._announced = self._used_index
        self._unused = 0
        self._usual = 1  # descriptors in a chain, going by the last

    @property
    def pending(self) -> int:
        """How many chains wait; raises `RingError` if that is more than the queue can hold."""
        index = self.memory.load16(self.layout.available_index_at)
        count = (index - self._next_available) & 0xFFFF
        if count > self.layout.size:
            raise RingError(
                Fault.AVAILABLE_JUMP, f"{count} new entries in a queue of {self.layout.size}"
            )
        return count

    def pop(self) -> Chain | None:
        """Take the next chain, or return None.

        Raises `RingError`, and stays at the same entry, for a chain that breaks the rules.
        """
        if not self.pending:
            return None
        head = self.memory.load16(self.layout.available_entry_at(self._next_available))
        if head >= self.layout.size:
            raise RingError(Fault.HEAD_RANGE, f"head {head}, queue size {self.layout.size}")
        chain = self._walk(head)
        self._next_available = (self._next_available + 1) & 0xFFFF
        self._unused += 1
        if self.event_idx:
            self._ask_for_kick_at(self._next_available)
        return chain

    def again(self, chain: Chain) -> Chain:
        """Read an outstanding chain once more, for those who distrust its driver."""
        return self._walk(chain.head)

    def push(self, head: int, length: int) -> None:
        """Write a used element and then the index that makes it visible.

        VIRTIO 1.4, Split Virtqueues, The Virtqueue Used Ring: `length` is set before the index.
        """
        self.memory.write(
            self.layout.used_entry_at(self._used_index),
            vring.USED_ELEMENT_STRUCT.pack(head, length),
        )
        self._used_index = (self._used_index + 1) & 0xFFFF
        self._unused -= 1
        self.memory.store16(self.layout.used_index_at, self._used_index)

    @property
    def base(self) -> int:
        """The index to begin at again if the queue stops now: the first chain that was not used.

        Chains that were taken and not used are made available again by this, as long as chains are
        used in the order in which they were taken.
        """
        return (self._next_available - self._unused) & 0xFFFF

    def interrupt_needed(self) -> bool:
        """Whether the driver asked to hear of what was used since the last call.

        VIRTIO 1.4, Split Virtqueues, Used Buffer Notification Suppression.
        """
        old, self._announced = self._announced, self._used_index
        if old == self._announced:
            return False
        fence()
        if not self.event_idx:
            return not self.memory.load16(self.layout.available) & vring.AVAIL_NO_INTERRUPT
        event = self.memory.load16(self.layout.used_event_at)
        return passed(event, self._announced, old)

    def suppress_kicks(self, suppress: bool) -> None:
        """Set or clear NO_NOTIFY (meaningful only without EVENT_IDX)."""
        self.memory.store16(self.layout.used, vring.USED_NO_NOTIFY if suppress else 0)

    def _ask_for_kick_at(self, index: int) -> None:
        self.memory.store16(self.layout.avail_event_at, index)
        fence()

    def _walk(self, head: int) -> Chain:
        readable: list[Span] = []
        writable: list[Span] = []
        total = 0
        for index, run in self._follow(head):
            addresses, lengths, flags, _ = zip(*run, strict=True)
            total += sum(lengths)
            if total > MAX_CHAIN_BYTES:
                raise RingError(Fault.TOO_LONG, f"{total} bytes in the run from descriptor {index}")
            buffers = [_new(Span, pair) for pair in zip(addresses, lengths, strict=True)]
            first, end = min(addresses), max(map(add, addresses, lengths))
            if self.memory.region_of(Span(first, end - first)) is None:
                self._check(buffers, index)
            if all(map(_WRITE.__and__, flags)):
                writable += buffers
                continue
            for number, (buffer, flag) in enumerate(zip(buffers, flags, strict=True)):
                if flag & _WRITE:
                    writable.append(buffer)
                elif writable:
                    raise RingError(Fault.ORDER, f"descriptor {index + number}")
                else:
                    readable.append(buffer)
        return Chain(head, tuple(readable), tuple(writable))

    def _check(self, buffers: list[Span], index: int) -> None:
        for number, buffer in enumerate(buffers):
            if buffer.length and not self.memory.contains(buffer):
                raise RingError(Fault.ADDRESS, f"descriptor {index + number}: {buffer}")

    def _follow(self, head: int) -> Iterator[tuple[int, list[_Descriptor]]]:
        """Yield the buffers of a chain in runs of descriptors that stand in sequence.

        With each comes the place of its first descriptor in its table.  A run is as long as the
        chain before was, or twice as long as the run before it.
        """
        size = self.layout.size
        table = self.layout.descriptor_span
        index, entries, nested, seen, ahead = head, size, False, 0, self._usual
        snapshot: list[_Descriptor] = []  # the start of an indirect table, copied once
        while True:
            if index >= entries:
                raise RingError(Fault.NEXT_RANGE, f"descriptor {index} of {entries}")
            run = snapshot[index : index + ahead] or self._descriptors(
                table, index, min(ahead, entries - index)
            )
            del run[_in_sequence(run, index) :]
            seen += len(run)
            address, length, flags, after = run[-1]
            if flags & _INDIRECT:
                run.pop()
                seen -= 1  # the descriptor that refers to a table is not a buffer
            if seen > size:
                raise RingError(Fault.LOOP, f"over {size} descriptors from {head}")
            if run:
                yield index, run
            index += len(run)
            if flags & _INDIRECT:
                if nested:
                    raise RingError(Fault.INDIRECT_NESTED, f"descriptor {index} of the table")
                if flags & _NEXT:
                    raise RingError(Fault.INDIRECT_NEXT, f"descriptor {index}")
                table = Span(address, length)
                snapshot = self._indirect_table(table)
                index, entries, nested = 0, length // vring.DESCRIPTOR_STRUCT.size, True
                ahead = len(snapshot)
                continue
            if not flags & _NEXT:
                self._usual = seen
                return
            ahead = 2 * ahead if after == index else 1
            index = after

    def _indirect_table(self, span: Span) -> list[_Descriptor]:
        if not self.indirect:
            raise RingError(Fault.INDIRECT_OFF, f"table at {span}")
        size = vring.DESCRIPTOR_STRUCT.size
        if span.length % size or not span.length:
            raise RingError(Fault.INDIRECT_LENGTH, f"{span.length} bytes")
        # A chain is never longer than the queue, but it may leave out entries of its table.
        used = Span(span.start, min(span.length, self.layout.size * size))
        if not self.memory.contains(span):
            raise RingError(Fault.ADDRESS, f"indirect table at {span}")
        return list(vring.DESCRIPTOR_STRUCT.iter_unpack(self.memory.read(used)))

    def _descriptors(self, table: Span, index: int, count: int) -> list[_Descriptor]:
        size = vring.DESCRIPTOR_STRUCT.size
        try:
            raw = self.memory.read(Span(table.start + index * size, count * size))
        except AddressError as error:  # the memory table changed after the queue was set up
            raise RingError(Fault.LAYOUT, str(error)) from error
        return list(vring.DESCRIPTOR_STRUCT.iter_unpack(raw))


def _in_sequence(run: Sequence[_Descriptor], index: int) -> int:
    """Return how many descriptors of a run follow one another; `index` is the place of the first.

    The last of them may lead anywhere or nowhere, or to an indirect table.
    """
    _, _, flags, after = zip(*run, strict=True)
    end = index + len(run)
    if {*flags[:-1]} <= _LEADS_ON and after[:-1] == (*range(index + 1, end),):
        return len(run)
    for number, flag in enumerate(flags, 1):
        if flag & _INDIRECT or not flag & _NEXT or after[number - 1] != index + number:
            return number
    return len(run)
