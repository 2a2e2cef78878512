"""Faults in what a device is and promises: identity, features, queues, units, what it shows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from vhint.host import EVERY_FEATURE, Device, DeviceOptions, NotedWrites
from vhint.host.context import Context
from vhint.host.hint_policy import HintPolicy
from vhint.host.hinting import Hinting, named
from vhint.host.reporting import Reporting
from vhint.ring import Chain, GuestMemory, RingError
from vhint.ring.errors import Fault
from vhint.spans import Span, merge, total
from vhint.transport.qtest.mmio import Register
from vhint.wire import config, hint_ack, hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.queues import Queue
from vhint_conformance.bus import LegacyFunction, MmioSlot
from vhint_conformance.mutants.base import BusMutant, Mutant, serving

COMMAND_ID = config.field_offset("free_page_hint_cmd_id")
GAP = config.field_offset("ws_num_bins")
LARGE = 1 << 16


class OtherDevice(MmioSlot):
    """Is device 13, the balloon that was named and never specified."""

    def read_register(self, offset: int) -> int:
        """Return the other number."""
        return 13 if offset == Register.DEVICE_ID else super().read_register(offset)


class KicksBeforeSetUp(MmioSlot):
    """Serves, once it was notified of a queue that is not there, nothing any more."""

    deaf = False

    def write_register(self, offset: int, value: int) -> None:
        """Stumble over it."""
        if offset == Register.QUEUE_NOTIFY and not self.device.queue_ready(value):
            self.deaf = True
        if offset != Register.QUEUE_NOTIFY or not self.deaf:
            super().write_register(offset, value)


class NeedsMustTellHost(LegacyFunction):
    """Serves no legacy driver that does not accept MUST_TELL_HOST."""

    def begin(self) -> None:
        """Look at what was accepted."""
        if Feature.MUST_TELL_HOST in self.accepted:
            super().begin()


class MissingPrerequisite(Device):
    """Offers the bitmap format without the hinting that it is a format of."""

    def read_features(self) -> int:
        """Leave HINTING out."""
        return super().read_features() & ~(1 << Feature.HINTING)


class NoQueueForReports(Device):
    """Offers reporting and has no queue for it."""

    def queue_max(self, index: int) -> int:
        """Leave it out."""
        reports = self._indices().get(Queue.REPORTING)
        return 0 if index == reports else super().queue_max(index)


class TakesWithoutVersion1(Device):
    """Agrees to HINTING without VERSION_1."""

    def _features_acceptable(self) -> bool:
        return Feature.HINTING in self._written_features or super()._features_acceptable()


class StrayBytes(Device):
    """Shows what was in its memory before between the fields of its configuration."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Initialise only the fields."""
        whole = bytearray(super().read_config(0, 32))
        whole[GAP : GAP + 4] = b"\x7f\x45\x4c\x46"
        return bytes(whole)[offset : offset + length].ljust(length, b"\0")


class StrayField(Device):
    """Shows what was in its memory before where the command id would be."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Initialise only the fields of features that are offered."""
        whole = bytearray(super().read_config(0, 32))
        whole[COMMAND_ID : COMMAND_ID + 4] = b"\x7f\x45\x4c\x46"
        return bytes(whole)[offset : offset + length].ljust(length, b"\0")


def _stray_field(memory: GuestMemory) -> Device:
    offered = EVERY_FEATURE - Features.of(Feature.FREE_PAGE_HINT)
    return StrayField(memory, DeviceOptions(offered=offered))


class IdHidden(Device):
    """Shows the command id only to a driver that has accepted rounds of hints."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Show ones where it would be."""
        whole = bytearray(super().read_config(0, 32))
        if Feature.FREE_PAGE_HINT not in self.context.accepted:
            whole[COMMAND_ID : COMMAND_ID + 4] = b"\xff\xff\xff\xff"
        return bytes(whole)[offset : offset + length].ljust(length, b"\0")


class NoGeneration(Device):
    """Shows one generation of its configuration for ever."""

    def config_generation(self) -> int:
        """Return 0."""
        return 0


class GenerationOfNibbles(Device):
    """Keeps the generation of its configuration in one bit."""

    def config_generation(self) -> int:
        """Lose the rest: two changes are none."""
        return super().config_generation() & 1


class BothBits(Device):
    """Says that a buffer was used whenever its configuration changed."""

    def _config_changed(self) -> None:
        super()._config_changed()
        self._used_interrupt = self._used_interrupt or self._config_interrupt


class CountsReadings(Device):
    """Counts a change of its configuration with every reading."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Read, and count."""
        self._generation += 1
        return super().read_config(offset, length)


class SmallBlocksWelcome(Device):
    """Says that it takes blocks of 4 KiB though its host's pages are larger."""

    def _begin(self) -> None:
        super()._begin()
        self.context.config = replace(self.context.config, hint_min_order=0)


class PfnOf16KiB(Hinting):
    """Counts page frames of 16 KiB, as its host does."""

    def _named(
        self, request: hint_request.PfnRequest | hint_request.BitmapRequest
    ) -> Sequence[Span]:
        ram = sum(region.length for region in self.context.memory.regions)
        return [Span(span.start * 4 % ram, span.length) for span in named(request)]


