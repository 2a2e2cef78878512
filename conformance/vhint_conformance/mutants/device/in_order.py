"""Devices that offer IN_ORDER: one that uses chains in batches, and two that break the order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Sequence

from vhint.host import ALL_FEATURES, Device, DeviceOptions
from vhint.host.work import Line
from vhint.ring import GuestMemory, SplitDeviceQueue
from vhint.wire import vring
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant

OFFERED = ALL_FEATURES | Features.of(Feature.IN_ORDER)
"""Split rings alone: that is where one used element can stand for many chains."""

Used = tuple[int, int]
"""The head of a chain that is to be used, and the used length."""


class _Gathers(Device):
    """Takes all that waits before it uses anything, if IN_ORDER was accepted."""

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__(memory, DeviceOptions(offered=OFFERED))

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Gather, and use all of it at once."""
        if Feature.IN_ORDER not in self.context.accepted:
            yield from super().serve(name, line)
            return
        done: list[Used] = []
        while (chain := line.ring.pop()) is not None:
            yield
            length = yield from line.handler.handle(chain)
            if length is not None:
                done.append((chain.head, length))
            if done and not line.ring.pending:
                self._use(name, line, done)
                done = []
                yield

    @abstractmethod
    def _use(self, name: Queue, line: Line, done: Sequence[Used]) -> None: ...


class UsesBatches(_Gathers):
    """Writes one used element for all chains of a batch: the place of the first, the last's head.

    VIRTIO 1.4, Split Virtqueues, In-order use of descriptors.
    """

    named = -1

    def _use(self, name: Queue, line: Line, done: Sequence[Used]) -> None:  # noqa: ARG002
        ring = line.ring
        if not isinstance(ring, SplitDeviceQueue):
            raise TypeError(f"a batch was to be used in a {type(ring).__name__}")
        entry = ring.layout.used_entry_at(ring._used_index)
        ring.memory.write(entry, vring.USED_ELEMENT_STRUCT.pack(*done[self.named]))
        ring._used_index = (ring._used_index + len(done)) & 0xFFFF
        ring._unused -= len(done)
        ring.memory.store16(ring.layout.used_index_at, ring._used_index)
        if ring.interrupt_needed():
            self._used_interrupt = True


class NamesFirst(UsesBatches):
    """Names the first chain of a batch."""

    named = 0


class UsesInReverse(_Gathers):
    """Uses the latest chain first, one by one, whatever was accepted."""

    def _use(self, name: Queue, line: Line, done: Sequence[Used]) -> None:
        for head, length in reversed(done):
            self.complete(name, line, head, length)


MUTANTS = (
    Mutant(
        "in-order-reversed",
        "accepts IN_ORDER and uses the latest chain first",
        ("ring.device.in-order",),
        UsesInReverse,
    ),
    Mutant(
        "in-order-batch-names-first",
        "names the first chain of a batch in the one element that it writes for it",
        ("ring.device.in-order-batch-complete",),
        NamesFirst,
    ),
)
"""Mutants that offer IN_ORDER."""
