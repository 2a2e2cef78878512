"""A queue that is reset alone (VIRTIO_F_RING_RESET): quiet at once, and as new when it is back."""

from __future__ import annotations

from vhint.guest import requests
from vhint.guest.initialise import SetUpQueue
from vhint.ring import DriverRing, driver_ring
from vhint.transport.execute import perform
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.tools import pfns

INFLATE, DEFLATE = Queue.INFLATE, Queue.DEFLATE
NEEDS = [Feature.RING_RESET]
CAPABILITIES = [Capability.RESETS_QUEUES]


def start(bench: Bench) -> int:
    """Initialise the device with RING_RESET; return the number of the inflate queue."""
    driver = bench.start(accept=DEFAULT | Features.of(Feature.RING_RESET))
    return driver.negotiated.queues[INFLATE].index


def reset_queue(bench: Bench, index: int, requirement: str) -> None:
    """Reset a queue and wait until the device says that it is done."""
    bench.transport.start_queue_reset(index)
    done = bench.transport.wait(
        lambda: not bench.transport.queue_resetting(index), bench.limits.patience
    )
    bench.require(
        done and not bench.transport.queue_ready(index),
        requirement,
        expected="the registers that reset and enable the queue to read 0 in the end",
        seen=f"still resetting: {not done}, enabled: {bench.transport.queue_ready(index)}",
        where="inflate queue",
    )


def set_up(bench: Bench, index: int, size: int, requirement: str) -> DriverRing:
    """Set the inflate queue up anew, at a place and of a size of its own."""
    driver = bench.driver
    layout = bench.lay_out(driver.arena, size)
    ring = driver_ring(
        bench.memory, layout, event_idx=Feature.EVENT_IDX in driver.negotiated.accepted
    )
    ready = perform(bench.transport, SetUpQueue(INFLATE, index, layout), bench.recorder.emit)
    bench.require(
        bool(ready),
        requirement,
        expected="the queue to be enabled again after its reset",
        seen="not enabled",
        where="inflate queue",
    )
    bench.memory.release(layout.device_written)
    if bench.packed:
        bench.shared.append(layout.descriptor_span)
    driver.rings[INFLATE] = ring
    return ring


@case(
    "ring.device.queue-reset-performed",
    "ring.device.queue-reset-end-shown",
    id="ring.queue-reset",
    features=NEEDS,
    capabilities=CAPABILITIES,
)
def test_reset(bench: Bench) -> None:
    """A queue that is told to reset does, and says so; the others go on meanwhile."""
    index = start(bench)
    numbers = pfns(bench, 3)
    bench.exchange(requests.inflate(numbers))
    reset_queue(bench, index, "ring.device.queue-reset-performed")
    bench.exchange(requests.deflate(numbers), "ring.device.queue-reset-performed")


@case(
    "ring.device.queue-reset-no-processing",
    "ring.device.queue-reset-no-notification",
    id="ring.queue-reset-quiet",
    features=NEEDS,
    capabilities=CAPABILITIES,
)
def test_quiet(bench: Bench) -> None:
    """After its reset a queue is left alone, whatever is put on it, and nobody is notified."""
    index = start(bench)
    bench.exchange(requests.inflate(pfns(bench, 1)))
    reset_queue(bench, index, "ring.device.queue-reset-performed")
    ring = bench.driver.rings[INFLATE]
    before = ring.used_index
    bench.transport.take_interrupts()
    ring.add(bench.driver.place(requests.inflate(pfns(bench, 2)).readable), ())
    ring.publish()
    bench.transport.notify(index)
    bench.transport.settle()
    bench.require(
        ring.used_index == before,
        "ring.device.queue-reset-no-processing",
        expected=f"the used index to stay {before}",
        seen=f"used index {ring.used_index}",
        where="inflate queue",
    )
    bench.require(
        not bench.transport.take_interrupts().used,
        "ring.device.queue-reset-no-notification",
        expected="no used buffer notification",
        seen="one",
        where="inflate queue",
    )


@case(
    "ring.device.queue-reset-clears-state",
    "ring.device.queue-reenable-observes-settings",
    "ring.device.queue-reset-flag-clear-after-enable",
    id="ring.queue-reset-anew",
    features=NEEDS,
    capabilities=CAPABILITIES,
)
def test_anew(bench: Bench) -> None:
    """A queue that is set up again begins at index 0, where and as large as it is told to be."""
    index = start(bench)
    for _ in range(5):
        bench.exchange(requests.inflate(pfns(bench, 1)))
    for size in (4, 8, 2):
        reset_queue(bench, index, "ring.device.queue-reset-performed")
        set_up(bench, index, size, "ring.device.queue-reenable-observes-settings")
        bench.require(
            not bench.transport.queue_resetting(index),
            "ring.device.queue-reset-flag-clear-after-enable",
            expected="the register that resets the queue to read 0 once it is enabled",
            seen="1",
            where="inflate queue",
        )
        bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.queue-reset-clears-state")
        for _ in range(2 * size):  # past the end, at the size that it has now
            bench.exchange(
                requests.inflate(pfns(bench, 1)), "ring.device.queue-reenable-observes-settings"
            )


@case(
    "ring.device.queue-reset-flag-clear-after-reset",
    id="ring.queue-reset-flag",
    features=NEEDS,
    capabilities=CAPABILITIES,
)
def test_flag(bench: Bench) -> None:
    """After a reset of the device no queue says that it is being reset."""
    index = start(bench)
    bench.transport.start_queue_reset(index)
    bench.reset()
    bench.require(
        not bench.transport.queue_resetting(index),
        "ring.device.queue-reset-flag-clear-after-reset",
        expected="the register that resets the queue to read 0",
        seen="1",
        where="inflate queue",
    )
    start(bench)
    bench.exchange(requests.inflate(pfns(bench, 1)))
