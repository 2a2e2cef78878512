"""One driver on the judging device: how the two are brought together, and what it is shown."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NoReturn

from vhint.spans import Span, intersect
from vhint.trace import Recorder
from vhint.wire import config
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.case import Capability, Case
from vhint_conformance.driver_bench.device import JudgingDevice, Request
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.oracle.driver import driver_monitors
from vhint_conformance.oracle.driver.balloon import BalloonRules
from vhint_conformance.oracle.driver.initialisation import InitialisationRules
from vhint_conformance.oracle.driver.rounds import CommandRules
from vhint_conformance.oracle.driver.shapes import ShapeRules
from vhint_conformance.oracle.monitor import Monitor
from vhint_conformance.targets.driver import DriverSession, DriverTarget, UpperTester
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import NotApplicable, fail
from vhint_conformance.witness import Witness

_declined: dict[str, set[Feature]] = defaultdict(set)
"""What each target was seen not to accept though it was offered, in this process."""


class DriverLife(ABC):
    """One life of a driver: how it begins, what it is shown, and how it ends."""

    def __init__(self, target: DriverTarget, info: Case, seed: int) -> None:
        self.target = target
        self.info = info
        self.rng = random.Random(f"{seed}:{info.id}")  # noqa: S311 - repeatable on purpose
        #: What a driver breaks that dies of what the case is about to do to it.
        self.stake = ""
        self.observations: dict[str, Any] = {}
        self.effectiveness: dict[str, int] = {"offered_pages": 0, "discarded_pages": 0}
        self.recorder = Recorder()
        self.witness = Witness(self.recorder)
        self._session: DriverSession | None = None
        self.monitors: list[Monitor] = []
        self.held: set[Queue] = set()
        self.sent: dict[Queue, list[bytes]] = defaultdict(list)
        self._gone: dict[int, tuple[Span, ...]] = {}
        self._ballooned: tuple[Span, ...] = ()

    # Beginning

    @property
    def session(self) -> DriverSession:
        """The session with the driver; `connect` begins it."""
        if self._session is None:
            raise RuntimeError("the case has not connected the driver")
        return self._session

    @property
    def device(self) -> JudgingDevice:
        """The device that the driver is connected to."""
        return self.session.device

    @property
    def tester(self) -> UpperTester:
        """What can be done in the guest."""
        return self.session.tester

    @property
    def packed(self) -> bool:
        """Whether the case runs with packed rings."""
        return self.info.variant.rings is Rings.PACKED

    @property
    def needed(self) -> tuple[Feature, ...]:
        """The features without which the case is not applicable."""
        return (*((Feature.RING_PACKED,) if self.packed else ()), *self.info.features)

    def connect(self, offer: Offer) -> JudgingDevice:
        """Put a device with that offer before the driver, which has not begun.

        Packed rings are offered beside it in every case that runs with them.
        """
        for capability in self.info.capabilities:
            self.need(capability)
        if self.packed:
            offer = offer.with_packed_rings()
        known = _declined.get(self.target.name, set()) if not offer.fills else set()
        for feature in self.needed:
            if feature in known:
                raise NotApplicable(f"the driver does not accept {feature.name}")
        self._session = self.target.connect(offer, self.recorder)
        self._session.background = self.serve
        self._session.device.hear = self._hear
        self.monitors = driver_monitors(self.session.memory, offer)
        for monitor in self.monitors:
            for place, event in enumerate(self.recorder.events):
                monitor.see(place, event)
            self.recorder.listen(monitor.see)
        self.witness.begin(self._session.memory, self.monitors)
        return self.device

    def start(self, offer: Offer, *, hold: Iterable[Queue] = (), begin: int = 0) -> JudgingDevice:
        """Connect, and let the driver come up; the queues in `hold` are not answered by `serve`.

        Split queues go on from the index `begin`, where the driver can be told that.

        A driver that does not accept a feature which the case is about makes it not applicable.
        """
        self.held = set(hold)
        device = self.connect(offer)
        if begin:
            self.need(Capability.BEGINS_ANYWHERE)
            self.session.begin_at(begin)
        self.begin()
        if not device.live:
            self._came_not_up()
        if not offer.fills:
            offered = device.offer.features
            _declined[self.target.name].update(set(offered) - set(device.accepted))
        for feature in self.needed:
            if feature not in device.accepted:
                raise NotApplicable(f"the driver does not accept {feature.name}")
        return device

    def _came_not_up(self) -> NoReturn:
        """Fail by what kept the driver from coming up, as far as that can be seen."""
        device = self.device
        seen = f"status {device.status!r}"
        if device.absent:  # it looked for a queue where none is, and gave up
            seen = f"a look for queue {device.absent[0]}, which does not exist; {seen}"
            expected = f"queues at {sorted(device.numbers().values())}"
            raise fail("balloon.driver.queue-map-follows-device", expected=expected, seen=seen)
        raise fail("virtio.driver.initialisation-order", expected="DRIVER_OK", seen=seen)

    def need_live(self, requirement: str) -> None:
        """Fail by `requirement` if the driver has not come up."""
        device = self.device
        self.require(
            device.live, requirement, expected="DRIVER_OK", seen=f"status {device.status!r}"
        )

    def begin(self) -> None:
        """Let the driver initialise the device."""
        self.session.start()

    def need(self, capability: Capability) -> None:
        """Make the case not applicable if the target cannot do this."""
        if not self.can(capability):
            raise NotApplicable(self.target.why_absent(capability))

    def can(self, capability: Capability) -> bool:
        """Whether the target can do this."""
        return capability in self.target.capabilities

    def monitor(self, kind: type[BalloonRules]) -> BalloonRules:
        """Return the monitor of the balloon."""
        return next(each for each in self.monitors if isinstance(each, kind))

    @property
    def balloon(self) -> BalloonRules:
        """What the requests so far say is in the balloon."""
        return self.monitor(BalloonRules)

    def _hear(self, request: Request) -> None:
        """Take note of what a request said, before anybody can change it."""
        said = self.sent[request.queue]
        if request.data:  # of pages there are thousands
            said.append(request.data)
        if request.queue is Queue.DEFLATE and Feature.MUST_TELL_HOST in self.device.accepted:
            self._gone[request.ticket] = intersect(self._ballooned, request.blocks)

    def change_offer(self, offer: Offer) -> None:
        """Make it another device: the driver is to find it so when it is loaded again."""
        self.device.offer = offer
        self.device.config = bytearray(config.build(offer.config()))
        for monitor in self.monitors:
            if isinstance(monitor, (InitialisationRules, ShapeRules)):
                monitor.offer = offer

    @abstractmethod
    def serve(self) -> int:
        """Answer what is not held; return how many requests that were."""

    # Configuration

    def unload(self) -> bool:
        """Have the driver removed; return whether it was within the time that this may take."""
        self.balloon.leaves()
        return self.tester.unload()

    def set_target(self, pages: int) -> None:
        """Change num_pages."""
        self.balloon.shown(pages)
        self.device.change("num_pages", pages)

    def command(self, value: int, *, quiet: bool = False) -> None:
        """Change free_page_hint_cmd_id, and say so unless that comes later (`quiet`)."""
        for monitor in self.monitors:
            if isinstance(monitor, CommandRules):
                monitor.shown(value)
        (self.device.store if quiet else self.device.change)("free_page_hint_cmd_id", value)

    def commands_settled(self) -> None:
        """Say that the driver has had time to read the command id."""
        for monitor in self.monitors:
            if isinstance(monitor, CommandRules):
                monitor.settled()

    def config_reads_of(self, field: str) -> bool:
        """Whether the driver has read a field of config space."""
        wanted = Span(config.field_offset(field), config.field_size(field))
        return any(each.overlaps(wanted) for each in self.device.config_reads)

    def require(
        self, condition: bool, requirement: str, *, expected: str, seen: str, where: str = ""
    ) -> None:
        """Fail by `requirement` unless the condition holds."""
        if not condition:
            raise fail(requirement, expected=expected, seen=seen, where=where)

    @property
    def status(self) -> DeviceStatus:
        """The device status as the driver left it."""
        return self.device.status

    def close(self) -> None:
        """Let go of the driver."""
        if self._session is not None:
            self._session.close()
