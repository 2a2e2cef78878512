"""The reference guest in this process, as a driver to be judged, and its broken siblings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import vhint
from vhint.guest.guest import DEVICE, Guest, GuestOptions
from vhint.guest.hinting import GENERATIONS, HintSettings
from vhint.guest.initialise import (
    Access,
    InitialisationError,
    Notify,
    ReadConfig,
    ReadFeatures,
    ReadQueueMax,
    ReadStatus,
    Reply,
    SetUpQueue,
    WriteConfig,
    WriteFeatures,
    WriteStatus,
)
from vhint.guest.memory import (
    Breach,
    MemoryOptions,
    OutOfMemoryError,
    PatternContent,
    PerCpuMarks,
    Watermarks,
    ZoneKind,
    ZoneSpec,
)
from vhint.guest.port import RingPort
from vhint.guest.profiles.free_page_hint import RoundSettings
from vhint.guest.profiles.hint_format import BitmapFormat, PfnFormat
from vhint.guest.profiles.reporting import ReportingSettings
from vhint.guest.step import Step
from vhint.guest.wishes import wish_for
from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span
from vhint.trace import Recorder
from vhint.trace.events import Event, Offered
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.driver_bench.device import JudgingDevice
from vhint_conformance.driver_bench.offer import BALLOON, HINTING, Offer
from vhint_conformance.model.driver_rules import RoundRules
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.targets.driver import DriverLimits, DriverSession, DriverTarget
from vhint_conformance.targets.reference_tester import GuestTester
from vhint_conformance.variants import RING_VARIANTS, SPLIT, Variant
from vhint_conformance.verdict import TargetDied

STRUCTURES = Span(0x10000, 0xF0000)
"""The part of guest memory for rings and requests."""

FIRST = 0x100
ZONES = (
    ZoneSpec(ZoneKind.DMA, FIRST, 768, Watermarks(8, 16, 24), max_order=8),
    ZoneSpec(ZoneKind.NORMAL, FIRST + 768, 2816, Watermarks(32, 48, 64), max_order=8),
)
RAM = (ZONES[-1].first + ZONES[-1].pages) * PAGE
CHUNK = 4 << 20
TICK = 50
"""Milliseconds of the guest's time that pass when it has nothing to do."""

MAX_STEPS = 12_000
"""Steps of one `run` after which a guest is taken never to come to rest."""

POISON = 0xAAAAAAAA
COMMAND_AT = config.field_offset("free_page_hint_cmd_id")

ABILITIES = frozenset(
    {
        Capability.SEES_STATUS,
        Capability.SEES_QUEUE_SIZE,
        Capability.RELOADS_DRIVER,
        Capability.ALLOCATES,
        Capability.FILLS_MEMORY,
        Capability.DROPS_CACHES,
        Capability.SETS_REPORT_ORDER,
        Capability.FILLS_FREE_PAGES,
        Capability.CONFESSES,
        Capability.BEGINS_ANYWHERE,
    }
)


T = TypeVar("T")


class ConfessedRounds(RoundRules):
    """The rules of a round, of a guest that says itself which pages it has released."""

    def see(self, place: int, event: Event) -> None:
        """Judge one event; held pages that are supplied once more were not released for that."""
        if isinstance(event, Offered) and event.queue == Queue.FREE_PAGE:
            self._offered(event)
        else:
            super().see(place, event)


