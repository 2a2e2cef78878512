"""A whole device made of protocol logic: vhint's virtqueues and registers, somebody's answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator
from typing import Any

from vhint.host import Device, DeviceOptions
from vhint.host.context import Handler
from vhint.host.reclaim.advice import punch
from vhint.ring import Chain, GuestMemory
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode, queue_map
from vhint_conformance.case import Capability
from vhint_conformance.logic.effects import (
    ConfigChanged,
    Discard,
    Effect,
    NeedsReset,
    Use,
    Write,
)
from vhint_conformance.logic.interface import Buffer, Effects, ProtocolLogic
from vhint_conformance.verdict import Failed, fail

OF_RINGS = Features.of(Feature.INDIRECT_DESC, Feature.EVENT_IDX)
"""What is offered besides, because the rings are vhint's."""

MAX_PROCEEDS = 1000
"""Times in a row that logic may say it is busy and do nothing, before it is left alone."""

CONTAINMENT = {
    Queue.REPORTING: "reporting.device.containment",
    Queue.HINTING: "hint.device.containment",
    Queue.FREE_PAGE: "free-page-hint.device.containment",
}
"""By the queue whose buffer came last, what a device breaks that reaches outside RAM."""


class LogicDevice(Device):
    """A `DeviceUnderTest` around protocol logic.

    Each effect is a step of its own, so that the driver can look, and reset, between any two.
    What was not carried out when the driver resets is dropped.  Raises `Failed` for an effect
    that no device with rings could have: using a buffer that it does not have, or writing past
    its end.
    """

    def __init__(self, memory: GuestMemory, logic: ProtocolLogic) -> None:
        self.logic = logic
        self.queue_mode = QueueMode.COMPACT_OFFERED
        self.host_page = logic.host_page
        options = DeviceOptions(
            offered=logic.offered() | OF_RINGS,
            queue_mode=self.queue_mode,
            host_page=logic.host_page,
            hint_min_order=(logic.host_page // PAGE).bit_length() - 1,
        )
        self._waiting: deque[tuple[Queue | None, Effect]] = deque()  # with the queue they are for
        self._outstanding: dict[tuple[Queue, int], Chain] = {}
        self._used: set[tuple[Queue, int]] = set()
        self._last_queue = Queue.INFLATE
        self._idle_proceeds = 0
        super().__init__(memory, options)

    @property
    def can(self) -> Collection[Capability]:
        """What the host's side can do."""
        own = {Capability.RESETS_QUEUES} if Feature.RING_RESET in self.options.offered else set()
        return {*self.logic.can, *own}

    # Work

    @property
    def idle(self) -> bool:
        """Whether there is nothing that a step would do."""
        return not (self._waiting or self._goes_on) and super().idle

    @property
    def _goes_on(self) -> bool:
        return self.logic.busy and self._idle_proceeds < MAX_PROCEEDS

    def step(self, queue: Queue | None = None) -> bool:
        """Carry out one effect, or let the logic go on, or hand a buffer over."""
        if self._waiting:
            self._idle_proceeds = 0
            self._perform(self._waiting.popleft()[1])
            return True
        if self._goes_on:
            self._idle_proceeds += 1
            self._add(self.logic.proceed())
            return True
        return super().step(queue)

    def hand_over(self, queue: Queue, chain: Chain) -> None:
        """Show a chain to the logic."""
        self._outstanding[queue, chain.head] = chain
        self._used.discard((queue, chain.head))
        self._last_queue = queue
        left, parts = self.logic.reads, []
        for span in chain.readable:
            part = self._read(Span(span.start, min(span.length, left)))
            left -= len(part)
            parts.append(part)
        buffer = Buffer(queue, chain.head, tuple(parts), chain.readable_size, chain.writable)
        self._add(self.logic.take(buffer), queue)

    def _add(self, effects: Effects, queue: Queue | None = None) -> None:
        self._waiting.extend((queue, effect) for effect in effects)

    def _read(self, span: Span) -> bytes:
        return self.context.memory.read(span) if span.length else b""  # may point anywhere

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Use():
                self._use(effect)
            case Discard(address, length):
                for offset, size in self._inside(Span(address, length), "discarded"):
                    if size:
                        punch(*self.context.memory.in_file(offset), size)
            case Write(address, data):
                self._inside(Span(address, len(data)), "written")
                self.context.memory.write(address, data)
            case ConfigChanged():
                self._config_changed()
            case NeedsReset():
                self.fail("the implementation asked for a reset")

    def _use(self, use: Use) -> None:
        key = use.queue, use.id
        chain, line = self._outstanding.pop(key, None), self.lines.get(use.queue)
        if chain is None or line is None:
            again = key in self._used
            raise fail(
                "ring.device.use-chain-once" if again else "ring.device.use-only-available",
                expected="only a buffer to be used that the device has",
                seen=f"buffer {use.id} used " + ("twice" if again else "without being available"),
                where=f"{use.queue} queue",
            )
        self._used.add(key)
        if len(use.data) > chain.writable_size:
            raise fail(
                "ring.device.writes-within-buffers",
                expected=f"at most {chain.writable_size} bytes, for which there is room",
                seen=f"{len(use.data)} bytes written",
                where=f"{use.queue} queue, buffer {use.id}",
            )
        chain.write(self.context.memory, use.data)
        length = len(use.data) if use.length is None else use.length
        self.complete(use.queue, line, chain.head, length)

    def _inside(self, span: Span, done: str) -> list[tuple[int, int]]:
        """Return where in the mapping the span lies; outside RAM the device is at fault."""
        if not self.context.memory.contains(span):
            raise self._outside(span, done)
        return self.context.memory.extents(span)

    def _outside(self, span: Span, done: str) -> Failed:
        return fail(
            CONTAINMENT.get(self._last_queue, "balloon.device.inflate-containment"),
            expected="nothing outside guest memory to be touched",
            seen=f"{span.length} bytes {done}",
            where=str(span),
        )

    # Registers

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space."""
        return self.logic.read_config(offset, length)[:length].ljust(length, b"\0")

    def write_config(self, offset: int, data: bytes) -> None:
        """Let the logic take a write to config space."""
        self._add(self.logic.write_config(offset, data))

    def reset_queue(self, index: int) -> bool:
        """Reset one queue, and let the logic forget its buffers."""
        queue = {number: queue for queue, number in self._indices().items()}.get(index)
        done = super().reset_queue(index)
        if done and queue is not None:
            self._drop(queue)
            self._add(self.logic.reset_queue(queue))
        return done

    def _drop(self, queue: Queue) -> None:
        """Forget the buffers of a queue, and what was still to be done about them."""
        for key in [key for key in self._outstanding if key[0] is queue]:
            del self._outstanding[key]
        self._waiting = deque(each for each in self._waiting if each[0] is not queue)

    def _reset(self) -> None:
        super()._reset()
        self._waiting.clear()
        self._outstanding.clear()
        self.logic.reset()

    def _features_acceptable(self) -> bool:
        return self.logic.accept(self._written_features - OF_RINGS)

    def _indices(self) -> dict[Queue, int]:
        # Logic may have agreed to more than it offers; that numbers no queue.
        offered = self.options.offered
        return queue_map(self.options.queue_mode, offered, self.context.accepted & offered)

    def _start(self, only: int | None = None) -> None:
        super()._start(only)
        if only is None:
            self._add(self.logic.start(list(self.lines)))

    def _fresh_handlers(self) -> dict[Queue, Handler]:
        return {queue: _HandOver(self, queue) for queue in Queue}

    # The host's side: what the logic cannot do is not asked of it

    def set_balloon_size(self, pages: int) -> None:
        """Change num_pages."""
        self._wish(Capability.SETS_BALLOON_SIZE, self.logic.set_balloon_size, pages)

    def balloon_size(self) -> int:
        """Return how large the balloon is taken to be."""
        return self.logic.balloon_size()

    def poll_statistics(self) -> bool:
        """Ask for statistics; return whether the device does anything about it."""
        before = len(self._waiting)
        self._wish(Capability.POLLS_STATISTICS, self.logic.poll_statistics)
        return len(self._waiting) > before

    def statistics(self) -> dict[int, int]:
        """Return the last figures."""
        return dict(self.logic.statistics())

    def start_round(self) -> None:
        """Ask for hints; config space shows under which id."""
        self._wish(Capability.STARTS_ROUNDS, self.logic.start_round)

    def stop_round(self) -> None:
        """Want no more hints."""
        self._wish(Capability.STOPS_ROUNDS, self.logic.stop_round)

    def finish_round(self) -> None:
        """Be done with all hints."""
        self._wish(Capability.STARTS_ROUNDS, self.logic.finish_round)

    def cancel_round(self) -> None:
        """Give up what hints were for."""
        self._wish(Capability.CANCELS_ROUNDS, self.logic.cancel_round)

    def inhibit(self, on: bool) -> None:
        """Be where hints are of no use, or no longer."""
        self._wish(Capability.INHIBITS_ROUNDS, self.logic.inhibit, on)

    def _wish(self, needed: Capability, ask: Callable[..., Effects], *arguments: int) -> None:
        if needed in self.logic.can:
            self._add(ask(*arguments))


def as_device(memory: GuestMemory, made: Any) -> Any:
    """Return protocol logic as a whole device, and anything else as it is."""
    return LogicDevice(memory, made) if isinstance(made, ProtocolLogic) else made


class _HandOver(Handler):
    """Hands chains over and leaves it to effects to use them."""

    def __init__(self, device: LogicDevice, queue: Queue) -> None:
        super().__init__(device.context)
        self._device = device
        self._queue = queue

    def handle(self, chain: Chain) -> Generator[None, None, None]:
        yield
        self._device.hand_over(self._queue, chain)
        yield  # its effects come before the next chain
