"""Devices and guests that are sound and unlike the reference: to blame one is a false alarm."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from vhint.host import (
    EVERY_FEATURE,
    Device,
    DeviceFactory,
    DeviceOptions,
    Discarded,
    PunchHoles,
)
from vhint.host.balloon import Inflate
from vhint.host.hinting import Hinting, named
from vhint.host.reporting import Reporting
from vhint.host.work import Line
from vhint.ring import Chain, GuestMemory, RingError
from vhint.ring.errors import Fault
from vhint.spans import PAGE, Span, merge
from vhint.wire import hint_ack, hint_request, pfn_array
from vhint.wire.bitmap import Bitmap
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.queues import Queue, QueueMode
from vhint_conformance.case import Role
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.base import reclaiming, serving, with_options, without
from vhint_conformance.mutants.device.in_order import UsesBatches
from vhint_conformance.mutants.guest.unusual import UNUSUAL
from vhint_conformance.selection import Level
from vhint_conformance.variants import ANY_RINGS, Rings

PREFIX = "sound"

IN_ORDER = EVERY_FEATURE | Features.of(Feature.IN_ORDER)

ABOVE = (Rings.SPLIT,)
"""The rings of what is unusual above them."""

HINTS = ("hint*", "ring.*[[]hinting*", "ring.random-traffic")
REPORTS = ("reporting.*", "ring.*[[]reporting*", "ring.random-traffic")
DISCARDS = (
    *HINTS, *REPORTS, "balloon.*", "free-page-hint.*", "ring.race-*", "ring.full-queue-each",
)  # fmt: skip
"""Where devices show what they do with hints, with reports, and with any page they are given."""

NUMBERS = ("virtio.*", "balloon.*", "ring.every-*", "ring.interrupt-*", "ring.random-traffic")
CONFIG = ("virtio.*", "balloon.*", "free-page-hint.*", "ring.random-traffic")
ORDER = ("ring.in-order", "virtio.*")
"""Where the numbers of queues show, the config space, and IN_ORDER."""


@dataclass(frozen=True, slots=True)
class Sound:
    """An implementation that must pass.

    `target` is what `vhint conform` calls it.  `make_device` is None for those that are targets
    in their own right, and for guests, of which `mutation` says how they are made.  `level` is
    MUST for what leaves a SHOULD undone.  `rings` are the formats of rings with which it is judged,
    and `concerns` globs of the cases in which it can be told from the reference: none means all.
    """

    name: str
    summary: str
    make_device: DeviceFactory | None = None
    role: Role = Role.DEVICE
    host_page: int = PAGE
    level: Level = Level.SHOULD
    own_target: str = ""
    mutation: Mutation | None = None
    rings: tuple[Rings, ...] = ANY_RINGS
    concerns: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The name of the target."""
        return self.own_target or f"{PREFIX}:{self.name}"


