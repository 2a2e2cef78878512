"""What any virtio device owes a driver: identity, status, features, config space."""

from __future__ import annotations

from vhint.guest import requests
from vhint.spans import block, intersect
from vhint.transport.interface import Interrupts
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.tools import expect_number, number, pfns, write_number
from vhint_conformance.oracle.features import OFFER_RULES
from vhint_conformance.variants import NO_RINGS

READY = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK


@case(
    "virtio.device.identity",
    id="virtio.identity",
    capabilities=[Capability.SHOWS_IDENTITY],
    rings=NO_RINGS,
)
def test_identity(bench: Bench) -> None:
    """The device has device id 5."""
    found = bench.transport.device_id()
    bench.require(found == 5, "virtio.device.identity", expected="device id 5", seen=str(found))


@case(
    "virtio.device.version-1-offered",
    id="virtio.version-1",
    capabilities=[Capability.SETS_64_FEATURES],
    rings=NO_RINGS,
)
def test_version_1(bench: Bench) -> None:
    """VERSION_1 is offered."""
    bench.require(
        Feature.VERSION_1 in bench.offered,
        "virtio.device.version-1-offered",
        expected="VERSION_1 among the offered features",
        seen=repr(bench.offered),
    )


@case(
    "virtio.device.offer-closed-under-dependency",
    *(rule[0] for rule in OFFER_RULES),
    id="virtio.offer-dependencies",
    rings=NO_RINGS,
)
def test_offer_dependencies(bench: Bench) -> None:
    """No feature is offered without what it depends on, or with what it excludes."""
    bench.start()  # the feature monitor judges what was offered
    for slug, feature, needs, _ in OFFER_RULES:
        if feature in bench.offered:
            for need in needs:
                bench.require(
                    need in bench.offered,
                    "virtio.device.offer-closed-under-dependency",
                    expected=f"{need.name} beside {feature.name}",
                    seen=repr(bench.offered),
                    where=slug,
                )


@case("virtio.device.no-sr-iov-without-pci", id="virtio.no-sr-iov", rings=NO_RINGS)
def test_no_sr_iov(bench: Bench) -> None:
    """SR_IOV, bit 37, is not offered by a device without that PCI capability."""
    bench.require(
        not bench.offered.bits >> 37 & 1,
        "virtio.device.no-sr-iov-without-pci",
        expected="bit 37 clear",
        seen=repr(bench.offered),
    )


@case("virtio.device.offer-stable", id="virtio.offer-stable", rings=NO_RINGS)
def test_offer_stable(bench: Bench) -> None:
    """The offer is the same at every reading, before and after initialisation and reset."""
    bench.start()
    bench.reset()
    again = Features(bench.transport.read_features())
    bench.require(
        again == bench.offered,
        "virtio.device.offer-stable",
        expected=repr(bench.offered),
        seen=repr(again),
    )


@case(
    "virtio.device.valid-subset-accepted",
    id="virtio.feature-subsets",
    capabilities=[Capability.ANSWERS_FEATURES],
    rings=NO_RINGS,
)
def test_feature_subsets(bench: Bench) -> None:
    """Each offered feature can be left out, and each accepted alone with VERSION_1."""
    base = Features.of(Feature.VERSION_1)
    wanted = [base, DEFAULT & bench.offered]
    for feature in bench.offered & DEFAULT:
        alone = base | Features.of(feature)
        if feature is not Feature.HINTING_BITMAP:
            wanted.append(alone)
        if feature not in (Feature.VERSION_1, Feature.HINTING):
            wanted.append((DEFAULT & bench.offered) - Features.of(feature))
    for accept in wanted:
        bench.start(accept=accept)  # fails by the requirement if it is refused
        bench.reset()


@case(
    "virtio.device.renegotiation-not-refused",
    id="virtio.renegotiation",
    capabilities=[Capability.ANSWERS_FEATURES],
)
def test_renegotiation(bench: Bench) -> None:
    """After a reset, features that were accepted before are accepted again."""
    for _ in range(3):
        bench.start()
        bench.reset()


@case(
    "virtio.device.unoffered-bits-refused",
    id="virtio.unoffered-refused",
    capabilities=[Capability.SHOWS_STATUS, Capability.ANSWERS_FEATURES],
)
def test_unoffered(bench: Bench) -> None:
    """FEATURES_OK stays clear when the driver accepts a bit that was not offered."""
    absent = next(bit for bit in range(24) if not bench.offered.bits >> bit & 1)
    transport = bench.transport
    bench.reset()
    transport.write_status(DeviceStatus.ACKNOWLEDGE)
    transport.write_status(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER)
    transport.write_features(1 << Feature.VERSION_1 | 1 << absent)
    transport.write_status(READY)
    status = transport.read_status()
    bench.require(
        not status & DeviceStatus.FEATURES_OK,
        "virtio.device.unoffered-bits-refused",
        expected=f"FEATURES_OK clear after accepting bit {absent}",
        seen=repr(status),
    )


