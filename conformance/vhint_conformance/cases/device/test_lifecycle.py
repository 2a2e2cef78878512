"""Lives of a device: reset at any point, begun twice, with other features, with wrong statuses."""

from __future__ import annotations

from itertools import product

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hint_drafts import draft_of
from vhint_conformance.cases.tools import pfns, write_number

INFLATE, DEFLATE = Queue.INFLATE, Queue.DEFLATE
TURNS = 6
"""Steps of a device after each of which a reset comes, where a device can be stepped."""

RECOVERS = "ring.device.recovers-by-reset"
CLEAR = "ring.device.reset-clears-indices"


def traffic(bench: Bench) -> list[Draft]:
    """Return two messages for every queue that there is."""
    drafts: list[Draft] = []
    for number in range(2):
        page = pfns(bench, 2)
        drafts += [requests.inflate(page), requests.deflate(pfns(bench, 2))]
        if Queue.REPORTING in bench.driver.rings:
            drafts.append(requests.report(bench.blocks(2, 1)))
        if Queue.HINTING in bench.driver.rings:
            drafts.append(draft_of(bench, "pfn", 2, cookie=number + 1))
        if Queue.STATS in bench.driver.rings and not number:
            drafts.append(requests.give_statistics([Statistic(StatisticTag.MEMFREE, 1)]))
    return drafts


def begin(bench: Bench, drafts: list[Draft]) -> None:
    """Make everything available and notify, without waiting for anything."""
    for draft in drafts:
        if bench.driver.rings[draft.queue].free >= len(draft.blocks) + 2:
            bench.send(draft, notify=False)
    for queue in bench.driver.rings:
        bench.notify(queue)


@case(
    "reporting.device.no-effect-after-reset",
    "hint.device.no-effect-after-reset",
    "balloon.device.no-effect-after-inflate-use",
    "ring.device.no-processing-after-reset",
    CLEAR,
    id="ring.reset-at-every-point",
)
def test_reset_everywhere(bench: Bench) -> None:
    """Whenever a reset comes into traffic, all pages are the driver's after it."""
    queues = [*bench.start().rings]
    bench.reset()
    for turns, queue in product(range(TURNS), (None, *queues)):  # on one queue, and on all
        bench.start()
        drafts = [each for each in traffic(bench) if queue in (None, each.queue)]
        begin(bench, drafts)
        bench.let_run(turns)
        old = bench.driver.rings
        bench.reset()
        bench.observe()
        used = {name: ring.used_index for name, ring in old.items()}
        bench.touch([block for draft in drafts for block in draft.blocks])
        bench.transport.settle()
        bench.observe()
        for name, ring in old.items():
            bench.require(
                ring.used_index == used[name],
                "ring.device.no-processing-after-reset",
                expected=f"the used index to stay {used[name]}",
                seen=str(ring.used_index),
                where=f"{name} queue, reset after {turns} turns",
            )
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)), CLEAR)


@case(
    "ring.device.no-processing-after-reset",
    "ring.device.use-only-available",
    CLEAR,
    id="ring.rings-reused-after-reset",
)
def test_rings_reused(bench: Bench) -> None:
    """What was in flight over a reset is forgotten, though the next rings lie where it lay."""
    for _ in range(4):
        bench.start()
        begin(bench, traffic(bench))
        bench.reset()
        bench.start()  # the same memory, so the same addresses
        bench.transport.settle()
        for queue, ring in bench.driver.rings.items():
            bench.require(
                ring.used_index == 0,
                CLEAR,
                expected="no used element in a fresh ring",
                seen=f"used index {ring.used_index}",
                where=f"{queue} queue",
            )
        bench.exchange(requests.inflate(pfns(bench, 1)), CLEAR)
        bench.reset()


@case(CLEAR, id="ring.every-queue-begins-anew")
def test_begins_anew(bench: Bench) -> None:
    """Each queue that has run begins at its first entry again after a reset, not inflate alone."""
    for _ in range(3):
        bench.start()
        for number in range(3):
            for draft in traffic(bench):
                if draft.queue is not Queue.STATS:  # whose buffer may be held
                    bench.exchange(draft, CLEAR if number == 0 else "", reuse=False)
        bench.reset()