class TakesRefused(Hinting):
    """Discards every block of a bitmap and says that it took every second one."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Answer PARTIAL, and discard all."""
        data = chain.read(self.context.memory, self._longest() + 1)
        length = yield from super().handle(chain)
        answer = chain.writable_size
        if answer < hint_ack.HEADER_SIZE or len(data) < hint_request.HEADER_SIZE:
            return length
        header = hint_request.peek_header(data)
        raw = b"".join(self.context.memory.read(span) for span in chain.writable)[:length]
        found = hint_ack.parse(raw, header.count)
        if found.status is not Status.OK or header.count < 2 or found.results is None:
            return length
        kept = [index for index in found.results.indices().tolist() if index % 2]
        results = Bitmap.from_indices(found.results.count, kept)
        made = Acknowledgement(found.cookie, Status.PARTIAL, len(kept), results)
        return chain.write(self.context.memory, hint_ack.build(made, header.count)[:length])


class WholeReportsOnly(Reporting):
    """Takes a report for malformed whose ranges are not aligned to their size."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Look at the ranges."""
        for span in chain.writable:
            if span.length and (span.start % span.length or span.length & (span.length - 1)):
                raise RingError(Fault.ADDRESS, f"a range at {span}")
        return (yield from super().handle(chain))


class OverlapBreaks(Reporting):
    """Asks for a reset when ranges of a report overlap."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Compare them."""
        if total(merge(chain.writable)) != total(chain.writable):
            raise RingError(Fault.ADDRESS, "ranges overlap")
        return (yield from super().handle(chain))


class DiscardsBlindly(HintPolicy):
    """Discards hinted pages as they come, and knows of no write."""

    def accept(self, spans: Sequence[Span], context: Context) -> None:
        """Discard them."""
        context.discard(spans)


class ForgetsPoison(HintPolicy):
    """Discards hinted pages that were not written, whatever they must read as."""

    def accept(self, spans: Sequence[Span], context: Context) -> None:
        """Discard them."""
        with self.log.unwritten(spans) as untouched:
            context.discard(untouched)


def _hinted(policy: HintPolicy, memory: GuestMemory) -> Device:
    return Device(memory, hints=policy)


MUTANTS = (
    BusMutant("device-id-13", "is device 13", ("virtio.device.identity",), OtherDevice),
    BusMutant("deaf-after-early-kick", "serves nothing after a kick for a queue that is not there",
              ("ring.device.queue-not-ready-untouched",), KicksBeforeSetUp),
    BusMutant("legacy-needs-must-tell-host", "serves no driver without MUST_TELL_HOST",
              ("balloon.device.legacy-without-must-tell-host", "virtio.device.legacy-detected"),
              NeedsMustTellHost),
    Mutant("prerequisite-missing", "offers a feature whose prerequisite it does not offer",
           ("virtio.device.offer-closed-under-dependency",
            "hint-bitmap.device.offer-needs-hinting"), MissingPrerequisite),
    Mutant("reporting-without-queue", "offers reporting and has no queue for it",
           ("balloon.device.offered-queues-exist",), NoQueueForReports),
    Mutant("version-1-unneeded", "agrees to HINTING without VERSION_1",
           ("hint.device.refuse-without-version-1",
            "virtio.device.refusal-clears-features-ok"), TakesWithoutVersion1),
    Mutant("config-stray-bytes", "shows stray memory between the fields of its configuration",
           ("hint.device.config-gap-zero",), StrayBytes, bugs=("Q14",)),
    Mutant("config-stray-field", "shows stray memory in the field of a feature that it lacks",
           ("balloon.device.config-stable-bytes",), _stray_field, bugs=("Q14",)),
    Mutant("command-id-hidden", "shows the command id only to who has accepted rounds of hints",
           ("free-page-hint.device.config-present",), IdHidden),
    Mutant("generation-constant", "shows one generation of its configuration for ever",
           ("virtio.device.config-generation",), NoGeneration),
    Mutant("generation-one-bit", "keeps the generation of its configuration in one bit",
           ("virtio.device.config-generation",), GenerationOfNibbles),
    Mutant("generation-of-readings", "counts a change of its configuration with every reading",
           ("virtio.device.generation-rests",), CountsReadings),
    Mutant("used-bit-of-config-change", "sets the bit of used buffers when it changes its fields",
           ("virtio.device.interrupt-status-true",), BothBits),
    Mutant("hint-order-below-host-page", "takes blocks that are smaller than its host's pages",
           ("hint.device.min-order-covers-host-page",),
           lambda memory: SmallBlocksWelcome(
               memory, DeviceOptions(host_page=LARGE, hint_min_order=4)), host_page=LARGE),
    Mutant("pfn-of-16-kib", "counts page frames of 16 KiB in hints",
           ("hint.device.pfn-unit", "hint.device.containment"),
           serving(Queue.HINTING, PfnOf16KiB), bugs=("Q7",)),
    Mutant("half-refused-and-taken", "says that it took every second block, and takes all",
           ("hint.device.unaccepted-untouched",),
           serving(Queue.HINTING, TakesRefused)),
    Mutant("report-misaligned-fatal", "asks for a reset at a report that is not aligned",
           ("reporting.device.order-not-assumed",), serving(Queue.REPORTING, WholeReportsOnly)),
    Mutant("report-overlap-fatal", "asks for a reset when ranges of a report overlap",
           ("reporting.device.overlap-survived",), serving(Queue.REPORTING, OverlapBreaks)),
    Mutant("hints-discarded-blindly", "discards hinted pages without knowing what was written",
           ("free-page-hint.device.discard-needs-write-detection",
            "free-page-hint.device.guest-write-wins"),
           lambda memory: _hinted(DiscardsBlindly(), memory), bugs=("F7",)),
    Mutant("hints-lose-poison", "discards hinted pages that must read as a poison",
           ("balloon.device.poison-fph-content",),
           lambda memory: _hinted(ForgetsPoison(NotedWrites()), memory)),
)  # fmt: skip
"""Mutants that are or promise something else."""
