"""A guest of which nothing is known but what it does: the trace is read off its rings.

Whatever it makes available is in guest memory, so its offers are seen at the moment at which the
device could see them; a buffer counts as used once the device's index says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from vhint.ring import (
    Chain,
    GuestMemory,
    Layout,
    PackedLayout,
    SplitDeviceQueue,
    in_format,
)
from vhint.spans import PAGE, Span, block
from vhint.trace import Recorder
from vhint.trace.events import (
    Allocated,
    ConfigWritten,
    FeaturesAccepted,
    FeaturesOffered,
    Freed,
    Notified,
    Offered,
    QueueReady,
    ResetDone,
    StatusRead,
    StatusWritten,
    Used,
)
from vhint.transport.interface import Interrupts, Transport
from vhint.wire import hint_request, pfn_array, vring
from vhint.wire.errors import WireError
from vhint.wire.features import Feature, Features
from vhint.wire.hint_request import PfnRequest
from vhint.wire.queues import Queue, QueueMode, queue_map
from vhint.wire.status import DeviceStatus
from vhint_conformance.model.guest_protocol import GuestFactory, GuestPlace, GuestUnderTest
from vhint_conformance.model.setup import Setup
from vhint_conformance.oracle.packed import PackedWatch, Side
from vhint_conformance.verdict import Violation


class ObservedTransport(Transport):
    """Hands every call through, and records it."""

    def __init__(self, inner: Transport, recorder: Recorder, rings: RingWatch) -> None:
        self._inner = inner
        self._recorder = recorder
        self._rings = rings
        self._live = False
        self.memory = inner.memory

    def device_id(self) -> int:
        """Return the device's."""
        return self._inner.device_id()

    def read_status(self) -> DeviceStatus:
        """Read the status; 0 is the end of a reset."""
        status = self._inner.read_status()
        self._recorder.emit(StatusRead(int(status)))
        if status == 0:
            self._recorder.emit(ResetDone())
            self._rings.forget()
        return status

    def write_status(self, status: int) -> None:
        """Write the status."""
        if self._live:
            self._rings.look()
        self._live = bool(status & DeviceStatus.DRIVER_OK)
        self._recorder.emit(StatusWritten(status))
        if status == 0:
            self._rings.forget()  # from now on their memory is the driver's to use anew
        self._inner.write_status(status)

    def read_features(self) -> int:
        """Read the offer."""
        bits = self._inner.read_features()
        self._rings.offered = Features(bits)
        self._recorder.emit(FeaturesOffered(bits))
        return bits

    def write_features(self, bits: int) -> None:
        """Accept features."""
        self._rings.accepted = Features(bits)
        self._recorder.emit(FeaturesAccepted(bits))
        self._inner.write_features(bits)

    def read_config(self, offset: int, length: int) -> bytes:
        """Read config space."""
        return self._inner.read_config(offset, length)

    def write_config(self, offset: int, data: bytes) -> None:
        """Write config space."""
        value = int.from_bytes(data, "little")
        self._recorder.emit(ConfigWritten(offset, len(data), value))
        self._inner.write_config(offset, data)

    def config_generation(self) -> int:
        """Return the device's."""
        return self._inner.config_generation()

    def queue_max(self, index: int) -> int:
        """Return the device's."""
        return self._inner.queue_max(index)

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Watch the queue from now on."""
        ready = self._inner.set_up_queue(index, layout)
        if ready:
            self._rings.add(index, layout)
        return ready

    def queue_ready(self, index: int) -> bool:
        """Return the device's."""
        return self._inner.queue_ready(index)

    def notify(self, index: int) -> None:
        """Notify the device."""
        self._rings.look()
        queue = self._rings.name(index)
        if queue is not None:
            self._recorder.emit(Notified(queue))
        self._inner.notify(index)

    def take_interrupts(self) -> Interrupts:
        """Return none: the machine hands them out."""
        return Interrupts()

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:  # noqa: ARG002
        """Do not wait: only the machine lets the device work."""
        return condition()

    def settle(self) -> None:
        """Do nothing: only the machine lets the device work."""

    def close(self) -> None:
        """Do nothing: it is the machine's."""


@dataclass(slots=True)
class _SplitRing:
    queue: Queue
    reader: SplitDeviceQueue
    used: int = 0
    heads: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _PackedRing:
    queue: Queue
    layout: PackedLayout
    watch: PackedWatch | None = None
    heads: dict[int, int] = field(default_factory=dict)


