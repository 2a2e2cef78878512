"""Faults of devices that meet chains which no driver may make."""

from __future__ import annotations

from vhint.host import Device
from vhint.ring import Chain, RingError, SplitDeviceQueue
from vhint.ring.errors import Fault
from vhint.wire.status import DeviceStatus
from vhint_conformance.mutants.base import Mutant, with_ring

ANSWERED = tuple(
    f"ring.device.malformed-{what}-answered"
    for what in (
        "loop",
        "head",
        "next",
        "indirect-length",
        "indirect-nested",
        "indirect-next",
        "region",
        "readable-after-writable",
    )
)
CONTAINED = "ring.device.malformed-contained"


class FallsSilent(Device):
    """Drops the queue whose driver broke a rule, and says nothing."""

    def fail(self, reason: str) -> None:
        """Note it for the host's log."""
        self.last_error = reason
        self.end_all()


class NeverRecovers(Device):
    """Keeps NEEDS_RESET over the reset that it asked for."""

    broken = False

    def fail(self, reason: str) -> None:
        """Fail for ever."""
        super().fail(reason)
        self.broken = True

    def read_status(self) -> int:
        """Show NEEDS_RESET."""
        return super().read_status() | (DeviceStatus.NEEDS_RESET if self.broken else 0)


class DeadAfterFailure(Device):
    """Shows a clean status after a reset but serves nothing any more."""

    broken = False

    def fail(self, reason: str) -> None:
        """Fail for ever."""
        super().fail(reason)
        self.broken = True

    def notify(self, index: int) -> None:
        """Hear nothing once it has failed."""
        if not self.broken:
            super().notify(index)

    def _start(self, only: int | None = None) -> None:
        if not self.broken:
            super()._start(only)


class AsksInSilence(Device):
    """Sets NEEDS_RESET and does not send a configuration change notification."""

    def fail(self, reason: str) -> None:
        """Fail, and say nothing."""
        super().fail(reason)
        self._config_interrupt = False


class WrapsHead(SplitDeviceQueue):
    """Takes a head that is too large modulo the size of the queue, and uses what it finds."""

    def pop(self) -> Chain | None:
        """Mend the entry in the driver's ring, and go on."""
        at = self.layout.available_entry_at(self._next_available)
        head = self.memory.load16(at)
        if self.pending and head >= self.layout.size:
            self.memory.store16(at, head % self.layout.size)
        return super().pop()


class SkipsBadChains(SplitDeviceQueue):
    """Steps over a chain that it cannot read and never uses it."""

    def pop(self) -> Chain | None:
        """Take the next good one."""
        while True:
            try:
                return super().pop()
            except RingError as error:
                if error.fault is Fault.AVAILABLE_JUMP:
                    raise
                self._next_available = (self._next_available + 1) & 0xFFFF


class WaitsForEver(Device):
    """Stops serving every queue when one chain is bad, and resumes at no notification."""

    def fail(self, reason: str) -> None:
        """Stop, without a word and without a way back."""
        self.last_error = reason
        self.end_all()
        self.stuck = True

    stuck = False

    def _start(self, only: int | None = None) -> None:
        if not self.stuck:
            super()._start(only)


MUTANTS = (
    Mutant(
        "silent-after-malformed-chain",
        "drops its queues at a malformed chain, without using it or asking for a reset",
        (*ANSWERED, "virtio.device.needs-reset-set"),
        FallsSilent,
        bugs=("H7", "Q28"),
    ),
    Mutant(
        "malformed-chain-skipped",
        "steps over a chain that it cannot read and never uses it",
        ANSWERED,
        with_ring(SkipsBadChains),
        bugs=("F6",),
    ),
    Mutant(
        "needs-reset-for-ever",
        "keeps NEEDS_RESET over the reset that it asked for",
        ("virtio.device.needs-reset-recovers", "ring.device.recovers-by-reset",
         "virtio.device.status-zero-after-reset"),
        NeverRecovers,
    ),
    Mutant(
        "dead-after-malformed-chain",
        "serves nothing any more after a malformed chain, even when it was reset",
        ("ring.device.recovers-by-reset", "virtio.device.needs-reset-recovers"),
        DeadAfterFailure,
        bugs=("H7", "K1"),
    ),
    Mutant(
        "silent-and-dead-after-malformed-chain",
        "stops without asking for a reset, and serves nothing after one",
        ("ring.device.recovers-by-reset", *ANSWERED),
        WaitsForEver,
    ),
    Mutant(
        "needs-reset-unannounced",
        "sets NEEDS_RESET and sends no configuration change notification",
        ("virtio.device.needs-reset-notified",),
        AsksInSilence,
    ),
    Mutant(
        "head-wrapped",
        "takes a head that is too large modulo the size of the queue",
        (CONTAINED, "ring.device.avail-ring-never-written"),
        with_ring(WrapsHead),
        bugs=("Q34",),
    ),
)  # fmt: skip
"""Mutants that take malformed chains wrongly."""
