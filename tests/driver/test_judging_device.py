"""The judging device and its monitors, worked by hand: every wrong thing has its name."""

import struct
from collections.abc import Iterator

import pytest

from vhint.ring import GuestMemory, SplitDriverQueue, SplitLayout
from vhint.spans import PAGE, Span, block
from vhint.trace import Recorder
from vhint.trace.events import Touched
from vhint.wire import hint_ack, hint_request, pfn_array
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.hint_request import Blocks, PfnRequest
from vhint.wire.pfn_array import PfnArray
from vhint.wire.queues import Queue, QueueMode
from vhint_conformance.driver_bench import answers
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.device import JudgingDevice, Request
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.oracle.driver import driver_monitors
from vhint_conformance.oracle.driver.balloon import BalloonRules

RAM = 4 << 20
DATA = 0x10000
"""Where requests are placed."""


class Driver:
    """A driver that does what a test says, whatever that is."""

    def __init__(self, offer: Offer = offers.FULL) -> None:
        self.memory = GuestMemory.create(RAM)
        self.recorder = Recorder()
        self.device = JudgingDevice(self.memory, offer, self.recorder, QueueMode.COMPACT_OFFERED)
        self.monitors = driver_monitors(self.memory, offer)
        for monitor in self.monitors:
            self.recorder.listen(monitor.see)
        self.rings: dict[Queue, SplitDriverQueue] = {}

    def begin(self, accept: Features | None = None, *, live: bool = True) -> None:
        device = self.device
        for status in (0, 1, 3):
            device.write_status(status)
            device.read_status()
        offered = Features(device.read_features())
        device.write_features((offered if accept is None else accept).bits)
        device.write_status(11)
        device.read_status()
        for number, (queue, index) in enumerate(device.numbers().items()):
            layout = SplitLayout.at(0x1000 * (number + 1), 16)
            device.set_up_queue(index, layout)
            self.rings[queue] = SplitDriverQueue(
                self.memory, layout, event_idx=Feature.EVENT_IDX in device.accepted
            )
        if live:
            device.write_status(15)

    _at = DATA

    def send(
        self, queue: Queue, data: bytes = b"", room: int = 0, pages: tuple[Span, ...] = ()
    ) -> None:
        readable = [Span(self._at, len(data))] if data else []
        if data:
            self.memory.write(self._at, data)
        writable = [*pages, *([Span(self._at + 0x1000, room)] if room else [])]
        self._at += 0x2000
        self.rings[queue].add(readable, writable)
        self.rings[queue].publish()
        self.device.notify(self.device.numbers()[queue])

    def use_all(self) -> None:
        for request in list(self.device.outstanding.values()):
            self.device.use(request)

    @property
    def slugs(self) -> set[str]:
        return {each.requirement for monitor in self.monitors for each in monitor.violations}


@pytest.fixture
def driver() -> Iterator[Driver]:
    made = Driver()
    yield made
    made.memory.close()


SOUND = Features.of(
    Feature.VERSION_1, Feature.MUST_TELL_HOST, Feature.STATS_VQ, Feature.FREE_PAGE_HINT,
    Feature.PAGE_REPORTING, Feature.HINTING, Feature.HINTING_BITMAP,
)  # fmt: skip


def test_a_sound_driver_breaks_nothing(driver: Driver) -> None:
    driver.begin(SOUND)
    driver.send(Queue.REPORTING, pages=(block(0x200, 2), block(0x210, 3)))
    driver.send(Queue.HINTING, hint_request.build(PfnRequest(1, Blocks.of([(0x280, 2)]))), 24)
    driver.send(Queue.INFLATE, pfn_array.build(PfnArray.of([0x300])))
    driver.use_all()
    driver.device.write_config(4, (1).to_bytes(4, "little"))
    for monitor in driver.monitors:
        monitor.finish()
    assert driver.slugs == set()


@pytest.mark.parametrize(
    ("accept", "slug"),
    [
        (SOUND | Features.of(40), "virtio.driver.accept-only-offered"),
        (SOUND - Features.of(Feature.VERSION_1), "virtio.driver.version-1-accepted"),
        (SOUND - Features.of(Feature.VERSION_1), "hint.driver.accept-needs-version-1"),
        (SOUND - Features.of(Feature.HINTING), "hint-bitmap.driver.accept-needs-hinting"),
        (SOUND - Features.of(Feature.MUST_TELL_HOST), "balloon.driver.accept-must-tell-host"),
    ],
)
def test_features(driver: Driver, accept: Features, slug: str) -> None:
    driver.begin(accept)
    assert slug in driver.slugs


def test_undefined_features() -> None:
    driver = Driver(offers.UNKNOWN)
    driver.begin()
    assert "virtio.driver.undefined-features-not-accepted" in driver.slugs
    driver.memory.close()


