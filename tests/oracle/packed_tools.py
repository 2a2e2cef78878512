"""A packed ring between a driver and a device, each with a mapping of its own, and the watch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from vhint.ring import GuestMemory, PackedDeviceQueue, PackedDriverQueue, PackedLayout, Position
from vhint.spans import Span
from vhint_conformance.oracle.packed import PackedWatch, Side

ROOM = Span(0x8000, 16)
TABLE = 0x9000


class Pair:
    """`driver` and `device` are the sound halves; `found` is what the watch says of either."""

    def __init__(self, memory: GuestMemory, size: int, *, event_idx: bool) -> None:
        self.memory, self.device_memory = memory, memory.view()
        self.layout = PackedLayout.at(0x1000, size)
        self.driver = PackedDriverQueue(memory, self.layout, event_idx=event_idx)
        self.device = PackedDeviceQueue(
            self.device_memory, self.layout, event_idx=event_idx, indirect=True
        )
        self.found: list[str] = []
        self.watch = PackedWatch(
            memory, self.layout, event_idx=event_idx, indirect=True, find=self._find
        )
        memory.before_store = partial(self.watch.stored, Side.DRIVER)
        self.device_memory.before_store = partial(self.watch.stored, Side.DEVICE)

    def _find(self, requirement: str, *_: str) -> None:
        self.found.append(requirement.removeprefix("ring.").replace("packed-", ""))

    def send(self, buffers: int = 1, *, indirect: bool = False) -> int:
        """Make a list available, and say so."""
        name = self.driver.add([], [ROOM] * buffers, indirect_at=TABLE if indirect else None)
        self.driver.publish()
        self.watch.notified(Side.DRIVER)
        return name

    def take(self) -> int:
        """Let the device take a list; return its id."""
        chain = self.device.pop()
        assert chain is not None
        return chain.head

    def exchange(self, buffers: int = 1, *, indirect: bool = False) -> None:
        """Send a list, and have it used and collected."""
        self.send(buffers, indirect=indirect)
        self.device.push(self.take(), 0)
        assert self.driver.collect() is not None

    def flags_at(self, slot: int) -> int:
        """Return where the flags of a slot are."""
        return self.layout.flags_at(slot)

    def rest(self) -> list[str]:
        """Let both rest; return everything that was found."""
        for side in Side:
            self.watch.look(side)
            self.watch.rests(side)
        return self.found


@contextmanager
def pair(size: int = 4, *, event_idx: bool = True) -> Iterator[Pair]:
    """Make a ring and both of its halves."""
    with GuestMemory.create(0x10000) as memory:
        made = Pair(memory, size, event_idx=event_idx)
        with made.device_memory:
            yield made


__all__ = ["Pair", "Position", "pair"]
