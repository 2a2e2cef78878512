"""Rings over the life of a device: before DRIVER_OK, over a reset, and never set up."""

from __future__ import annotations

from vhint.guest import requests
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.tools import pfns

INFLATE = Queue.INFLATE


@case(
    "ring.device.no-processing-before-driver-ok",
    "ring.device.no-notification-before-driver-ok",
    id="ring.before-driver-ok",
    capabilities=[Capability.NOTIFIES_EARLY],
)
def test_before_driver_ok(bench: Bench) -> None:
    """No chain is taken before DRIVER_OK, even if the driver notifies too early."""
    bench.start(live=False)
    bench.transport.settle()
    bench.transport.take_interrupts()  # some signal each eventfd once, as soon as they have it
    bench.send(requests.inflate(pfns(bench, 4)), notify=False)
    bench.notify(INFLATE)
    bench.transport.settle()
    bench.require(
        not bench.driver.look(INFLATE, bench.recorder.last),
        "ring.device.no-processing-before-driver-ok",
        expected="nothing used before DRIVER_OK",
        seen="a used element",
        where="inflate queue",
    )
    bench.require(
        not bench.transport.take_interrupts().used,
        "ring.device.no-notification-before-driver-ok",
        expected="no used buffer notification before DRIVER_OK",
        seen="one",
    )
    bench.go_live()
    bench.notify(INFLATE)
    bench.answer(INFLATE)


@case(
    "ring.device.no-processing-after-reset",
    "ring.device.no-notification-after-reset",
    "ring.device.reset-clears-indices",
    id="ring.after-reset",
)
def test_after_reset(bench: Bench) -> None:
    """After a reset the old rings are left alone, and new ones begin at index 0."""
    driver = bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)))
    bench.reset()
    ring = driver.rings[INFLATE]
    before = ring.used_index
    index = driver.negotiated.queues[INFLATE].index
    ring.add(driver.place(requests.inflate(pfns(bench, 1)).readable), ())
    ring.publish()
    bench.transport.notify(index)
    bench.transport.settle()
    bench.require(
        ring.used_index == before,
        "ring.device.no-processing-after-reset",
        expected=f"the used index to stay {before}",
        seen=f"used index {ring.used_index}",
    )
    bench.require(
        not bench.transport.take_interrupts().used,
        "ring.device.no-notification-after-reset",
        expected="no used buffer notification",
        seen="one",
    )
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.reset-clears-indices")


@case(
    "ring.device.queue-not-ready-untouched",
    id="ring.not-ready",
    capabilities=[Capability.NOTIFIES_ANY_QUEUE],
)
def test_not_ready(bench: Bench) -> None:
    """A notification for a queue that was never set up does nothing."""
    bench.reset()
    for stage in (1, 3):
        bench.transport.write_status(stage)
    bench.transport.write_features((Features.of(Feature.VERSION_1) & bench.offered).bits)
    agreed = DeviceStatus(0) if bench.transport.legacy else DeviceStatus.FEATURES_OK
    bench.transport.write_status(3 | agreed)
    bench.transport.write_status(3 | agreed | DeviceStatus.DRIVER_OK)
    for index in (0, 1):
        bench.transport.notify(index)
    bench.transport.settle()
    bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.queue-not-ready-untouched")


@case("ring.device.reset-clears-indices", id="ring.many-lives")
def test_many_lives(bench: Bench) -> None:
    """The device can be initialised, used and reset over and over."""
    for _ in range(10):
        bench.start()
        bench.exchange(requests.inflate(pfns(bench, 3)), "ring.device.reset-clears-indices")
        bench.reset()
