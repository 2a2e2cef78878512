"""Faults in initialising the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vhint.guest.initialise import (
    Access,
    InitialisationError,
    Notify,
    ReadConfig,
    ReadFeatures,
    ReadQueueMax,
    ReadStatus,
    Reply,
    SetUpQueue,
    Stage,
    WriteConfig,
    WriteFeatures,
    WriteStatus,
)
from vhint.guest.port import RingPort
from vhint.ring import SplitLayout
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.guest.base import GuestMutant

Perform = Callable[[Access], Reply]
Change = Callable[[Access, Perform, "Meddles"], Reply]
HINTING_BITS = 1 << Feature.HINTING | 1 << Feature.HINTING_BITMAP


class Meddles(RingPort):
    """Does other register accesses than the reference driver while it starts."""

    change: Change
    offered = 0

    def start(self) -> None:
        """Start, with every access changed."""
        real = self._perform
        self._perform = lambda access: type(self).change(access, real, self)
        try:
            super().start()
        finally:
            self._perform = real


def meddling(change: Change) -> Mutation:
    """Return a guest that starts in another way."""
    return Mutation(port_kind=type("Meddling", (Meddles,), {"change": staticmethod(change)}))


def accepting(change: Callable[[int, int], int]) -> Mutation:
    """Return a guest that accepts other features: `change` takes (offered, accepted)."""

    def meddle(access: Access, perform: Perform, port: Meddles) -> Reply:
        if isinstance(access, WriteFeatures):
            return perform(WriteFeatures(change(port.offered, access.bits)))
        reply = perform(access)
        if isinstance(access, ReadFeatures):
            port.offered = int(reply or 0)
        return reply

    return meddling(meddle)


def never_checks(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Take FEATURES_OK for set without looking."""
    reply = perform(access)
    if isinstance(access, ReadStatus) and int(reply or 0) & DeviceStatus.DRIVER:
        return int(reply or 0) | DeviceStatus.FEATURES_OK
    return reply


