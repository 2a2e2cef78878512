"""Device initialisation as a sequence of register accesses, without doing any.

The generator yields an access, is sent the value that was read (None for a write), and returns
what was agreed on.  `STATUS_STEPS` is the whole order (VIRTIO 1.4, Device Initialization).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from vhint.ring import Layout, in_format
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode, queue_map
from vhint.wire.status import DeviceStatus


class Stage(Enum):
    """Work that is due between two writes of the status."""

    WAIT_FOR_RESET = auto()
    NOTHING = auto()
    NEGOTIATE = auto()
    CHECK_FEATURES_AND_SET_UP = auto()
    NEGOTIATE_AND_SET_UP = auto()


STATUS_STEPS: tuple[tuple[DeviceStatus, Stage], ...] = (
    (DeviceStatus(0), Stage.WAIT_FOR_RESET),
    (DeviceStatus.ACKNOWLEDGE, Stage.NOTHING),
    (DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER, Stage.NEGOTIATE),
    (DeviceStatus.LIVE & ~DeviceStatus.DRIVER_OK, Stage.CHECK_FEATURES_AND_SET_UP),
    (DeviceStatus.LIVE, Stage.NOTHING),
)
"""(the status that is written, what is done before the next write)."""

LEGACY_STATUS_STEPS: tuple[tuple[DeviceStatus, Stage], ...] = (
    (DeviceStatus(0), Stage.WAIT_FOR_RESET),
    (DeviceStatus.ACKNOWLEDGE, Stage.NOTHING),
    (DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER, Stage.NEGOTIATE_AND_SET_UP),
    (DeviceStatus.LIVE & ~DeviceStatus.FEATURES_OK, Stage.NOTHING),
)
"""The same over the legacy interface, which has no FEATURES_OK
(virtio.driver.legacy-initialisation)."""


@dataclass(frozen=True, slots=True)
class ReadStatus:
    """Read the device status; send it back."""


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Write the device status."""

    value: int


@dataclass(frozen=True, slots=True)
class ReadFeatures:
    """Read the offered feature bits; send them back."""


@dataclass(frozen=True, slots=True)
class WriteFeatures:
    """Write the accepted feature bits."""

    bits: int


@dataclass(frozen=True, slots=True)
class ReadQueueMax:
    """Read the largest size of queue `index`; send it back."""

    index: int


@dataclass(frozen=True, slots=True)
class SetUpQueue:
    """Tell the device where a queue lies; send back whether it is ready."""

    queue: Queue
    index: int
    layout: Layout


@dataclass(frozen=True, slots=True)
class WriteConfig:
    """Write bytes of config space."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """Read `length` bytes of config space; send back their little-endian value."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the device that queue `index`, which is `queue`, has new buffers."""

    queue: Queue
    index: int


Access = (
    ReadStatus
    | WriteStatus
    | ReadFeatures
    | WriteFeatures
    | ReadQueueMax
    | SetUpQueue
    | WriteConfig
    | ReadConfig
    | Notify
)
Reply = int | bool | None


