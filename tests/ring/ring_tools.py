"""Both halves of a ring over one memory, and a memory that notes how it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vhint.ring import GuestMemory, SplitDeviceQueue, SplitDriverQueue, SplitLayout
from vhint.spans import PAGE, Span

RAM = 64 * PAGE
RING = PAGE
TABLES = 16 * PAGE
DATA = 48 * PAGE


class WatchedMemory(GuestMemory):
    """Guest memory that lists its accesses; `meddle` runs after every read, as a driver might."""

    meddle: Callable[[Span], None] | None = None
    log: list[tuple[str, int, int]]

    def start(self) -> list[tuple[str, int, int]]:
        """Forget the accesses so far; return the list that the next ones go to."""
        self.log = []
        return self.log

    def _note(self, what: str, at: int, size: int) -> None:
        if hasattr(self, "log"):
            self.log.append((what, at, size))

    def read(self, span: Span) -> bytes:
        data = super().read(span)
        self._note("read", span.start, span.length)
        if self.meddle is not None:
            self.meddle(span)
        return data

    def write(self, address: int, data: bytes) -> None:
        super().write(address, data)
        self._note("write", address, len(data))

    def load16(self, address: int) -> int:
        self._note("load16", address, 2)
        return super().load16(address)

    def store16(self, address: int, value: int) -> None:
        super().store16(address, value)
        self._note("store16", address, 2)


@dataclass
class Rig:
    """A driver half and a device half that share `memory`."""

    memory: WatchedMemory
    layout: SplitLayout
    driver: SplitDriverQueue
    device: SplitDeviceQueue
    event_idx: bool = False

    def start_at(self, index: int) -> None:
        """Behave as if `index` buffers had gone through the ring already."""
        driver, device = self.driver, self.device
        driver.available_index = driver._used_index = index
        device._next_available = device._used_index = device._announced = index
        driver.publish()
        self.memory.store16(self.layout.used_index_at, index)
        if self.event_idx:
            self.memory.store16(self.layout.avail_event_at, index)
        driver.kick_needed()


def make_rig(
    memory: WatchedMemory, size: int = 4, *, event_idx: bool = False, indirect: bool = True
) -> Rig:
    layout = SplitLayout.at(RING, size)
    assert layout.end <= TABLES
    driver = SplitDriverQueue(memory, layout, event_idx=event_idx)
    device = SplitDeviceQueue(memory, layout, event_idx=event_idx, indirect=indirect)
    return Rig(memory, layout, driver, device, event_idx)


def stepped_over(event: int, old: int, count: int) -> bool:
    """Whether `count` steps from the 16-bit index `old` leave index `event` behind, one by one."""
    return any((old + step) & 0xFFFF == event for step in range(count))