def config_early(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Write the poison value before the features are agreed."""
    if isinstance(access, WriteFeatures):
        at = config.field_offset("poison_val")
        perform(WriteConfig(at, b"\xaa\xaa\xaa\xaa"))
    return perform(access)


def kicks_early(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Notify the first queue before DRIVER_OK."""
    reply = perform(access)
    if isinstance(access, SetUpQueue) and access.queue is Queue.INFLATE:
        perform(Notify(Queue.INFLATE, access.index))
    return reply


def drops_bits(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Write only the new bit of the status."""
    if isinstance(access, WriteStatus) and access.value & DeviceStatus.DRIVER_OK:
        return perform(WriteStatus(int(DeviceStatus.DRIVER_OK | DeviceStatus.FEATURES_OK)))
    return perform(access)


def all_at_once(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Write DRIVER_OK together with FEATURES_OK."""
    if isinstance(access, WriteStatus) and access.value & DeviceStatus.FEATURES_OK:
        return perform(WriteStatus(access.value | DeviceStatus.DRIVER_OK))
    return perform(access)


def queues_early(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Go live before the queues are set up."""
    if isinstance(access, SetUpQueue):
        status = int(perform(ReadStatus()) or 0)
        perform(WriteStatus(status | DeviceStatus.DRIVER_OK))
    return perform(access)


def odd_size(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Say that a queue has 24 entries."""
    if isinstance(access, SetUpQueue) and access.layout.size >= 32:
        layout = access.layout
        return perform(
            replace(
                access,
                layout=SplitLayout(24, layout.descriptors, layout.available, layout.used),
            )
        )
    return perform(access)


def too_large(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Take the double of the largest size."""
    reply = perform(access)
    return int(reply or 0) * 2 if isinstance(access, ReadQueueMax) else reply


def misaligns(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Tell the device of a descriptor table that is not aligned."""
    if isinstance(access, SetUpQueue):
        layout = access.layout
        moved = SplitLayout(layout.size, layout.descriptors + 8, layout.available, layout.used)
        return perform(replace(access, layout=moved))
    return perform(access)


def reads_absent(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Read the hinting limits, whether or not there are any."""
    if isinstance(access, WriteFeatures):
        perform(ReadConfig(config.field_offset("hint_max_count"), 4))
    return perform(access)


def gives_up(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Give up when a bit is on offer that it does not know."""
    reply = perform(access)
    if isinstance(access, ReadFeatures) and Features(int(reply or 0)).unknown:
        raise InitialisationError(Stage.NEGOTIATE, "an unknown feature is offered")
    return reply


def poison_late(access: Access, perform: Perform, port: Meddles) -> Reply:
    """Write the poison value when the device is live."""
    if isinstance(access, WriteConfig) and access.offset == config.field_offset("poison_val"):
        port.late = access  # type: ignore[attr-defined]
        return None
    reply = perform(access)
    late = getattr(port, "late", None)
    if late and isinstance(access, WriteStatus) and access.value & DeviceStatus.DRIVER_OK:
        perform(late)
    return reply


def _mutant(
    name: str,
    summary: str,
    violates: tuple[str, ...],
    how: Mutation,
    bugs: tuple[str, ...] = (),
) -> GuestMutant:
    return GuestMutant(name, summary, violates[0], "", how, also=violates[1:], bugs=bugs)


ORDER = "virtio.driver.initialisation-order"
MUTANTS = (
    _mutant("accepts-unoffered", "accepts a feature that was not offered",
            ("virtio.driver.accept-only-offered",),
            accepting(lambda _, bits: bits | 1 << Feature.IN_ORDER), ("N16",)),
    _mutant("accepts-undefined", "accepts every bit on offer, defined or not",
            ("virtio.driver.undefined-features-not-accepted",
             "virtio.driver.ignore-unknown-features"),
            accepting(lambda offered, _: offered)),
    _mutant("version-1-not-accepted", "does not accept VERSION_1",
            ("virtio.driver.version-1-accepted",),
            accepting(lambda _, bits: bits & ~(1 << Feature.VERSION_1 | HINTING_BITS))),
    _mutant("hinting-accepted-without-version-1", "accepts HINTING without VERSION_1",
            ("hint.driver.accept-needs-version-1", "virtio.driver.version-1-accepted",
             "virtio.driver.accept-with-prerequisites"),
            accepting(lambda _, bits: bits & ~(1 << Feature.VERSION_1)), ("L3",)),
    _mutant("bitmap-accepted-alone", "accepts HINTING_BITMAP without HINTING",
            ("hint-bitmap.driver.accept-needs-hinting",
             "virtio.driver.accept-with-prerequisites"),
            accepting(lambda _, bits: bits & ~(1 << Feature.HINTING))),
    _mutant("features-ok-not-checked", "goes on without looking whether FEATURES_OK was taken",
            ("virtio.driver.features-ok-checked", "virtio.driver.no-continue-after-failure"),
            meddling(never_checks)),
    _mutant("config-written-early", "writes config space before the features are agreed",
            ("virtio.driver.no-config-write-before-features-ok",), meddling(config_early)),
    _mutant("notifies-before-driver-ok", "notifies a queue before DRIVER_OK",
            ("virtio.driver.no-kick-before-driver-ok",), meddling(kicks_early), ("W4",)),
    _mutant("status-bits-dropped", "clears status bits that it has set",
            ("virtio.driver.status-bits-kept", ORDER), meddling(drops_bits)),
    _mutant("driver-ok-with-features-ok", "writes DRIVER_OK together with FEATURES_OK",
            (ORDER, "virtio.driver.features-ok-checked"), meddling(all_at_once)),
    _mutant("live-before-queues", "writes DRIVER_OK before its queues are set up",
            (ORDER,), meddling(queues_early)),
    _mutant("queue-size-24", "sets up queues whose size is no power of two",
            ("ring.driver.queue-size-power-of-two",), meddling(odd_size)),
    _mutant("queue-misaligned", "sets up queues whose table is not aligned to 16 bytes",
            ("ring.driver.parts-aligned",), meddling(misaligns)),
    _mutant("unknown-feature-refused", "gives up when an unknown feature is offered",
            ("virtio.driver.undefined-features-ignored",
             "virtio.driver.ignore-unknown-features"), meddling(gives_up)),
    _mutant("absent-field-read", "reads the hinting limits of a device that has none",
            ("virtio.driver.config-offered-checked",), meddling(reads_absent)),
    _mutant("queue-size-doubled", "sets up queues larger than the device's largest",
            ("ring.driver.queue-size-within-maximum",), meddling(too_large)),
    _mutant("poison-written-live", "writes poison_val when the device is live",
            ("balloon.driver.poison-set-before-driver-ok", "balloon.driver.poison-constant"),
            meddling(poison_late), ("L1",)),
)  # fmt: skip
"""Guest mutants that initialise the device wrongly."""