@dataclass(frozen=True, slots=True)
class QueueSetUp:
    """Where one queue lies and which number it has."""

    index: int
    layout: Layout


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What driver and device agreed on."""

    offered: Features
    accepted: Features
    queues: Mapping[Queue, QueueSetUp]


class InitialisationError(Exception):
    """The device did not come up: at which step, and what it showed."""

    def __init__(self, step: Stage, message: str) -> None:
        super().__init__(message)
        self.step = step


def _everything(features: Features) -> Features:
    return features


@dataclass(frozen=True, slots=True)
class Wish:
    """How a driver wants to use a device.

    `features` are accepted as far as they are offered; queues get the size `queue_size` or the
    device's maximum, if that is smaller; `config` is written before DRIVER_OK, offset to bytes,
    and so is `poison_val`, if PAGE_POISON was accepted.  `settle` drops what does not go together
    from the features that could be accepted.  Over a `legacy` interface queues have the device's
    maximum always (ring.driver.legacy-queue-size).
    """

    features: Features
    mode: QueueMode = QueueMode.COMPACT_OFFERED
    queue_size: int = 128
    config: tuple[tuple[int, bytes], ...] = ()
    poison_val: int | None = None
    settle: Callable[[Features], Features] = _everything
    legacy: bool = False


RESET_READS = 1000
"""Reads of the status after which a device that does not show 0 is given up."""


def initialise(
    wish: Wish, place: Callable[[int], Layout], *, live: bool = True
) -> Generator[Access, Reply, Negotiated]:
    """Run the sequence; `place` lays out a queue of a given size, of either format.

    With `live` false it stops short of DRIVER_OK.  Raises `InitialisationError`, once the device
    has been told so by FAILED (virtio.driver.failed-on-error).
    """
    try:
        steps = LEGACY_STATUS_STEPS if wish.legacy else STATUS_STEPS
        return (yield from _steps(wish, place, steps if live else steps[:-1]))
    except InitialisationError:
        status = _number((yield ReadStatus()))
        yield WriteStatus(status | DeviceStatus.FAILED)
        raise


def _steps(
    wish: Wish,
    place: Callable[[int], Layout],
    steps: tuple[tuple[DeviceStatus, Stage], ...],
) -> Generator[Access, Reply, Negotiated]:
    offered = accepted = Features(0)
    queues: dict[Queue, QueueSetUp] = {}
    for value, stage in steps:
        yield WriteStatus(int(value))
        match stage:
            case Stage.WAIT_FOR_RESET:
                yield from _wait_for_reset()
            case Stage.NEGOTIATE:
                offered, accepted = yield from _negotiate(wish)
            case Stage.NEGOTIATE_AND_SET_UP:
                offered, accepted = yield from _negotiate(wish)
                queues = yield from _set_up(wish, offered, accepted, place)
            case Stage.CHECK_FEATURES_AND_SET_UP:
                status = _number((yield ReadStatus()))
                if not status & DeviceStatus.FEATURES_OK:
                    raise InitialisationError(
                        Stage.NEGOTIATE,
                        f"the device refused the features {accepted!r}: status {status:#x}",
                    )
                queues = yield from _set_up(wish, offered, accepted, place)
            case Stage.NOTHING:
                pass
    return Negotiated(offered, accepted, queues)


def _negotiate(wish: Wish) -> Generator[Access, Reply, tuple[Features, Features]]:
    """Return what is offered and what of it was accepted."""
    offered = Features(_number((yield ReadFeatures())))
    accepted = wish.settle(offered & wish.features)
    yield WriteFeatures(accepted.bits)
    return offered, accepted


def _set_up(
    wish: Wish, offered: Features, accepted: Features, place: Callable[[int], Layout]
) -> Generator[Access, Reply, dict[Queue, QueueSetUp]]:
    queues = yield from _set_up_queues(wish, offered, accepted, place)
    for offset, data in wish.config:
        yield WriteConfig(offset, data)
    if wish.poison_val is not None and Feature.PAGE_POISON in accepted:
        # balloon.driver.poison-set-before-driver-ok
        place_of = config.field_offset("poison_val")
        size = config.field_size("poison_val")
        yield WriteConfig(place_of, wish.poison_val.to_bytes(size, "little"))
    return queues


def _wait_for_reset() -> Generator[Access, Reply, None]:
    for _ in range(RESET_READS):
        if (yield ReadStatus()) == 0:
            return
    raise InitialisationError(
        Stage.WAIT_FOR_RESET, f"the status was not 0 in {RESET_READS} reads after a reset"
    )


def _set_up_queues(
    wish: Wish, offered: Features, accepted: Features, place: Callable[[int], Layout]
) -> Generator[Access, Reply, dict[Queue, QueueSetUp]]:
    queues: dict[Queue, QueueSetUp] = {}
    for queue, index in queue_map(wish.mode, offered, accepted).items():
        largest = _number((yield ReadQueueMax(index)))
        if largest == 0:
            raise InitialisationError(
                Stage.CHECK_FEATURES_AND_SET_UP,
                f"there is no queue {index}, where {queue} should be",
            )
        size = largest if wish.legacy else min(wish.queue_size, largest)
        layout = in_format(place(size), packed=Feature.RING_PACKED in accepted)
        if not (yield SetUpQueue(queue, index, layout)):
            raise InitialisationError(
                Stage.CHECK_FEATURES_AND_SET_UP, f"queue {index} ({queue}) did not become ready"
            )
        queues[queue] = QueueSetUp(index, layout)
    return queues


def _number(reply: Reply) -> int:
    if reply is None:
        raise TypeError("a read was answered with nothing")
    return int(reply)
