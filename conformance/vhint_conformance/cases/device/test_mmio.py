"""What a device shows of itself over virtio-mmio."""

from __future__ import annotations

from vhint.transport.qtest.mmio import MAGIC, MmioTransport
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.verdict import NotApplicable


@case(
    "virtio.device.mmio-magic",
    "virtio.device.mmio-version",
    id="virtio.mmio-identity",
    capabilities=[Capability.OVER_MMIO, Capability.SETS_64_FEATURES],
)
def test_identity(bench: Bench) -> None:
    """MagicValue and Version are what they should be, and stay so while the device runs."""
    transport = bench.transport
    if not isinstance(transport, MmioTransport):
        raise NotApplicable("the target shows no registers of virtio-mmio")

    def look(when: str) -> None:
        magic, version = transport.identity()
        for slug, wanted, found in (
            ("virtio.device.mmio-magic", MAGIC, magic),
            ("virtio.device.mmio-version", 2, version),
        ):
            bench.require(
                found == wanted, slug, expected=f"{wanted:#x}", seen=f"{found:#x}", where=when
            )

    look("at first")
    bench.start()
    look("after DRIVER_OK")
    bench.reset()
    look("after a reset")