class AcceptsHalf(Hinting):
    """Accepts every second block only, and says so."""

    taken = slice(1, None, 2)

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Answer PARTIAL where that is true; leave to the reference what it refuses."""
        data = chain.read(self.context.memory, self._longest() + 1)
        if not self._is_good(chain, data):
            return (yield from super().handle(chain))
        yield
        request = self._validated(hint_request.peek_header(data), data)
        count, indices = _blocks(request)
        blocks = list(_each(request))
        gone = blocks[self.taken]
        # Where blocks overlap, what is accepted as one is lost as the other.
        kept = {n: span for n, span in zip(indices, blocks, strict=True) if span not in gone}
        chosen = [n for n in indices if n not in kept]
        self.context.discard(gone)
        bits = Bitmap.from_indices(count, chosen)
        whole = len(chosen) == len(indices)
        status = Status.OK if whole else Status.PARTIAL
        head = hint_ack.build(Acknowledgement(request.cookie, status, bits.popcount(), None), count)
        return chain.write(self.context.memory, head + bytes(bits.data))

    def _is_good(self, chain: Chain, data: bytes) -> bool:
        """Whether the request can be carried out, and names no page twice."""
        if chain.writable_size < hint_ack.HEADER_SIZE or len(data) < hint_request.HEADER_SIZE:
            return False
        if self.context.inhibited or self.context.keeps_poison:
            return False
        try:
            spans = list(self._named(self._validated(hint_request.peek_header(data), data)))
        except Exception:  # noqa: BLE001 - the reference says why
            return False
        return sum(span.length for span in spans) == sum(span.length for span in merge(spans))


class AcceptsNothing(AcceptsHalf):
    """Accepts no block, and says PARTIAL."""

    taken = slice(0, 0)


def _blocks(
    request: hint_request.PfnRequest | hint_request.BitmapRequest,
) -> tuple[int, list[int]]:
    if isinstance(request, hint_request.PfnRequest):
        return len(request.blocks), list(range(len(request.blocks)))
    return request.bits.count, request.bits.indices().tolist()


def _each(
    request: hint_request.PfnRequest | hint_request.BitmapRequest,
) -> Sequence[Span]:
    if isinstance(request, hint_request.PfnRequest):
        return list(named(request))
    size = PAGE << request.order
    return [
        Span(request.start_pfn * PAGE + n * size, size) for n in request.bits.indices().tolist()
    ]


class DiscardsSome(PunchHoles):
    """Gives every third page back."""

    seen = 0

    def discard(self, spans: Sequence[Span]) -> Discarded:
        """Discard some of it."""
        gone = []
        for span in merge(spans):
            for number in span.pages():
                self.seen += 1
                if self.seen % 3 == 0:
                    gone.append(Span(number * PAGE, PAGE))
                    self.memory.discard(gone[-1])
        return Discarded(tuple(gone))


class Zeroes(PunchHoles):
    """Fills what it was given with zeros instead of giving it back."""

    def discard(self, spans: Sequence[Span]) -> Discarded:
        """Write zeros."""
        for span in merge(spans):
            self.memory.write(span.start, bytes(span.length))
        return Discarded(tuple(spans))


class Scribbles(PunchHoles):
    """Uses what it was given as memory of its own until it gives it back."""

    def discard(self, spans: Sequence[Span]) -> Discarded:
        """Leave a pattern."""
        for span in merge(spans):
            self.memory.write(span.start, b"\xa5" * span.length)
        return Discarded(tuple(spans))


def _scribbling(memory: GuestMemory) -> Device:
    options = DeviceOptions(offered=without(Feature.PAGE_POISON))
    return Device(memory, options, reclaim=Scribbles(memory))


class ResetsSlowly(Device):
    """Shows that it is reset at the fifth reading."""

    left = 0

    def write_status(self, value: int) -> None:
        """Begin a reset, or take a bit."""
        if value == 0 and self._status:
            self.left = 5
        else:
            super().write_status(value)

    def read_status(self) -> int:
        """Come closer to the end of a reset."""
        if self.left:
            self.left -= 1
            if not self.left:
                super().write_status(0)
        return super().read_status()


class LaterFirst(Device):
    """Uses up to `most` chains at a time, the latest first."""

    most = 2

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Take several, and use them in reverse."""
        done: list[tuple[int, int]] = []
        while (chain := line.ring.pop()) is not None:
            yield
            length = yield from line.handler.handle(chain)
            if length is not None:
                done.insert(0, (chain.head, length))
            if len(done) == self.most or not line.ring.pending:
                for head, used in done:
                    self.complete(name, line, head, used)
                    yield
                done.clear()


class AllInReverse(LaterFirst):
    """Takes everything that there is, and uses it in reverse."""

    most = 1 << 16


class Sluggish(Device):
    """Does nothing in most of its steps; interrupts and what its host asks for come late too."""

    def __init__(self, memory: GuestMemory) -> None:
        self._orders: deque[Callable[[], object]] = deque()
        self._due: dict[Queue, int] = {}
        self._rest = self.LATE
        super().__init__(memory)

    LATE = 12
    """Steps that an interrupt, or what the host asks for, is late."""

    def set_balloon_size(self, pages: int) -> None:
        """Do it later."""
        self._orders.append(partial(super().set_balloon_size, pages))

    def start_round(self) -> None:
        """Do it later, and say nothing of the id."""
        self._orders.append(super().start_round)

    def stop_round(self) -> None:
        """Do it later."""
        self._orders.append(super().stop_round)

    def finish_round(self) -> None:
        """Do it later."""
        self._orders.append(super().finish_round)

    def cancel_round(self) -> None:
        """Do it later."""
        self._orders.append(super().cancel_round)

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use the buffer, and notify of it later."""
        line.ring.push(head, length)
        if line.ring.interrupt_needed():
            self._due.setdefault(name, self.LATE)

    def step(self, queue: Queue | None = None) -> bool:
        """Do a step of what is late as well."""
        busy = bool(self._orders or self._due)
        for name in list(self._due):
            self._due[name] -= 1
            if not self._due[name]:
                del self._due[name]
                self._used_interrupt = True
        if self._orders:
            self._rest -= 1
            if not self._rest:
                self._rest = self.LATE
                self._orders.popleft()()
        return super().step(queue) or busy

    def reset_queue(self, index: int) -> bool:
        """Notify no more of what the queue has used."""
        for name, number in self._indices().items():
            if number == index:
                self._due.pop(name, None)
        return super().reset_queue(index)

    def _reset(self) -> None:
        self._due.clear()
        super()._reset()

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Rest between steps."""
        for _ in super().serve(name, line):
            for _ in range(20):
                yield


