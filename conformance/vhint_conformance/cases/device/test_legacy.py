"""The legacy interface: what old drivers may do, and what must not be offered to them."""

from __future__ import annotations

from collections.abc import Sequence

from vhint.guest import requests
from vhint.spans import block
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.tools import expect_interrupt, number, pfns

INFLATE = Queue.INFLATE
LEGACY = [Capability.LEGACY_INTERFACE]
ACTUAL = config.field_offset("actual")


def forbid(bench: Bench, requirement: str, features: Sequence[Feature]) -> None:
    """Fail if one of the features is offered."""
    for feature in features:
        bench.require(
            feature not in bench.offered,
            requirement,
            expected=f"{feature.name} not offered over the legacy interface",
            seen=repr(bench.offered),
        )


@case("virtio.device.legacy-detected", id="virtio.legacy-driver", capabilities=LEGACY)
def test_legacy_driver(bench: Bench) -> None:
    """A driver that knows neither VERSION_1 nor FEATURES_OK is served."""
    bench.start(accept=Features(0))
    status = bench.status()
    bench.require(
        status == DeviceStatus.LIVE & ~DeviceStatus.FEATURES_OK,
        "virtio.device.legacy-detected",
        expected="the status as the driver wrote it, without FEATURES_OK",
        seen=repr(status),
    )
    bench.exchange(requests.inflate(pfns(bench, 2)), "virtio.device.legacy-detected")


@case("virtio.device.legacy-any-layout", id="virtio.legacy-any-layout", capabilities=LEGACY)
def test_any_layout(bench: Bench) -> None:
    """ANY_LAYOUT is offered."""
    bench.require(
        Feature.ANY_LAYOUT in bench.offered,
        "virtio.device.legacy-any-layout",
        expected="ANY_LAYOUT among the offered features",
        seen=repr(bench.offered),
    )


@case("reporting.device.legacy-not-offered", id="reporting.legacy-offer", capabilities=LEGACY)
def test_reporting_not_offered(bench: Bench) -> None:
    """PAGE_REPORTING is not offered over the legacy interface."""
    forbid(bench, "reporting.device.legacy-not-offered", [Feature.PAGE_REPORTING])


@case("hint.device.not-on-legacy", id="hint.legacy-offer", capabilities=LEGACY)
def test_hinting_not_offered(bench: Bench) -> None:
    """Neither HINTING nor HINTING_BITMAP is offered over the legacy interface."""
    forbid(bench, "hint.device.not-on-legacy", [Feature.HINTING, Feature.HINTING_BITMAP])


@case(
    "virtio.device.legacy-early-config-write",
    id="virtio.legacy-early-config-write",
    capabilities=[*LEGACY, Capability.SHOWS_CONFIG],
)
def test_early_config_write(bench: Bench) -> None:
    """Config fields can be written before features are negotiated, and nothing comes of it."""
    slug = "virtio.device.legacy-early-config-write"
    bench.reset()
    for stage in (DeviceStatus.ACKNOWLEDGE, DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER):
        bench.transport.write_status(stage)
        bench.transport.write_config(ACTUAL, bytes(4))
        found = number(bench, "actual")
        bench.require(found == 0, slug, expected="actual 0", seen=str(found), where=repr(stage))
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)), slug)


@case("virtio.device.legacy-early-use", id="virtio.legacy-early-use", capabilities=LEGACY)
def test_early_use(bench: Bench) -> None:
    """A chain that is sent before DRIVER_OK is used, then or once DRIVER_OK is there."""
    bench.start(live=False)
    bench.send(requests.inflate(pfns(bench, 4)), notify=False)
    bench.notify(INFLATE)
    bench.transport.settle()
    bench.observations["used_early"] = bench.driver.look(INFLATE, bench.recorder.last)
    bench.go_live()
    bench.answer(INFLATE, "virtio.device.legacy-early-use")
    bench.exchange(requests.inflate(pfns(bench, 1)), "virtio.device.legacy-early-use")


@case(
    "ring.device.legacy-layout",
    "ring.device.legacy-native-endian",
    id="ring.legacy-layout",
    capabilities=LEGACY,
)
def test_layout(bench: Bench) -> None:
    """The device finds all parts of a queue by its page, past its end and round again."""
    ring = bench.start().rings[INFLATE]
    numbers = pfns(bench, 1)
    for _ in range(ring.layout.size + 3):
        bench.exchange(requests.inflate(numbers), "ring.device.legacy-layout", reuse=False)
        bench.touch([block(numbers[0])])
    found = ring.used_index
    bench.require(
        found == ring.layout.size + 3,
        "ring.device.legacy-native-endian",
        expected=f"used index {ring.layout.size + 3}, in the guest's byte order",
        seen=str(found),
    )


@case(
    "ring.device.legacy-notify-on-empty",
    id="ring.legacy-notify-on-empty",
    features=[Feature.NOTIFY_ON_EMPTY],
    capabilities=LEGACY,
)
def test_notify_on_empty(bench: Bench) -> None:
    """With NOTIFY_ON_EMPTY the driver hears of a queue that runs empty, though it asked not to."""
    accept = DEFAULT | Features.of(Feature.NOTIFY_ON_EMPTY)
    driver = bench.start(accept=accept - Features.of(Feature.EVENT_IDX))
    driver.rings[INFLATE].suppress_interrupts(True)
    for _ in range(3):
        bench.transport.take_interrupts()
        bench.exchange(requests.inflate(pfns(bench, 1)))
        expect_interrupt(bench, "ring.device.legacy-notify-on-empty")