@case(
    "virtio.device.renegotiation-not-refused",
    "virtio.device.valid-subset-accepted",
    "balloon.device.inflate-use-every-buffer",
    id="virtio.feature-lives",
)
def test_feature_lives(bench: Bench) -> None:
    """Each life has the features of its own negotiation, whatever the lives before it had."""
    offered = bench.offered & DEFAULT
    base = Features.of(Feature.VERSION_1)
    wanted = [offered, base, base | (offered & Features.of(Feature.PAGE_REPORTING)), offered]
    wanted += [offered - Features.of(Feature.EVENT_IDX, Feature.INDIRECT_DESC), base, offered]
    for accept in wanted:
        bench.start(accept=accept)
        numbers = pfns(bench, 2)
        bench.exchange(requests.inflate(numbers))
        bench.exchange(requests.deflate(numbers))
        bench.touch([Span(number * PAGE, PAGE) for number in numbers])
        if Queue.REPORTING in bench.driver.rings:
            bench.exchange(requests.report(bench.blocks(2)))
        if Queue.HINTING in bench.driver.rings:
            bench.exchange(draft_of(bench, "pfn", 2), reuse=False)
        bench.reset()


MISUSES: dict[str, tuple[int, ...]] = {
    "driver-ok-alone": (4,),
    "all-at-once": (0x0F,),
    "no-features-ok": (1, 3, 7),
    "backwards": (15, 11, 3, 1),
    "unknown-bits": (1, 3, 0x30, 0x33, 0x3B),
    "failed": (1, 3, 0x80, 0x83),
    "needs-reset-written": (1, 0x43, 0x4F),
    "reset-between": (1, 0, 3, 0, 15, 0, 15),
}
"""What is wrong, to the statuses that a driver writes one after the other."""


@case(
    "virtio.device.status-zero-after-reset",
    RECOVERS,
    id="virtio.status-misused",
)
def test_status_misused(bench: Bench) -> None:
    """Statuses in any order harm nothing; a reset from any of them leads to a working device."""
    for name, statuses in MISUSES.items():
        bench.observations["misuse"] = name
        for status in statuses:
            bench.transport.write_status(status)
            bench.transport.settle()
        bench.reset()
        bench.start()
        bench.exchange(requests.inflate(pfns(bench, 1)), RECOVERS)
        bench.reset()


@case(
    "ring.device.malformed-contained",
    RECOVERS,
    id="virtio.features-while-live",
)
def test_features_while_live(bench: Bench) -> None:
    """Features that are written after FEATURES_OK harm nothing, and do not outlive a reset."""
    bench.start()
    room = (1 << (32 if bench.transport.legacy else 64)) - 1
    for bits in (0, 1 << Feature.VERSION_1, bench.offered.bits, (1 << 64) - 1):
        bench.transport.write_features(bits & room)
        begin(bench, [requests.inflate(pfns(bench, 1))])
        bench.transport.settle()
    bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)), RECOVERS)


@case(
    "virtio.device.double-activation-survived",
    RECOVERS,
    id="virtio.initialised-twice",
)
def test_initialised_twice(bench: Bench) -> None:
    """A second initialisation, with the first still live, costs no page of the first."""
    bench.start()
    before = pfns(bench, 4)
    bench.exchange(requests.inflate(before))
    bench.exchange(requests.deflate(before))
    bench.touch([Span(number * PAGE, PAGE) for number in before])
    for status in (1, 3, 11, 15):  # as the kernel does after a boot loader that left it live
        bench.transport.write_status(status)
        bench.transport.settle()
    bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 4)), RECOVERS)


@case(
    "balloon.device.config-actual-writable",
    RECOVERS,
    id="balloon.early-config-writes",
    capabilities=[Capability.SHOWS_CONFIG],
)
def test_early_config(bench: Bench) -> None:
    """`actual` written before the driver is ready, and between lives, does no harm."""
    for status in (0, 1, 3):
        bench.transport.write_status(status)
        write_number(bench, "actual", 0xFFFFFFFF)
    bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)), RECOVERS)
    write_number(bench, "actual", 1)
    bench.reset()
    write_number(bench, "actual", 5)
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)), RECOVERS)
    bench.require(
        not bench.status() & DeviceStatus.NEEDS_RESET,
        "balloon.device.config-actual-writable",
        expected="a working device",
        seen=repr(bench.status()),
    )
