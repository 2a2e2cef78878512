"""Going round a queue fast: every descriptor is filled once, and each lap makes all available anew.

So many thousand chains cost one store and one notification a lap.  What is sent asks for nothing
that was not asked for before: pages that the device has already, commands that mean nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

from vhint.guest import Draft, requests
from vhint.ring import DriverRing, GuestMemory, PackedDriverQueue, SplitDriverQueue
from vhint.ring.packed_driver import is_used, pack_descriptor
from vhint.ring.packed_layout import START
from vhint.spans import PAGE, Span
from vhint.wire import command, packed_vring, vring
from vhint.wire.packed_vring import PackedDescriptor, PackedFlag
from vhint.wire.queues import Queue
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.bench import Bench
from vhint_conformance.cases.raw import table_bytes

UNWRITTEN = 0xFFFFFFFF
"""What a used element says that the device has not written in a lap."""

READ, WRITE, NEXT = DescriptorFlag(0), DescriptorFlag.WRITE, DescriptorFlag.NEXT

QUEUES = (Queue.INFLATE, Queue.DEFLATE, Queue.REPORTING, Queue.FREE_PAGE, Queue.HINTING)
"""Queues whose buffers are used at once; statistics are held until the host wants them."""


class Laps(ABC):
    """A queue that is filled with the same chains again and again.

    `requirement` names what is broken when one is not used, `done` is how many chains were used.
    """

    def __init__(self, bench: Bench, queue: Queue, requirement: str, *, indirect: bool) -> None:
        self.bench = bench
        self.queue = queue
        self.requirement = requirement
        self.ring: DriverRing = bench.driver.rings[queue]
        bench.unwatched.add(queue)
        bench.packed_rules.forget(queue)
        make = _what(bench, queue)
        longest = len(make(0))
        bench.need_entries(queue, longest)  # of a chain too that is in a table
        self.per = 1 if indirect else longest
        self.count = self.ring.layout.size // self.per
        self.chains = [make(number) for number in range(self.count)]
        if indirect:
            self.chains = [[self._table(each)] for each in self.chains]
        self.done = 0

    def _table(self, descriptors: Sequence[Descriptor]) -> Descriptor:
        linked = [
            replace(each, flags=each.flags | (NEXT if after < len(descriptors) else 0), next=after)
            if isinstance(self.ring, SplitDriverQueue)
            else each
            for after, each in enumerate(descriptors, 1)
        ]
        at = self.bench.driver.arena.take(len(linked) * vring.DESCRIPTOR_STRUCT.size)
        self.bench.memory.write(at.start, table_bytes(self.ring, *linked))
        return Descriptor(at.start, at.length, DescriptorFlag.INDIRECT)

    def run(self) -> None:
        """Make everything available once more, and wait until it is used."""
        self.send()
        came = self.bench.transport.wait(self._all_used, self.bench.limits.patience)
        where = f"{self.queue} queue, after {self.done} chains"
        self.bench.require(
            came,
            self._broken(),
            expected=f"all {self.count} chains of a lap used",
            seen=self._progress(),
            where=where,
        )
        heads = self._used_heads()
        self.bench.require(
            sorted(heads) == self._ids(),
            "ring.device.slot-modulo-queue-size",
            expected="each head once in each lap",
            seen=f"{len(set(heads))} different heads of {self.count}",
            where=where,
        )

    def send(self) -> None:
        """Make everything available once more; `done` counts it already."""
        self._make_available()
        self.bench.notify(self.queue)
        self.done += self.count

    def _broken(self) -> str:
        """Return what is broken by a lap that is not used to its end."""
        return self.requirement

    @property
    def order(self) -> list[int]:
        """The ids of the chains of a lap, in the order in which they became available."""
        return self._ids()

    @abstractmethod
    def used_at(self, number: int) -> int | None:
        """Return the id in the used entry in the place of a lap's chain; None: none is there."""

    @abstractmethod
    def passed(self) -> int:
        """Return how many chains of the lap the device says to have used, going by an index."""

    @abstractmethod
    def ask_interrupt(self) -> None:
        """Under EVENT_IDX, ask to hear of the last used element of the next lap."""

    @abstractmethod
    def _make_available(self) -> None: ...

    @abstractmethod
    def _all_used(self) -> bool: ...

    @abstractmethod
    def _used_heads(self) -> list[int]: ...

    @abstractmethod
    def _ids(self) -> list[int]: ...

    @abstractmethod
    def _progress(self) -> str: ...


