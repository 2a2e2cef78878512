"""Base address registers: how much a PCI function wants, and where it is put.

There is no firmware, so nobody has given the function any addresses yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vhint.transport.interface import TransportError
from vhint.transport.qtest.pci_config import ConfigSpace
from vhint.transport.qtest.window import Window
from vhint.wire import pci
from vhint.wire.pci import BarKind, Command


@dataclass
class Room:
    """Addresses that are still free, from `start` up to `end`."""

    what: str
    start: int
    end: int

    def take(self, size: int) -> int:
        """Return the next address that is a multiple of the size, or raise `TransportError`."""
        at = -(-self.start // size) * size
        if at + size > self.end:
            raise TransportError(f"{size:#x} bytes of {self.what} are more than there is room for")
        self.start = at + size
        return at


@dataclass
class Rooms:
    """Where a PC has room for the registers of devices."""

    memory: Room = field(default_factory=lambda: Room("memory space", 0xC0000000, 0xE0000000))
    ports: Room = field(default_factory=lambda: Room("port space", 0xC000, 0x10000))


def place_bars(config: ConfigSpace, rooms: Rooms | None = None) -> dict[int, Window]:
    """Size and place every register of a function, switch it on, and return what lies where.

    The keys are the numbers of the registers.  Raises `TransportError` for sizes that are none.
    """
    rooms = rooms or Rooms()
    command = config.field("command")
    decoding = Command.IO | Command.MEMORY | Command.BUS_MASTER
    config.set_field("command", command & ~decoding)  # nothing answers while sizes are asked for
    windows: dict[int, Window] = {}
    index = 0
    while index < pci.BAR_COUNT:
        window, used = _place(config, index, rooms)
        if window is not None:
            windows[index] = window
        index += used
    config.set_field("command", command & ~Command.INTERRUPT_DISABLE | decoding)
    return windows


def _place(config: ConfigSpace, index: int, rooms: Rooms) -> tuple[Window | None, int]:
    """Place one register; return its window, if it wants one, and how many registers it takes."""
    name = f"{config.name}, BAR {index}"
    low = _asked(config, index)
    kind = BarKind(low & pci.BAR_IO_FLAGS) & BarKind.IO
    flags = pci.BAR_IO_FLAGS if kind else pci.BAR_MEMORY_FLAGS
    # Ports may leave the upper half of the register out: there are 64 Ki of them.
    asked, wide = low & ~flags, False
    width = 16 if kind else 32
    if not kind and low & pci.BAR_TYPE_MASK == BarKind.WIDE:
        if index + 1 == pci.BAR_COUNT:
            raise TransportError(f"{name}: a register of 64 bits without a second half")
        asked |= _asked(config, index + 1) << 32
        wide, width = True, 64
    used = 2 if wide else 1
    asked &= (1 << width) - 1
    if not asked:
        return None, used
    size = asked & -asked
    if asked != (1 << width) - size:
        raise TransportError(f"{name}: expected a power of two as its size, seen mask {asked:#x}")
    at = (rooms.ports if kind else rooms.memory).take(size)
    config.set_field(f"bar{index}", at)
    if wide:
        config.set_field(f"bar{index + 1}", at >> 32)
    found = config.field(f"bar{index}") & ~flags
    if found != at & 0xFFFFFFFF:
        raise TransportError(f"{name}: put at {at:#x}, and shows {found:#x}")
    return Window(config.qtest, name, at, size, ports=bool(kind)), used


def _asked(config: ConfigSpace, index: int) -> int:
    config.set_field(f"bar{index}", 0xFFFFFFFF)
    return config.field(f"bar{index}")
