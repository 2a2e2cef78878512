"""The driver bench: one driver on the judging device, with every monitor looking on, for one case.

A case lets the driver work (`run`, `request`, `idle`), answers it (`answer`, `serve`), takes memory
away from it for real (`discard`) and has things done in the guest (`tester`).  Leaving the bench
adds what the monitors found to the case's own verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NoReturn

from vhint.ring import RingError
from vhint.spans import PAGE, Span, block, intersect, merge, subtract
from vhint.trace.events import Discarded, Found, Offered, Settled, Touched
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.driver_bench import answers
from vhint_conformance.driver_bench.device import Request
from vhint_conformance.driver_bench.life import DriverLife
from vhint_conformance.model.driver_rules.requests import KEPT, UNALTERED
from vhint_conformance.oracle.chain_faults import FAULTS
from vhint_conformance.verdict import Failed, NotApplicable, Violation, fail
from vhint_spec import load

GIVEN = (Queue.REPORTING, Queue.HINTING, Queue.INFLATE)
"""Queues whose requests give pages to the device until they are used, or until deflated."""

SCRAWL = b"scrawled"
"""What fills pages that a device has made something of."""

ABOUT_TO = 2.0
"""Seconds that a driver may take between making a chain available and notifying of it."""


class DriverBench(DriverLife):
    """One life of a driver under one case; `open_driver_bench` makes it."""

    # Letting the driver work

    def run(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Let the driver work, answering what is not held, until the condition holds."""
        patience = self.session.limits.patience if seconds is None else seconds
        return self.session.run(condition, patience)

    def idle(self, seconds: float | None = None) -> None:
        """Let the driver work for a while, answering what is not held."""
        self.run(lambda: False, self.session.limits.rest if seconds is None else seconds)

    def let_run(self, turns: int) -> None:
        """Let the driver do so many things, where it does one after the other; elsewhere a bit."""
        left = iter(range(turns))
        self.run(lambda: next(left, None) is None, 0.05)

    def waiting(self, queue: Queue) -> list[Request]:
        """Return the requests of a queue that are outstanding, the oldest first."""
        return [each for each in self.device.outstanding.values() if each.queue is queue]

    def request(self, queue: Queue, requirement: str = "", seconds: float | None = None) -> Request:
        """Wait for a request on a held queue and return the oldest.

        If none comes, the case fails by `requirement`, or is not applicable: most are allowed to
        a driver and asked of none.
        """
        self.run(lambda: bool(self.waiting(queue)), seconds)
        found = self.waiting(queue)
        if found:
            return found[0]
        self.check_kicks()
        return self.no_request(queue, requirement)

    def no_request(self, queue: Queue, requirement: str = "") -> NoReturn:
        """End a case for which no request came."""
        patience = self.session.limits.patience
        if requirement:
            seen = f"none within {patience:g} s"
            raise fail(requirement, expected=f"a request on the {queue} queue", seen=seen)
        raise NotApplicable(f"the driver made no request on the {queue} queue in {patience:g} s")

    def requests(self, queue: Queue, number: int) -> list[Request]:
        """Wait for several outstanding requests; not applicable if the driver makes fewer."""
        self.run(lambda: len(self.waiting(queue)) >= number)
        found = self.waiting(queue)
        if len(found) < number:
            raise NotApplicable(f"the driver keeps {len(found)} requests outstanding at most")
        return found

    # Answering

    def serve(self) -> int:
        """Answer every outstanding request that is not on a held queue; return how many.

        A hinting request of no blocks gives nothing that could be held, and is always answered.
        """
        todo = [
            each
            for each in self.device.outstanding.values()
            if each.queue not in self.held
            or (each.queue is Queue.HINTING and answers.is_empty(each))
        ]
        served = 0
        for request in todo:
            if request.queue is Queue.STATS:
                continue  # it is held until somebody wants new figures
            self.discard(request)
            self.answer(request)
            served += 1
        return served

    def discard(self, request: Request, blocks: Iterable[Span] | None = None) -> tuple[Span, ...]:
        """Discard the pages of a request, or some of its blocks, for real; return what was.

        What the driver may count on keeping (PAGE_POISON, deflated pages) is left alone.
        """
        if request.queue not in (*GIVEN, Queue.FREE_PAGE) or self.keeps_poison(request.queue):
            return ()
        memory = self.session.memory
        wanted = merge(request.blocks if blocks is None else blocks)
        usable = [span for span in wanted if memory.contains(span) and _is_whole_pages(span)]
        before = memory.holes()
        for span in usable:
            memory.discard(span)
        gone = tuple(usable)
        self._gone[request.ticket] = gone
        fresh = sum(span.length for span in subtract(gone, before)) // PAGE
        self.effectiveness["offered_pages"] += sum(span.length for span in gone) // PAGE
        self.effectiveness["discarded_pages"] += fresh
        self.recorder.emit(Discarded(gone, self.recorder.last))
        return gone

    def scrawl(self, request: Request) -> None:
        """Write something of nobody's into the pages of a request: their content is lost.

        A device may do that where it need not keep poison; discarded pages read 0, which a driver
        that counts on old content may have had in them.
        """
        if self.keeps_poison(request.queue):
            return
        for span in request.blocks:
            if self.session.memory.contains(span):
                self.session.memory.write(span.start, SCRAWL * (span.length // len(SCRAWL)))

    def keeps_poison(self, queue: Queue) -> bool:
        """Whether the pages of a queue have to go on reading as poison_val."""
        poisoned = Feature.PAGE_POISON in self.device.accepted and self.device.load("poison_val")
        return bool(poisoned) and queue in (Queue.REPORTING, Queue.HINTING)

    def watch(self, request: Request) -> None:
        """Look after the pages of a request that the case has discarded by itself."""
        self._gone[request.ticket] = merge(request.blocks)

    def hole_bytes(self, spans: Iterable[Span], *, filled: bool = False) -> int:
        """Return how many bytes of the spans have no memory behind them, or (`filled`) have."""
        wanted = merge(spans)
        holes = sum(s.length for s in intersect(self.session.memory.holes(), wanted))
        return sum(s.length for s in wanted) - holes if filled else holes

    def resident(self) -> int:
        """Return how many bytes of guest memory have host memory behind them."""
        memory = self.session.memory
        whole = sum(region.length for region in memory.regions)
        return whole - sum(span.length for span in memory.holes())

    def page(self, pfn: int) -> bytes:
        """Return what a page holds, without making memory of a hole."""
        return self.session.memory.peek(block(pfn))

    @property
    def offers(self) -> list[Offered]:
        """Every request that was made so far."""
        return [event for event in self.recorder.events if isinstance(event, Offered)]

    @property
    def hinted(self) -> list[Span]:
        """Every block that was supplied in rounds so far."""
        return [s for event in self.offers if event.queue == Queue.FREE_PAGE for s in event.blocks]

    def look(self) -> tuple[Span, ...]:
        """See which pages that are the device's have content again that were discarded.

        Those of outstanding requests, and those in the balloon.  Nothing but the guest can have
        filled them: reading them through its mapping is enough.
        """
        wanted = [
            span for ticket, spans in self._gone.items()
            if ticket in self.device.outstanding for span in spans
        ]  # fmt: skip
        wanted += self._in_balloon()
        if not wanted:
            return ()
        filled = subtract(merge(wanted), intersect(self.session.memory.holes(), wanted))
        if filled:
            self.recorder.emit(Touched(filled))
        return filled

    def _in_balloon(self) -> tuple[Span, ...]:
        """Return what was discarded of the pages that are in the balloon now.

        Without MUST_TELL_HOST nothing: there a page may be in use again before its deflate request,
        which is available, was looked at here (balloon.driver.may-reuse-before-deflate-use).
        """
        if not self._ballooned or Feature.MUST_TELL_HOST not in self.device.accepted:
            return ()
        pages = merge(block(pfn) for pfn in self.balloon.pages)
        self._ballooned = intersect(self._ballooned, pages)
        return self._ballooned

    def answer(
        self, request: Request, data: bytes | None = None, length: int | None = None
    ) -> None:
        """Answer a request, soundly unless `data` or `length` say otherwise; and look first.

        Whatever of the chain the driver has changed meanwhile is found now.
        """
        if request.ticket not in self.device.outstanding:
            raise NotApplicable("the driver reset the device before the request was answered")
        self.look()
        self._altered(request)
        if data is None:
            data = answers.sound(request) if request.queue is Queue.HINTING else b""
        self.device.use(request, data, length)
        gone = self._gone.pop(request.ticket, ())
        if request.queue is Queue.INFLATE:
            self._ballooned = merge([*subtract(self._ballooned, request.blocks), *gone])

    def _altered(self, request: Request) -> None:
        what = self.device.queues[request.queue].altered(request.taken)
        if what:
            raise fail(
                KEPT.get(request.queue, UNALTERED) if what.data else UNALTERED,
                expected="an outstanding chain left alone until it is used",
                seen=what.seen,
                where=f"{request.queue} queue, head {request.taken.chain.head}",
            )

    # Judging

    def check_kicks(self) -> None:
        """Fail if chains wait that the driver should have notified of: why nothing came.

        It may be about to: between the two anything can happen to a driver.
        """
        self.run(lambda: not self._unannounced(), ABOUT_TO)
        for name in self._unannounced():
            queue = self.device.queues[name]
            raise fail(
                queue.kick_requirement,
                expected="a notification of what was made available",
                seen=f"{queue.waiting} chains and none",
                where=f"{name} queue",
            )

    def _unannounced(self) -> list[Queue]:
        queues = self.device.queues.items()
        return [name for name, each in queues if each.broken is None and each.kick_was_due]

    def ring_violations(self) -> list[Violation]:
        """Return what is wrong with the rings as they stand."""
        found: list[Violation] = []
        for name, queue in self.device.queues.items():
            where = f"{name} queue"
            found += [replace(each, where=f"{where}, {each.where}") for each in queue.found]
            if isinstance(queue.broken, RingError):
                slug = FAULTS.get(queue.broken.fault, "ring.driver.no-loop")
                found.append(
                    Violation(slug, "chains that a device can walk", str(queue.broken), where)
                )
                continue
            if queue.packed:
                continue
            flags = queue.available_flags
            if queue.event_idx and flags:
                slug = "ring.driver.event-idx-avail-flags-zero"
                found.append(Violation(slug, "flags 0 under EVENT_IDX", f"{flags:#x}", where))
            elif flags > 1:
                slug = "ring.driver.avail-flags-valid"
                found.append(Violation(slug, "flags 0 or 1", f"{flags:#x}", where))
        return found

    def finish(self) -> None:
        """Let the driver come to rest, look at everything once more, and judge the trace."""
        if self._session is None:
            raise RuntimeError("the case ends without having connected the driver")
        if self.device.live and not self.device.reset_waits:
            self.idle(self.session.limits.rest / 4)
            self.look()
            self.check_kicks()
            if self.balloon.quiet:  # a slow guest may be about to say how large it is
                self.run(self._is_said)
            for queue in self.device.queues.values():
                queue.driver_rests()
        for monitor in self.monitors:
            monitor.finish()
        violations = self.violations()
        self.note(violations)
        self.recorder.emit(Settled())
        if violations:
            raise Failed(violations)

    def _is_said(self) -> bool:
        return self.balloon.size == (self.balloon.actual or 0) or not self.balloon.quiet

    def note(self, violations: Iterable[Violation]) -> None:
        """Record what was found: it may lie in memory, which is not in the trace."""
        for each in violations:
            self.recorder.emit(Found(each.requirement, each.expected, each.seen, each.where))

    def violations(self) -> list[Violation]:
        """Return what was found, less what no more than SHOULD be and is not our theme."""
        registry = load()
        found: list[Violation] = []
        if self._session is None:
            return found
        every = [each for monitor in self.monitors for each in monitor.violations]
        every += self.ring_violations()
        every += self.tester.complaints()
        for violation in dict.fromkeys(every):
            should = registry[violation.requirement].level.startswith("SHOULD")
            if should and violation.requirement not in self.info.requirements:
                self.observations.setdefault("should", []).append(str(violation))
            else:
                found.append(violation)
        if found:
            found += self._slept_through()
        return found

    def _slept_through(self) -> list[Violation]:
        """Return why a driver may not have gone on: it asked for the wrong interrupt."""
        return [
            Violation(
                "ring.driver.recheck-after-enabling",
                "a used buffer looked at, or a notification of it asked for",
                "a notification asked for of a later one",
                f"{name} queue",
            )
            for name, queue in self.device.queues.items()
            if queue.sleeps_through
        ]

    def stop_if_broken(self) -> None:
        """Fail at once if something was found already: what follows would only blur it."""
        violations = self.violations()
        if violations:
            raise Failed(violations)


def _is_whole_pages(span: Span) -> bool:
    """Whether a span can be discarded: what is not whole pages, `ShapeRules` have judged."""
    return span.start % PAGE == 0 and span.length % PAGE == 0
