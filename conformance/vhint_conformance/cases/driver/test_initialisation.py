"""Reset, status, features, queues: how a driver begins."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from vhint.spans import Span
from vhint.trace.events import ConfigWritten
from vhint.wire import config
from vhint.wire.command import DONE
from vhint.wire.config import BalloonConfig
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.tools import WORK, churn, driver_case, provoke
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.verdict import fail

AGAIN = {
    Queue.STATS: "balloon.driver.stats-first-buffer",
    Queue.INFLATE: "balloon.driver.inflate-on-demand",
}
"""What a driver breaks that does not do in its second life what it did in its first."""

SUBSETS = ("full", "standard", "plain", "reports", "rounds", "hints", "statistics", "gap")


@driver_case(
    "virtio.driver.initialisation-order",
    "virtio.driver.features-ok-checked",
    "virtio.driver.status-bits-kept",
    "virtio.driver.no-config-write-before-features-ok",
    "virtio.driver.reset-confirmed",
    id="virtio.driver-initialisation",
    capabilities=[Capability.SEES_STATUS],
)
def test_initialisation(bench: DriverBench) -> None:
    """The driver takes the steps of initialisation in their order."""
    bench.start(offers.STANDARD)
    bench.require(
        bench.status == DeviceStatus.LIVE,
        "virtio.driver.initialisation-order",
        expected=f"status {DeviceStatus.LIVE!r}",
        seen=repr(bench.status),
    )


@pytest.mark.parametrize("name", SUBSETS)
@driver_case(
    "virtio.driver.accept-only-offered",
    "virtio.driver.accept-with-prerequisites",
    "virtio.driver.version-1-accepted",
    "virtio.driver.offer-validated",
    "virtio.driver.backwards-compatible",
    id="virtio.driver-offers",
)
def test_offers(bench: DriverBench, name: str) -> None:
    """The driver works with a device that offers no more than some of the features."""
    device = bench.start(offers.OFFERS[name])
    bench.observations["accepted"] = repr(device.accepted)
    bench.idle(1.0)


@driver_case(
    "virtio.driver.undefined-features-not-accepted",
    "virtio.driver.undefined-features-ignored",
    "virtio.driver.ignore-unknown-features",
    "virtio.driver.no-sr-iov-without-capability",
    id="virtio.driver-unknown-features",
)
def test_unknown_features(bench: DriverBench) -> None:
    """The driver neither accepts bits that mean nothing to it nor gives up because of them."""
    bench.connect(offers.UNKNOWN)
    bench.begin()
    bench.need_live("virtio.driver.ignore-unknown-features")
    bench.idle(1.0)


@driver_case(
    "virtio.driver.no-continue-after-failure",
    "virtio.driver.features-ok-checked",
    id="virtio.driver-refused-features",
    capabilities=[Capability.SEES_STATUS],
)
def test_refused_features(bench: DriverBench) -> None:
    """The driver stops when the device does not agree to its features."""
    refusing = Offer("refusing", offers.PLAIN.features, refuses=True)
    device = bench.connect(refusing)
    bench.begin()
    bench.require(
        not device.live,
        "virtio.driver.no-continue-after-failure",
        expected="no DRIVER_OK after FEATURES_OK read as clear",
        seen=repr(device.status),
    )
    bench.observations["failed"] = DeviceStatus.FAILED in device.status


@driver_case(
    "virtio.driver.failed-on-error",
    id="virtio.driver-failed-set",
    capabilities=[Capability.SEES_STATUS],
)
def test_failed_is_set(bench: DriverBench) -> None:
    """The driver says by FAILED that it has given up."""
    refusing = Offer("refusing", offers.PLAIN.features, refuses=True)
    device = bench.connect(refusing)
    bench.begin()
    bench.require(
        DeviceStatus.FAILED in device.status,
        "virtio.driver.failed-on-error",
        expected="FAILED set",
        seen=repr(device.status),
    )


@pytest.mark.parametrize("name", ["standard", "full", "gap"])
@driver_case(
    "balloon.driver.queue-map-follows-device",
    "balloon.driver.absent-queue-not-used",
    "hint.driver.queue-index",
    id="balloon.driver-queue-map",
)
def test_queue_map(bench: DriverBench, name: str) -> None:
    """The driver sets up the queues of what it accepted, each under its number, and no other."""
    device = bench.start(offers.OFFERS[name])
    expected = {
        queue
        for queue, feature in QUEUE_FEATURE.items()
        if feature is None or feature in device.accepted
    }
    missing = expected - device.set_up
    bench.require(
        not missing,
        "balloon.driver.queue-map-follows-device",
        expected=f"queues {sorted(expected)}",
        seen=f"nothing at the numbers of {sorted(missing)}; set up were {sorted(device.layouts)}",
    )


@driver_case(
    "balloon.driver.accept-must-tell-host",
    id="balloon.driver-must-tell-host",
)
def test_must_tell_host(bench: DriverBench) -> None:
    """The driver accepts MUST_TELL_HOST."""
    device = bench.start(offers.TELL_HOST)
    bench.require(
        Feature.MUST_TELL_HOST in device.accepted,
        "balloon.driver.accept-must-tell-host",
        expected="MUST_TELL_HOST accepted",
        seen=repr(device.accepted),
    )


@driver_case(
    "virtio.driver.no-kick-before-driver-ok",
    "virtio.driver.pending-interrupt-at-start",
    id="virtio.driver-no-early-kick",
    capabilities=[Capability.SEES_STATUS],
)
def test_no_early_kick(bench: DriverBench) -> None:
    """The driver notifies of nothing before DRIVER_OK, and of statistics afterwards."""
    bench.start(offers.FULL, hold=[Queue.REPORTING, Queue.HINTING])
    bench.idle(1.0)


@pytest.mark.parametrize("size", [2, 8, 32, 1024])
@driver_case(
    "ring.driver.queue-size-within-maximum",
    "ring.driver.queue-size-power-of-two",
    "ring.driver.parts-aligned",
    "ring.driver.chain-within-queue-size",
    id="ring.driver-queue-size",
    capabilities=[Capability.SEES_QUEUE_SIZE],
)
def test_queue_size(bench: DriverBench, size: int) -> None:
    """The driver works with queues of the size that the device has, short ones too."""
    short = Offer(f"size-{size}", offers.REPORTS.features, queue_size=size)
    bench.start(short, hold=[Queue.REPORTING])
    request = provoke(bench, Queue.REPORTING)
    bench.discard(request)
    bench.answer(request)
    bench.held.clear()
    bench.idle(1.0)


@driver_case(
    "virtio.driver.config-size-not-limited",
    "virtio.driver.config-large-enough",
    id="virtio.driver-long-config",
    capabilities=[Capability.SEES_STATUS],
)
def test_long_config(bench: DriverBench) -> None:
    """The driver does not mind a config space that is longer than it knows."""
    device = bench.connect(offers.STANDARD)
    device.config += bytes(64)
    bench.begin()
    bench.require(
        device.live,
        "virtio.driver.config-size-not-limited",
        expected="DRIVER_OK",
        seen=repr(device.status),
    )


@driver_case(
    "virtio.driver.initialisation-order",
    "virtio.driver.failed-then-reset",
    "balloon.driver.stats-first-buffer",
    "ring.driver.kick-at-avail-event",
    id="virtio.driver-reload",
    capabilities=[Capability.RELOADS_DRIVER],
)
def test_reload(bench: DriverBench) -> None:
    """A driver that was removed and loaded again begins from the beginning, and works as before."""
    device = bench.start(offers.STANDARD)
    first = device.accepted
    worked = _work(bench)
    bench.unload()
    bench.set_target(0)
    bench.tester.load()
    bench.run(lambda: device.live)
    if not device.live or device.accepted != first:
        raise fail(
            "virtio.driver.initialisation-order",
            expected=f"a live driver with {first!r}",
            seen=f"status {device.status!r}, {device.accepted!r}",
        )
    again = _work(bench)
    for queue, slug in AGAIN.items():
        bench.require(
            queue in again or queue not in worked,
            slug,
            expected=f"a request on the {queue} queue, as in the driver's first life",
            seen="none",
        )


def _work(bench: DriverBench) -> set[Queue]:
    """Give a driver that has come up something to do; return the queues that it uses for it."""
    bench.sent.clear()
    bench.set_target(32)
    bench.idle(1.0)
    bench.check_kicks()
    return set(bench.sent)


@driver_case(
    "virtio.driver.accept-only-offered",
    "hint.driver.config-limits-read",
    "hint-pfn.driver.count-within-limit",
    "hint.driver.order-within-bounds",
    id="virtio.driver-other-device",
    capabilities=[Capability.SEES_STATUS, Capability.RELOADS_DRIVER],
)
def test_other_device(bench: DriverBench) -> None:
    """What a driver has read of a device in one life it does not count on in its next."""
    device = bench.start(offers.PFN_HINTS)
    bench.idle(1.0)
    bench.unload()
    small = replace(offers.PFN_HINTS, name="small", hint_max_count=2, hint_min_order=3)
    bench.change_offer(small.without("small", Feature.EVENT_IDX))
    bench.tester.load()
    bench.run(lambda: device.live)
    extra = device.accepted - device.offer.features
    bench.require(
        not extra,
        "virtio.driver.accept-only-offered",
        expected=f"at most {device.offer.features!r}",
        seen=repr(extra),
    )
    bench.need_live("virtio.driver.initialisation-order")
    if bench.can(WORK):
        churn(bench, 2)
    bench.idle(1.0)


@driver_case(
    "virtio.driver.config-offered-checked",
    id="virtio.driver-absent-fields",
    capabilities=[Capability.SEES_STATUS],
)
def test_absent_fields(bench: DriverBench) -> None:
    """The driver reads and writes no field of a feature that is not offered."""
    device = bench.start(offers.PLAIN)
    bench.idle(1.0)
    fields = ("free_page_hint_cmd_id", "poison_val", "hint_max_count", "hint_min_order")
    read = [name for name in fields if bench.config_reads_of(name)]
    bench.require(
        not read,
        "virtio.driver.config-offered-checked",
        expected=f"no field but num_pages and actual read with {device.offer.features!r}",
        seen=", ".join(read),
    )


@driver_case(
    "virtio.driver.config-access-width",
    id="virtio.driver-config-width",
    capabilities=[Capability.SEES_STATUS],
)
def test_config_width(bench: DriverBench) -> None:
    """The driver reads and writes every field of config space whole, and no two at once."""
    device = bench.start(offers.FULL)
    bench.set_target(16)
    bench.command(0x80010002)
    bench.idle(1.0)
    bench.set_target(0)
    bench.command(DONE.value)
    bench.idle(1.0)
    names = [each.name for each in fields(BalloonConfig)]
    whole = {Span(config.field_offset(name), config.field_size(name)) for name in names}
    written = [
        Span(event.offset, event.length)
        for event in bench.recorder.events
        if isinstance(event, ConfigWritten)
    ]
    strange = [each for each in (*device.config_reads, *written) if each not in whole]
    bench.require(
        not strange,
        "virtio.driver.config-access-width",
        expected="accesses to whole fields, one by one",
        seen=f"{len(strange)} others, the first to {strange[:1]}",
    )


@driver_case(
    "virtio.driver.failed-when-unusable",
    id="virtio.driver-nothing-offered",
    capabilities=[Capability.SEES_STATUS],
)
def test_nothing_offered(bench: DriverBench) -> None:
    """A driver that cannot work with a device of no features says so by FAILED."""
    device = bench.connect(Offer("nothing", Features(0)))
    bench.begin()
    bench.require(
        device.live or DeviceStatus.FAILED in device.status,
        "virtio.driver.failed-when-unusable",
        expected="DRIVER_OK, or FAILED",
        seen=repr(device.status),
    )


@driver_case(
    "hint.driver.accept-needs-version-1",
    "hint-bitmap.driver.accept-needs-hinting",
    "hint.driver.accept-excludes-access-platform",
    "virtio.driver.accept-with-prerequisites",
    id="hint.driver-prerequisites",
    capabilities=[Capability.SEES_STATUS],
)
def test_prerequisites(bench: DriverBench) -> None:
    """The driver leaves HINTING_BITMAP alone where HINTING is not offered."""
    odd = Offer("odd", Features.of(Feature.VERSION_1, Feature.HINTING_BITMAP))
    bench.start(odd)
