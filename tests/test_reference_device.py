"""The reference device: negotiation, config space, reset anywhere, host pages, statistics."""

from collections.abc import Iterator

import pytest

from vhint.guest import Arena, Driver, InitialisationError, Wish, initialise, requests
from vhint.guest.initialise import STATUS_STEPS, Negotiated, ReadStatus, WriteStatus
from vhint.host import ALL_FEATURES, Device, DeviceOptions
from vhint.host.balloon import PartialPages
from vhint.ring import GuestMemory, SplitLayout
from vhint.spans import PAGE, Span
from vhint.trace import Recorder
from vhint.transport.execute import execute
from vhint.transport.loopback import Loopback
from vhint.wire import hint_ack
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import Status
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint.wire.status import DeviceStatus

RAM = 8 << 20
BLOCKS = 4 << 20


class Machine:
    """A reference device with a driver on it."""

    def __init__(self, options: DeviceOptions | None = None, *, poison: int | None = None) -> None:
        self.loop = Loopback(lambda memory: Device(memory, options), RAM)
        self.recorder = Recorder()
        config = () if poison is None else ((12, poison.to_bytes(4, "little")),)
        self.wish = Wish(ALL_FEATURES, queue_size=16, config=config)
        self.start()

    def start(self) -> None:
        arena = Arena(Span(0x1000, 1 << 20))

        def place(size: int) -> SplitLayout:
            return SplitLayout.at(arena.take(SplitLayout.at(0, size).end, PAGE).start, size)

        negotiated = execute(self.loop, initialise(self.wish, place), self.recorder.emit)
        self.driver = Driver(self.loop.memory, negotiated, arena, self.recorder.emit)

    def send(self, draft: requests.Draft) -> None:
        self.driver.add(draft)
        self.driver.publish(draft.queue)
        self.loop.notify(self.driver.negotiated.queues[draft.queue].index)

    def fill(self, span: Span) -> None:
        self.loop.memory.write(span.start, b"\x5a" * span.length)

    def gone(self, span: Span) -> bool:
        return any(hole.covers(span) for hole in self.loop.memory.holes())


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.loop.close()


@pytest.mark.parametrize(
    ("bits", "taken"),
    [
        (Features.of(Feature.VERSION_1), True),
        (ALL_FEATURES, True),
        (Features.of(Feature.VERSION_1, Feature.IN_ORDER), False),
        (Features.of(Feature.VERSION_1, Feature.HINTING_BITMAP), False),
        (Features.of(Feature.HINTING), False),
    ],
)
def test_features_are_taken_or_refused(bits: Features, taken: bool) -> None:
    with GuestMemory.create(RAM) as memory:
        device = Device(memory)
        for status in (1, 3):
            device.write_status(status)
        device.write_features(bits.bits)
        device.write_status(11)
        assert bool(device.read_status() & DeviceStatus.FEATURES_OK) is taken


@pytest.mark.parametrize(
    ("features", "length"),
    [((), 8), ((Feature.PAGE_POISON,), 16), ((Feature.HINTING,), 32)],
)
def test_config_space_is_as_long_as_the_offer_needs(
    features: tuple[Feature, ...], length: int
) -> None:
    offered = Features.of(Feature.VERSION_1, *features)
    with GuestMemory.create(RAM) as memory:
        device = Device(memory, DeviceOptions(offered=offered, hint_max_count=7, hint_min_order=2))
        data = device.read_config(0, 40)
    assert data[length:] == bytes(40 - length)
    if length == 32:
        assert data[24:32] == b"\7\0\0\0\2\0\0\0"


def test_the_driver_writes_what_is_its_own(machine: Machine) -> None:
    machine.loop.write_config(0, b"\1" * 32)
    data = machine.loop.read_config(0, 32)
    assert data[:4] == bytes(4)
    assert data[4:8] == b"\1\1\1\1"
    assert data[12:16] == bytes(4)  # poison_val is fixed while DRIVER_OK is set
    assert data[24:28] != b"\1\1\1\1"


