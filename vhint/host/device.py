"""The reference device: its registers, and what a reset leaves of it.

It has no I/O, no clock and no thread.  A transport calls the register methods when the driver
does something, and `step` when the device may do something; one step ends wherever the driver
could see a difference, so that whoever calls chooses the interleaving.  What the host may ask
for is in `HostSide`, the steps are in `Work`.
"""

from __future__ import annotations

from collections.abc import Callable

from vhint.host import config_space, status
from vhint.host.balloon import PartialPages
from vhint.host.context import Context, DeviceOptions, Handler
from vhint.host.handlers import make_handlers
from vhint.host.hint_policy import HintPolicy, RecordHints
from vhint.host.host_side import HostSide
from vhint.host.reclaim import Reclaimer, reclaimer_for
from vhint.host.statistics import StatisticsQueue
from vhint.host.status import Phase
from vhint.host.work import Line
from vhint.ring import GuestMemory, Layout, RingError, device_ring, in_format
from vhint.wire.features import Feature, Features, problems
from vhint.wire.queues import Queue, queue_map
from vhint.wire.status import DeviceStatus

BALLOON_DEVICE_ID = 5


class Device(HostSide):
    """A virtio balloon device over guest memory that is mapped here.

    `reclaim` says how pages are discarded; by default they really are, in the way that fits the
    memory.  `hints` says what becomes of pages hinted for a round; by default they are recorded.
    Raises `ValueError` if host pages are smaller than what can be discarded.
    """

    def __init__(
        self,
        memory: GuestMemory,
        options: DeviceOptions | None = None,
        reclaim: Reclaimer | None = None,
        hints: HintPolicy | None = None,
    ) -> None:
        options = options or DeviceOptions()
        reclaim = reclaim or reclaimer_for(memory)
        if options.host_page < reclaim.page:
            raise ValueError(
                f"host_page is {options.host_page} bytes, but this memory has pages of "
                f"{reclaim.page}"
            )
        self.options = options
        config = config_space.initial(
            options.offered, options.hint_max_count, options.hint_min_order
        )
        super().__init__(Context(memory, options, reclaim, config), hints or RecordHints())
        self.last_error: str | None = None
        self._layouts: dict[int, Layout] = {}
        self._generation = 0
        self._config_interrupt = False
        self._begin()

    def _begin(self) -> None:
        self._status = 0
        self._phase = Phase.RESET
        self._written_features = Features(0)
        self.context.accepted = Features(0)
        self._layouts.clear()
        self._begins: dict[int, int] = {}
        self._partial = PartialPages(self.options.host_page)
        self._handlers = self._fresh_handlers()

    def _fresh_handlers(self) -> dict[Queue, Handler]:
        return make_handlers(self.context, self._partial, self._rounds)

    # Registers

    def read_status(self) -> int:
        """Return the device status."""
        return self._status

    def write_status(self, value: int) -> None:
        """Take a status write: 0 resets, FEATURES_OK is taken or refused, DRIVER_OK starts."""
        if value == 0:
            self._reset()
            return
        added = value & ~self._status
        if added & DeviceStatus.FEATURES_OK and not self._features_acceptable():
            added &= ~int(DeviceStatus.FEATURES_OK)
        if added & DeviceStatus.FEATURES_OK:
            self.context.accepted = self._written_features
        self._status |= added & ~int(DeviceStatus.NEEDS_RESET)
        before, self._phase = self._phase, status.advance(self._phase, added)
        if self._phase is Phase.LIVE and before is not Phase.LIVE:
            self._start()

    def read_features(self) -> int:
        """Return the feature bits on offer."""
        return self.options.offered.bits

    def write_features(self, bits: int) -> None:
        """Take the driver's feature bits; they count once FEATURES_OK is written."""
        if self._phase in (Phase.RESET, Phase.ACKNOWLEDGED, Phase.DRIVER):
            self._written_features = Features(bits)

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space."""
        return config_space.read(self.context, offset, length)

    def write_config(self, offset: int, data: bytes) -> None:
        """Take a write to config space; what the driver may not write is ignored."""
        config_space.write(self.context, offset, data, live=self._phase is Phase.LIVE)

    def config_generation(self) -> int:
        """Return the number that grows with every change that the device makes."""
        return self._generation

    def queue_max(self, index: int) -> int:
        """Return the largest size of a queue, 0 if there is none with this number."""
        return self.options.queue_size if index in self._known_indices() else 0

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Take a queue's place in memory; return whether the queue is ready.

        Once the device is live, only a queue that is not in use can be set up, and only with
        RING_RESET.
        """
        possible = index in self._known_indices() and layout.size <= self.options.queue_size
        live = self._phase is Phase.LIVE
        if possible and not live:
            self._layouts[index] = layout
        elif possible and self._resets_queues() and index not in self._layouts:
            self._layouts[index] = layout
            self._start(index)
        return self.queue_ready(index)

    def begin_queue_at(self, index: int, base: int) -> None:
        """Let split queue `index` begin at that index of its rings, as one that has run elsewhere.

        It counts until the next reset, from the moment at which the queue is enabled.
        """
        self._begins[index] = base

    def reset_queue(self, index: int) -> bool:
        """Reset one queue (VIRTIO 1.4, Virtqueue Reset); return False without RING_RESET.

        When it returns, no chain of the queue is touched, written or used any more
        (`hint.device.no-effect-after-queue-reset`), and it can be set up anew.
        """
        queues = {number: queue for queue, number in self._indices().items()}
        if not self._resets_queues() or index not in queues:
            return False
        queue = queues[index]
        line = self.lines.pop(queue, None)
        if line is not None:
            line.end()
        self._layouts.pop(index, None)
        if queue is Queue.FREE_PAGE:
            self._rounds.reset()
        elif queue in (Queue.INFLATE, Queue.DEFLATE):
            self._partial.forget()
        self._handlers[queue] = self._fresh_handlers()[queue]
        return True

    def queue_ready(self, index: int) -> bool:
        """Return whether a queue has been set up since the last reset."""
        return index in self._layouts

    def notify(self, index: int) -> None:
        """Take a notification; before DRIVER_OK, and for no such queue, it means nothing."""
        for queue, number in self._indices().items():
            if number == index and queue in self.lines:
                self.lines[queue].kicked = True

    def take_interrupts(self) -> tuple[bool, bool]:
        """Return (used buffer, config) notifications sent since the last call."""
        sent = (self._used_interrupt, self._config_interrupt)
        self._used_interrupt = self._config_interrupt = False
        return sent

    # Inside

    def _resets_queues(self) -> bool:
        """Whether a queue can be reset by itself now."""
        broken = self._status & DeviceStatus.NEEDS_RESET
        live = self._phase is Phase.LIVE
        return live and not broken and Feature.RING_RESET in self.context.accepted

    def _start(self, only: int | None = None) -> None:
        """Enable the queues that were set up, or one of them."""
        for queue, index in self._indices().items():
            layout = self._layouts.get(index)
            if layout is None or only not in (None, index):
                continue
            try:
                ring = device_ring(
                    self.context.memory,
                    in_format(layout, packed=Feature.RING_PACKED in self.context.accepted),
                    event_idx=Feature.EVENT_IDX in self.context.accepted,
                    indirect=Feature.INDIRECT_DESC in self.context.accepted,
                    base=self._begins.get(index),
                )
            except RingError as error:
                self.fail(f"{queue} queue: {error}")
                return
            # Buffers may wait already: a driver fills queues before DRIVER_OK.
            self.lines[queue] = Line(ring, self._handlers[queue], kicked=True)

    def _reset(self) -> None:
        self.end_all()
        self.context.config = config_space.after_reset(self.context)
        self._used_interrupt = self._config_interrupt = False
        self._begin()
        self._rounds.reset()

    def fail(self, reason: str) -> None:
        """Stop all work until a reset (VIRTIO 1.4, Device Status Field: DEVICE_NEEDS_RESET)."""
        self.last_error = reason
        self._status |= DeviceStatus.NEEDS_RESET
        self.end_all()
        self._rounds.stop()
        if self._status & DeviceStatus.DRIVER_OK:
            self._config_changed()

    def _config_changed(self) -> None:
        self._generation += 1
        if self._status & DeviceStatus.DRIVER_OK:
            self._config_interrupt = True

    def _features_acceptable(self) -> bool:
        return not problems(self.options.offered, self._written_features)

    def _indices(self) -> dict[Queue, int]:
        return queue_map(self.options.queue_mode, self.options.offered, self.context.accepted)

    def _known_indices(self) -> frozenset[int]:
        """Numbers that queues can have now; before FEATURES_OK, with everything accepted."""
        agreed = self._status & DeviceStatus.FEATURES_OK
        accepted = self.context.accepted if agreed else self.options.offered
        return frozenset(
            queue_map(self.options.queue_mode, self.options.offered, accepted).values()
        )

    def _statistics(self) -> StatisticsQueue:
        handler = self._handlers[Queue.STATS]
        assert isinstance(handler, StatisticsQueue)  # noqa: S101 - the table above says so
        return handler


DeviceFactory = Callable[[GuestMemory], Device]
"""Makes a device over its own mapping of guest memory."""