@case(
    "virtio.device.renegotiation-not-refused",
    id="virtio.refusal-forgotten",
    capabilities=[Capability.ANSWERS_FEATURES],
)
def test_refusal_forgotten(bench: Bench) -> None:
    """Features that were accepted before are accepted again, though others were refused since."""
    absent = next(bit for bit in range(24) if not bench.offered.bits >> bit & 1)
    for wrong in (1 << Feature.VERSION_1 | 1 << absent, 1 << Feature.HINTING_BITMAP):
        bench.start()
        bench.reset()
        transport = bench.transport
        for status in (DeviceStatus.ACKNOWLEDGE, DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER):
            transport.write_status(status)
        transport.write_features(wrong)
        transport.write_status(READY)
        bench.reset()
        with bench.blaming("virtio.device.renegotiation-not-refused", "a refusal to be forgotten"):
            bench.start()
            bench.exchange(requests.inflate(pfns(bench, 1)))
        bench.reset()


@case(
    "virtio.device.status-zero-after-reset",
    id="virtio.reset-status",
    capabilities=[Capability.SHOWS_STATUS],
    rings=NO_RINGS,
)
def test_reset_status(bench: Bench) -> None:
    """The status reads 0 after a reset from every stage of initialisation."""
    stages = (1, 3, 3 | DeviceStatus.FEATURES_OK, READY | DeviceStatus.DRIVER_OK, 128)
    for stage in stages:
        bench.transport.write_status(stage)
        bench.reset()
    bench.start()
    bench.reset()


@case(
    "virtio.device.reset-clears-interrupt-status",
    id="virtio.reset-clears-interrupts",
    capabilities=[Capability.SHOWS_INTERRUPT_STATUS],
)
def test_reset_clears_interrupts(bench: Bench) -> None:
    """A notification that was not acknowledged is gone after a reset."""
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)))
    bench.reset()
    pending = bench.transport.take_interrupts()
    bench.require(
        not pending.used and not pending.config,
        "virtio.device.reset-clears-interrupt-status",
        expected="no pending interrupt",
        seen=repr(pending),
    )


@case(
    "virtio.device.interrupt-status-true",
    id="virtio.interrupt-status",
    capabilities=[Capability.SHOWS_INTERRUPT_STATUS],
)
def test_interrupt_status(bench: Bench) -> None:
    """Nothing is pending before anything happened; a used buffer alone shows as one."""
    bench.start(without=[Feature.EVENT_IDX])
    before = bench.transport.take_interrupts()
    bench.exchange(requests.inflate(pfns(bench, 1)))
    after = Interrupts()

    def came() -> bool:
        nonlocal after
        after |= bench.transport.take_interrupts()
        return after.used

    bench.transport.wait(came, bench.limits.patience)  # it may follow the buffer after a while
    bench.transport.settle()
    again = bench.transport.take_interrupts()
    for seen, expected in (
        (before, (False, False)),
        (after, (True, False)),
        (again, (False, False)),
    ):
        bench.require(
            (seen.used, seen.config) == expected,
            "virtio.device.interrupt-status-true",
            expected=f"(used, config) pending: {expected}",
            seen=f"({seen.used}, {seen.config})",
        )


@case(
    "virtio.device.config-before-features-ok",
    "balloon.device.config-target-readable",
    "balloon.device.config-little-endian",
    id="virtio.config-before-features-ok",
    capabilities=[Capability.SETS_BALLOON_SIZE],
    rings=NO_RINGS,
)
def test_config_before_features_ok(bench: Bench) -> None:
    """num_pages can be read, as a little-endian number, before FEATURES_OK."""
    bench.control.set_balloon_size(0x0102)
    bench.transport.settle()
    expect_number(bench, "num_pages", 0x0102, "virtio.device.config-before-features-ok")


@case(
    "virtio.device.config-change-notified",
    id="virtio.config-change-notified",
    capabilities=[Capability.SETS_BALLOON_SIZE],
    rings=NO_RINGS,
)
def test_config_change(bench: Bench) -> None:
    """A change of num_pages, up or down, comes with a configuration change notification."""
    bench.start()
    write_number(bench, "actual", 64)  # a target below what is given is news as well
    for pages in (17, 90, 3):
        bench.transport.settle()
        if number(bench, "num_pages") == pages:
            continue
        bench.transport.take_interrupts()
        bench.control.set_balloon_size(pages)
        seen = bench.transport.wait(
            lambda: bench.transport.take_interrupts().config, bench.limits.patience
        )
        bench.require(
            seen,
            "virtio.device.config-change-notified",
            expected="a configuration change notification",
            seen="none",
            where=f"num_pages to become {pages}",
        )
        expect_number(bench, "num_pages", pages, "balloon.device.config-target-readable")


@case("virtio.device.double-activation-survived", id="virtio.double-activation")
def test_double_activation(bench: Bench) -> None:
    """Writing DRIVER_OK a second time disturbs nothing, and no old chain is taken again."""
    bench.start()
    numbers = pfns(bench, 4)
    bench.exchange(requests.inflate(numbers))
    bench.exchange(requests.deflate(numbers))
    bench.touch([block(page) for page in numbers])
    slug = "virtio.device.double-activation-survived"
    with bench.blaming(slug, "a second DRIVER_OK to disturb nothing"):
        bench.go_live()
        for queue in (Queue.INFLATE, Queue.DEFLATE):
            bench.notify(queue)
    gone = intersect(bench.memory.holes(), [block(page) for page in numbers])
    bench.require(
        not gone,
        "virtio.device.double-activation-survived",
        expected="the pages that were deflated before to be left alone",
        seen="one discarded",
        where=str(gone[0]) if gone else "",
    )
    bench.exchange(requests.inflate(pfns(bench, 1)), "virtio.device.double-activation-survived")
