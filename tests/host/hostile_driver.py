"""A driver without manners over a loopback, which knows what it has allowed the device."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable

from tests.host.hint_oracle import World
from tests.host.hostile import (
    ARENA,
    INDIRECT,
    NEXT,
    RAM,
    RING,
    RINGS,
    SIZE,
    WRITE,
    Draft,
    Permissions,
    Reading,
    walk,
)
from vhint.host import ALL_FEATURES, Device, DeviceOptions, DiscardHints, NotedWrites
from vhint.ring import SplitLayout
from vhint.spans import PAGE, Span
from vhint.transport.loopback import Loopback
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, queue_map
from vhint.wire.status import DeviceStatus

FILL = b"\x5a"
STEPS_A_CHAIN = 8
MAX_COUNT = 6
KEPT = [Feature.VERSION_1, Feature.HINTING, Feature.FREE_PAGE_HINT, Feature.PAGE_REPORTING]
OPTIONAL = [
    feature for feature in ALL_FEATURES if feature not in KEPT and feature is not Feature.STATS_VQ
]


class Hostile:
    """A driver without manners over a loopback, with an image of what memory ought to hold."""

    def __init__(self, order: int, without: frozenset[Feature], poison: int) -> None:
        options = DeviceOptions(
            queue_size=SIZE,
            host_page=PAGE << order,
            hint_min_order=order,
            hint_max_count=MAX_COUNT,
        )
        self.accepted = ALL_FEATURES - Features.of(*without)
        self.poison = poison if Feature.PAGE_POISON in self.accepted else 0
        self.loop = Loopback(
            lambda memory: Device(memory, options, hints=DiscardHints(NotedWrites())), RAM
        )
        self.options = options
        self.start()

    def start(self) -> None:
        """(Re)start the device over memory in which every page is filled."""
        loop = self.loop
        loop.write_status(0)
        self.image = bytearray(FILL * RAM)
        loop.memory.write(0, bytes(self.image))
        for status in (1, 3):
            loop.write_status(status)
        loop.write_features(self.accepted.bits)
        loop.write_status(11)
        self.indices = queue_map(self.options.queue_mode, self.options.offered, self.accepted)
        self.layouts = {}
        for queue, index in self.indices.items():
            layout = SplitLayout.at(RINGS + RING * index, SIZE)
            self.layouts[queue] = layout
            self.put(layout.descriptors, bytes(layout.end - layout.descriptors))
            assert loop.set_up_queue(index, layout)
        loop.write_config(12, self.poison.to_bytes(4, "little"))
        loop.write_status(15)
        self.arena = ARENA.start
        self.slots: Counter[Queue] = Counter()
        self.available: Counter[Queue] = Counter()
        self.offered: dict[Queue, list[int]] = {queue: [] for queue in self.indices}
        self.readings: list[Reading | None] = []
        ram = frozenset(range(RAM // PAGE))
        world = World(
            ram,
            MAX_COUNT,
            self.options.hint_min_order,
            Feature.HINTING_BITMAP in self.accepted,
            bool(self.poison),
        )
        self.allowed = Permissions(self.options.host_page, world)

    def put(self, address: int, data: bytes) -> None:
        self.loop.memory.write(address, data)
        self.image[address : address + len(data)] = data

    def take(self, size: int) -> int:
        address = self.arena
        self.arena += -(-max(1, size) // 16) * 16
        assert self.arena <= ARENA.end
        return address

    def place(self, draft: Draft) -> list[tuple[int, int, int]]:
        """Store the data; return (address, length, flags) of each buffer."""
        buffers = []
        for piece in draft.pieces:
            address = self.take(len(piece))
            self.put(address, piece)
            buffers.append((address, len(piece), 0))
        for each in draft.writable:
            span = each if isinstance(each, Span) else Span(self.take(each), each)
            buffers.append((span.start, span.length, WRITE))
        return buffers

    def offer(self, draft: Draft) -> None:
        """Write a chain, spoil it, and make it available."""
        queue = draft.queue
        buffers = self.place(draft)
        if queue not in self.indices or self.slots[queue] + len(buffers) > SIZE:
            return
        head = self.slots[queue]
        first = 0 if draft.indirect else head
        table = bytearray()
        for number, (address, length, flags) in enumerate(buffers):
            last = number == len(buffers) - 1
            after = 0 if last else first + number + 1
            table += struct.pack("<QIHH", address, length, flags | (0 if last else NEXT), after)
        for which, at, code, value in draft.spoilt:
            if 16 * which < len(table):
                own = first + value if at == 14 and value < len(buffers) else value
                # Neither a descriptor of another chain, which may change, nor one of none.
                stray = at == 14 and len(buffers) <= value < SIZE
                struct.pack_into(code, table, 16 * which + at, SIZE if stray else own)
        descriptors = self.layouts[queue].descriptors
        if draft.indirect:
            at = self.take(len(table))
            self.put(at, bytes(table))
            length = len(table) if draft.table_length is None else draft.table_length
            self.put(descriptors + 16 * head, struct.pack("<QIHH", at, length, INDIRECT, 0))
            self.slots[queue] += 1
        else:
            self.put(descriptors + 16 * head, bytes(table))
            self.slots[queue] += len(buffers)
        self.publish(queue, head, [Span(address, length) for address, length, _ in buffers])

    def publish(self, queue: Queue, head: int, own: list[Span]) -> None:
        layout = self.layouts[queue]
        indirect = Feature.INDIRECT_DESC in self.accepted
        reading = walk(self.image, layout.descriptors, head, indirect=indirect)
        self.readings.append(reading)
        if reading is not None:
            self.allowed.add(queue, reading, own, self.image)
        self.offered[queue].append(head)
        self.put(layout.available_entry_at(self.available[queue]), struct.pack("<H", head))
        self.available[queue] += 1
        self.put(layout.available_index_at, struct.pack("<H", self.available[queue]))
        self.loop.notify(self.indices[queue])

    def run(self) -> None:
        """Let the device work until it is idle, in a bounded number of steps."""
        for _ in range(STEPS_A_CHAIN * (len(self.readings) + len(self.indices) + 1)):
            if not self.loop.step():
                return
        raise AssertionError("the device does not come to rest")

    @property
    def needs_reset(self) -> bool:
        return bool(self.loop.read_status() & DeviceStatus.NEEDS_RESET)

    def used(self, queue: Queue) -> list[tuple[int, int]]:
        layout = self.layouts[queue]
        count = self.loop.memory.load16(layout.used_index_at)
        raw = (self.loop.memory.peek(Span(layout.used_entry_at(n), 8)) for n in range(count))
        return [struct.unpack("<II", each) for each in raw]

    def check(self) -> None:
        """Hold what the device did against what it was allowed and had to do."""
        if self.allowed.tangled:
            return
        broken = any(reading is None for reading in self.readings)
        assert self.needs_reset == broken
        for queue, heads in self.offered.items():
            found = Counter(head for head, _ in self.used(queue))
            missing, extra = Counter(heads) - found, found - Counter(heads)
            assert not extra, (queue, extra)
            held = 1 if queue is Queue.STATS else 0
            assert self.needs_reset or missing.total() <= held, (queue, missing)
            if queue is not Queue.HINTING:
                assert all(length == 0 for _, length in self.used(queue))
        holes = {pfn for span in self.loop.memory.holes() for pfn in span.pages()}
        assert holes <= self.allowed.pages, sorted(holes - self.allowed.pages)
        self.check_content(holes)

    def check_content(self, holes: set[int]) -> None:
        expected = bytearray(self.image)
        found = bytearray(self.loop.memory.peek(Span(0, RAM)))

        def ignore(spans: Iterable[Span]) -> None:
            for span in spans:
                expected[span.start : span.end] = found[span.start : span.end] = bytes(span.length)

        ignore(layout.used_span for layout in self.layouts.values())
        ignore(self.allowed.bytes)
        ignore(Span(pfn * PAGE, PAGE) for pfn in holes)
        # A buffer in a discarded page brings the page back when the device uses it: as zeros.
        named = (Span(pfn * PAGE, PAGE) for pfn in self.allowed.pages)
        ignore([page for page in named if not any(found[page.start : page.end])])
        assert found == expected