class GuestSession(DriverSession):
    """A guest object on a judging device, over memory of its own.

    `breaches` and `rounds` are what it confesses: what its ledger of pages found, and how it took
    back pages that were hinted, which no device can see.
    """

    def __init__(
        self, offer: Offer, recorder: Recorder, mutation: Mutation, generation: str
    ) -> None:
        self.limits = DriverLimits(RAM, CHUNK)
        self.memory = GuestMemory.create(RAM)
        self._guests_view = self.memory.view()
        self.device = JudgingDevice(self.memory, offer, recorder, self.limits.mode)
        self.device.signal = self._signal
        self._guests_view.before_store = self.device.driver_stores
        self.breaches: list[Breach] = []
        self.rounds = ConfessedRounds(self.memory)
        recorder.listen(self.rounds.see)
        self._turn = 0
        self.guest = self._make_guest(offer, mutation, generation)
        self.tester = GuestTester(self)

    def _make_guest(self, offer: Offer, mutation: Mutation, generation: str) -> Guest:
        poison = POISON if offer.fills else None
        port = mutation.port_kind(
            self._guests_view,
            STRUCTURES,
            wish_for(Features.of(*BALLOON, *HINTING, Feature.RING_PACKED), poison),
            self._perform,
            lambda _: 0,
        )
        bitmap = Feature.HINTING_BITMAP in offer.features
        made = BitmapFormat if bitmap else PfnFormat
        guest = mutation.guest_kind(
            GuestOptions(
                MemoryOptions(ZONES, cpus=2, per_cpu=PerCpuMarks(batch=4, high=16)),
                HintSettings(
                    array_size=64,
                    first_threshold=8,
                    second_threshold=4,
                    min_order=offer.hint_min_order,
                    time_limit=500,
                ),
                ReportingSettings(capacity=8, min_order=2, delay=500),
                RoundSettings(order=4, take_back_used_only=True),
                poison=poison,
            ),
            port,
            content=PatternContent(self._guests_view),
            generation=GENERATIONS[generation](),
            hint_format=mutation.formats(made, True) if mutation.formats else made(),
            emit=lambda event: self.rounds.see(0, event),
            on_breach=self.breaches.append,
        )
        if mutation.prepare:
            mutation.prepare(guest)
        return guest

    def _perform(self, access: Access) -> Reply:
        """Carry out one register access of the driver on the judging device."""
        device = self.device
        match access:
            case ReadStatus():
                return device.read_status()
            case WriteStatus(value):
                device.write_status(value)
            case ReadFeatures():
                return device.read_features()
            case WriteFeatures(bits):
                device.write_features(bits)
            case ReadQueueMax(index):
                return device.queue_max(index)
            case SetUpQueue(_, index, layout):
                return device.set_up_queue(index, layout)
            case WriteConfig(offset, data):
                device.write_config(offset, data)
            case ReadConfig(offset, length):
                value = int.from_bytes(device.read_config(offset, length), "little")
                if offset == COMMAND_AT:
                    self.rounds.shown(value)
                return value
            case Notify(_, index):
                device.notify(index)
        return None

    def _signal(self, queue: Queue | None) -> None:
        """Take an interrupt; the guest looks at its rings without being told."""
        self.guarded(lambda: self.guest.interrupted(config=queue is None))

    def guarded(self, call: Callable[[], T]) -> T:
        """Call the guest; what it raises is its crash, but for what it is meant to raise."""
        try:
            return call()
        except (InitialisationError, OutOfMemoryError):
            raise
        except Exception as error:
            said = f"the driver raised {type(error).__name__}: {error}"
            raise TargetDied(said, ended=True) from error

    # The session

    def start(self) -> None:
        """Initialise the device; a driver that gives up has only given up."""
        try:
            self.guarded(self.guest.start)
        except InitialisationError as error:
            self.gave_up = str(error)

    gave_up = ""

    def run(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let the kernel take its steps one by one, and its clock go on when there are none."""
        until = self.guest.now + round(seconds * 1000)
        for _ in range(MAX_STEPS):
            self.background()
            if condition():
                return True
            if self.step():
                continue
            if self.guest.now >= until:
                return False
            self.guarded(lambda: self.guest.tick(self.guest.now + TICK))
        return condition()

    def begin_at(self, index: int) -> None:
        """Let the guest be one that has run elsewhere."""
        if isinstance(self.guest.port, RingPort):
            self.guest.port.begin = self.device.begins = index

    def clock(self) -> float:
        """Return the guest's own time."""
        return self.guest.now / 1000

    def step(self) -> bool:
        """Let the kernel take one step, every actor in turn; return whether there was one."""
        steps = list(self.guest.work())
        if not steps:
            return False
        self._turn += 1
        chosen = steps[self._turn % len(steps)]
        self.guarded(lambda: self.guest.do(chosen))
        return True

    def reset(self) -> None:
        """Let the driver reset the device, as on its removal."""
        self.guarded(lambda: self.guest.do(Step(DEVICE, "begin_reset")))

    def close(self) -> None:
        """Unmap the memory."""
        self.memory.close()
        self._guests_view.close()


@dataclass(frozen=True)
class GuestTarget(DriverTarget):
    """The reference guest, whole or broken."""

    name: str
    summary: str = ""
    mutation: Mutation = field(default_factory=Mutation)
    generation: str = "isolating"
    variants: tuple[Variant, ...] = (SPLIT,)
    any_offer: bool = True
    concurrent: ClassVar[bool] = True

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Everything that there is."""
        return ABILITIES

    def connect(self, offer: Offer, recorder: Recorder) -> DriverSession:
        """Make a guest over fresh memory."""
        return GuestSession(offer, recorder, self.mutation, self.generation)

    def versions(self) -> dict[str, str]:
        """Return vhint's own version."""
        return {"vhint": vhint.__version__}


REFERENCE_GUESTS = {
    target.name: target
    for target in (
        GuestTarget("reference", "the reference guest, isolating", variants=RING_VARIANTS),
        GuestTarget("reference:blocking", "a guest that stops its allocator for every hint",
                    generation="blocking"),
        GuestTarget("reference:batching", "a guest that hints full batches", generation="batching"),
    )
}  # fmt: skip
"""The reference guest by target name."""