class SplitLaps(Laps):
    """A split queue: the available ring stays as it is, and only its index moves on."""

    def __init__(self, bench: Bench, queue: Queue, requirement: str, *, indirect: bool) -> None:
        super().__init__(bench, queue, requirement, indirect=indirect)
        ring = bench.driver.rings[queue]
        if not isinstance(ring, SplitDriverQueue):
            raise TypeError(f"laps of a split queue were asked of a {type(ring).__name__}")
        self.split = ring
        self.index = self._begin = ring.used_index
        for number, descriptors in enumerate(self.chains):
            head = number * self.per
            for place, each in enumerate(descriptors, head):
                after = place + 1
                linked = replace(each, flags=each.flags | NEXT, next=after)
                last = after == head + self.per
                ring.put_descriptor(place, each if last else linked)
        # The index may stand anywhere in the ring, and a lap may be shorter than that.
        layout = ring.layout
        for slot in range(layout.size):
            head = (slot - self.index) % layout.size % self.count * self.per
            bench.memory.store16(layout.available_entry_at(slot), head)

    def _broken(self) -> str:
        """Name the wrap only where an index of 15 or 16 bits has begun anew."""
        before = self._begin + self.done  # `done` counts this lap already
        wrapped = before > 0xFFFF or (self._begin == 0 and before > 0x7FFF)
        return self.requirement if wrapped else "ring.device.slot-modulo-queue-size"

    def ask_interrupt(self) -> None:
        """Name the last entry of the next lap."""
        self.split.put_used_event(self.index + self.count - 1)

    def _make_available(self) -> None:
        layout = self.split.layout
        if self.count != layout.size:  # the next lap lies elsewhere in the available ring
            for number in range(self.count):
                entry = layout.available_entry_at(self.index + number)
                self.bench.memory.store16(entry, number * self.per)
        # What the last lap left would pass for what the device writes in this one.
        used = Span(layout.used_entry_at(0), layout.size * vring.USED_ELEMENT_STRUCT.size)
        GuestMemory.write(self.bench.memory, used.start, b"\xff" * used.length)
        self.index = (self.index + self.count) & 0xFFFF
        self.bench.memory.store16(layout.available_index_at, self.index)

    def _all_used(self) -> bool:
        return self.split.used_index == self.index

    def _used_heads(self) -> list[int]:
        layout, entry = self.split.layout, vring.USED_ELEMENT_STRUCT
        ring = self.bench.memory.read(Span(layout.used_entry_at(0), layout.size * entry.size))
        every = [head for head, _ in entry.iter_unpack(ring)]
        first = self.index - self.count
        return [every[(first + number) % layout.size] for number in range(self.count)]

    def used_at(self, number: int) -> int | None:
        """Return the head in an element that the used index has passed, and that was written."""
        if number >= self.passed():
            return None
        layout, entry = self.split.layout, vring.USED_ELEMENT_STRUCT
        place = layout.used_entry_at(self.index - self.count + number)
        head, _ = entry.unpack(self.bench.memory.read(Span(place, entry.size)))
        return None if head == UNWRITTEN else int(head)

    def passed(self) -> int:
        """Return how far the used index has come."""
        return (self.split.used_index - (self.index - self.count)) & 0xFFFF

    def _ids(self) -> list[int]:
        return [number * self.per for number in range(self.count)]

    def _progress(self) -> str:
        return f"a used index of {self.split.used_index} instead of {self.index}"