def test_an_order_that_is_not_the_order(driver: Driver) -> None:
    device = driver.device
    device.write_status(0)
    device.write_status(3)
    assert "virtio.driver.reset-confirmed" in driver.slugs
    device.write_config(4, bytes(4))
    assert "virtio.driver.no-config-write-before-features-ok" in driver.slugs
    device.write_features(SOUND.bits)
    device.write_status(11)
    device.set_up_queue(0, SplitLayout.at(0x1008, 12))
    assert "virtio.driver.features-ok-checked" in driver.slugs
    assert {"ring.driver.queue-size-power-of-two", "ring.driver.parts-aligned"} <= driver.slugs
    device.set_up_queue(9, SplitLayout.at(0x2000, 16))
    assert "balloon.driver.absent-queue-not-used" in driver.slugs
    device.notify(0)
    assert "virtio.driver.no-kick-before-driver-ok" in driver.slugs
    device.write_status(4)
    assert "virtio.driver.status-bits-kept" in driver.slugs


def hint(*blocks: tuple[int, int], cookie: int = 1) -> bytes:
    return hint_request.build(PfnRequest(cookie, Blocks.of(blocks)))


def changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


WHOLE = hint((0x280, 2))
HINTS: dict[str, tuple[bytes, int]] = {
    "hint.driver.cookie-nonzero": (hint((0x280, 2), cookie=0), 24),
    "hint.driver.room-for-acknowledgement": (WHOLE, 15),
    "hint.driver.known-type": (changed(WHOLE, 0, 9), 24),
    "hint.driver.flags-zero": (changed(WHOLE, 2, 1), 24),
    "hint.driver.reserved-zero": (changed(WHOLE, 28, 1), 24),
    "hint.driver.length-exact": (WHOLE + b"\0", 24),
    "hint.driver.aligned": (changed(WHOLE, 16, 1), 24),
    "hint.driver.order-within-bounds": (changed(WHOLE, 24, 41), 24),
    "hint.driver.ram-only": (hint((0x100000, 2)), 24),
    "hint.driver.within-address-limit": (hint(((1 << 52) - 4, 2))[:24] + b"\3" + bytes(7), 24),
    "hint.driver.no-overlap-in-request": (hint((0x280, 2), (0x282, 0)), 24),
    "hint-pfn.driver.count-within-limit": (hint(*[(n, 0) for n in range(0x200, 0x241)]), 32),
    "hint.driver.never-name-own-structures": (hint((1, 0)), 24),
}


@pytest.mark.parametrize("slug", HINTS)
def test_hinting_requests(driver: Driver, slug: str) -> None:
    driver.begin(SOUND)
    driver.send(Queue.HINTING, *HINTS[slug])
    assert slug in driver.slugs


def test_a_page_that_comes_alive_while_it_is_away(driver: Driver) -> None:
    driver.begin(SOUND)
    driver.send(Queue.REPORTING, pages=(block(0x200, 2),))
    (request,) = driver.device.outstanding.values()
    driver.recorder.emit(Touched(request.blocks[:1]))
    assert "reporting.driver.no-touch-until-use" in driver.slugs


def test_reports_that_overlap(driver: Driver) -> None:
    driver.begin(SOUND)
    driver.send(Queue.REPORTING, pages=(block(0x200, 2),))
    driver.send(Queue.REPORTING, pages=(block(0x203),))
    assert "reporting.driver.no-overlap-outstanding" in driver.slugs
    driver.send(Queue.REPORTING, pages=(Span(0x300800, PAGE),))
    assert "reporting.driver.whole-pages" in driver.slugs


def test_the_balloon(driver: Driver) -> None:
    driver.begin(SOUND)
    driver.send(Queue.INFLATE, pfn_array.build(PfnArray.of([0x300, 0x301])))
    driver.send(Queue.DEFLATE, pfn_array.build(PfnArray.of([0x300])))
    assert "balloon.driver.no-deflate-before-inflate-use" in driver.slugs
    driver.use_all()
    driver.send(Queue.DEFLATE, pfn_array.build(PfnArray.of([0x3FF])))
    assert "balloon.driver.deflate-only-own" in driver.slugs
    driver.send(Queue.INFLATE, pfn_array.build(PfnArray.of([0x301])))
    assert "balloon.driver.no-page-in-balloon-twice" in driver.slugs
    driver.send(Queue.INFLATE, b"\1\2\3")
    assert "balloon.driver.pfn-width" in driver.slugs
    driver.device.write_config(4, (99).to_bytes(4, "little"))
    assert "balloon.driver.actual-true" in driver.slugs


