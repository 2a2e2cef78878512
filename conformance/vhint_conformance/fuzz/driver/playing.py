"""Playing a program on a driver: one move after the other, and then a sound end.

Whatever the device of a program does, it harms no memory that is not its own at that moment: what
the guest loses then, it loses by its driver's doing.  In the end the device is sound again and
answers everything, the driver begins anew if it was lied to, and the guest must have all of its
memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vhint.spans import PAGE
from vhint.wire import command
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Status
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.tools import EVERY_PAGE, MINE
from vhint_conformance.driver_bench import answers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.driver_bench.device import Request
from vhint_conformance.driver_bench.offer import OFFERS
from vhint_conformance.fuzz.driver.moves import (
    Allocate,
    Answer,
    Begin,
    Configure,
    DemandReset,
    Field,
    Free,
    Interrupt,
    Lose,
    Manner,
    Move,
    Press,
    Reload,
    Serve,
    Stray,
    Wait,
    Work,
    bad_answer,
)
from vhint_conformance.targets.driver import Holding
from vhint_conformance.verdict import fail

REFUSALS = (Status.MALFORMED, Status.UNSUPPORTED, Status.INHIBITED)
GIVEN = (Queue.REPORTING, Queue.HINTING, Queue.INFLATE)
"""Queues whose pages are the device's until they are used; those of a round may be taken back."""

REST = 3.0
"""Seconds of the guest's time in which it comes to rest at the end."""


