"""The steps of a stateful vector taken on a live device: the driver's done, the device's awaited.

The driver's steps are the script: they are done as written, with the same bytes and the same
blocks.  A `use` is where the driver looks for its answer: if none comes the device breaks a
requirement, but what it answers may differ from the history, and is judged by the rules like any
answer.  What the recorded device discarded, changed or broke is no instruction: whether this one
does so too is for the oracles to see, from the memory itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vhint.guest import Answer, Draft, Request
from vhint.ring import QueueFullError, RingError
from vhint.spans import PAGE, Span, subtract
from vhint.trace.events import ResetDone
from vhint.wire import command
from vhint.wire.features import Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import STRUCTURES, Bench
from vhint_conformance.case import Capability
from vhint_conformance.cases import hostile
from vhint_conformance.cases.hint_ledger import PREFIX, WRITTEN, HintLedger
from vhint_conformance.cases.hinting import acknowledge
from vhint_conformance.cases.rounds import other_than
from vhint_conformance.vectors.model import Json
from vhint_conformance.vectors.replay import _hinting as with_positions
from vhint_conformance.vectors.values import spans_of
from vhint_conformance.verdict import Failed, NotApplicable

ACKNOWLEDGEMENT = 16
"""Bytes of room that an answer needs."""

AFTER_DONE = f"{PREFIX}no-effect-after-done"
AFTER_FAILURE = f"{PREFIX}done-after-failure"
WHOLE_PAGES = f"{PREFIX}skip-covers-whole-pages"
AFTER_RESET = f"{PREFIX}reset-ends-round"
FILLED = (Queue.REPORTING, Queue.HINTING, Queue.FREE_PAGE)
"""Queues whose pages the driver fills with poison_val before it gives them."""


class LiveReplay:
    """One vector on one bench; `before` is told of every step that is about to be taken."""

    def __init__(
        self,
        bench: Bench,
        steps: Sequence[Json],
        before: Callable[[Json], object] = lambda _: None,
    ) -> None:
        self.bench = bench
        self.steps = steps
        self._before = before
        self._requests: dict[str, Request] = {}
        self._answers: dict[int, Answer] = {}
        self._expected: dict[int, Json] = {}
        self._excused = True
        self._harmed = False
        self._poison: int | None = None
        self._ledger = HintLedger(bench)
        self._round_lived = False
        self._protection = WRITTEN
        usable = bench.memory.usable
        bench.structures = Span(usable.end - STRUCTURES, STRUCTURES)
        for step in steps:
            for span in spans_of([*step.get("blocks", ()), *step.get("spans", ())]):
                mine = step["step"] == "write" or (step["step"] == "offer" and _valid(step))
                if mine and not usable.covers(span):
                    raise NotApplicable(f"{span} is not in the target's usable memory {usable}")
                if span.overlaps(bench.structures):
                    raise NotApplicable(f"{span} is where the driver has to have its rings")

    def run(self) -> None:
        """Take the steps in order."""
        inhibits = any(step.get("does") == "inhibit" for step in self.steps)
        try:
            for step in self.steps:
                self._before(step)
                self.take(step)
        finally:
            if inhibits:
                self.bench.control.inhibit(False)  # the device may live on

    def take(self, step: Json) -> None:
        """Take one step: do it, await it, or leave it to the oracles."""
        bench = self.bench
        match step["step"]:
            case "reset":
                self._reset()
            case "negotiate":
                self._negotiate(Features.of(*step["accepted"]), step.get("queue_size"))
            case "set-poison":
                self._poison = step["value"]
                bench.write_poison(step["value"])
            case "driver-ok":
                bench.go_live()
            case "offer":
                self._offer(step)
            case "notify":
                queue = Queue(step["queue"])
                if queue in bench.driver.rings:
                    bench.notify(queue)
            case "write":
                self._write(spans_of(step["spans"]))
            case "use":
                self._await(step["request"])
            case "host":
                self._host(step["does"], step.get("value", 0))
            case "end":
                for name in tuple(self._requests):
                    self._await(name)
                self._ledger.check_here()
            case _:
                bench.observe()

    # A life

    def _reset(self) -> None:
        bench = self.bench
        bench.reset()
        self._requests.clear()
        self._answers.clear()
        self._harmed = False
        self._poison = None
        self._round_lived = False
        bench.observe()
        self._ledger.keep(AFTER_RESET, self._ledger.hinted)
        self._protection = AFTER_RESET

    def _negotiate(self, accepted: Features, queue_size: int | None) -> None:
        lacking = accepted - self.bench.offered
        if lacking:
            raise NotApplicable(f"the target does not offer {lacking!r}")
        self.bench.start(accept=accepted, queue_size=queue_size, live=False)
        self._excused = False

    # Requests

    def _offer(self, step: Json) -> None:
        queue = Queue(step["queue"])
        bench = self.bench
        if queue not in bench.driver.rings:
            raise NotApplicable(f"the target has no {queue} queue")
        if "chain" in step:
            self._harm(queue, step["chain"])
            return
        draft = self._draft(queue, step)
        # Only who says of every chain whether it is valid can hold the device to all of them.
        self._excused |= not step.get("valid", False)
        pieces = step.get("pieces", {})
        self._fill(draft)
        try:
            request = bench.send(
                draft,
                notify=not step.get("quiet", False),
                valid=_valid(step) and not self._harmed,
                readable_pieces=pieces.get("readable", ()),
                writable_pieces=pieces.get("writable", ()),
                indirect=step.get("indirect", False),
            )
        except QueueFullError as error:
            raise NotApplicable(f"the target's queue is too small: {error}") from error
        self._requests[step["request"]] = request
        if queue is Queue.FREE_PAGE:
            self._hinted(draft, step)
        if "answer" in step:
            self._expected[request.ticket] = step["answer"]

    def _draft(self, queue: Queue, step: Json) -> Draft:
        data, blocks = bytes.fromhex(step["hex"]), spans_of(step["blocks"])
        if "command" in step:
            number = self._ledger.id
            if step["command"] != "shown":
                number = other_than(number)
            data = number.to_bytes(command.SIZE, "little")
        buffers = queue in (Queue.REPORTING, Queue.FREE_PAGE) and bool(blocks) and not data
        draft = Draft(queue, data, step["room"], blocks, pages_are_buffers=buffers)
        return with_positions(draft) if queue is Queue.HINTING else draft

    def _hinted(self, draft: Draft, step: Json) -> None:
        """Note what may become of the pages of a hint, and notify: see `cases.rounds`."""
        ignored = step.get("ignored")
        if ignored:
            self._ledger.owe(ignored, draft.blocks)
        elif draft.blocks:
            self._ledger.forgive(draft.blocks)
            self._ledger.lend(draft.blocks)
            parts = subtract(map(around, draft.blocks), self._ledger.hinted)
            self._ledger.owe(WHOLE_PAGES, parts)
        if not step.get("quiet", False):
            self.bench.notify(Queue.FREE_PAGE)

    def _fill(self, draft: Draft) -> None:
        """Fill free pages with poison_val, as a driver does that has accepted PAGE_POISON."""
        if self._poison is None or draft.queue not in FILLED:
            return
        raw = self._poison.to_bytes(4, "little") * (PAGE // 4 + 1)
        for span in draft.blocks:
            if self.bench.memory.usable.covers(span):
                for start in range(span.start, span.end, PAGE):
                    size = min(PAGE, span.end - start)
                    self.bench.memory.write(start, raw[start % 4 : start % 4 + size])

    def _harm(self, queue: Queue, chain: str) -> None:
        """Make a malformed chain available; nothing is owed from now on but to harm nothing."""
        self._excused = self._harmed = True
        if chain in hostile.CHAINS:
            hostile.offer(self.bench, queue, chain)
            self.bench.fate(queue, hostile.SHORT)

    def _write(self, spans: tuple[Span, ...]) -> None:
        bench, ledger = self.bench, self._ledger
        bench.observe()
        lent = [*ledger.hinted, *(span for _, span in ledger.owed)]
        hinted = tuple(span for span in spans if any(span.overlaps(each) for each in lent))
        others = tuple(span for span in spans if span not in hinted)
        if others:
            bench.touch(others)
        if hinted:
            ledger.forgive(hinted)
            ledger.write(hinted, self._protection)

    # Answers

    def _await(self, name: str) -> None:
        request = self._requests.get(name)
        if request is None:
            return  # a second use, in the history of a device that did so
        queue = request.draft.queue
        if queue is Queue.STATS:
            return  # held until the host wants figures
        bench = self.bench
        status = bench.status()
        if status & DeviceStatus.NEEDS_RESET and not self._excused:
            bench.silent(queue)  # nothing but valid chains, and it cannot use them
        if not status & DeviceStatus.DRIVER_OK or status & DeviceStatus.NEEDS_RESET:
            return  # a device that is not live, or wants to be reset, owes nothing
        while request.ticket not in self._answers:
            if not self._collect(queue):
                return
        del self._requests[name]

    def _collect(self, queue: Queue) -> bool:
        """Take the next answer; return False if the device asked for a reset instead, as it may."""
        bench = self.bench
        patience = hostile.SHORT if self._harmed else bench.limits.patience
        if not bench.transport.wait(lambda: self._decided(queue), patience):
            if self._harmed:
                return False
            bench.silent(queue)
        if not bench.driver.look(queue, bench.recorder.last):
            if self._excused:
                return False
            bench.silent(queue)
        try:
            answer = bench.driver.collect(queue)
        except RingError:
            answer = None
        if answer is None:
            raise Failed([v for monitor in bench.monitors for v in monitor.violations])
        bench.observe()
        self._answers[answer.request.ticket] = answer
        if queue is Queue.HINTING and answer.request.draft.room >= ACKNOWLEDGEMENT:
            self._acknowledged(answer)
        return True

    def _acknowledged(self, answer: Answer) -> None:
        bench = self.bench
        found = acknowledge(bench, answer)
        if self._poison is not None:  # accepted or not, they read as the driver left them
            bench.memory.hold(answer.request.draft.blocks)
        expected = self._expected.get(answer.request.ticket)
        if expected is not None:
            bench.require(
                found.status.name in expected["statuses"],
                expected["requirement"],
                expected=" or ".join(expected["statuses"]),
                seen=found.status.name,
            )

    def _decided(self, queue: Queue) -> bool:
        """Whether an answer waits, or the device has asked for a reset."""
        if self.bench.driver.look(queue, self.bench.recorder.last):
            return True
        return bool(self.bench.transport.read_status() & DeviceStatus.NEEDS_RESET)

    # The host

    def _host(self, does: str, value: int) -> None:
        acts = self._acts()
        if does not in acts:
            raise NotApplicable(f"the suite knows no host that does {does!r}")
        capability, act = acts[does]
        self.bench.need(capability)
        act(value)

    def _acts(self) -> dict[str, tuple[Capability, Callable[[int], object]]]:
        control = self.bench.control
        return {
            "start-round": (Capability.STARTS_ROUNDS, self._start_round),
            "stop-round": (Capability.STOPS_ROUNDS, lambda _: control.stop_round()),
            "finish-round": (Capability.STARTS_ROUNDS, self._finish_round),
            "cancel-round": (Capability.CANCELS_ROUNDS, self._cancel_round),
            "inhibit": (Capability.INHIBITS_ROUNDS, lambda value: control.inhibit(bool(value))),
            "poll-statistics": (Capability.POLLS_STATISTICS, self._poll),
            "resize": (Capability.SETS_BALLOON_SIZE, control.set_balloon_size),
            "stop-queues": (Capability.STOPS_QUEUES, self._stop_queues),
        }

    def _start_round(self, _: int) -> None:
        self._ledger.begin()
        self._round_lived = True
        self._protection = WRITTEN

    def _finish_round(self, _: int) -> None:
        """Be done with the hints; DONE is owed to the driver that was there at the beginning."""
        ledger = self._ledger
        if self._round_lived and not self._harmed:
            ledger.finish()
        else:
            ledger.let_finish()
            ledger.check()
        self._end_round()

    def _cancel_round(self, _: int) -> None:
        self.bench.transport.settle()
        self.bench.control.cancel_round()
        if self._round_lived and not self._harmed:
            self._ledger.expect_done(AFTER_FAILURE)
        self._end_round()

    def _end_round(self) -> None:
        """From now on no hint is of use: what is not gone stays as it is."""
        bench, ledger = self.bench, self._ledger
        bench.observe()
        ledger.keep(AFTER_DONE, ledger.hinted)
        self._round_lived = False
        self._protection = AFTER_DONE

    def _poll(self, _: int) -> None:
        """Ask for statistics: the buffer that is held is used, if there is one."""
        bench = self.bench
        bench.control.poll_statistics()
        held = [
            name for name, request in self._requests.items() if request.draft.queue is Queue.STATS
        ]
        if held and self._collect(Queue.STATS):
            del self._requests[held[0]]

    def _stop_queues(self, _: int) -> None:
        """Stop the queues: everything is the driver's again, as after a reset."""
        bench = self.bench
        bench.control.stop_queues()
        bench.observe()
        bench.recorder.emit(ResetDone())
        self._requests.clear()


def around(span: Span) -> Span:
    """Return the whole pages that a span has a part in."""
    start = span.start // PAGE * PAGE
    return Span(start, -(-span.end // PAGE) * PAGE - start)


def _valid(step: Json) -> bool:
    return bool(step.get("valid", True))