class PackedLaps(Laps):
    """A packed queue: all of its slots are written at once, with the other counter each time."""

    def __init__(self, bench: Bench, queue: Queue, requirement: str, *, indirect: bool) -> None:
        super().__init__(bench, queue, requirement, indirect=indirect)
        ring = bench.driver.rings[queue]
        if not isinstance(ring, PackedDriverQueue):
            raise TypeError(f"laps of a packed queue were asked of a {type(ring).__name__}")
        self.packed = ring
        self.size = ring.layout.size
        self.at = START
        self.slots = self.count * self.per
        self._images = {wrap: self._image(wrap) for wrap in (False, True)}

    def _image(self, wrap: bool) -> bytes:
        """Return the whole ring as it is when available; what no chain needs is a chain's part."""
        made = []
        for number, descriptors in enumerate(self.chains):
            for place, each in enumerate(descriptors):
                flags = int(each.flags) | (0 if place == len(descriptors) - 1 else NEXT)
                flags |= PackedFlag.AVAIL if wrap else PackedFlag.USED
                made.append(PackedDescriptor(each.addr, each.len, number, flags))
        return b"".join(map(pack_descriptor, made))

    def ask_interrupt(self) -> None:
        """Name the first slot of the last list of the next lap."""
        self.packed.ask_interrupt_at(self.at.on(self.slots - self.per, self.size))

    def _make_available(self) -> None:
        layout, size = self.packed.layout, packed_vring.DESCRIPTOR_STRUCT.size
        # Whole slots, each with the counter that the driver has there; the first head last.
        spots = [self.at.on(ahead, self.size) for ahead in range(self.slots)]
        if self.slots == self.size:  # always from slot 0: all but the first at once
            raw = self._images[self.at.wrap]
            self.bench.memory.write(layout.descriptor_at(0) + size, raw[size:])
            spots = spots[:1]
        for number, spot in reversed(list(enumerate(spots))):
            raw = self._images[spot.wrap][number * size : (number + 1) * size]
            self.bench.memory.write(layout.descriptor_at(spot.slot), raw[:-2])
            flags = int.from_bytes(raw[-2:], "little")
            self.bench.memory.store16(layout.flags_at(spot.slot), flags)
        self._heads = [self.at.on(ahead, self.size) for ahead in range(0, self.slots, self.per)]
        self.at = self.at.on(self.slots, self.size)

    def _all_used(self) -> bool:
        last = self._heads[-1]
        return is_used(self.bench.memory.load16(self.packed.layout.flags_at(last.slot)), last.wrap)

    def _used_heads(self) -> list[int]:
        found = []
        for spot in self._heads:
            part = Span(self.packed.layout.used_part_at(spot.slot), packed_vring.USED_STRUCT.size)
            _, name = packed_vring.USED_STRUCT.unpack(self.bench.memory.read(part))
            found.append(name)
        return found

    def used_at(self, number: int) -> int | None:
        """Return the id in a used descriptor, if that is what stands there."""
        spot = self._heads[number]
        if not is_used(self.bench.memory.load16(self.packed.layout.flags_at(spot.slot)), spot.wrap):
            return None
        return self._used_heads()[number]

    def passed(self) -> int:
        """Return that it may be all: there is no index."""
        return self.count

    def _ids(self) -> list[int]:
        return list(range(self.count))

    def _progress(self) -> str:
        used = [
            is_used(self.bench.memory.load16(self.packed.layout.flags_at(spot.slot)), spot.wrap)
            for spot in self._heads
        ]
        return f"{sum(used)}, beginning at slot {self._heads[0].slot}"


def _what(bench: Bench, queue: Queue) -> Callable[[int], list[Descriptor]]:
    """Return what makes the descriptors of a queue's chain of a number."""
    driver = bench.driver
    if queue is Queue.HINTING:
        # No blocks: nothing is asked for, and every request is answered all the same.
        def hint(number: int) -> list[Descriptor]:
            draft = requests.hint_blocks(number + 1, [])
            (place,), (room,) = driver.place(draft.readable), driver.make_room(draft.room)
            bench.memory.release([room])
            return [Descriptor(*place, READ), Descriptor(*room, WRITE)]

        return hint
    if queue is Queue.FREE_PAGE:
        (place,) = driver.place(command.build(command.STOP))
        return lambda _: [Descriptor(*place, READ)]
    (page,) = bench.blocks(1)
    if queue is Queue.REPORTING:
        _give(bench, requests.report([page]))
        return lambda _: [Descriptor(*page, WRITE)]
    (place,) = driver.place(requests.inflate([page.start // PAGE]).readable)
    if queue is Queue.INFLATE:
        _give(bench, requests.inflate([page.start // PAGE]))
    return lambda _: [Descriptor(*place, READ)]


def _give(bench: Bench, draft: Draft) -> None:
    """Say that the device has the pages from now on: the same are named again and again."""
    bench.memory.release(draft.blocks)
    nobody = 1 << 16  # an id that no chain has
    writable = draft.blocks if draft.pages_are_buffers else ()
    bench.driver.note(draft, nobody, (), writable, valid=False)
