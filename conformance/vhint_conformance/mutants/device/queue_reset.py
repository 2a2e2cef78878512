"""Faults in resetting one queue alone (VIRTIO_F_RING_RESET)."""

from __future__ import annotations

from vhint.host import ALL_FEATURES, Device, DeviceFactory, DeviceOptions
from vhint.host.work import Line
from vhint.ring import Layout, SplitDeviceQueue, SplitLayout
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant

RESETS = DeviceOptions(offered=ALL_FEATURES | Features.of(Feature.RING_RESET))
RESET = "ring.device.queue-reset-"


def resetting(kind: type[Device]) -> DeviceFactory:
    """Return the factory of a device of that kind that offers RING_RESET."""
    return lambda memory: kind(memory, RESETS)


class ResetIgnored(Device):
    """Offers RING_RESET and does nothing about it."""

    def reset_queue(self, index: int) -> bool:  # noqa: ARG002
        """Leave the queue as it is."""
        return False


class AllQueuesReset(Device):
    """Resets every queue when one is to be reset."""

    def reset_queue(self, index: int) -> bool:
        """Take the others with it."""
        done = super().reset_queue(index)
        if done:
            for number in sorted(self._known_indices() - {index}):
                super().reset_queue(number)
        return done


class OnlySaysSo(Device):
    """Shows a queue as reset and goes on serving it."""

    hidden: int | None = None

    def reset_queue(self, index: int) -> bool:
        """Hide it."""
        self.hidden = index
        return True

    def queue_ready(self, index: int) -> bool:
        """Return whether it is enabled, as far as that is shown."""
        return index != self.hidden and super().queue_ready(index)


class NotifiesAfterwards(Device):
    """Notifies of a queue that was reset when it is kicked."""

    gone: int | None = None

    def reset_queue(self, index: int) -> bool:
        """Reset it, and remember which."""
        self.gone = index
        return super().reset_queue(index)

    def notify(self, index: int) -> None:
        """Answer the kick with an interrupt."""
        super().notify(index)
        if index == self.gone and not self.queue_ready(index):
            self._used_interrupt = True


class OldPlace(Device):
    """Enables a queue anew where and as large as it was before its reset."""

    def __init__(self, *arguments: object) -> None:
        self.first: dict[int, Layout] = {}
        super().__init__(*arguments)  # type: ignore[arg-type]

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Take the first layout again."""
        live = bool(self.lines)
        if not live:
            self.first[index] = layout
        return super().set_up_queue(index, self.first.get(index, layout))


class OldSize(OldPlace):
    """Enables a queue anew with the size that it had before its reset."""

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Take the places, and the first size."""
        before = self.first.get(index)
        if self.lines and isinstance(before, SplitLayout) and isinstance(layout, SplitLayout):
            parts = (layout.descriptors, layout.available, layout.used)
            return Device.set_up_queue(self, index, SplitLayout(before.size, *parts))
        return super().set_up_queue(index, layout)


class IndicesSurvive(Device):
    """Keeps the indices of a queue over its reset."""

    def __init__(self, *arguments: object) -> None:
        self.stood: dict[Queue, int] = {}
        super().__init__(*arguments)  # type: ignore[arg-type]

    def reset_queue(self, index: int) -> bool:
        """Reset it, and remember how far it was."""
        for queue, number in self._indices().items():
            line = self.lines.get(queue)
            if number == index and line is not None and isinstance(line.ring, SplitDeviceQueue):
                self.stood[queue] = line.ring._next_available
        return super().reset_queue(index)

    def _start(self, only: int | None = None) -> None:
        super()._start(only)
        for queue, line in self.lines.items():
            if only is not None and queue in self.stood and isinstance(line.ring, SplitDeviceQueue):
                line.ring._next_available = self.stood.pop(queue)

    def _reset(self) -> None:
        self.stood.clear()
        super()._reset()


class NeverEnabledAgain(Device):
    """Can reset a queue, and never enable it again."""

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Take no queue once it is live."""
        if self.lines:
            return self.queue_ready(index)
        return super().set_up_queue(index, layout)


class WorkGoesOn(Device):
    """Finishes, after the reset of a queue, the chain that it had taken."""

    old: Line | None = None

    def reset_queue(self, index: int) -> bool:
        """Reset it, and keep its ring."""
        for queue, number in self._indices().items():
            if number == index and queue in self.lines:
                line = self.lines[queue]
                self.old = Line(line.ring, line.handler, kicked=True)
        return super().reset_queue(index)

    def notify(self, index: int) -> None:
        """Serve the old ring once more when anything is kicked."""
        super().notify(index)
        if self.old is not None and not self.queue_ready(index):
            for _ in self.serve(Queue.INFLATE, self.old):
                pass


MUTANTS = (
    Mutant("queue-reset-ignored", "offers RING_RESET and does nothing about it",
           (f"{RESET}performed", f"{RESET}end-shown"), resetting(ResetIgnored)),
    Mutant("queue-reset-takes-all", "resets every queue when one is to be reset",
           (f"{RESET}performed",), resetting(AllQueuesReset)),
    Mutant("queue-reset-only-shown", "shows a queue as reset and goes on serving it",
           (f"{RESET}no-processing", f"{RESET}performed"), resetting(OnlySaysSo)),
    Mutant("queue-reset-work-goes-on", "serves the old ring when the queue is kicked",
           (f"{RESET}no-processing", f"{RESET}no-notification"), resetting(WorkGoesOn)),
    Mutant("queue-reset-notifies", "notifies of a queue that was reset when it is kicked",
           (f"{RESET}no-notification",), resetting(NotifiesAfterwards)),
    Mutant("queue-reset-old-place", "enables a queue anew where it was before",
           ("ring.device.queue-reenable-observes-settings", f"{RESET}clears-state"),
           resetting(OldPlace)),
    Mutant("queue-reset-old-size", "enables a queue anew with the size that it had before",
           ("ring.device.queue-reenable-observes-settings",), resetting(OldSize)),
    Mutant("queue-reset-keeps-indices", "keeps the indices of a queue over its reset",
           (f"{RESET}clears-state",), resetting(IndicesSurvive)),
    Mutant("queue-reset-for-good", "can reset a queue and never enable it again",
           ("ring.device.queue-reenable-observes-settings",), resetting(NeverEnabledAgain)),
)  # fmt: skip
"""Mutants that reset a queue wrongly."""
