"""A reference device that says which of its queues notified, as messages of PCI need to know."""

from __future__ import annotations

from vhint.host import Device
from vhint.host.work import Line
from vhint.wire.queues import Queue


class Signalling(Device):
    """The reference device, with the numbers of the queues that it used buffers of."""

    def __init__(self, *arguments: object) -> None:
        self._used: set[Queue] = set()
        self._notified: set[Queue] = set()
        super().__init__(*arguments)  # type: ignore[arg-type]

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use a buffer, and note whose it was."""
        before, self._used_interrupt = self._used_interrupt, False
        super().complete(name, line, head, length)
        self._used.add(name)
        if self._used_interrupt:
            self._notified.add(name)
        self._used_interrupt |= before

    def work(self) -> None:
        """Do all that there is to do."""
        while self.step():
            pass

    def take_used(self) -> tuple[frozenset[int], frozenset[int]]:
        """Return the numbers of the queues that used buffers and that notified of it since then."""
        numbers = self._indices()
        found = tuple(
            frozenset(numbers[queue] for queue in queues if queue in numbers)
            for queues in (self._used, self._notified)
        )
        self._used.clear()
        self._notified.clear()
        return found[0], found[1]
