"""What a modern device owes a driver over virtio-pci."""

from __future__ import annotations

from vhint.guest import requests
from vhint.transport.qtest.pci import PciTransport, device_type
from vhint.wire import config, virtio_pci
from vhint.wire.features import Feature
from vhint.wire.virtio_pci import Isr
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.tools import number, pfns
from vhint_conformance.verdict import Inconclusive, NotApplicable

PCI = [Capability.OVER_PCI, Capability.SETS_64_FEATURES]


def registers(bench: Bench) -> PciTransport:
    """Return the transport, whose registers the case is about."""
    if not isinstance(bench.transport, PciTransport):
        raise NotApplicable("the target shows no registers of virtio-pci")
    return bench.transport


@case("virtio.device.pci-vendor", id="virtio.pci-identity", capabilities=PCI)
def test_vendor(bench: Bench) -> None:
    """The function has the vendor id of virtio devices, and the device id of a balloon."""
    pci = registers(bench)
    vendor, device = pci.config.field("vendor"), device_type(pci.config)
    bench.require(
        (vendor, device) == (virtio_pci.VENDOR, 5),
        "virtio.device.pci-vendor",
        expected=f"vendor {virtio_pci.VENDOR:#x} and virtio device 5",
        seen=f"vendor {vendor:#x} and virtio device {device}",
    )


@case("virtio.device.pci-config-capability", id="virtio.pci-config", capabilities=PCI)
def test_config_capability(bench: Bench) -> None:
    """There is a capability for the device's configuration, with room for the balloon's fields."""
    window = registers(bench).structures.device
    needed = config.field_offset("actual") + config.field_size("actual")
    bench.require(
        window is not None and window.length >= needed,
        "virtio.device.pci-config-capability",
        expected=f"a device configuration of at least {needed} bytes",
        seen="none" if window is None else f"{window.length} bytes",
    )


@case(
    "virtio.device.pci-device-features-selected",
    "virtio.device.pci-driver-features-selected",
    id="virtio.pci-features-selected",
    capabilities=PCI,
)
def test_features_selected(bench: Bench) -> None:
    """Each half of the features is shown when it is selected, in any order."""
    pci = registers(bench)
    bench.reset()
    halves = [bench.offered.bits & 0xFFFFFFFF, bench.offered.bits >> 32]
    for half in (1, 0, 0, 1, 1, 0):
        pci.set_common("device_feature_select", half)
        found = pci.common("device_feature")
        bench.require(
            found == halves[half],
            "virtio.device.pci-device-features-selected",
            expected=f"{halves[half]:#010x}",
            seen=f"{found:#010x}",
            where=f"half {half}",
        )
    pci.set_common("device_feature_select", 2)
    beyond = pci.common("device_feature")
    bench.require(
        beyond != halves[0],  # which a device would show that looks at no selector
        "virtio.device.pci-device-features-selected",
        expected="other bits than those of half 0",
        seen=f"{beyond:#010x}",
        where="half 2",
    )
    pci.write_status(1)
    pci.write_status(3)
    accepted = (DEFAULT & bench.offered).bits
    pci.write_features(accepted)
    for half in (1, 0, 1):
        pci.set_common("driver_feature_select", half)
        found, wanted = pci.common("driver_feature"), accepted >> 32 * half & 0xFFFFFFFF
        bench.require(
            found == wanted,
            "virtio.device.pci-driver-features-selected",
            expected=f"{wanted:#010x}",
            seen=f"{found:#010x}",
            where=f"half {half}",
        )


@case(
    "virtio.device.pci-config-generation",
    id="virtio.pci-config-generation",
    capabilities=[*PCI, Capability.SETS_BALLOON_SIZE],
)
def test_config_generation(bench: Bench) -> None:
    """The generation differs whenever num_pages has changed since it was last read."""
    bench.start()
    for pages in (5, 6, 900):
        before_value, before = number(bench, "num_pages"), bench.transport.config_generation()
        bench.control.set_balloon_size(pages)

        def changed(was: int = before_value) -> bool:
            return number(bench, "num_pages") != was

        if not bench.transport.wait(changed, bench.limits.patience):
            raise Inconclusive("num_pages did not change, and so nothing had to")
        after = bench.transport.config_generation()
        bench.require(
            after != before,
            "virtio.device.pci-config-generation",
            expected=f"another generation than {before} with num_pages {pages}",
            seen=str(after),
        )


@case("virtio.device.pci-reset-disables-queues", id="virtio.pci-reset-queues", capabilities=PCI)
def test_reset_queues(bench: Bench) -> None:
    """queue_enable reads 0 for every queue after a reset."""
    pci = registers(bench)
    bench.start()
    bench.reset()
    for index in range(pci.common("num_queues")):
        bench.require(
            not pci.queue_ready(index),
            "virtio.device.pci-reset-disables-queues",
            expected="queue_enable 0 after a reset",
            seen="1",
            where=f"queue {index}",
        )


@case(
    "virtio.device.pci-isr-queue-bit",
    "virtio.device.pci-isr-cleared-by-read",
    id="virtio.pci-isr-queue",
    capabilities=PCI,
)
def test_isr_queue(bench: Bench) -> None:
    """A used buffer sets the queue bit of the ISR status, and reading clears it."""
    pci = registers(bench)
    bench.start(without=[Feature.EVENT_IDX])
    pci.read_isr()
    for _ in range(3):
        bench.exchange(requests.inflate(pfns(bench, 1)))
        bench.transport.settle()
        _isr(bench, pci, Isr.QUEUE, "virtio.device.pci-isr-queue-bit")


@case(
    "virtio.device.pci-isr-configuration-bit",
    "virtio.device.pci-isr-cleared-by-read",
    id="virtio.pci-isr-config",
    capabilities=[*PCI, Capability.SETS_BALLOON_SIZE],
)
def test_isr_config(bench: Bench) -> None:
    """A change of the configuration sets its bit of the ISR status; reading that clears it."""
    pci = registers(bench)
    bench.start()
    pci.read_isr()
    for pages in (3, 4):
        bench.control.set_balloon_size(pages)
        bench.transport.settle()
        _isr(bench, pci, Isr.CONFIG, "virtio.device.pci-isr-configuration-bit")


def _isr(bench: Bench, pci: PciTransport, wanted: Isr, slug: str) -> None:
    found = Isr(pci.read_isr())
    bench.require(wanted in found, slug, expected=f"{wanted!r} set", seen=repr(found))
    again = Isr(pci.read_isr())
    bench.require(
        not again,
        "virtio.device.pci-isr-cleared-by-read",
        expected="0 at the second read",
        seen=repr(again),
    )
