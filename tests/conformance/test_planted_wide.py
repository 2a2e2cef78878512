"""Devices that break under hostile, cut up or untimely traffic: each new case finds its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import pytest

from vhint.host import ALL_FEATURES, Device, DeviceOptions
from vhint.host.context import Handler
from vhint.host.hinting import Hinting
from vhint.host.reporting import Reporting
from vhint.host.statistics import StatisticsQueue
from vhint.host.work import Line
from vhint.ring import Chain, RingError, SplitLayout
from vhint.ring.errors import Fault
from vhint.spans import PAGE, Span, merge
from vhint.wire import pfn_array
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode, queue_map
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import open_bench
from vhint_conformance.case import MARK
from vhint_conformance.cases.device import test_fragmentation as fragmentation
from vhint_conformance.cases.device import test_hostile as hostile
from vhint_conformance.cases.device import test_lifecycle as lifecycle
from vhint_conformance.cases.device import test_queue_map as queues
from vhint_conformance.cases.device import test_queue_sizes as queue_sizes
from vhint_conformance.cases.device import test_races as races
from vhint_conformance.cases.device import test_random as random_traffic
from vhint_conformance.mutants import MUTANTS, Mutant
from vhint_conformance.targets.base import Session
from vhint_conformance.targets.footprint import Footprint
from vhint_conformance.targets.reference import LoopbackSession, LoopbackTarget
from vhint_conformance.verdict import Failed

STRUCTURES_END = 3 << 20
"""Where the suite's rings end, in the reference's memory."""

MADE = [mutant.make_device for mutant in MUTANTS.values() if isinstance(mutant, Mutant)]
"""Factories that want no options."""


def broken_by(
    monkeypatch: pytest.MonkeyPatch,
    target: LoopbackTarget,
    function: Callable,
    **parameters: object,
) -> set[str]:
    """Return the requirements that a case finds broken: its function called on a bench."""
    monkeypatch.setattr("vhint_conformance.bench.opening._offers", {})
    monkeypatch.setattr("vhint_conformance.bench.opening._modes", {})
    (info,) = (mark.args[0] for mark in function.pytestmark if mark.name == MARK)
    try:
        with open_bench(target, info, 0, None) as bench:
            function(bench, **parameters)
    except Failed as failure:
        return {violation.requirement for violation in failure.violations}
    return set()


class Handles(Device):
    """Serves one queue with another handler."""

    queue: Queue
    handler: type

    def _fresh_handlers(self) -> dict:
        handlers = super()._fresh_handlers()
        handlers[self.queue] = self.handler(self.context)
        return handlers


def first_only(chain: Chain) -> Chain:
    return replace(chain, readable=chain.readable[:1])


class FirstBufferOfHints(Handles):
    """Looks for the request in the first buffer."""

    queue = Queue.HINTING

    class handler(Hinting):  # noqa: N801
        def handle(self, chain: Chain) -> Iterator[None]:
            return (yield from super().handle(first_only(chain)))


class FirstBufferOfStatistics(Handles):
    """Looks for the figures in the first buffer."""

    queue = Queue.STATS

    class handler(StatisticsQueue):  # noqa: N801
        def handle(self, chain: Chain) -> Iterator[None]:
            return (yield from super().handle(first_only(chain)))


class Walks(Device):
    """Looks at every chain that it takes."""

    def took(self, name: Queue, chain: Chain) -> None:
        raise NotImplementedError

    def serve(self, name: Queue, line: Line) -> Iterator[None]:
        original = line.ring.pop

        def pop() -> Chain | None:
            chain = original()
            if chain is not None:
                self.took(name, chain)
            return chain

        line.ring.pop = pop  # type: ignore[method-assign]
        return super().serve(name, line)


class FewBuffersOnly(Walks):
    """Does not use an array that comes in many buffers."""

    most = 8
    count = 0

    def took(self, name: Queue, chain: Chain) -> None:
        self.count = len(chain.readable) if name is Queue.INFLATE else 0

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        if self.count <= self.most:
            super().complete(name, line, head, length)


class ShortChainsOnly(FewBuffersOnly):
    """Does not use the longest chains, and does not say so either."""

    most = 60


class AddsUpParts(Handles):
    """Rounds what was reported outward."""

    queue = Queue.REPORTING

    class handler(Reporting):  # noqa: N801
        def handle(self, chain: Chain) -> Iterator[None]:
            yield
            pages = {number for span in chain.writable for number in span.pages()}
            self.context.discard([Span(number * PAGE, PAGE) for number in pages])
            return 0


class RefusesOverlap(Handles):
    """Takes ranges that overlap for a broken queue."""

    queue = Queue.REPORTING

    class handler(Reporting):  # noqa: N801
        def handle(self, chain: Chain) -> Iterator[None]:
            if sum(s.length for s in merge(chain.writable)) < sum(s.length for s in chain.writable):
                raise RingError(Fault.ADDRESS, "overlap")
            return (yield from super().handle(chain))


class AnswersDeflate(Handles):
    """Writes more than there is room for."""

    queue = Queue.DEFLATE

    class handler(Handler):  # noqa: N801
        def handle(self, chain: Chain) -> Iterator[None]:
            yield
            for span in chain.writable[-1:]:
                self.context.memory.write(span.start, b"answered" * 32)
            return 0


class Sticky(Device):
    """Once something has upset it, no reset helps."""

    upset = False

    def write_status(self, value: int) -> None:
        super().write_status(value)
        if self.upset and value & DeviceStatus.DRIVER_OK:
            self.end_all()


class UpsetByChains(Sticky):
    def fail(self, reason: str) -> None:
        super().fail(reason)
        self.upset = True


class UpsetByPlaces(Sticky):
    def set_up_queue(self, index: int, layout: SplitLayout) -> bool:
        inside = all(
            self.context.memory.contains(span)
            for span in (layout.descriptor_span, layout.available_span, layout.used_span)
        )
        self.upset |= not inside
        return super().set_up_queue(index, layout)


class UpsetBySizes(Sticky):
    def set_up_queue(self, index: int, layout: SplitLayout) -> bool:
        self.upset |= not 0 < layout.size <= 256 or bool(layout.size & (layout.size - 1))
        return super().set_up_queue(index, layout)


class UpsetByOwnRings(Sticky, Walks):
    def took(self, name: Queue, chain: Chain) -> None:
        self.upset |= name is Queue.REPORTING and chain.writable[0].start < STRUCTURES_END


class UpsetByNotifications(Device):
    def notify(self, index: int) -> None:
        if index not in self._known_indices():
            self.fail("no such queue")
        super().notify(index)


class UpsetByFailed(Sticky):
    def write_status(self, value: int) -> None:
        self.upset |= bool(value & DeviceStatus.FAILED)
        super().write_status(value)


class UpsetByFeatures(Sticky):
    def write_features(self, bits: int) -> None:
        self.upset |= bool(self._status & DeviceStatus.DRIVER_OK)
        super().write_features(bits)


class UpsetBySecond(Sticky):
    def write_status(self, value: int) -> None:
        self.upset |= bool(self._status & DeviceStatus.DRIVER_OK) and value == 1
        super().write_status(value)


class UpsetByConfig(Sticky):
    def write_config(self, offset: int, data: bytes) -> None:
        self.upset |= not self._status & DeviceStatus.FEATURES_OK
        super().write_config(offset, data)


class Deaf(Device):
    """After a malformed chain it serves nothing any more, and does not say so."""

    def fail(self, reason: str) -> None:
        self.end_all()


class DiscardsAfterReset(Handles):
    """Ends what it has begun, whatever resets it."""

    queue = Queue.REPORTING

    class handler(Reporting):  # noqa: N801
        begun: tuple[Span, ...] = ()

        def handle(self, chain: Chain) -> Iterator[None]:
            self.begun = chain.writable
            yield
            self.begun = ()
            return 0

    left: tuple[Span, ...] = ()

    def _reset(self) -> None:
        self.left = self._handlers[Queue.REPORTING].begun  # type: ignore[attr-defined]
        super()._reset()

    def step(self, queue: Queue | None = None) -> bool:
        self.context.discard(self.left)
        self.left = ()
        return super().step(queue)


class RemembersIndices(Device):
    """Goes on where the ring stood before the reset."""

    stood = 0

    def _start(self, only: int | None = None) -> None:
        super()._start(only)
        line = self.lines.get(Queue.DEFLATE)
        if line is not None and self.stood:
            line.ring.push(0, 0)
        self.stood += 1


class OneNegotiation(Device):
    """Takes other features than the first ones for an error."""

    first: Features | None = None

    def _features_acceptable(self) -> bool:
        self.first = self.first or self._written_features
        return self._written_features == self.first


class NoReportingQueue(Device):
    def queue_max(self, index: int) -> int:
        numbers = queue_map(self.options.queue_mode, self.options.offered, self.options.offered)
        return 0 if index == numbers[Queue.REPORTING] else super().queue_max(index)


class AnyByteOrder(Device):
    """Takes hints from a driver of whatever byte order."""

    def _features_acceptable(self) -> bool:
        return True


class PagesOfTheHost(Handles):
    """Multiplies a PFN by twice the size of its page."""

    queue = Queue.HINTING

    class handler(Hinting):  # noqa: N801
        def _named(self, request: object) -> Iterator[Span]:
            for span in super()._named(request):
                yield Span(span.start + PAGE, span.length)


class StrayBytes(Device):
    """Shows what its memory held."""

    def read_config(self, offset: int, length: int) -> bytes:
        data = bytearray(super().read_config(offset, length))
        if offset == 0 and length > 11:
            data[11] = 0x5A
        return bytes(data)


class Silent(Device):
    """Forgets a chain that it cannot use."""

    def fail(self, reason: str) -> None:
        pass


class UsesStrangers(Device):
    """Discards a page too many when a head comes twice."""

    heads: set[int] = set()  # noqa: RUF012

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        if name is Queue.INFLATE and self._status and line.ring.pending > 20:
            self.context.memory.discard(Span(15 << 20, PAGE))
        super().complete(name, line, head, length)


FAULTS: dict[str, tuple[Callable[..., Device], Callable, dict[str, object], str]] = {
    "hint-first-buffer": (
        FirstBufferOfHints, fragmentation.test_hint, {"form": "pfn", "framing": "bytes"},
        "hint.device.cookie-echo"),
    "inflate-many-buffers": (
        FewBuffersOnly, fragmentation.test_balloon, {}, "ring.device.framing-independent"),
    "stats-first-buffer": (
        FirstBufferOfStatistics, fragmentation.test_statistics, {},
        "ring.device.framing-independent"),
    "adds-up-parts": (
        AddsUpParts, fragmentation.test_report, {"indirect": False},
        "reporting.device.containment"),
    "refuses-overlap": (
        RefusesOverlap, fragmentation.test_overlap, {}, "reporting.device.overlap-survived"),
    "answers-deflate": (
        AnswersDeflate, fragmentation.test_unasked_room, {"queue": "deflate"},
        "balloon.device.deflate-outside-balloon"),
    "short-chains": (
        ShortChainsOnly, queue_sizes.test_longest, {"size": 256},
        "virtio.device.smaller-queue-size-honoured"),
    "one-chain-per-kick": (
        MUTANTS["one-chain-per-kick"].make_device, queue_sizes.test_full, {"size": 32},
        "ring.device.drains-available"),
    "chains": (
        UpsetByChains, hostile.test_chains, {"family": "links"},
        "virtio.device.needs-reset-recovers"),
    "deaf": (
        Deaf, hostile.test_other_queues, {"family": "lengths"},
        "ring.device.malformed-other-queues-alive"),
    "silent": (
        Silent, hostile.test_answered, {"family": "tables"},
        "ring.device.malformed-indirect-nested-answered"),
    "huge": (Silent, queues.test_huge_table, {}, "ring.device.indirect-length-bounded"),
    "places": (
        UpsetByPlaces, hostile.test_places, {"where": "used"}, "ring.device.recovers-by-reset"),
    "sizes": (UpsetBySizes, hostile.test_size, {"size": 3}, "ring.device.recovers-by-reset"),
    "own-rings": (UpsetByOwnRings, hostile.test_own_rings, {}, "ring.device.recovers-by-reset"),
    "notifications": (
        UpsetByNotifications, hostile.test_notifications, {},
        "ring.device.queue-not-ready-untouched"),
    "same-head": (UsesStrangers, hostile.test_same_head, {}, "ring.device.use-only-available"),
    "late": (
        DiscardsAfterReset, lifecycle.test_reset_everywhere, {},
        "reporting.device.no-effect-after-reset"),
    "indices": (
        RemembersIndices, lifecycle.test_rings_reused, {}, "ring.device.reset-clears-indices"),
    "negotiation": (
        OneNegotiation, lifecycle.test_feature_lives, {}, "virtio.device.valid-subset-accepted"),
    "failed": (UpsetByFailed, lifecycle.test_status_misused, {}, "ring.device.recovers-by-reset"),
    "features": (
        UpsetByFeatures, lifecycle.test_features_while_live, {}, "ring.device.recovers-by-reset"),
    "second": (
        UpsetBySecond, lifecycle.test_initialised_twice, {}, "ring.device.recovers-by-reset"),
    "config": (UpsetByConfig, lifecycle.test_early_config, {}, "ring.device.recovers-by-reset"),
    "queue": (
        NoReportingQueue, queues.test_exist, {}, "balloon.device.offered-queues-exist"),
    "byte-order": (
        AnyByteOrder, queues.test_without_version_1, {},
        "hint.device.refuse-without-version-1"),
    "pfn-unit": (
        PagesOfTheHost, queues.test_pfn_unit, {"form": "pfn"}, "hint.device.containment"),
    "gap": (StrayBytes, queues.test_gap, {}, "hint.device.config-gap-zero"),
    "stray": (StrayBytes, queues.test_stray_bytes, {}, "balloon.device.config-stable-bytes"),
    "random": (
        MUTANTS["lost-acknowledgement"].make_device, random_traffic.test_random, {"number": 1},
        "use-every-buffer"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make, function, parameters, slug = FAULTS[name]
    options = DeviceOptions(offered=ALL_FEATURES - Features.of(Feature.FREE_PAGE_HINT))
    target = LoopbackTarget("faulty", make if make in MADE else partial(make, options=options))
    found = broken_by(monkeypatch, target, function, **parameters)
    assert any(each.endswith(slug) for each in found), found


class KeepsDeflating(Handles):
    """Discards what was deflated when the next request comes."""

    queue = Queue.DEFLATE

    class handler(Handler):  # noqa: N801
        before: tuple[Span, ...] = ()

        def handle(self, chain: Chain) -> Iterator[None]:
            self.context.discard(self.before)
            numbers = pfn_array.parse(chain.read(self.context.memory, 64))
            self.before = tuple(Span(number * PAGE, PAGE) for number in numbers)
            yield
            return 0


@pytest.mark.parametrize("queue", ["inflate", "deflate", "reporting", "hinting"])
def test_late_discards_are_found(monkeypatch: pytest.MonkeyPatch, queue: str) -> None:
    make = KeepsDeflating if queue == "deflate" else MUTANTS["ack-before-discard"].make_device
    target = LoopbackTarget("faulty", make)
    found = broken_by(monkeypatch, target, races.test_reuse, queue=queue)
    assert races.SLUGS[Queue(queue)] in found


def test_a_queue_where_nobody_said(monkeypatch: pytest.MonkeyPatch) -> None:
    options = DeviceOptions(queue_mode=QueueMode.COMPACT_ACCEPTED)
    target = LoopbackTarget(
        "faulty", partial(Device, options=options), queue_mode=QueueMode.COMPACT_OFFERED
    )
    found = broken_by(monkeypatch, target, queues.test_subsets)
    assert "balloon.device.queue-map-follows-offer" in found


@dataclass
class Grows(LoopbackSession):
    """A session with a process of its own, so it says, that grows at every look."""

    size: int = 0

    def footprint(self) -> Footprint:
        self.size += 8 << 20
        return Footprint(self.size, 0)


class GrowingTarget(LoopbackTarget):
    def start(self) -> Session:
        session = super().start()
        assert isinstance(session, LoopbackSession)
        return Grows(**{name: getattr(session, name) for name in session.__dataclass_fields__})


def test_growth_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = broken_by(monkeypatch, GrowingTarget("faulty", Device), hostile.test_footprint)
    assert found == {"ring.device.malformed-bounded-memory"}
