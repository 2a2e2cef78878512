"""The initialisation sequence, answered by a script instead of a device."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vhint.guest import InitialisationError, Negotiated, Wish, initialise
from vhint.guest.initialise import (
    RESET_READS,
    STATUS_STEPS,
    Access,
    ReadFeatures,
    ReadQueueMax,
    ReadStatus,
    Reply,
    SetUpQueue,
    Stage,
    WriteConfig,
    WriteFeatures,
    WriteStatus,
)
from vhint.ring import SplitLayout
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode
from vhint.wire.status import DeviceStatus

OFFERED = Features.of(Feature.STATS_VQ, Feature.PAGE_REPORTING, Feature.VERSION_1)
WISH = Wish(
    Features.of(Feature.PAGE_REPORTING, Feature.VERSION_1, Feature.HINTING),
    queue_size=64,
    config=((12, b"\1\2\3\4"), (4, b"\0")),
)
ACCEPTED = Features.of(Feature.PAGE_REPORTING, Feature.VERSION_1)
Answers = Callable[[Access], Reply]


class Script:
    """A device that agrees with everything, except where `change` answers something else."""

    def __init__(self, change: Answers | None = None) -> None:
        self.change = change
        self.status = 15
        self.log: list[Access] = []

    def run(self, wish: Wish = WISH, *, live: bool = True) -> Negotiated:
        sequence = initialise(wish, place, live=live)
        reply: Reply = None
        while True:
            try:
                access = sequence.send(reply)
            except StopIteration as end:
                agreed: Negotiated = end.value
                return agreed
            self.log.append(access)
            reply = self.answer(access)

    def answer(self, access: Access) -> Reply:
        changed = None if self.change is None else self.change(access)
        if changed is not None:
            return changed
        match access:
            case WriteStatus(value):
                self.status = value
            case ReadStatus():
                return self.status
            case ReadFeatures():
                return OFFERED.bits
            case ReadQueueMax():
                return 256
            case SetUpQueue():
                return True
        return None


def place(size: int) -> SplitLayout:
    return SplitLayout.at(0x1000 * size, size)


LAYOUT = place(64)
SEQUENCE: list[Access] = [
    WriteStatus(0),
    ReadStatus(),
    WriteStatus(1),
    WriteStatus(3),
    ReadFeatures(),
    WriteFeatures(ACCEPTED.bits),
    WriteStatus(11),
    ReadStatus(),
    *(
        access
        for queue, index in ((Queue.INFLATE, 0), (Queue.DEFLATE, 1), (Queue.REPORTING, 3))
        for access in (ReadQueueMax(index), SetUpQueue(queue, index, LAYOUT))
    ),
    WriteConfig(12, b"\1\2\3\4"),
    WriteConfig(4, b"\0"),
    WriteStatus(15),
]


def test_accesses_come_in_the_order_of_the_standard() -> None:
    script = Script()
    negotiated = script.run()
    assert script.log == SEQUENCE
    assert (negotiated.offered, negotiated.accepted) == (OFFERED, ACCEPTED)
    assert {queue: each.index for queue, each in negotiated.queues.items()} == {
        Queue.INFLATE: 0,
        Queue.DEFLATE: 1,
        Queue.REPORTING: 3,
    }
    assert {each.layout for each in negotiated.queues.values()} == {LAYOUT}


def test_status_writes_are_those_of_the_table() -> None:
    script = Script()
    script.run()
    written = [access.value for access in script.log if isinstance(access, WriteStatus)]
    assert written == [value for value, _ in STATUS_STEPS]


def test_it_can_stop_short_of_driver_ok() -> None:
    script = Script()
    script.run(live=False)
    assert script.log == SEQUENCE[:-1]


@pytest.mark.parametrize("mode", list(QueueMode))
def test_queues_are_where_the_mode_puts_them(mode: QueueMode) -> None:
    wish = Wish(WISH.features, mode)
    index = Script().run(wish).queues[Queue.REPORTING].index
    assert index == {"spec-fixed": 4, "compact-offered": 3, "compact-accepted": 2}[mode]


@pytest.mark.parametrize(("largest", "size"), [(256, 64), (64, 64), (16, 16), (1, 1)])
def test_a_queue_is_no_larger_than_the_device_allows(largest: int, size: int) -> None:
    script = Script(lambda access: largest if isinstance(access, ReadQueueMax) else None)
    queues = script.run().queues
    assert {each.layout.size for each in queues.values()} == {size}


@pytest.mark.parametrize("reads", [1, 2, RESET_READS])
def test_a_reset_may_take_some_reads(reads: int) -> None:
    left = iter(range(reads - 1, -1, -1))

    def busy(access: Access) -> Reply:
        return next(left, None) if isinstance(access, ReadStatus) else None

    script = Script(busy)
    script.run()
    assert script.log[1 : 1 + reads] == [ReadStatus()] * reads
    assert script.log[1 + reads] == WriteStatus(1)


FAILURES: dict[str, tuple[Answers, Stage, str, int]] = {
    "never shows 0": (
        lambda access: 15 if isinstance(access, ReadStatus) else None,
        Stage.WAIT_FOR_RESET,
        f"not 0 in {RESET_READS} reads",
        3 + RESET_READS,
    ),
    "features refused": (
        lambda access: 0 if isinstance(access, ReadStatus) else None,
        Stage.NEGOTIATE,
        r"refused the features Features\(PAGE_REPORTING \| VERSION_1\): status 0x0",
        10,
    ),
    "a queue is absent": (
        lambda access: 0 if access == ReadQueueMax(3) else None,
        Stage.CHECK_FEATURES_AND_SET_UP,
        "no queue 3, where reporting should be",
        15,
    ),
    "a queue is not ready": (
        lambda access: False if isinstance(access, SetUpQueue) else None,
        Stage.CHECK_FEATURES_AND_SET_UP,
        r"queue 0 \(inflate\) did not become ready",
        12,
    ),
}


@pytest.mark.parametrize(
    ("answers", "stage", "message", "accesses"), FAILURES.values(), ids=FAILURES
)
def test_a_device_that_does_not_come_up(
    answers: Answers, stage: Stage, message: str, accesses: int
) -> None:
    script = Script(answers)
    with pytest.raises(InitialisationError, match=message) as caught:
        script.run()
    assert caught.value.step is stage
    assert len(script.log) == accesses  # it stops at once, and says so
    last = script.log[-1]
    assert isinstance(last, WriteStatus)
    assert last.value & DeviceStatus.FAILED
    assert WriteStatus(15) not in script.log


def test_a_read_that_is_answered_with_nothing_is_a_mistake_of_the_caller() -> None:
    sequence = initialise(WISH, place)
    sequence.send(None)
    sequence.send(None)
    for reply in (0, None, None):
        sequence.send(reply)
    with pytest.raises(TypeError, match="answered with nothing"):
        sequence.send(None)  # to ReadFeatures