@case(
    "balloon.device.legacy-without-must-tell-host",
    id="balloon.legacy-without-must-tell-host",
    capabilities=LEGACY,
)
def test_without_must_tell_host(bench: Bench) -> None:
    """A driver that does not accept MUST_TELL_HOST is served."""
    bench.start(without=[Feature.MUST_TELL_HOST])
    numbers = pfns(bench, 4)
    for draft in (requests.inflate(numbers), requests.deflate(numbers)):
        bench.exchange(draft, "balloon.device.legacy-without-must-tell-host")


@case(
    "balloon.device.legacy-use-before-telling",
    id="balloon.legacy-use-before-telling",
    capabilities=LEGACY,
)
def test_use_before_telling(bench: Bench) -> None:
    """Without MUST_TELL_HOST pages can be used first and deflated afterwards; nothing is lost."""
    bench.start(without=[Feature.MUST_TELL_HOST])
    numbers = pfns(bench, 4)
    bench.exchange(requests.inflate(numbers))
    pages = [block(page) for page in numbers]
    bench.touch(pages)
    written = [bench.memory.peek(page) for page in pages]
    bench.transport.settle()
    bench.exchange(requests.deflate(numbers))
    kept = [bench.memory.peek(page) for page in pages]
    bench.require(
        kept == written,
        "balloon.device.legacy-use-before-telling",
        expected="the pages as the guest wrote them before it told the host",
        seen=f"{sum(a != b for a, b in zip(kept, written, strict=True))} pages changed",
    )


@case(
    "balloon.device.legacy-actual-complete",
    id="balloon.legacy-actual-bytewise",
    capabilities=[*LEGACY, Capability.SHOWS_CONFIG, Capability.READS_BALLOON_SIZE],
)
def test_actual_bytewise(bench: Bench) -> None:
    """The host takes no notice of `actual` until its last byte, the highest, is written."""
    bench.start()
    before, wanted = bench.control.balloon_size(), 0x0201
    for place, value in enumerate(wanted.to_bytes(4, "little")[:-1]):
        bench.transport.write_config(ACTUAL + place, bytes([value]))
        bench.transport.settle()
        found = bench.control.balloon_size()
        bench.require(
            found == before,
            "balloon.device.legacy-actual-complete",
            expected=f"the host to count {before} pages until byte 3 is written",
            seen=f"{found} pages after byte {place}",
        )
    bench.transport.write_config(ACTUAL + 3, b"\0")
    seen = bench.transport.wait(
        lambda: bench.control.balloon_size() == wanted, bench.limits.patience
    )
    bench.require(
        seen,
        "balloon.device.config-actual-writable",
        expected=f"the host to count {wanted} pages",
        seen=str(bench.control.balloon_size()),
    )


FIRST = (Statistic(StatisticTag.MEMFREE, 0x1111), Statistic(StatisticTag.MEMTOT, 0x2222))
SECOND = (Statistic(StatisticTag.MEMFREE, 0x01020304), Statistic(StatisticTag.MEMTOT, 0x05060708))
STATISTICS = [Capability.POLLS_STATISTICS, Capability.READS_STATISTICS]


@case(
    "balloon.device.stats-legacy-native-endian",
    id="balloon.legacy-stats-values",
    features=[Feature.STATS_VQ],
    capabilities=[*LEGACY, *STATISTICS],
)
def test_stats_values(bench: Bench) -> None:
    """Statistics are read in the guest's byte order, which is little-endian here."""
    bench.start()
    bench.send(requests.give_statistics(FIRST))
    bench.transport.settle()
    bench.control.poll_statistics()
    bench.answer(Queue.STATS, "balloon.device.stats-legacy-native-endian")
    bench.send(requests.give_statistics(SECOND))
    wanted = {int(each.tag): each.value for each in SECOND}

    def understood() -> bool:
        found = bench.control.statistics()
        return all(found.get(tag) == value for tag, value in wanted.items())

    bench.require(
        bench.transport.wait(understood, bench.limits.patience),
        "balloon.device.stats-legacy-native-endian",
        expected=f"the host to have {wanted}",
        seen=str(bench.control.statistics()),
    )


@case(
    "balloon.device.stats-legacy-first-ignored",
    id="balloon.legacy-stats-first",
    features=[Feature.STATS_VQ],
    capabilities=[*LEGACY, *STATISTICS],
)
def test_stats_first(bench: Bench) -> None:
    """The values of the first statistics buffer are ignored: old drivers left them unset."""
    bench.start()
    bench.send(requests.give_statistics(FIRST))
    bench.transport.settle()
    found = bench.control.statistics()
    taken = {int(each.tag): each.value for each in FIRST if found.get(int(each.tag)) == each.value}
    bench.require(
        not taken,
        "balloon.device.stats-legacy-first-ignored",
        expected="none of the first buffer's values",
        seen=str(taken),
    )