@pytest.mark.parametrize("form", [">3I", "<3Q"])
def test_page_numbers_of_another_form(driver: Driver, form: str) -> None:
    driver.begin(SOUND)
    driver.send(Queue.INFLATE, struct.pack(form, 0x300, 0x301, 0x302))
    assert driver.slugs & WIDTHS == {"balloon.driver.pfn-width"}


WIDTHS = {"balloon.driver.pfn-width", "balloon.driver.pfn-unit"}


def test_a_page_that_is_taken_back_at_the_target(driver: Driver) -> None:
    driver.begin(SOUND)
    balloon = next(each for each in driver.monitors if isinstance(each, BalloonRules))
    balloon.shown(2)
    driver.send(Queue.INFLATE, pfn_array.build(PfnArray.of([0x300, 0x301, 0x302])))
    driver.use_all()
    driver.send(Queue.DEFLATE, pfn_array.build(PfnArray.of([0x300])))
    assert driver.slugs == set(), "three are more than two"
    driver.send(Queue.DEFLATE, pfn_array.build(PfnArray.of([0x301])))
    assert driver.slugs == set(), "num_pages was 0 at first: that may be what the driver has read"
    balloon.settled()
    driver.send(Queue.DEFLATE, pfn_array.build(PfnArray.of([0x302])))
    assert driver.slugs == {"balloon.driver.no-deflate-below-target"}


def test_what_actual_leaves_unsaid(driver: Driver) -> None:
    driver.begin(SOUND)
    balloon = next(each for each in driver.monitors if isinstance(each, BalloonRules))
    driver.send(Queue.INFLATE, pfn_array.build(PfnArray.of([0x300, 0x301])))
    driver.use_all()
    assert balloon.is_unsaid
    driver.device.write_config(4, (1).to_bytes(4, "little"))
    assert not balloon.is_unsaid
    balloon.finish()
    assert driver.slugs == {"balloon.driver.actual-true"}


def hinting(driver: Driver, data: bytes, room: int) -> Request:
    driver.send(Queue.HINTING, data, room)
    return list(driver.device.outstanding.values())[-1]


def test_a_request_of_no_blocks_gets_a_sound_answer(driver: Driver) -> None:
    driver.begin(SOUND)
    request = hinting(driver, hint_request.build(PfnRequest(7, Blocks.of([]))), 16)
    assert answers.is_empty(request)
    assert hint_ack.parse(answers.sound(request), 0) == Acknowledgement(7, Status.OK, 0)


@pytest.mark.parametrize(
    ("data", "cookie"),
    [(bytes(4), 0), (struct.pack("<HHIQ", 9, 0, 1, 5) + bytes(16), 5)],
    ids=["short", "unknown-type"],
)
def test_what_cannot_be_read_is_malformed(driver: Driver, data: bytes, cookie: int) -> None:
    driver.begin(SOUND)
    request = hinting(driver, data, 24)
    assert not answers.is_empty(request)
    answer = hint_ack.parse(answers.sound(request), 1)
    assert answer == Acknowledgement(cookie, Status.MALFORMED, 0)
    assert answers.sound(hinting(driver, data, 8)) == b""


def test_statistics(driver: Driver) -> None:
    driver.begin(SOUND)
    driver.send(Queue.STATS, bytes(10))
    driver.send(Queue.STATS, bytes([5]) + bytes(9))
    assert {
        "balloon.driver.stats-single-buffer",
        "balloon.driver.stats-same-subset",
    } == driver.slugs
    driver.send(Queue.STATS, bytes(12))
    assert "balloon.driver.stats-size-multiple" in driver.slugs
    driver.send(Queue.STATS, bytes(20))
    assert "balloon.driver.stats-initialise-buffer" in driver.slugs


def test_a_chain_that_is_changed_while_it_is_outstanding(driver: Driver) -> None:
    driver.begin(SOUND)
    driver.send(Queue.INFLATE, pfn_array.build(PfnArray.of([0x300])))
    (request,) = driver.device.outstanding.values()
    queue = driver.device.queues[Queue.INFLATE]
    assert queue.altered(request.taken) is None
    driver.memory.write(DATA, b"\xff")
    found = queue.altered(request.taken)
    assert found is not None
    assert found.data
    assert "other bytes" in found.seen
    driver.memory.write(driver.rings[Queue.INFLATE].layout.descriptors, bytes(8))
    found = queue.altered(request.taken)
    assert found is not None
    assert not found.data


def test_a_kick_that_is_owed(driver: Driver) -> None:
    driver.begin(SOUND)
    ring = driver.rings[Queue.INFLATE]
    ring.add([Span(DATA, 4)], [])
    ring.publish()
    queue = driver.device.queues[Queue.INFLATE]
    assert queue.kick_was_due
    queue.be_quiet(True)
    assert not queue.kick_was_due
    assert queue.waiting == 1
