"""Protocol logic in Python: rings and registers are vhint's, the answers somebody's."""

from collections.abc import Iterator
from typing import Self

import pytest

from vhint.ring import GuestMemory, driver_ring, layout_at
from vhint.spans import Span
from vhint.transport.loopback import Loopback
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance import runner, testing
from vhint_conformance.runner import RunOptions
from vhint_conformance.testing import (
    Buffer,
    Capability,
    ConfigChanged,
    Discard,
    Effect,
    Effects,
    LogicDevice,
    NeedsReset,
    PlainPages,
    ProtocolLogic,
    ReportedPages,
    Use,
    check_device,
)
from vhint_conformance.verdict import Verdict

OFFER = Features.of(Feature.PAGE_REPORTING, Feature.VERSION_1, Feature.RING_RESET)
LIVE = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER


class Reports(ProtocolLogic):
    """Discards what is reported; `held` are buffers that it keeps for a while."""

    version = "7"

    def __init__(self, _memory: GuestMemory | None = None) -> None:
        self.held: list[Buffer] = []
        self.heard: list[object] = []
        self.hold = False
        self.turns = 0

    def offered(self) -> Features:
        return OFFER

    def take(self, buffer: Buffer) -> Iterator[Effect]:
        if self.hold:
            self.held.append(buffer)
            return
        if buffer.queue is Queue.REPORTING:
            for span in buffer.writable:
                yield Discard(*span)
        yield Use(buffer.queue, buffer.id)

    def reset(self) -> None:
        self.heard.append("reset")
        self.held.clear()

    def reset_queue(self, queue: Queue) -> Effects:
        self.heard.append(queue)
        return ()

    def start(self, queues: object) -> Effects:
        self.heard.append(list(queues))
        return ()

    @property
    def busy(self) -> bool:
        return self.turns > 0

    def proceed(self) -> Effects:
        self.turns -= 1
        return [Use(held.queue, held.id) for held in self.held] if not self.turns else ()


class Late(Reports):
    """Discards a report once it has given the buffer back."""

    def take(self, buffer: Buffer) -> Iterator[Effect]:
        yield Use(buffer.queue, buffer.id)
        for span in buffer.writable if buffer.queue is Queue.REPORTING else ():
            yield Discard(*span)


class Neighbour(Reports):
    """Discards the page after a report too."""

    def take(self, buffer: Buffer) -> Iterator[Effect]:
        for span in buffer.writable if buffer.queue is Queue.REPORTING else ():
            yield Discard(span.start, span.length + 4096)
        yield Use(buffer.queue, buffer.id)


def test_it_is_judged_from_the_command_line() -> None:
    name = f"python:{__name__}:Reports"
    report = runner.run(RunOptions(name, select=("reporting.one-page", "ring.index-wrap")))
    verdicts = {outcome.id: outcome.verdict for outcome in report.outcomes}
    assert verdicts["reporting.one-page"] is Verdict.PASS
    assert verdicts["ring.index-wrap"] is Verdict.NOT_APPLICABLE  # the rings are vhint's
    assert report.versions == {name: "7"}


@pytest.mark.long
def test_its_faults_are_found() -> None:
    report = runner.run(RunOptions(f"python:{__name__}:Late", select=("reporting.one-page",)))
    slugs = {each.requirement for outcome in report.outcomes for each in outcome.violations}
    assert "reporting.device.no-effect-after-use" in slugs


def test_the_machines_take_it() -> None:
    sound = check_device(Reports, (ReportedPages, PlainPages), examples=8, seeded=1)
    assert all(result.sound for result in sound), sound
    (broken,) = check_device(Neighbour, (ReportedPages,), examples=30, seeded=1)
    assert not broken.sound


def test_the_public_names_are_there() -> None:
    assert sorted(testing.__all__) == list(dict.fromkeys(sorted(testing.__all__)))
    assert all(hasattr(testing, name) for name in testing.__all__)


class Bed:
    """A loopback to logic, live, with one reporting queue at 0x1000."""

    def __init__(self, logic: Reports) -> None:
        self.logic = logic
        self.loopback = Loopback(lambda memory: LogicDevice(memory, logic), 1 << 20)
        self.device = self.loopback.device
        self.live()

    def live(self) -> None:
        self.loopback.write_status(LIVE)
        self.loopback.write_features(OFFER.bits)
        self.loopback.write_status(LIVE | DeviceStatus.FEATURES_OK)
        self.index = 2
        self.layout = layout_at(0x1000, 8, packed=False)
        self.loopback.set_up_queue(self.index, self.layout)
        self.ring = driver_ring(self.loopback.memory, self.layout, event_idx=False)
        self.loopback.write_status(LIVE | DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK)

    def report(self, start: int) -> None:
        self.loopback.memory.write(start, b"\xaa" * 4096)
        self.ring.add([], [Span(start, 4096)])
        self.ring.publish()
        self.loopback.notify(self.index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.loopback.close()


def test_each_effect_is_a_step() -> None:
    with Bed(Reports()) as bed:
        bed.report(0x8000)
        while bed.loopback.memory.read(Span(0x8000, 1)) == b"\xaa":
            assert bed.loopback.step()
        assert bed.ring.pending == 0  # discarded, and not used yet
        bed.loopback.settle()
        assert bed.ring.pending == 1


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_not_carried_out_at_a_reset_never_is(whole: bool) -> None:
    with Bed(Late()) as bed:
        bed.report(0x8000)
        while not bed.ring.pending:
            assert bed.loopback.step()
        if whole:
            bed.loopback.write_status(0)
        else:
            bed.loopback.start_queue_reset(bed.index)
        bed.loopback.settle()
        assert bed.loopback.memory.read(Span(0x8000, 1)) == b"\xaa"
        assert bed.logic.heard[-1] == ("reset" if whole else Queue.REPORTING)


def test_buffers_can_be_held_and_used_in_a_later_turn() -> None:
    logic = Reports()
    logic.hold = True
    with Bed(logic) as bed:
        bed.report(0x8000)
        bed.loopback.settle()
        assert (len(logic.held), bed.ring.pending) == (1, 0)
        logic.turns = 3
        bed.loopback.settle()
        assert bed.ring.pending == 1
        assert bed.device.idle


def test_logic_that_is_busy_for_ever_is_left_alone() -> None:
    logic = Reports()
    with Bed(logic) as bed:
        logic.turns = 1 << 40
        bed.loopback.settle()
        assert bed.device.idle


def test_config_changes_and_requests_for_a_reset_are_told() -> None:
    logic = Reports()
    with Bed(logic) as bed:
        before = bed.loopback.config_generation()
        logic.can = {Capability.SETS_BALLOON_SIZE}
        logic.set_balloon_size = lambda _: [ConfigChanged()]
        bed.device.set_balloon_size(4)
        bed.loopback.settle()
        assert bed.loopback.config_generation() != before
        assert bed.loopback.take_interrupts().config
        logic.set_balloon_size = lambda _: [NeedsReset()]
        bed.device.set_balloon_size(4)
        bed.loopback.settle()
        assert bed.loopback.read_status() & DeviceStatus.NEEDS_RESET
