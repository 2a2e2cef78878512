"""The judging device: what a driver is connected to when it is the driver that is judged.

Without I/O, as `vhint.host` is, but it does nothing by itself: a case decides when which request
is answered and how.  Whatever the driver does becomes an event; the monitors judge the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from vhint.ring import GuestMemory, Layout, RingError, in_format
from vhint.spans import PAGE, Span, block
from vhint.trace import Recorder
from vhint.trace.events import (
    ConfigWritten,
    FeaturesAccepted,
    FeaturesOffered,
    Notified,
    Offered,
    QueueReady,
    ResetDone,
    StatusRead,
    StatusWritten,
    Used,
)
from vhint.wire import config, hint_request, pfn_array
from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import WireError
from vhint.wire.features import Feature, Features
from vhint.wire.hint_request import BitmapRequest
from vhint.wire.queues import Queue, QueueMode, queue_map
from vhint.wire.status import DeviceStatus
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.driver_bench.queue import JudgedQueue, Taken
from vhint_conformance.oracle.packed import Side

PAGES = (Queue.REPORTING, Queue.FREE_PAGE)
"""Queues whose device-writable buffers are the pages."""


@dataclass(frozen=True, slots=True)
class Request:
    """A chain that the driver made available: its number, its bytes, and what it is about."""

    queue: Queue
    ticket: int
    taken: Taken
    blocks: tuple[Span, ...]

    @property
    def data(self) -> bytes:
        """What the device may read."""
        return self.taken.data

    @property
    def room(self) -> int:
        """How many bytes the device may write."""
        return self.taken.chain.writable_size


class JudgingDevice:
    """One life of the device, from before its driver finds it.

    `mode` says how the driver's transport numbers queues; `signal` is called with a queue whose
    driver wants to hear of used buffers, or with None when config space has changed; `hear` with
    every request that arrives, `was_read` with every part of config space that was read.  `absent`
    are the numbers of queues that were looked for and do not exist; `let_go` counts how often
    queues were given up, by a reset or by themselves.
    """

    def __init__(
        self, memory: GuestMemory, offer: Offer, recorder: Recorder, mode: QueueMode
    ) -> None:
        self.memory = memory
        memory.before_store = self._about_to_store
        self.offer = offer
        self.recorder = recorder
        self.mode = mode
        self.signal: Callable[[Queue | None], None] = lambda _: None
        self.hear: Callable[[Request], None] = lambda _: None
        self.was_read: Callable[[Span], None] = lambda _: None
        self.status = DeviceStatus(0)
        self.accepted = Features(0)
        self.config = bytearray(config.build(offer.config()))
        self.generation = 0
        self.layouts: dict[int, Layout] = {}
        self.queues: dict[Queue, JudgedQueue] = {}
        self.outstanding: dict[int, Request] = {}
        self.let_go = 0
        #: Where split queues begin, for a driver that has run elsewhere.
        self.begins: int | None = None
        self.holds_reset = False
        self.reset_waits = False
        self.config_reads: list[Span] = []
        self.absent: list[int] = []
        self.tickets: Iterator[int] = count()

    # Registers

    def read_status(self) -> int:
        """Return the status; while a reset is held back it does not read 0."""
        value = int(self.status)
        self.recorder.emit(StatusRead(value))
        if value == 0:
            self.recorder.emit(ResetDone())
        return value

    def write_status(self, value: int) -> None:
        """Take a status; 0 resets the device, at once or when the case lets it."""
        self.recorder.emit(StatusWritten(value))
        if value == 0:
            self.reset_waits = True
            if not self.holds_reset:
                self.finish_reset()
            return
        if self.offer.refuses:
            value &= ~DeviceStatus.FEATURES_OK
        self.status = DeviceStatus(value)
        if self.live:
            self.go_live()

    def finish_reset(self) -> None:
        """Do what a reset that was asked for does: forget every queue and buffer."""
        self.status = DeviceStatus(0)
        self.reset_waits = False
        self.accepted = Features(0)
        self.absent.clear()
        self.forget_queues()
        self.store("actual", 0)
        self.store("poison_val", 0)

    def forget_queues(self) -> None:
        """Forget every queue and every buffer in it."""
        self.let_go += bool(self.queues)
        self.layouts.clear()
        self.queues.clear()
        self.outstanding.clear()

    def read_features(self) -> int:
        """Return the offered bits."""
        self.recorder.emit(FeaturesOffered(self.offer.features.bits))
        return self.offer.features.bits

    def write_features(self, bits: int) -> None:
        """Take the accepted bits."""
        self.recorder.emit(FeaturesAccepted(bits))
        self.accepted = Features(bits)

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space; behind its end they read 0."""
        span = Span(offset, length)
        self.config_reads.append(span)
        data = bytes(self.config[offset : offset + length]).ljust(length, b"\0")
        self.was_read(span)
        return data

    def write_config(self, offset: int, data: bytes) -> None:
        """Take bytes of config space, as far as it goes."""
        value = int.from_bytes(data, "little")
        self.recorder.emit(ConfigWritten(offset, len(data), value))
        end = min(offset + len(data), len(self.config))
        if offset < end:
            self.config[offset:end] = data[: end - offset]

    def queue_max(self, index: int) -> int:
        """Return the largest size of a queue, 0 if there is none of that number."""
        if index in self.numbers().values():
            return self.offer.queue_size
        self.absent.append(index)
        return 0

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Take where a queue lies."""
        layout = self.layouts[index] = in_format(layout, packed=self.packed)
        name = self.name_of(index)
        spans = (layout.descriptor_span, layout.available_span, layout.used_span)
        self.recorder.emit(QueueReady(name or f"queue {index}", index, layout.size, *spans))
        return True

    def notify(self, index: int) -> None:
        """Take a notification, and everything that the queue holds."""
        name = self.name_of(index)
        self.recorder.emit(Notified(name or f"queue {index}"))
        if name in self.queues:
            self.queues[name].was_notified()
            if not self.reset_waits:
                self.take_all(name)

    # Queues

    @property
    def live(self) -> bool:
        """Whether DRIVER_OK is set, or its equal where a transport has no status."""
        return DeviceStatus.DRIVER_OK in self.status

    @property
    def packed(self) -> bool:
        """Whether the driver has accepted packed rings."""
        return Feature.RING_PACKED in self.accepted

    def numbers(self) -> dict[Queue, int]:
        """Return the index of every queue that exists."""
        return queue_map(self.mode, self.offer.features, self.accepted & self.offer.features)

    def name_of(self, index: int) -> Queue | None:
        """Return which queue has a number; None if no queue has it."""
        return next((queue for queue, number in self.numbers().items() if number == index), None)

    def go_live(self) -> None:
        """Begin to use the queues that were set up."""
        for index in self.layouts:
            self.start_queue(index)

    def start_queue(self, index: int, base: int | None = None) -> None:
        """Begin to use one queue, from `base` on."""
        name = self.name_of(index)
        if name is None or name in self.queues:
            return
        if base is None and not self.packed:
            base = self.begins
        try:
            self.queues[name] = JudgedQueue(
                self.memory,
                in_format(self.layouts[index], packed=self.packed),
                event_idx=Feature.EVENT_IDX in self.accepted,
                indirect=Feature.INDIRECT_DESC in self.accepted,
                base=base,
            )
        except RingError:
            return  # the monitors have seen the layout

    def stop_queue(self, index: int) -> int | None:
        """Let go of one queue and of what is outstanding in it; return where it can go on."""
        name = self.name_of(index)
        queue = self.queues.pop(name, None) if name else None
        if queue is None:
            return None
        self.let_go += 1
        for ticket in [t for t, each in self.outstanding.items() if each.queue is name]:
            del self.outstanding[ticket]
        return queue.base

    @property
    def set_up(self) -> frozenset[Queue]:
        """The queues whose place is known, whether or not they are in use."""
        names = map(self.name_of, self.layouts)
        return frozenset(name for name in names if name is not None)

    def driver_stores(self, address: int, data: bytes) -> None:
        """Take note of a store that the driver is about to make, where that can be known."""
        for queue in self.queues.values():
            queue.stored(Side.DRIVER, address, data)

    def _about_to_store(self, address: int, data: bytes) -> None:
        for queue in self.queues.values():
            queue.stored(Side.DEVICE, address, data)

    def take_all(self, name: Queue) -> int:
        """Take every chain that waits in a queue; return how many."""
        queue = self.queues[name]
        taken = 0
        while queue.broken is None:
            try:
                found = queue.take()
            except RingError as error:
                queue.broken = error
                break
            if found is None:
                break
            self._arrive(name, found)
            taken += 1
        return taken

    def _arrive(self, name: Queue, taken: Taken) -> None:
        request = Request(name, next(self.tickets), taken, blocks_of(name, taken))
        self.outstanding[request.ticket] = request
        self.hear(request)
        chain = taken.chain
        self.recorder.emit(
            Offered(
                name, request.ticket, chain.head, chain.readable, chain.writable, request.blocks
            )
        )

    def use(self, request: Request, data: bytes = b"", length: int | None = None) -> None:
        """Answer a request: write `data` and say that `length` bytes were written."""
        self.outstanding.pop(request.ticket, None)
        chain = request.taken.chain
        if data:
            chain.write(self.memory, data)
        said = len(data) if length is None else length
        self.push(request.queue, chain.head, said, request.ticket)

    def push(self, name: Queue, head: int, length: int, ticket: int | None = None) -> None:
        """Write a used element, whatever it says, and notify the driver if it wants that."""
        queue = self.queues[name]
        self.recorder.emit(Used(name, head, ticket, length, self.recorder.last))
        queue.push(head, length)
        queue.silent = not queue.interrupt_needed()
        if not queue.silent:
            self.signal(name)

    # Config space

    def load(self, field: str) -> int:
        """Return a field of config space, 0 if it is too short for it."""
        at, size = config.field_offset(field), config.field_size(field)
        return int.from_bytes(self.config[at : at + size], "little")

    def store(self, field: str, value: int) -> None:
        """Change a field, and say nothing."""
        at, size = config.field_offset(field), config.field_size(field)
        if at + size <= len(self.config):
            self.config[at : at + size] = value.to_bytes(size, "little")

    def change(self, field: str, value: int) -> None:
        """Change a field and tell the driver that config space has changed."""
        self.store(field, value)
        self.generation += 1
        self.signal(None)

    def demand_reset(self) -> None:
        """Set DEVICE_NEEDS_RESET and tell the driver."""
        self.status |= DeviceStatus.NEEDS_RESET
        self.signal(None)


def blocks_of(name: Queue, taken: Taken) -> tuple[Span, ...]:
    """Return the memory that a request is about, as far as it can be understood."""
    if name in PAGES:
        return taken.chain.writable
    if name in (Queue.INFLATE, Queue.DEFLATE):
        whole = taken.data[: len(taken.data) // 4 * 4]
        return tuple(block(pfn) for pfn in pfn_array.parse(whole))
    if name is Queue.HINTING:
        return _hinted(taken.data)
    return ()


def _hinted(data: bytes) -> tuple[Span, ...]:
    try:
        request = hint_request.parse(data)
    except WireError:
        return ()
    if isinstance(request, BitmapRequest):
        size = PAGE << request.order
        return tuple(
            Span(request.start_pfn * PAGE + index * size, size) for index in bits_set(request.bits)
        )
    return tuple(block(each.pfn, each.order) for each in request.blocks)


def bits_set(bits: Bitmap) -> list[int]:
    """Return the positions of the bits that are set."""
    found: list[int] = bits.indices().tolist()
    return found
