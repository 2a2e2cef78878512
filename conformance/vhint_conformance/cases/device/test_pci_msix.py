"""Interrupts of a virtio-pci device as messages (MSI-X): which vector, and when none."""

from __future__ import annotations

from vhint.guest import requests
from vhint.transport.qtest.msix import MsixTable
from vhint.transport.qtest.pci import CONFIG_VECTOR, PciTransport
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.virtio_pci import NO_VECTOR
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.device.test_pci import registers
from vhint_conformance.cases.tools import pfns

INFLATE = Queue.INFLATE
MSIX = [Capability.OVER_PCI, Capability.SETS_64_FEATURES, Capability.HAS_MSIX]
REFUSED = "virtio.device.pci-mapping-not-refused"
EVENTS = ("config_msix_vector", "queue_msix_vector")


def table(bench: Bench) -> tuple[PciTransport, MsixTable]:
    """Switch messages on; return the transport and its table of vectors."""
    pci = registers(bench)
    if pci.msix is None:
        bench.need(Capability.HAS_MSIX)
        raise AssertionError
    pci.use_msix()
    return pci, pci.msix


@case(
    "virtio.device.pci-any-vector",
    "virtio.device.pci-vector-shown",
    "virtio.device.pci-mapping-not-refused",
    id="virtio.pci-any-vector",
    capabilities=MSIX,
)
def test_any_vector(bench: Bench) -> None:
    """The inflate queue can be mapped to any vector, which reads back, and its messages come."""
    pci, vectors = table(bench)
    for vector in range(vectors.vectors):
        driver = bench.start(without=[Feature.EVENT_IDX], live=False)
        pci.select(driver.negotiated.queues[INFLATE].index)
        shown = pci.map_event("queue_msix_vector", vector)
        bench.require(
            shown == vector,
            "virtio.device.pci-vector-shown" if shown != NO_VECTOR else REFUSED,
            expected=f"vector {vector} to read back",
            seen=f"{shown:#x}",
        )
        bench.go_live()
        vectors.take()
        bench.exchange(requests.inflate(pfns(bench, 1)))
        came = _messages(bench, vectors)
        bench.require(
            came == {vector},
            "virtio.device.pci-any-vector",
            expected=f"a message of vector {vector} for the used buffer",
            seen=f"messages of vectors {sorted(came)}",
        )
        bench.reset()


@case(
    "virtio.device.pci-vector-unmapped",
    "virtio.device.pci-no-vector-no-interrupt",
    id="virtio.pci-queue-unmapped",
    capabilities=MSIX,
)
def test_queue_unmapped(bench: Bench) -> None:
    """A queue can be unmapped, and then sends no message for its used buffers."""
    pci, vectors = table(bench)
    driver = bench.start(without=[Feature.EVENT_IDX], live=False)
    pci.select(driver.negotiated.queues[INFLATE].index)
    _unmap(bench, pci, "queue_msix_vector")
    bench.go_live()
    vectors.take()
    bench.exchange(requests.inflate(pfns(bench, 1)))
    bench.transport.settle()
    came = vectors.take()
    bench.require(
        not came,
        "virtio.device.pci-no-vector-no-interrupt",
        expected="no message",
        seen=f"messages of vectors {sorted(came)}",
    )


@case(
    "virtio.device.pci-vector-unmapped",
    "virtio.device.pci-no-vector-no-config-interrupt",
    id="virtio.pci-config-unmapped",
    capabilities=[*MSIX, Capability.SETS_BALLOON_SIZE],
)
def test_config_unmapped(bench: Bench) -> None:
    """A change of the configuration sends a message while it is mapped, and none afterwards."""
    pci, vectors = table(bench)
    bench.start()
    vectors.take()
    bench.control.set_balloon_size(7)
    bench.require(
        bench.transport.wait(lambda: CONFIG_VECTOR in vectors.take(), bench.limits.patience),
        "virtio.device.config-change-notified",
        expected=f"a message of vector {CONFIG_VECTOR}",
        seen="none",
    )
    _unmap(bench, pci, "config_msix_vector")
    bench.control.set_balloon_size(8)
    bench.transport.settle()
    came = vectors.take()
    bench.require(
        not came,
        "virtio.device.pci-no-vector-no-config-interrupt",
        expected="no message",
        seen=f"messages of vectors {sorted(came)}",
    )


@case("virtio.device.pci-reset-unmaps-vectors", id="virtio.pci-reset-unmaps", capabilities=MSIX)
def test_reset_unmaps(bench: Bench) -> None:
    """After a reset no event has a vector."""
    pci, _ = table(bench)
    driver = bench.start()
    bench.reset()
    for set_up in driver.negotiated.queues.values():
        pci.select(set_up.index)
        for register in EVENTS:
            found = pci.common(register)
            bench.require(
                found == NO_VECTOR,
                "virtio.device.pci-reset-unmaps-vectors",
                expected=f"{register} {NO_VECTOR:#x} after a reset",
                seen=f"{found:#x}",
                where=f"queue {set_up.index}",
            )


def _messages(bench: Bench, vectors: MsixTable) -> set[int]:
    """Wait for a message; return the vectors of those that have come by then."""
    came: set[int] = set()

    def some() -> bool:
        came.update(vectors.take())
        return bool(came)

    bench.transport.wait(some, bench.limits.patience)
    return came


def _unmap(bench: Bench, pci: PciTransport, register: str) -> None:
    shown = pci.unmap_event(register)
    bench.require(
        shown == NO_VECTOR,
        "virtio.device.pci-vector-unmapped",
        expected=f"{register} {NO_VECTOR:#x}",
        seen=f"{shown:#x}",
    )
