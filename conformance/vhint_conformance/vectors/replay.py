"""Replaying a stateful vector: its steps as events through the monitors, its checks in between.

Each step must raise exactly the violations that it names, and each check must hold, by the ledger
and by the monitors alike: what the ledger gives to the driver, the monitors must protect, and what
it gives to the device they must leave alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from itertools import count

from vhint.guest import Answer, Draft, Request
from vhint.spans import Span, block, intersect, subtract
from vhint.trace import Recorder
from vhint.trace.events import (
    Changed,
    ConfigWritten,
    Discarded,
    FeaturesAccepted,
    FeaturesOffered,
    Notified,
    Offered,
    ResetDone,
    StatusRead,
    StatusWritten,
    Touched,
    Used,
)
from vhint.wire import config, hint_ack, hint_request
from vhint.wire.errors import WireError
from vhint.wire.features import Features
from vhint.wire.hint_request import PfnRequest
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.cases.hinting import acknowledge
from vhint_conformance.oracle import Monitor, device_monitors
from vhint_conformance.vectors.ledger import Ledger, pages
from vhint_conformance.vectors.model import Json
from vhint_conformance.vectors.values import spans_of
from vhint_conformance.verdict import Failed, fail

STRUCTURES = 0x40000
"""Where replayed requests and answers are said to lie; no block of a vector is there."""

BEFORE_FEATURES = int(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER)
BEFORE_LIVE = BEFORE_FEATURES | DeviceStatus.FEATURES_OK


class CheckError(Exception):
    """A check of a vector does not hold, or a step is none."""


class _NoMemory:
    """There is no memory behind a replay, so nothing is expected of it."""

    def hold(self, spans: Iterable[Span]) -> None:
        """Expect nothing."""


class Replay:
    """One vector under way; `step` takes its steps in order."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.memory = _NoMemory()
        self.monitors = device_monitors()
        self.ledger = Ledger()
        self._requests: dict[str, Request] = {}
        self._labels: dict[str, int] = {}
        self._ignored: dict[str, tuple[Span, ...]] = {}
        self._structures = count(STRUCTURES, 0x100)
        for monitor in self.monitors:
            self.recorder.listen(monitor.see)

    def require(
        self, condition: bool, requirement: str, *, expected: str, seen: str, where: str = ""
    ) -> None:
        """Fail by `requirement` unless the condition holds."""
        if not condition:
            raise fail(requirement, expected=expected, seen=seen, where=where)

    def step(self, step: Json) -> set[str]:
        """Take a step; return the requirements that it was seen to break.

        Raises `CheckError` for a check that does not hold.
        """
        before = _found(self.monitors)
        try:
            self._emit(step)
            judged: set[str] = set()
        except Failed as failed:
            judged = {violation.requirement for violation in failed.violations}
        self.ledger.take(step)
        if "label" in step:
            self._labels[step["label"]] = self.recorder.last
        found = _found(self.monitors)
        return judged | {slug for slug, _ in found - before}

    def _emit(self, step: Json) -> None:
        emit = self.recorder.emit
        match step["step"]:
            case "reset":
                emit(StatusWritten(0))
                emit(StatusRead(0))
                emit(ResetDone())
                self._requests.clear()
            case "negotiate":
                emit(StatusWritten(BEFORE_FEATURES))
                emit(FeaturesOffered(Features.of(*step["offered"]).bits))
                emit(FeaturesAccepted(Features.of(*step["accepted"]).bits))
                emit(StatusWritten(BEFORE_LIVE))
                emit(StatusRead(BEFORE_LIVE))
            case "set-poison":
                emit(ConfigWritten(config.field_offset("poison_val"), 4, step["value"]))
            case "driver-ok":
                emit(StatusWritten(int(DeviceStatus.LIVE)))
            case "offer":
                self._offer(step)
            case "write":
                emit(Touched(spans_of(step["spans"])))
            case "use":
                self._use(step)
            case "use-unknown":
                emit(Used(step["queue"], step["head"], None, 0, self.recorder.last))
            case "discard":
                emit(Discarded(spans_of(step["spans"]), self._since(step)))
                self._check_ignored(spans_of(step["spans"]))
            case "change":
                emit(Changed(spans_of(step["spans"]), self.recorder.last))
            case "needs-reset":
                emit(StatusRead(int(DeviceStatus.LIVE | DeviceStatus.NEEDS_RESET)))
            case "check":
                self._check(step)
            case "host" | "notify":
                pass  # what comes of it are steps of their own
            case "end":
                for monitor in self.monitors:
                    monitor.finish()
            case unknown:
                raise CheckError(f"there is no step {unknown!r}")

    def _since(self, step: Json) -> int:
        label = step.get("not_before")
        return self.recorder.last if label is None else self._labels[label]

    def _offer(self, step: Json) -> None:
        ticket = len([None for event in self.recorder.events if isinstance(event, Offered)])
        data, blocks = bytes.fromhex(step["hex"]), spans_of(step["blocks"])
        queue = Queue(step["queue"])
        readable = (Span(next(self._structures), len(data)),) if data else ()
        room = (Span(next(self._structures), step["room"]),) if step["room"] else ()
        draft = Draft(queue, data, step["room"], blocks)
        if queue is Queue.HINTING:
            draft = _hinting(draft)
        writable = blocks if queue in (Queue.REPORTING, Queue.FREE_PAGE) and not data else room
        self._requests[step["request"]] = Request(draft, ticket, ticket, readable, writable, ())
        valid = step.get("valid", True)
        self.recorder.emit(Offered(queue, ticket, ticket, readable, writable, blocks, valid))
        self.recorder.emit(Notified(queue))
        for slug, spans in self._ignored.items():
            self._ignored[slug] = subtract(spans, blocks)
        if "ignored" in step:
            self._ignored[step["ignored"]] = (*self._ignored.get(step["ignored"], ()), *blocks)

    def _check_ignored(self, gone: Sequence[Span]) -> None:
        """Fail if pages are discarded of hints that the device had to ignore."""
        for slug, spans in self._ignored.items():
            if lost := intersect(gone, spans):
                where = ", ".join(map(str, lost))
                raise fail(slug, expected="the hint to be ignored", seen="discarded", where=where)

    def _use(self, step: Json) -> None:
        request = self._requests[step["request"]]
        queue = request.draft.queue
        first = step["request"] in self.ledger.outstanding
        ticket = request.ticket if first else None
        now = self.recorder.last
        self.recorder.emit(Used(queue, request.head, ticket, step["length"], now))
        if first and queue is Queue.HINTING and request.draft.room >= hint_ack.HEADER_SIZE:
            data = bytes.fromhex(step["hex"])[: step["length"]]
            acknowledge(self, Answer(request, step["length"], data))

    def _check(self, step: Json) -> None:
        outstanding = sorted(self.ledger.outstanding)
        expected = step.get("outstanding", outstanding)
        if outstanding != expected:
            raise CheckError(f"outstanding: it is {outstanding}")
        for name, has in (("device_owns", True), ("driver_owns", False)):
            forked = deepcopy(self.monitors)
            for page in sorted(set(pages(spans_of(step.get(name, ()))))):
                if self.ledger.device_has(page) is not has:
                    raise CheckError(f"{name}: page {page:#x} is the other's")
                if not self.ledger.poison and self._allowed(forked, page) is not has:
                    raise CheckError(f"{name}: the monitors say otherwise of page {page:#x}")
        for name, allowed in (("may_discard", True), ("must_not_discard", False)):
            forked = deepcopy(self.monitors)
            for page in sorted(set(pages(spans_of(step.get(name, ()))))):
                if self._allowed(forked, page) is not allowed:
                    raise CheckError(f"{name}: the monitors say otherwise of page {page:#x}")

    def _allowed(self, forked: Sequence[Monitor], page: int) -> bool:
        """Whether no monitor would object if the page, not asked about before, went now."""
        before = _found(forked)
        event = Discarded((block(page),), self.recorder.last)
        for monitor in forked:
            monitor.see(self.recorder.last + 1, event)
        return _found(forked) == before