class DriverPlay:
    """One program on one bench."""

    def __init__(self, bench: DriverBench, moves: Sequence[Move]) -> None:
        self.bench = bench
        self.moves = moves
        self._holdings: list[Holding] = []
        self._hostile = False
        self._lied_on = Queue.REPORTING
        self._whole = 0
        self._ids = 2

    def run(self) -> None:
        """Take the moves in order, and end soundly."""
        first = self.moves[0] if self.moves else None
        self._begin(first if isinstance(first, Begin) else Begin())
        for move in self.moves:
            self.take(move)
        self._end()

    def take(self, move: Move) -> None:
        """Take one move, if it can be."""
        bench = self.bench
        match move:
            case Allocate(pages):
                self._allocate(pages)
            case Free(which):
                self._free(which)
            case Press() if bench.can(Capability.FILLS_MEMORY):
                bench.tester.free(bench.tester.fill())
                bench.look()
            case Work(turns):
                bench.let_run(turns)
                bench.look()
            case Wait(tenths):
                bench.idle(tenths / 10)
                bench.look()
            case Answer():
                self._answer(move)
            case Lose(queue):
                for request in bench.waiting(queue):
                    self._lose(request)
            case Serve(on):
                bench.held = set() if on else set(Queue)
            case Stray():
                self._stray(move)
            case Interrupt(queue):
                if queue is None or queue in bench.device.queues:
                    bench.device.signal(queue)
            case Configure():
                self._configure(move)
            case DemandReset(slow):
                self._demand_reset(slow=slow)
            case Reload() if bench.can(Capability.RELOADS_DRIVER):
                self._reload()
            case _:
                pass

    # The beginning

    def _begin(self, begin: Begin) -> None:
        bench = self.bench
        offer = OFFERS[begin.offer]
        if begin.packed:
            offer = offer.with_packed_rings()
        if begin.size:
            offer = replace(offer, queue_size=begin.size)
        if offer.fills:
            bench.need(Capability.FILLS_FREE_PAGES)
        bench.start(offer)
        bench.idle(1.0)
        if bench.can(Capability.FILLS_MEMORY):
            self._whole = self._measure()
            bench.idle(1.0)
        bench.held = set(Queue)

    def _measure(self) -> int:
        """Return how many bytes the guest can allocate now."""
        holding = self.bench.tester.fill()
        self.bench.tester.free(holding)
        return holding.size

    # The guest

    def _allocate(self, pages: int) -> None:
        self.bench.need(Capability.ALLOCATES)
        holding = self.bench.tester.allocate(pages * PAGE)
        self.bench.look()
        if holding.size:
            self._holdings.append(holding)

    def _free(self, which: int) -> None:
        if self._holdings:
            holding = self._holdings.pop(which % len(self._holdings))
            self._check(holding)
            self.bench.tester.free(holding)

    def _check(self, holding: Holding) -> None:
        """Fail if somebody's memory has lost its content."""
        self.bench.require(
            self.bench.tester.intact(holding),
            MINE[self._lied_on] if self._lied_on in MINE else MINE[Queue.REPORTING],
            expected=f"{holding.size} bytes that were in use all the time to keep their content",
            seen="other content",
            where=holding.name,
        )

    # The device

    def _answer(self, move: Answer) -> None:
        bench = self.bench
        waiting = bench.waiting(move.queue)
        if not waiting or bench.device.reset_waits:
            return
        request = waiting[move.which % len(waiting)]
        self._lied_on = move.queue
        if move.manner is Manner.LENGTH:
            self._lie()
            bench.answer(request, length=move.amount * 0x01010101)
        elif move.queue is Queue.HINTING and request.room >= answers.HEADER.size:
            self._acknowledge(request, move)
        else:
            if move.lose:
                self._lose(request)
            bench.answer(request)

    def _acknowledge(self, request: Request, move: Answer) -> None:
        """Answer a request for hints in one of the many ways."""
        bench = self.bench
        match move.manner:
            case Manner.PART:
                named = len(request.blocks)
                accepted = move.amount % (named + 1)
                if move.lose:
                    self._lose(replace(request, blocks=request.blocks[:accepted]))
                bench.answer(request, answers.sound(request, accept=accepted))
            case Manner.REFUSED:
                status = REFUSALS[move.amount % len(REFUSALS)]
                bench.answer(request, answers.refusal(request, status))
            case Manner.BAD:
                if move.lose:
                    self._lose(request)
                bad = answers.bad_answers(request)[bad_answer(move.amount)]
                self._lie()
                bench.answer(request, bad.data, bad.length)
            case _:
                if move.lose:
                    self._lose(request)
                bench.answer(request)

    def _lose(self, request: Request) -> None:
        """Discard the pages of a request, unless its driver may take them back at any time."""
        if request.queue in GIVEN and request.ticket in self.bench.device.outstanding:
            self.bench.discard(request)

    def _stray(self, move: Stray) -> None:
        """Use an id under which nothing is outstanding; a packed ring would lose its place."""
        bench, device = self.bench, self.bench.device
        if move.queue not in device.queues or device.packed or device.reset_waits:
            return
        taken = {each.taken.chain.head for each in bench.waiting(move.queue)}
        queue = device.queues[move.queue]
        if queue.waiting:
            return  # the driver has made chains available whose ids are not known yet
        heads = [head for head in range(queue.layout.size) if head not in taken]
        if heads:
            self._lie()
            self._lied_on = move.queue
            device.push(move.queue, heads[0] if move.again else heads[-1], move.length)
            device.signal(move.queue)

    def _lie(self) -> None:
        self._hostile = True

    # The host

    def _configure(self, move: Configure) -> None:
        bench = self.bench
        device = bench.device
        match move.field:
            case Field.TARGET:
                pages = move.value
                (device.store if move.quiet else device.change)("num_pages", pages)
            case Field.ROUND:
                self._ids += 1
                bench.command(self._ids, quiet=move.quiet)
            case Field.STOP:
                bench.command(command.STOP.value, quiet=move.quiet)
            case Field.DONE:
                bench.command(command.DONE.value, quiet=move.quiet)

    def _demand_reset(self, *, slow: bool) -> None:
        device = self.bench.device
        if device.reset_waits:
            device.finish_reset()
        device.holds_reset = slow
        if device.live:
            device.demand_reset()

    def _reload(self) -> None:
        bench = self.bench
        self._finish_reset()
        if bench.unload():
            bench.tester.load()

    def _finish_reset(self) -> None:
        device = self.bench.device
        device.holds_reset = False
        if device.reset_waits:
            device.finish_reset()

    # The end

    def _end(self) -> None:
        """Be a sound device again, and hold the guest to what it should have."""
        bench = self.bench
        bench.look()
        bench.stop_if_broken()
        self._finish_reset()
        bench.held = set()
        self._settle()
        if (self._hostile or not bench.device.live) and bench.can(Capability.RELOADS_DRIVER):
            bench.unload()
            bench.tester.load()
            self._settle()
        for holding in self._holdings:
            self._check(holding)
        while self._holdings:
            bench.tester.free(self._holdings.pop())
        if self._whole:
            self._check_whole()

    def _settle(self) -> None:
        """Have nothing wanted of the guest any more, and let it come to rest."""
        bench = self.bench
        if bench.device.live:
            bench.set_target(0)
            if Feature.FREE_PAGE_HINT in bench.device.accepted:
                bench.command(command.DONE.value)
        bench.idle(REST)

    def _check_whole(self) -> None:
        """Fail if the guest cannot allocate what it could at the beginning."""
        bench = self.bench
        bench.idle(REST)
        least = self._whole - bench.session.limits.slack
        size = self._measure()
        if size < least:
            raise fail(
                EVERY_PAGE.get(self._lied_on, EVERY_PAGE[Queue.REPORTING]),
                expected=f"at least {least // PAGE} pages that can be allocated in the end",
                seen=f"{size // PAGE} pages",
            )


def play(bench: DriverBench, moves: Sequence[Move]) -> None:
    """Play a program; raises what a case raises that fails."""
    DriverPlay(bench, moves).run()
