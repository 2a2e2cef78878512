"""The watched target: its memory, its trace, the monitors that look on, and their verdict."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from vhint.guest import Answer, Arena
from vhint.guest.arena import ArenaFullError
from vhint.guest.initialise import ReadStatus
from vhint.spans import PAGE, Span, block, intersect, subtract
from vhint.trace import Recorder
from vhint.trace.events import Changed, Discarded, Offered, Settled, Touched
from vhint.transport.execute import perform
from vhint.transport.loopback import Loopback
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.case import Capability, Case
from vhint_conformance.oracle import device_monitors
from vhint_conformance.oracle.memory import WatchedMemory
from vhint_conformance.oracle.packed import PackedRules, Side
from vhint_conformance.targets.base import Session
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import Failed, NotApplicable, Violation, fail
from vhint_conformance.witness import Witness
from vhint_spec import load

STRUCTURES = 2 << 20
"""Bytes at the start of usable memory for rings, requests and answers; blocks come after."""


class Watched:
    """A started target under the eyes of the monitors; what a case may do to it is in `Bench`."""

    def __init__(self, session: Session, info: Case, seed: int) -> None:
        self.session = session
        self.transport = session.transport
        self.limits = session.limits
        self.control = session.control
        self.info = info
        self.rng = random.Random(f"{seed}:{info.id}")  # noqa: S311 - repeatable on purpose
        self.observations: dict[str, Any] = {}
        #: The requirement that a target breaks which dies of what the case does next, if one is
        #: known that says more than those of the case do.
        self.stake = ""
        self.effectiveness: dict[str, int] = {"offered_pages": 0, "discarded_pages": 0}
        self.recorder = Recorder()
        self.monitors = device_monitors(legacy=self.transport.legacy)
        for monitor in self.monitors:
            self.recorder.listen(monitor.see)
        self.offered = Features(session.transport.read_features())
        check_features(info, self.offered)
        check_supplied(info, session.supplied)
        for capability in info.capabilities:
            self.need(capability)
        usable = Span(*session.limits.usable)
        mapped = session.transport.memory
        bystanders = [Span(*span) for span in session.limits.bystanders]
        self.memory = WatchedMemory(mapped.fd, mapped.regions, usable, bystanders, session.found)
        self.structures = Span(usable.start, STRUCTURES)
        self._free_blocks = Arena(Span(usable.start + STRUCTURES, usable.length - STRUCTURES))
        self._observed = -1
        self.packed_rules = PackedRules(self.memory, {Side.DEVICE})
        self.monitors.append(self.packed_rules)
        self.recorder.listen(self.packed_rules.see)
        self.memory.before_store = partial(self.packed_rules.stored, Side.DRIVER)
        #: Whether the device works only while it is waited for, so that it does the same each time.
        self.stepped = isinstance(self.transport, Loopback)
        if isinstance(self.transport, Loopback):  # every store of the device can be seen
            stores = partial(self.packed_rules.stored, Side.DEVICE)
            self.transport.device_memory.before_store = stores
        self.witness = Witness(self.recorder)
        self.witness.begin(self.memory, self.monitors)
        #: What driver and device both write, in any life: nothing is expected there.
        self.shared: list[Span] = []

    def need(self, capability: Capability) -> None:
        """Make the case not applicable if the target cannot do this."""
        check_capability(capability, self.session.capabilities, self.session.reasons)

    @property
    def packed(self) -> bool:
        """Whether the case runs with packed rings."""
        return self.info.variant.rings is Rings.PACKED

    def status(self) -> DeviceStatus:
        """Read the device status."""
        return DeviceStatus(perform(self.transport, ReadStatus(), self.recorder.emit) or 0)

    # Memory

    def blocks(self, number: int, order: int = 0) -> tuple[Span, ...]:
        """Take `number` blocks of 2^order pages, each followed by a page that nobody names."""
        size = PAGE << order
        return tuple(self.area(size, size) for _ in range(number))

    def area(self, size: int, align: int) -> Span:
        """Take aligned memory of whole pages, followed by a page that nobody names."""
        try:
            taken = self._free_blocks.take(size + PAGE, align)
        except ArenaFullError as error:
            raise NotApplicable(f"the target's memory is too small: {error}") from error
        return Span(taken.start, size)

    def touch(self, spans: Iterable[Span]) -> None:
        """Use the memory as its owner: write to it and rely on the content from now on."""
        spans = tuple(spans)
        self.recorder.emit(Touched(spans))
        for span in spans:
            self.memory.write(span.start, self.rng.randbytes(8) * (span.length // 8))
        self.tell_written()

    def tell_written(self) -> None:
        """Let the host know which pages the driver wrote, if it has to be told."""
        self.control.guest_wrote([block(number) for number in sorted(self.memory.journal)])
        self.memory.journal.clear()

    def observe(self) -> tuple[Span, ...]:
        """Look which pages were discarded since the last look; record and return them."""
        self.packed_rules.look(Side.DEVICE)
        gone = self.memory.new_holes()
        if gone:
            self.recorder.emit(Discarded(gone, self._observed))
        self._observed = self.recorder.last
        return gone

    def look_over(self) -> None:
        """Look at the rings and requests, and forget what was found: it is told once."""
        self.observe()
        self.memory.release(self.shared)
        changed = self.memory.changes_where_written(self.structures)
        if changed:
            self.recorder.emit(Changed(changed, self._observed))
            self.memory.adopt(changed)

    def stray_discards(self) -> tuple[Span, ...]:
        """Return what is discarded now although no request of this trace named it."""
        named = [
            span
            for event in self.recorder.events
            if isinstance(event, Offered)
            for span in event.blocks
        ]
        gone = intersect(self.memory.holes(), self.memory.watched)
        return subtract(gone, named)

    def require(
        self, condition: bool, requirement: str, *, expected: str, seen: str, where: str = ""
    ) -> None:
        """Fail by `requirement` unless the condition holds."""
        if not condition:
            raise fail(requirement, expected=expected, seen=seen, where=where)

    @contextmanager
    def blaming(self, requirement: str, expected: str) -> Iterator[None]:
        """Blame `requirement` first for whatever goes wrong in the block, and then who found it.

        For the part of a case that asks one question: a monitor names what it sees, such as a
        page that was changed, and not what that shows.
        """
        before = self._violations()
        try:
            yield
            self.transport.settle()
            self.observe()
            found = [each for each in self._violations() if each not in before]
        except Failed as failure:
            found = list(failure.violations)
        if found:
            seen = found[0]
            own = Violation(requirement, expected, seen.seen, seen.where)
            raise Failed([own, *(each for each in found if each.requirement != requirement)])

    # The end

    def finish(self) -> None:
        """Let the device come to rest, look at everything once more, and judge the trace."""
        self.transport.settle()
        self.session.check_alive()
        self.observe()
        self.status()
        self.memory.release(self.shared)
        changed = self.memory.changes()
        self.session.left = self.memory.left
        if changed:
            self.recorder.emit(Changed(changed, self._observed))
        self.recorder.emit(Settled())
        for monitor in self.monitors:
            monitor.finish()
        violations = self._violations()
        if violations:
            raise Failed(violations)

    def _violations(self) -> list[Violation]:
        """Return what the monitors found, less what no more than SHOULD be and is not our theme."""
        registry = load()
        found: list[Violation] = []
        for violation in (each for monitor in self.monitors for each in monitor.violations):
            should = registry[violation.requirement].level.startswith("SHOULD")
            if should and violation.requirement not in self.info.requirements:
                self.observations.setdefault("should", []).append(str(violation))
            else:
                found.append(violation)
        return found

    def _count(self, answer: Answer) -> None:
        draft = answer.request.draft
        if draft.queue not in (Queue.INFLATE, Queue.REPORTING, Queue.HINTING):
            return
        gone = intersect(draft.blocks, self.memory.known_holes)
        self.effectiveness["offered_pages"] += sum(span.length for span in draft.blocks) // PAGE
        self.effectiveness["discarded_pages"] += sum(span.length for span in gone) // PAGE


def check_capability(
    capability: Capability, there: Collection[Capability], reasons: Mapping[Capability, str]
) -> None:
    """Raise `NotApplicable` if the capability is not among those that are there."""
    if capability not in there:
        raise NotApplicable(reasons.get(capability, f"the target has no {capability}"))


def check_supplied(info: Case, supplied: frozenset[str]) -> None:
    """Raise `NotApplicable` if the suite's own half of the device is all that the case judges."""
    if info.requirements and supplied >= set(info.requirements):
        raise NotApplicable("the suite supplies rings and registers, which is all that it looks at")


def check_features(info: Case, offered: Features) -> None:
    """Raise `NotApplicable` if the case needs a feature that is not offered."""
    rings = (Feature.RING_PACKED,) if info.variant.rings is Rings.PACKED else ()
    for feature in (*rings, *info.features):
        if feature not in offered:
            raise NotApplicable(f"{feature.name} is not offered")