class AsksForReset(Inflate):
    """Asks for a reset when a PFN is not RAM."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Look at the PFNs first."""
        data = chain.read(self.context.memory, 4096)
        for pfn in pfn_array.parse(data[: len(data) // 4 * 4]):
            if not self.context.memory.contains(Span(pfn * PAGE, PAGE)):
                raise RingError(Fault.ADDRESS, "a PFN")
        return (yield from super().handle(chain))


class Inhibited(Device):
    """Has a host that never tolerates a discard."""

    def _begin(self) -> None:
        super()._begin()
        self.context.inhibited = True


class NotifiesFreely(Device):
    """Notifies of every buffer, wanted or not, and twice of some."""

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use it and say so."""
        super().complete(name, line, head, length)
        self._used_interrupt = True


class WantsToBeTold(Device):
    """Refuses a driver that does not accept MUST_TELL_HOST."""

    def _features_acceptable(self) -> bool:
        wanted = Feature.MUST_TELL_HOST in self._written_features
        return wanted and super()._features_acceptable()


class NoAvailEvents(Device):
    """Looks at its rings whenever it works, notified or not."""

    def step(self, queue: Queue | None = None) -> bool:
        """Look for chains that nobody told of."""
        for line in self.lines.values():
            if not line.work and not line.kicked and line.ring.pending:
                line.kicked = True
        return super().step(queue)


class Shortest(Hinting):
    """Answers in 16 bytes and leaves the result bits out, which count as set then."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Shorten the room."""
        left, room = hint_ack.HEADER_SIZE, []
        for span in chain.writable:
            part = Span(span.start, min(left, span.length))
            left -= part.length
            room.append(part)
        return (yield from super().handle(replace(chain, writable=tuple(room))))


class OneResultByte(Hinting):
    """Writes one byte of result bits and leaves the others out."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Shorten the room."""
        left, room = hint_ack.HEADER_SIZE + 1, []
        for span in chain.writable:
            part = Span(span.start, min(left, span.length))
            left -= part.length
            room.append(part)
        return (yield from super().handle(replace(chain, writable=tuple(room))))


class InhibitsSometimes(Hinting):
    """Answers every second sound request INHIBITED, as a host does that migrates now and then."""

    turn = 0

    def _answer(self, chain: Chain) -> Generator[None, None, bytes]:
        before = self.context.inhibited
        self.turn += 1
        self.context.inhibited = before or self.turn % 2 == 0
        try:
            return (yield from super()._answer(chain))
        finally:
            self.context.inhibited = before


class WritesPages(Reporting):
    """Writes zeros into reported pages, and says truly how many."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Write whole buffers, unless they must keep a poison."""
        yield
        if self.context.keeps_poison:
            return 0
        for span in chain.writable:
            if span.length:
                self.context.memory.write(span.start, bytes(span.length))
        return chain.writable_size


class ChangesGeneration(Device):
    """Counts more changes of its config space than there are, and has a target that grows.

    The target is not 0 at first, and another one after each reset.
    """

    def _begin(self) -> None:
        super()._begin()
        config = self.context.config
        self.context.config = replace(config, num_pages=config.num_pages + 300)

    def set_balloon_size(self, pages: int) -> None:
        """Change twice."""
        self._config_changed()
        super().set_balloon_size(pages)


SOUND: Mapping[str, Sound] = {
    sound.name: sound
    for sound in (
        Sound("reference", "the reference device, everything offered", own_target="reference"),
        Sound("discards-nothing", "acknowledges every hint and keeps all memory",
              own_target="reference:discards-nothing", rings=ABOVE, concerns=DISCARDS),
        Sound("plain", "inflate and deflate only", own_target="reference:plain", rings=ABOVE),
        Sound("spec-fixed", "queue numbers as the standard lists them",
              own_target="reference:spec-fixed", rings=ABOVE, concerns=NUMBERS),
        Sound("host-page-64k", "a host whose pages are 64 KiB",
              own_target="reference:host-page-64k", rings=ABOVE, concerns=DISCARDS),
        Sound("compact-accepted", "numbers queues by what was accepted",
              with_options(offered=without(Feature.STATS_VQ),
                           queue_mode=QueueMode.COMPACT_ACCEPTED), rings=ABOVE, concerns=NUMBERS),
        Sound("queue-of-8", "queues of 8 entries", with_options(queue_size=8), rings=ABOVE),
        Sound("queue-of-1024", "queues of 1024 entries",
              with_options(queue_size=1024), rings=ABOVE),
        Sound("no-ring-features", "neither INDIRECT_DESC nor EVENT_IDX",
              with_options(offered=without(Feature.INDIRECT_DESC, Feature.EVENT_IDX)), rings=ABOVE),
        Sound("reporting-only", "reporting as its only optional queue",
              with_options(offered=Features.of(Feature.VERSION_1, Feature.PAGE_REPORTING)),
              rings=ABOVE),
        Sound("hint-limit-1", "takes requests of one entry",
              with_options(hint_max_count=1), rings=ABOVE, concerns=HINTS),
        Sound("hint-limit-huge", "takes requests of any count",
              with_options(hint_max_count=0xFFFFFFFF), rings=ABOVE, concerns=HINTS),
        Sound("hint-order-9", "takes blocks of 2 MiB and more",
              with_options(hint_min_order=9), rings=ABOVE, concerns=HINTS),
        Sound("accepts-half", "accepts every second block and says PARTIAL",
              serving(Queue.HINTING, AcceptsHalf), rings=ABOVE, concerns=HINTS),
        Sound("accepts-nothing", "accepts no block and says PARTIAL",
              serving(Queue.HINTING, AcceptsNothing), rings=ABOVE, concerns=HINTS),
        Sound("answers-in-16", "never writes result bits", serving(Queue.HINTING, Shortest),
              level=Level.MUST, rings=ABOVE, concerns=HINTS),
        Sound("one-result-byte", "writes one byte of result bits",
              serving(Queue.HINTING, OneResultByte), level=Level.MUST, rings=ABOVE, concerns=HINTS),
        Sound("inhibits-sometimes", "answers every second hint INHIBITED",
              serving(Queue.HINTING, InhibitsSometimes), rings=ABOVE, concerns=HINTS),
        Sound("inhibited", "its host never tolerates a discard",
              Inhibited, rings=ABOVE, concerns=DISCARDS),
        Sound("discards-some", "gives every third page back",
              reclaiming(DiscardsSome), rings=ABOVE, concerns=DISCARDS),
        Sound("fills-with-zeros", "fills pages with zeros and keeps them",
              reclaiming(Zeroes), rings=ABOVE, concerns=DISCARDS),
        Sound("scribbles", "uses pages for itself, as no poison forbids it",
              _scribbling, rings=ABOVE, concerns=DISCARDS),
        Sound("report-length-written", "writes reported pages and says how much",
              serving(Queue.REPORTING, WritesPages), level=Level.MUST,
              rings=ABOVE, concerns=REPORTS),
        Sound("slow-reset", "takes its time to reset", ResetsSlowly, rings=ABOVE),
        Sound("out-of-order", "uses two chains at a time, the later first", LaterFirst),
        Sound("reversed", "uses everything in reverse", AllInReverse, rings=ABOVE),
        Sound("in-order", "offers IN_ORDER", with_options(offered=IN_ORDER), concerns=ORDER),
        Sound("in-order-batches", "offers IN_ORDER, and uses a batch by one used element",
              UsesBatches, rings=ABOVE, concerns=ORDER),
        Sound("sluggish", "does nothing in most of its steps, and what its host asks for late",
              Sluggish, rings=ABOVE),
        Sound("polls", "looks at its rings without being notified", NoAvailEvents,
              level=Level.MUST, rings=ABOVE),
        Sound("notifies-freely", "notifies of every buffer, wanted or not", NotifiesFreely,
              level=Level.MUST, rings=ABOVE),
        Sound("wants-to-be-told", "refuses a driver without MUST_TELL_HOST; queues of one entry",
              with_options(WantsToBeTold, queue_size=1), rings=ABOVE),
        Sound("asks-for-reset", "asks for a reset when a PFN is not RAM",
              serving(Queue.INFLATE, AsksForReset), rings=ABOVE, concerns=CONFIG),
        Sound("counts-changes-twice", "counts changes of its config space twice; has a target",
              ChangesGeneration, rings=ABOVE, concerns=CONFIG),
        Sound("guest", "the reference guest, isolating", role=Role.DRIVER,
              own_target="reference"),
        Sound("guest-blocking", "a guest that stops its allocator for every hint",
              role=Role.DRIVER, own_target="reference:blocking", level=Level.MUST),
        Sound("guest-batching", "a guest that hints full batches",
              role=Role.DRIVER, own_target="reference:batching"),
        Sound("guest-unusual", "a guest that does all it may do in another way: balloon, hints, "
              "statistics, chains", role=Role.DRIVER, level=Level.MUST, mutation=UNUSUAL),
    )
}  # fmt: skip
"""Sound implementations by name."""
