"""MSI-X without a processor to interrupt: the messages are sent to guest memory, and read there.

A message is a 32-bit write to an address that the driver chose.  Here each vector has a word of its
own in RAM; what it says is never 0, so that a word that is not 0 is a message that has come.
"""

from __future__ import annotations

from collections.abc import Mapping

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span
from vhint.transport.interface import TransportError
from vhint.transport.qtest.pci_config import ConfigSpace
from vhint.transport.qtest.window import Window
from vhint.wire import pci
from vhint.wire.pci import MSIX_ENTRY_FIELDS, MSIX_ENTRY_SIZE, MSIX_FIELDS

WORDS = Span(0x1000, PAGE)
"""Where in guest memory the messages arrive: below 1 MiB, where nothing else of ours is."""

MOST = WORDS.length // 4
"""Vectors that have a word there; a device may have more, which stay masked."""

SAID = 0x600D0000
"""What the message of vector 0 says; the others count from there."""


class MsixTable:
    """The vectors of one function; `enabled` says whether they are in use."""

    def __init__(self, config: ConfigSpace, control: int, table: Window, memory: GuestMemory):
        self._config = config
        self._control = control
        self._table = table
        self._memory = memory
        self.vectors = min(table.length // MSIX_ENTRY_SIZE, MOST)
        self.enabled = False

    def enable(self) -> None:
        """Point every vector at its word, unmask it, and switch messages on."""
        self._memory.write(WORDS.start, bytes(4 * self.vectors))
        for vector in range(self.vectors):
            self._set(vector, "address_low", WORDS.start + 4 * vector)
            self._set(vector, "address_high", 0)
            self._set(vector, "data", SAID + vector)
            self._set(vector, "control", 0)
        offset, size = MSIX_FIELDS["control"]
        control = self._config.read(size, self._control + offset) & ~pci.MSIX_MASK_ALL
        self._config.write(size, self._control + offset, control | pci.MSIX_ENABLE)
        self.enabled = True

    def take(self) -> set[int]:
        """Return the vectors whose messages have come since the last call."""
        found: set[int] = set()
        for vector in range(self.vectors):
            word = Span(WORDS.start + 4 * vector, 4)
            said = int.from_bytes(self._memory.read(word), "little")
            if said:
                self._memory.write(word.start, bytes(4))
                found.add(vector)
                if said != SAID + vector:
                    raise TransportError(
                        f"{self._config.name}: vector {vector} says {said:#x}, expected "
                        f"{SAID + vector:#x}"
                    )
        return found

    def _set(self, vector: int, name: str, value: int) -> None:
        offset, size = MSIX_ENTRY_FIELDS[name]
        self._table.write(size, vector * MSIX_ENTRY_SIZE + offset, value)


def find_msix(
    config: ConfigSpace, bars: Mapping[int, Window], memory: GuestMemory
) -> MsixTable | None:
    """Return the function's table of vectors, or None without one.

    Raises `TransportError` for a table that does not lie behind a register of the function.
    """
    for entry in config.capabilities():
        if entry.id != pci.CapabilityId.MSIX:
            continue
        if entry.offset + pci.MSIX_SIZE > pci.CONFIG_SIZE:
            raise TransportError(f"{config.name}: the MSI-X capability at {entry.offset:#x} is cut")
        capability = pci.parse_msix(config.read_bytes(entry.offset, pci.MSIX_SIZE))
        bar = bars.get(capability.bar)
        if bar is None:
            raise TransportError(
                f"{config.name}: the MSI-X table is said to lie behind BAR {capability.bar}, which "
                "is empty"
            )
        length = capability.vectors * MSIX_ENTRY_SIZE
        table = bar.part(f"{config.name}, the MSI-X table", capability.offset, length)
        return MsixTable(config, entry.offset, table, memory)
    return None