@pytest.mark.parametrize("steps", range(12))
def test_reset_after_any_number_of_steps_ends_all_work(machine: Machine, steps: int) -> None:
    block = Span(BLOCKS, PAGE)
    for draft in (requests.report([block]), requests.hint_blocks(1, [(BLOCKS // PAGE, 0)])):
        machine.fill(block)
        machine.send(draft)
    for _ in range(steps):
        machine.loop.step()
    machine.loop.write_status(0)
    machine.fill(block)
    machine.loop.settle()
    assert not machine.gone(block)
    assert machine.loop.read_status() == 0
    machine.start()
    machine.send(requests.report([block]))
    machine.loop.settle()
    assert machine.gone(block)


def test_a_broken_queue_needs_a_reset_and_recovers(machine: Machine) -> None:
    ring = machine.driver.rings[Queue.INFLATE]
    ring.put_available(99)
    ring.publish()
    machine.loop.notify(0)
    machine.loop.settle()
    assert machine.loop.read_status() & DeviceStatus.NEEDS_RESET
    assert machine.loop.take_interrupts().config
    machine.start()
    machine.send(requests.inflate([BLOCKS // PAGE]))
    machine.loop.settle()
    assert machine.driver.collect(Queue.INFLATE) is not None


@pytest.mark.parametrize("poison", [0, 0xAA])
def test_pages_are_kept_where_poison_must_show(poison: int) -> None:
    machine = Machine(poison=poison)
    block = Span(BLOCKS, PAGE)
    machine.fill(block)
    machine.send(requests.report([block]))
    machine.send(requests.hint_blocks(5, [(BLOCKS // PAGE, 0)]))
    machine.loop.settle()
    answer = machine.driver.collect(Queue.HINTING)
    assert answer is not None
    found = hint_ack.parse(answer.data, 1)
    assert found.status is (Status.INHIBITED if poison else Status.OK)
    assert machine.gone(block) is not bool(poison)
    machine.loop.close()


def test_reported_ranges_are_rounded_inward_to_host_pages() -> None:
    machine = Machine(DeviceOptions(host_page=1 << 16, hint_min_order=4))
    whole = Span(BLOCKS, 4 << 16)
    machine.fill(whole)
    machine.send(requests.report([Span(BLOCKS + PAGE, (3 << 16))]))
    machine.loop.settle()
    assert machine.loop.memory.holes()[-2:][0].start != BLOCKS
    assert machine.gone(Span(BLOCKS + (1 << 16), 2 << 16))
    assert not machine.gone(Span(BLOCKS, PAGE))
    assert not machine.gone(Span(BLOCKS + (3 << 16), PAGE))
    machine.loop.close()


def test_options_that_contradict_each_other() -> None:
    with GuestMemory.create(RAM) as memory, pytest.raises(ValueError, match="hint_min_order 3"):
        Device(memory, DeviceOptions(host_page=1 << 16, hint_min_order=3))


def test_partial_pages_count_only_what_is_given_now() -> None:
    partial = PartialPages(4 * PAGE)
    assert partial.give([4, 5]) == []
    partial.take([4])
    assert partial.give([6, 7]) == []
    assert partial.give([4]) == [Span(4 * PAGE, 4 * PAGE)]
    assert partial.give([4]) == []  # it begins anew


def test_statistics_are_held_until_asked_for(machine: Machine) -> None:
    device = machine.loop.device
    assert not device.poll_statistics()
    machine.send(requests.give_statistics([Statistic(StatisticTag.MEMFREE, 7)]))
    machine.loop.settle()
    assert machine.driver.collect(Queue.STATS) is None
    assert device.statistics() == {StatisticTag.MEMFREE: 7}
    machine.send(requests.give_statistics([Statistic(StatisticTag.MEMFREE, 8)]))
    machine.loop.settle()  # against the rules; neither may be lost
    assert machine.driver.collect(Queue.STATS) is not None
    assert device.poll_statistics()
    assert machine.driver.collect(Queue.STATS) is not None


def test_initialisation_follows_its_table() -> None:
    machine = Machine()
    written = [e.value for e in machine.recorder.events if type(e).__name__ == "StatusWritten"]
    assert written == [int(status) for status, _ in STATUS_STEPS]
    machine.loop.close()


def drive(answers: dict[type, object]) -> Negotiated:
    sequence = initialise(Wish(ALL_FEATURES), lambda size: SplitLayout.at(0x1000, size))
    reply = None
    while True:
        access = sequence.send(reply)  # type: ignore[arg-type]
        reply = answers.get(type(access))
        if isinstance(access, WriteStatus) and access.value == 1:
            answers = {**answers, ReadStatus: answers.get(WriteStatus)}


def test_a_device_that_never_resets_is_given_up() -> None:
    with pytest.raises(InitialisationError, match="not 0"):
        drive({ReadStatus: 15})


def test_a_trace_is_written_and_read_back(machine: Machine, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from vhint.trace import read_trace

    machine.send(requests.report([Span(BLOCKS, PAGE)]))
    machine.loop.settle()
    machine.driver.collect(Queue.REPORTING)
    machine.recorder.write(tmp_path / "trace.jsonl")
    assert list(read_trace(tmp_path / "trace.jsonl")) == machine.recorder.events