def replay(steps: Sequence[Json]) -> Iterator[tuple[Json, set[str]]]:
    """Yield each step with the requirements that it was seen to break."""
    under_way = Replay()
    for step in steps:
        yield step, under_way.step(step)


def replay_problem(steps: Sequence[Json]) -> str | None:
    """Say what in a vector the replay does not bear out, or return None."""
    where = 0
    try:
        for number, (step, found) in enumerate(replay(steps)):
            where = number + 1
            expected = set(step.get("violates", ()))
            if found != expected:
                seen = ", ".join(sorted(found)) or "nothing"
                wanted = ", ".join(sorted(expected)) or "nothing"
                return f"step {number} ({step['step']}): expected {wanted} broken; seen {seen}"
    except CheckError as error:
        return f"step {where} ({steps[where]['step']}): {error}"
    return None if steps and steps[-1]["step"] == "end" else "the last step is not end"


def _found(monitors: Iterable[Monitor]) -> set[tuple[str, str]]:
    return {(each.requirement, str(each)) for monitor in monitors for each in monitor.violations}


def _hinting(draft: Draft) -> Draft:
    """Add what the acknowledgement is read by, from the request's own bytes."""
    try:
        header = hint_request.peek_header(draft.readable)
        request = hint_request.parse(draft.readable)
    except WireError:
        cookie = header.cookie if len(draft.readable) >= hint_request.HEADER_SIZE else 0
        return Draft(draft.queue, draft.readable, draft.room, draft.blocks, cookie=cookie)
    if isinstance(request, PfnRequest):
        positions = tuple(range(len(request.blocks)))
    else:
        positions = tuple(request.bits.indices().tolist())
    return Draft(
        draft.queue,
        draft.readable,
        draft.room,
        draft.blocks,
        cookie=request.cookie,
        count=header.count,
        positions=positions,
    )
