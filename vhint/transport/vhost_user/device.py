"""The reference device as vhost-user needs it: queues that start and stop one by one.

The protocol has no status register unless STATUS is negotiated, numbers its rings, and can exchange
all of guest memory under a running device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vhint.host import DeviceOptions, KeepEverything, Reclaimer, RecordHints, config_space
from vhint.host.balloon import PartialPages
from vhint.host.context import Context
from vhint.host.handlers import make_handlers
from vhint.host.host_side import HostSide
from vhint.host.statistics import StatisticsQueue
from vhint.host.work import Line
from vhint.ring import GuestMemory, Layout, PrivateMemory, device_ring
from vhint.spans import PAGE
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, queue_map
from vhint.wire.status import DeviceStatus

MakeReclaimer = Callable[[GuestMemory], Reclaimer]


class ServedDevice(HostSide):
    """A balloon device without memory at first, which `use_memory` gives it.

    `wants_status` is whether the front end tells the device status (STATUS): without it the device
    is live as soon as a ring runs.  `last_error` says why all work was stopped until a reset,
    `used` how many chains of each queue were used.
    """

    def __init__(self, options: DeviceOptions, make_reclaimer: MakeReclaimer) -> None:
        self.options = options
        self._make_reclaimer = make_reclaimer
        config = config_space.initial(
            options.offered, options.hint_max_count, options.hint_min_order
        )
        nothing = PrivateMemory.create(PAGE)  # no ring starts before there is memory
        context = Context(nothing, options, KeepEverything(nothing), config)
        self._recorded = RecordHints()
        super().__init__(context, self._recorded)
        self.wants_status = False
        self.status = 0
        self.features: Features | None = None
        self.last_error: str | None = None
        self.used = dict.fromkeys(Queue, 0)
        self._config_changes = False
        self._to_call: set[Queue] = set()
        self._bases: dict[Queue, int] = {}
        self._begin()

    def _begin(self) -> None:
        self._partial = PartialPages(self.options.host_page)
        self._handlers = make_handlers(self.context, self._partial, self._rounds)

    # What the front end says

    def use_memory(self, memory: GuestMemory) -> None:
        """Work on this memory from now on; no queue may run.

        Raises `ValueError` if its pages are larger than the host pages of the options.
        """
        reclaim = self._make_reclaimer(memory)
        if self.options.host_page < reclaim.page:
            raise ValueError(
                f"guest memory has pages of {reclaim.page} bytes, and the host page is "
                f"{self.options.host_page}: --host-page {reclaim.page} would fit"
            )
        self.context.memory, self.context.reclaim = memory, reclaim

    def begin_driver(self, features: Features) -> None:
        """Take the features of a driver that starts; no queue may run.

        Config space stays as it is: a front end may hand over what the driver wrote there before
        it hands over the features.
        """
        self.features = self.context.accepted = features
        self.last_error = None
        self._begin()
        self._rounds.reset()

    def reset(self) -> None:
        """Forget the driver; no queue may run."""
        self.context.config = config_space.after_reset(self.context)
        self.features = None
        self.context.accepted = Features(0)
        self.status = 0
        self.last_error = None
        self._begin()
        self._rounds.reset()

    def write_status(self, value: int) -> bool:
        """Take the device status; return whether the device was reset."""
        self.wants_status = True
        if value == 0:
            return True
        self.status |= value & ~int(DeviceStatus.NEEDS_RESET)
        if self.features is None:  # nothing to agree to yet
            self.status &= ~int(DeviceStatus.FEATURES_OK)
        return False

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space."""
        return config_space.read(self.context, offset, length)

    def write_config(self, offset: int, data: bytes, *, migration: bool) -> None:
        """Take what the driver may write, or what it wrote on the host that it comes from.

        Without the device status nobody knows here when DRIVER_OK was set: a ring may run before
        (Linux kicks its statistics queue early), so `poison_val` is taken at any time.
        """
        accepted = self.options.offered if self.features is None else self.features
        live = bool(self.status & DeviceStatus.DRIVER_OK) and not migration
        config_space.write(self.context, offset, data, live=live, accepted=accepted)

    def queue_of(self, index: int) -> Queue | None:
        """Return the queue that a ring's number means with the features as they are."""
        numbers = queue_map(self.options.queue_mode, self.options.offered, self.context.accepted)
        return next((queue for queue, number in numbers.items() if number == index), None)

    def start_queue(self, index: int, layout: Layout, base: int) -> None:
        """Serve a ring from `base` on; raises `RingError` if it cannot lie there.

        A ring that stands for no queue is left alone.
        """
        queue = self.queue_of(index)
        if queue is None or self.last_error:
            return
        ring = device_ring(
            self.context.memory,
            layout,
            event_idx=Feature.EVENT_IDX in self.context.accepted,
            indirect=Feature.INDIRECT_DESC in self.context.accepted,
            base=base,
        )
        self.lines[queue] = Line(ring, self._handlers[queue])

    def stop_queue(self, index: int) -> int | None:
        """Let go of a ring; return where it can begin again, or None if it was not served.

        Nothing of it is touched or written any more
        (`hint.device.no-effect-after-backend-stop`).  A chain that was taken and not used is made
        available again by what is returned.
        """
        queue = self.queue_of(index)
        if queue is None:
            return None
        line = self.lines.pop(queue, None)
        if line is None:
            return self._bases.pop(queue, None)
        line.end()
        if queue is Queue.STATS:
            self._statistics().held = None
        return line.ring.base

    def notify(self, index: int) -> None:
        """Take note that a ring has new buffers."""
        queue = self.queue_of(index)
        if queue in self.lines:
            self.lines[queue].kicked = True

    def is_busy(self, index: int) -> bool:
        """Whether a ring is served and has a chain in hand, or perhaps new ones."""
        queue = self.queue_of(index)
        line = self.lines.get(queue) if queue else None
        return line is not None and (line.kicked or line.work is not None)

    def holds_buffer(self, index: int) -> bool:
        """Whether a ring is that of statistics and the device holds its buffer."""
        return self.queue_of(index) is Queue.STATS and self._statistics().held is not None

    def take_calls(self) -> Iterator[int]:
        """Give the ring of each queue whose driver is to be told of used buffers, and forget it."""
        numbers = queue_map(self.options.queue_mode, self.options.offered, self.context.accepted)
        for queue in sorted(self._to_call):
            if queue in self.lines and self.lines[queue].ring.interrupt_needed():
                yield numbers[queue]
        self._to_call.clear()

    def take_config_change(self) -> bool:
        """Return whether config space changed since the last call."""
        changed, self._config_changes = self._config_changes, False
        return changed

    @property
    def hinted_bytes(self) -> int:
        """Bytes of the pages that the driver has hinted in this round."""
        return sum(span.length for span in self._recorded.hinted)

    # What the base classes ask

    @property
    def takes_rounds(self) -> bool:
        """Whether the driver knows of hinting: it kicks its queue only when a round is asked for.

        So that the queue is not served yet says nothing.
        """
        return self.features is not None and Feature.FREE_PAGE_HINT in self.features

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use a buffer; the driver is told when the batch is over."""
        line.ring.push(head, length)
        self.used[name] += 1
        self._to_call.add(name)

    @property
    def can_work(self) -> bool:
        """Whether the driver has said, or cannot say, that it is ready."""
        return not self.wants_status or bool(self.status & DeviceStatus.DRIVER_OK)

    def fail(self, reason: str) -> None:
        """Stop all work until the driver starts anew."""
        self.last_error = reason
        # A chain that was used must never be taken again: its pages are the guest's by now.
        self._bases = {queue: line.ring.base for queue, line in self.lines.items()}
        self.status |= DeviceStatus.NEEDS_RESET
        self.end_all()
        self._rounds.stop()
        self._config_changed()

    def _config_changed(self) -> None:
        self._config_changes = True

    def _statistics(self) -> StatisticsQueue:
        handler = self._handlers[Queue.STATS]
        assert isinstance(handler, StatisticsQueue)  # noqa: S101 - the table says so
        return handler