class RingWatch:
    """Reads rings of either format from outside, and says what was made available and used."""

    def __init__(self, memory: GuestMemory, recorder: Recorder) -> None:
        self.offered = Features(0)
        self.accepted = Features(0)
        self._memory = memory
        self._recorder = recorder
        self._split: dict[int, _SplitRing] = {}
        self._packed: dict[int, _PackedRing] = {}
        self._tickets = count()

    def name(self, index: int) -> Queue | None:
        """Return which queue has a number."""
        numbers = queue_map(QueueMode.COMPACT_OFFERED, self.offered, self.accepted & self.offered)
        return next((queue for queue, number in numbers.items() if number == index), None)

    def add(self, index: int, layout: Layout) -> None:
        """Watch a queue."""
        queue = self.name(index)
        if queue is None:
            return
        if Feature.RING_PACKED in self.accepted:
            layout = in_format(layout, packed=True)
        if isinstance(layout, PackedLayout):
            self._packed[index] = _PackedRing(queue, layout)
        else:
            reader = SplitDeviceQueue(self._memory, layout, event_idx=False, indirect=True)
            self._split[index] = _SplitRing(queue, reader)
        spans = (layout.descriptor_span, layout.available_span, layout.used_span)
        self._recorder.emit(QueueReady(queue, index, layout.size, *spans))

    def forget(self) -> None:
        """Watch nothing: the device was reset."""
        self._split.clear()
        self._packed.clear()

    def look(self, side: Side = Side.DRIVER) -> None:
        """Record what is new in every ring, all of it by one side.

        Raises `RingError` for a split ring that makes no sense.
        """
        for split in self._split.values():
            while (chain := split.reader.pop()) is not None:
                self._came(split, chain)
            self._look_at_used(split)
        for ring in self._packed.values():
            if ring.watch is None:  # before now it was being set up
                ring.watch = self._watch_packed(ring)
            else:
                ring.watch.look(side)

    def _watch_packed(self, ring: _PackedRing) -> PackedWatch:
        return PackedWatch(
            self._memory,
            ring.layout,
            event_idx=False,
            indirect=True,
            find=lambda *_: None,  # `PackedRules` has an eye of its own
            came=lambda listed: self._came(ring, listed.chain),
            gone=lambda head, length: self._gone(ring, head, length),
        )

    def _came(self, ring: _SplitRing | _PackedRing, chain: Chain) -> None:
        ticket = next(self._tickets)
        ring.heads[chain.head] = ticket
        data = chain.read(self._memory, 1 << 20)
        blocks = tuple(blocks_of(ring.queue, chain, data))
        self._recorder.emit(
            Offered(ring.queue, ticket, chain.head, chain.readable, chain.writable, blocks)
        )

    def _gone(self, ring: _SplitRing | _PackedRing, head: int, length: int) -> None:
        ticket = ring.heads.pop(head, None)
        self._recorder.emit(Used(ring.queue, head, ticket, length, self._recorder.last))

    def _look_at_used(self, ring: _SplitRing) -> None:
        layout = ring.reader.layout
        while ring.used != self._memory.load16(layout.used_index_at):
            entry = Span(layout.used_entry_at(ring.used), vring.USED_ELEMENT_STRUCT.size)
            head, length = vring.USED_ELEMENT_STRUCT.unpack(self._memory.read(entry))
            ring.used = (ring.used + 1) & 0xFFFF
            self._gone(ring, head, length)


def blocks_of(queue: Queue, chain: Chain, data: bytes) -> Iterator[Span]:
    """Yield the memory that a chain is about; what cannot be read names none."""
    if queue in (Queue.INFLATE, Queue.DEFLATE):
        for pfn in pfn_array.parse(data[: len(data) // 4 * 4]):
            yield block(int(pfn))
    elif queue in (Queue.REPORTING, Queue.FREE_PAGE):
        yield from chain.writable
    elif queue is Queue.HINTING:
        try:
            request = hint_request.parse(data)
        except WireError:
            return
        if isinstance(request, PfnRequest):
            for entry in request.blocks:
                yield block(int(entry.pfn), int(entry.order))
        else:
            size = PAGE << request.order
            for index in request.bits.indices().tolist():
                yield Span(request.start_pfn * PAGE + index * size, size)


class ObservedGuest:
    """A foreign guest in the machine's hands; its interface is that of the inner one."""

    def __init__(
        self, factory: GuestFactory, setup: Setup, transport: Transport, recorder: Recorder
    ) -> None:
        self._rings = RingWatch(transport.memory, recorder)
        self._recorder = recorder
        observed = ObservedTransport(transport, recorder, self._rings)
        self._pages = sum(setup.zones)
        self._orders: dict[int, int] = {}
        self.inner: GuestUnderTest = factory(GuestPlace.of(setup, observed))

    def start(self) -> None:
        """Start it."""
        self.inner.start()
        self._rings.look()

    def allocate(self, cpu: int, order: int) -> int | None:
        """Allocate; what it hands out is in use from then on."""
        pfn = self.inner.allocate(cpu, order)
        self._rings.look()
        if pfn is not None:
            self._orders[pfn] = order
            self._recorder.emit(Allocated((block(pfn, order),)))
        return pfn

    def free(self, cpu: int, pfn: int) -> bool:
        """Free: nobody relies on the block any more, whatever the guest does with it at once."""
        spans = (block(pfn, self._orders[pfn]),)
        self._recorder.emit(Freed(spans))
        done = self.inner.free(cpu, pfn)
        self._rings.look()
        if not done:
            self._recorder.emit(Allocated(spans))
        return done

    def steps(self) -> list[tuple[str, str]]:
        """Return the kernel's steps."""
        return list(self.inner.steps())

    def do(self, actor: str, action: str) -> str | None:
        """Do one."""
        words = self.inner.do(actor, action)
        self._rings.look()
        return words

    def interrupted(self, *, config: bool) -> None:
        """Interrupt it."""
        self.inner.interrupted(config=config)
        self._rings.look()

    def tick(self, now: int) -> None:
        """Let it be that time."""
        self.inner.tick(now)
        self._rings.look()

    def begin_reset(self) -> bool:
        """Reset its device."""
        return self.inner.begin_reset()

    def device_moved(self) -> None:
        """See what the device has used."""
        self._rings.look(Side.DEVICE)

    def missing(self) -> list[Violation]:
        """Allocate all that there is, once all was freed: what is missing was never returned."""
        got = 0
        while got < self._pages and self.inner.allocate(0, 0) is not None:
            got += 1
        if got == self._pages:
            return []
        slug = "hint.driver.return-every-acknowledged"
        return [Violation(slug, f"{self._pages} pages to allocate at rest", f"only {got}")]


def foreign(factory: GuestFactory) -> Callable[[Setup, Transport, Recorder], ObservedGuest]:
    """Return what a machine takes as `make_guest` for somebody's factory."""

    def make(setup: Setup, transport: Transport, recorder: Recorder) -> ObservedGuest:
        return ObservedGuest(factory, setup, transport, recorder)

    return make
