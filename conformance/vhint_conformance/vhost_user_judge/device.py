"""The judging device in the place where vhost-user has the reference device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from vhint.ring import GuestMemory, Layout
from vhint.trace import Recorder
from vhint.trace.events import FeaturesOffered, ResetDone
from vhint.wire.features import Features
from vhint.wire.queues import Queue, QueueMode
from vhint.wire.status import DeviceStatus
from vhint_conformance.driver_bench.device import JudgingDevice
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.verdict import TargetDied


class LateMemory:
    """Guest memory that is known only once the front end has said where it is."""

    def __init__(self) -> None:
        self.current: GuestMemory | None = None
        self.before_store: Callable[[int, bytes], object] | None = None

    def become(self, memory: GuestMemory) -> None:
        """Be this memory from now on."""
        self.current = memory
        memory.before_store = self._about_to_store

    def _about_to_store(self, address: int, data: bytes) -> None:
        if self.before_store is not None:
            self.before_store(address, data)

    def __getattr__(self, name: str) -> Any:
        if self.current is None:
            raise TargetDied("the front end has not said where guest memory is")
        return getattr(self.current, name)


class WitnessDevice:
    """What `vhint.transport.vhost_user.Peer` asks of its device, done by a judging device.

    A front end may speak before a case is connected: `witness` is None then, and nothing of it is
    judged.  `live` is said by whoever knows when the driver has come up.
    """

    idle = True
    can_work = True
    last_error: str | None = None

    def __init__(self, offer: Offer, mode: QueueMode) -> None:
        self.offer = offer
        self.mode = mode
        self.memory = LateMemory()
        self.judge = self.new_judge(Recorder())
        self.sees_status = False
        self._calls: set[Queue] = set()
        self._config_changes = False
        self._old: dict[int, Layout] = {}

    def new_judge(self, recorder: Recorder) -> JudgingDevice:
        """Put a fresh judging device in place, for a case of its own."""
        judge = JudgingDevice(self.memory, self.offer, recorder, self.mode)  # type: ignore[arg-type]
        judge.signal = self._note
        self.judge = judge
        recorder.emit(FeaturesOffered(self.offer.features.bits))
        return judge

    def _note(self, queue: Queue | None) -> None:
        if queue is None:
            self._config_changes = True
        else:
            self._calls.add(queue)

    # What the front end says

    @property
    def status(self) -> int:
        """The device status, for a front end that has one."""
        return self.judge.read_status()

    def use_memory(self, memory: GuestMemory) -> None:
        """Work on this memory from now on."""
        self.memory.become(memory)

    def begin_driver(self, features: Features) -> None:
        """Take the features of a driver that starts."""
        self._forget_places()
        self.judge.forget_queues()
        if not self.sees_status:
            self.judge.status = DeviceStatus(0)
            self.judge.recorder.emit(ResetDone())
        self.judge.write_features(features.bits)

    def reset(self) -> None:
        """Forget the driver."""
        self._forget_places()
        self.judge.finish_reset()
        self.judge.recorder.emit(ResetDone())

    def write_status(self, value: int) -> bool:
        """Take the device status; return whether the device was reset."""
        self.sees_status = True
        if value == 0:
            self._forget_places()
        self.judge.write_status(value)
        return value == 0

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space."""
        return self.judge.read_config(offset, length)

    def write_config(self, offset: int, data: bytes, *, migration: bool) -> None:  # noqa: ARG002
        """Take what the driver wrote."""
        self.judge.write_config(offset, data)

    def _forget_places(self) -> None:
        """Take where the rings lie for what an earlier life has left."""
        self._old.update(self.judge.layouts)

    def hear_of(self, index: int, layout: Layout) -> None:
        """Take note of where a ring will lie, unless that is left from before a reset.

        The peer keeps what a front end said last; a ring that lies there again shows as it starts.
        """
        if self._old.get(index) != layout:
            self.place(index, layout)

    def place(self, index: int, layout: Layout) -> None:
        """Take note of where a ring lies, once."""
        self._old.pop(index, None)
        if self.judge.layouts.get(index) != layout:
            self.judge.set_up_queue(index, layout)

    def start_queue(self, index: int, layout: Layout, base: int) -> None:
        """Serve a ring from `base` on."""
        self.place(index, layout)
        self.judge.start_queue(index, base or None)

    def stop_queue(self, index: int) -> int | None:
        """Let go of a ring."""
        return self.judge.stop_queue(index)

    def notify(self, index: int) -> None:
        """Take a kick."""
        self.judge.notify(index)

    def is_busy(self, index: int) -> bool:
        """Whether a ring has a chain outstanding."""
        name = self.judge.name_of(index)
        return any(each.queue is name for each in self.judge.outstanding.values())

    def holds_buffer(self, index: int) -> bool:  # noqa: ARG002
        """Whether a buffer is kept over an exchange of memory: no."""
        return False

    def take_calls(self) -> Iterator[int]:
        """Give the ring of each queue whose driver is to be told, and forget it."""
        numbers = self.judge.numbers()
        calls, self._calls = self._calls, set()
        yield from (numbers[queue] for queue in sorted(calls) if queue in numbers)

    def take_config_change(self) -> bool:
        """Return whether config space changed since the last call."""
        changed, self._config_changes = self._config_changes, False
        return changed

    def step(self) -> bool:
        """Do nothing: a case decides what is done."""
        return False

    def end_all(self) -> None:
        """Let go of every queue."""
        self.judge.forget_queues()
