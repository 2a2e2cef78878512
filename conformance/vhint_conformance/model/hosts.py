"""Sound hosts that differ: each is the reference device with one liberty that the rules allow.

A guest that is right with one of them and wrong with another relies on what nobody promised.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

from vhint.host import ALL_FEATURES, Device, DeviceOptions, KeepEverything
from vhint.host.context import Handler
from vhint.host.hinting import Hinting, Refusal, refused
from vhint.host.work import Line
from vhint.ring import Chain, GuestMemory
from vhint.spans import PAGE
from vhint.wire import hint_ack, hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.features import Features
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.hint_request import PfnRequest
from vhint.wire.queues import Queue


@dataclass(frozen=True, slots=True)
class HostOptions:
    """How a host is made, apart from its kind.

    `max_count` is the config field hint_max_count, `host_page` the unit of discarding in bytes.
    """

    max_count: int = 64
    host_page: int = PAGE
    offered: Features = ALL_FEATURES

    def for_device(self) -> DeviceOptions:
        """Return the reference device's options."""
        order = (self.host_page // PAGE).bit_length() - 1
        return DeviceOptions(
            offered=self.offered,
            host_page=self.host_page,
            hint_max_count=self.max_count,
            hint_min_order=order,
        )


def eager(memory: GuestMemory, options: HostOptions) -> Device:
    """Make the reference device as it is: it discards all that it may."""
    return Device(memory, options.for_device())


def idle(memory: GuestMemory, options: HostOptions) -> Device:
    """Make a host that discards nothing (hint.device.doing-nothing-conforms)."""
    return Device(memory, options.for_device(), reclaim=KeepEverything(memory))


def refusing(memory: GuestMemory, options: HostOptions) -> Device:
    """Make a host that cannot discard at present, and says so."""
    device = Device(memory, options.for_device())
    device.inhibited = True
    return device


class _Reordering(Device):
    """Takes everything that is available, and serves the last chain first."""

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Serve chains in reverse; statistics and rounds, whose order means something, are not."""
        if name not in (Queue.HINTING, Queue.REPORTING, Queue.INFLATE, Queue.DEFLATE):
            yield from super().serve(name, line)
            return
        while taken := self._take_all(line):
            yield
            for chain in reversed(taken):
                length = yield from line.handler.handle(chain)
                if length is not None:
                    self.complete(name, line, chain.head, length)
                    yield

    def _take_all(self, line: Line) -> list[Chain]:
        taken = []
        while (chain := line.ring.pop()) is not None:
            taken.append(chain)
        return taken


def reordering(memory: GuestMemory, options: HostOptions) -> Device:
    """Make a host that uses buffers out of order, which only IN_ORDER would forbid."""
    return _Reordering(memory, options.for_device())


class _PartialHinting(Hinting):
    """Accepts every second block of a PFN request; the others are left as they were."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Answer PARTIAL where there is room to say which blocks were accepted."""
        data = chain.read(self.context.memory, self._longest() + 1)
        try:
            request = hint_request.parse(data)
            self._validated(hint_request.peek_header(data), data)
            spans = list(self._named(request))
        except (ValueError, Refusal):
            return (yield from super().handle(chain))
        count = len(request.blocks) if isinstance(request, PfnRequest) else 0
        if count < 2 or chain.writable_size < hint_ack.HEADER_SIZE + (count + 7) // 8:
            return (yield from super().handle(chain))
        yield
        if self.context.inhibited or self.context.keeps_poison:
            return chain.write(self.context.memory, refused(request.cookie, Status.INHIBITED))
        taken = range(0, count, 2)
        self.context.discard([spans[index] for index in taken])
        yield
        results = Bitmap.from_indices(count, taken)
        answer = Acknowledgement(request.cookie, Status.PARTIAL, len(taken), results)
        return chain.write(self.context.memory, hint_ack.build(answer, count))


class _Partial(Device):
    def _fresh_handlers(self) -> dict[Queue, Handler]:
        handlers = super()._fresh_handlers()
        return handlers | {Queue.HINTING: _PartialHinting(self.context)}


def partial(memory: GuestMemory, options: HostOptions) -> Device:
    """Make a host that accepts a part of each request (hint.device.partial-means-some-refused)."""
    return _Partial(memory, options.for_device())


class _SlowToReset(Device):
    """Finishes the work in hand before status reads 0: pages are lost after 0 was written."""

    _resetting = False

    def write_status(self, value: int) -> None:
        """Take note of a reset, and do it later."""
        if value or self.read_status() == 0:
            super().write_status(value)
        else:
            self._resetting = True

    def step(self, queue: Queue | None = None) -> bool:
        """Do a step of the work in hand or, when there is none left, the reset."""
        if super().step(queue):
            return True
        if not self._resetting:
            return False
        self._resetting = False
        super().write_status(0)
        return True


def slow_to_reset(memory: GuestMemory, options: HostOptions) -> Device:
    """Make a host whose reset takes its time (hint.driver.no-return-before-reset-done)."""
    return _SlowToReset(memory, options.for_device())


HOSTS: Mapping[str, Callable[[GuestMemory, HostOptions], Device]] = {
    "eager": eager,
    "idle": idle,
    "refusing": refusing,
    "reordering": reordering,
    "partial": partial,
    "slow-to-reset": slow_to_reset,
}
"""Sound hosts by name, the plainest first."""


class LyingDevice(Device):
    """Answers hinting requests wrongly when told to: no sound host, but one that guests meet."""

    LIES = ("another request's cookie", "an unknown status", "a used length of 8")

    def __init__(self, memory: GuestMemory, options: DeviceOptions) -> None:
        super().__init__(memory, options)
        self._lie: int | None = None

    def lie_next(self, kind: int) -> None:
        """Lie in the next answer, in one of the ways in `LIES`."""
        self._lie = kind

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Serve the hinting queue with an eye on the cookies of what waits there."""
        if name is not Queue.HINTING:
            yield from super().serve(name, line)
            return
        waiting: list[Chain] = []
        while True:
            while (chain := line.ring.pop()) is not None:
                waiting.append(chain)
            if not waiting:
                return
            yield
            chain = waiting.pop(0)
            length = yield from line.handler.handle(chain)
            if length is not None:
                self.complete(name, line, chain.head, self._twist(chain, waiting, length))
                yield

    def _twist(self, chain: Chain, waiting: list[Chain], length: int) -> int:
        lie, self._lie = self._lie, None
        memory = self.context.memory
        if lie is None or not chain.writable:
            return length
        at = chain.writable[0].start
        if lie == 0:
            wrong = waiting[0].read(memory, 16)[8:16] if waiting else bytes([0xEE] * 8)
            memory.write(at, wrong)
        elif lie == 1:
            memory.write(at + 8, b"\x63\0\0\0")
        else:
            return 8
        return length


def lying(memory: GuestMemory, options: HostOptions) -> Device:
    """Make a host that can be told to lie."""
    return LyingDevice(memory, options.for_device())
