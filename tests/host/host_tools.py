"""A reference device with bare rings on it: no driver code between a test and the device."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from vhint.host import Device, DeviceOptions, HintPolicy
from vhint.ring import (
    Completion,
    GuestMemory,
    PrivateMemory,
    Region,
    SplitDriverQueue,
    SplitLayout,
)
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, queue_map
from vhint.wire.status import DeviceStatus

LOW = Region(0, 0x180000, 0)
HIGH = Region(0x400000, 0x80000, 0x180000)  # behind a gap
AREA = Span(0x100000, 0x80000)  # free pages in LOW
HIGH_AREA = Span(HIGH.start, HIGH.length)
RINGS, DATA = 0x1000, 0x40000
FILL = b"\x5a"
UNWRITTEN = b"\xa5"
STEPS_TO_GO = (1, 3, 11, 15)


class Host:
    """A device, its memory, and one driver ring for each of its queues."""

    def __init__(
        self,
        options: DeviceOptions | None = None,
        *,
        hints: HintPolicy | None = None,
        private: bool = False,
    ) -> None:
        self.memory = PrivateMemory([LOW, HIGH]) if private else shared([LOW, HIGH])
        self.device_memory = self.memory.view()
        self.device = Device(self.device_memory, options, hints=hints)
        self.rings: dict[Queue, SplitDriverQueue] = {}

    def close(self) -> None:
        self.memory.close()
        self.device_memory.close()

    def start(
        self, accepted: Features | None = None, *, poison: int | None = None, upto: int = 15
    ) -> None:
        """Initialise as a driver does, as far as the status `upto`."""
        device, options = self.device, self.device.options
        if accepted is None:  # everything, with rings as they are made here
            accepted = options.offered - Features.of(Feature.RING_PACKED)
        device.write_status(0)
        device.write_status(1)
        device.write_status(3)
        device.write_features(accepted.bits)
        device.write_status(11)
        assert device.read_status() == 11, "the features were refused"
        self.rings = {}
        for queue, index in queue_map(options.queue_mode, options.offered, accepted).items():
            layout = SplitLayout.at(RINGS + 0x4000 * index, 64)
            self.rings[queue] = SplitDriverQueue(self.memory, layout, event_idx=False)
            assert device.set_up_queue(index, layout)
        if poison is not None:
            device.write_config(12, poison.to_bytes(4, "little"))
        if upto == 15:
            device.write_status(15)
        self.places = count(DATA, 0x1000)

    def fill(self) -> None:
        """Give every free page a content."""
        for area in (AREA, HIGH_AREA):
            self.memory.write(area.start, FILL * area.length)

    def put(self, pieces: Sequence[bytes]) -> list[Span]:
        """Store each piece at a place of its own."""
        spans = [Span(next(self.places), len(piece)) for piece in pieces]
        for span, piece in zip(spans, pieces, strict=True):
            self.memory.write(span.start, piece)
        return spans

    def offer(
        self, queue: Queue, readable: Sequence[bytes] = (), writable: Sequence[Span] = ()
    ) -> int:
        """Make a chain available and notify; return its head."""
        head = self.rings[queue].add(self.put(readable), list(writable))
        self.rings[queue].publish()
        self.device.notify(self.index(queue))
        return head

    def index(self, queue: Queue) -> int:
        options = self.device.options
        accepted = self.device.context.accepted
        return queue_map(options.queue_mode, options.offered, accepted)[queue]

    def room(self, *sizes: int) -> list[Span]:
        """Return device-writable buffers of these sizes."""
        return self.put([UNWRITTEN * size for size in sizes])

    def run(self) -> int:
        """Let the device work until it is idle; return in how many steps."""
        for done in range(10_000):
            if not self.device.step():
                return done
        raise AssertionError("the device does not come to rest")

    def used(self, queue: Queue) -> Completion | None:
        return self.rings[queue].collect()

    def discarded(self) -> set[int]:
        """The PFNs of the free pages that have no memory behind them."""
        holes = [pfn for span in self.memory.holes() for pfn in span.pages()]
        return {pfn for pfn in holes if AREA.covers(page(pfn)) or HIGH_AREA.covers(page(pfn))}

    def intact(self, pfns: set[int]) -> bool:
        return all(self.memory.peek(page(pfn)) == FILL * PAGE for pfn in pfns)

    @property
    def needs_reset(self) -> bool:
        return bool(self.device.read_status() & DeviceStatus.NEEDS_RESET)


def shared(regions: Sequence[Region]) -> GuestMemory:
    fd = os.memfd_create("test-ram")
    os.ftruncate(fd, max(region.offset + region.length for region in regions))
    memory = GuestMemory(fd, regions)
    os.close(fd)
    return memory


def page(pfn: int) -> Span:
    return Span(pfn * PAGE, PAGE)


def free_pages() -> set[int]:
    return {*AREA.pages(), *HIGH_AREA.pages()}


@contextmanager
def host(
    options: DeviceOptions | None = None,
    accepted: Features | None = None,
    *,
    poison: int | None = None,
    hints: HintPolicy | None = None,
    private: bool = False,
) -> Iterator[Host]:
    """A device that is live, with every free page filled."""
    made = Host(options, hints=hints, private=private)
    try:
        made.start(accepted, poison=poison)
        made.fill()
        yield made
    finally:
        made.close()
