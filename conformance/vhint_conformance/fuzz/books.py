"""A sound driver's books: what is outstanding, whose each unit is, and the steps that were taken.

Whatever is asked of it, it does no more than a driver may: a unit that the device has is neither
named again nor written to, so whatever goes wrong is the device's doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vhint.guest import Draft
from vhint.spans import Span
from vhint.wire import command
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint_conformance.case import Capability
from vhint_conformance.fuzz import messages
from vhint_conformance.fuzz.life import Life
from vhint_conformance.fuzz.moves import Act, End, Flaw, Harm, Host, Kind, Offer, Repeat, Word
from vhint_conformance.fuzz.round_book import RoundBook
from vhint_conformance.fuzz.setting import Setting
from vhint_conformance.vectors import steps
from vhint_conformance.vectors.steps import Step

QUEUES = {
    Kind.INFLATE: Queue.INFLATE,
    Kind.DEFLATE: Queue.DEFLATE,
    Kind.REPORT: Queue.REPORTING,
    Kind.PFNS: Queue.HINTING,
    Kind.BITMAP: Queue.HINTING,
    Kind.STATISTICS: Queue.STATS,
    Kind.FREE_PAGES: Queue.FREE_PAGE,
}

NEEDS = {
    Act.START: Capability.STARTS_ROUNDS,
    Act.FINISH: Capability.STARTS_ROUNDS,
    Act.STOP: Capability.STOPS_ROUNDS,
    Act.CANCEL: Capability.CANCELS_ROUNDS,
    Act.INHIBIT: Capability.INHIBITS_ROUNDS,
    Act.POLL: Capability.POLLS_STATISTICS,
    Act.RESIZE: Capability.SETS_BALLOON_SIZE,
}


@dataclass(slots=True)
class _Outstanding:
    queue: Queue
    name: str
    units: tuple[int, ...]
    kind: Kind | None
    descriptors: int


class Books:
    """The books of one driver over the lives of its device."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.steps: list[Step] = []
        self.accepted = Features(0)
        self._room = setting.room
        self._outstanding: list[_Outstanding] = []
        self._busy: set[int] = set()
        self._ballooned: set[int] = set()
        self._unnotified: set[Queue] = set()
        self._harmed: set[Queue] = set()
        self._inhibited = False
        self._round = RoundBook()
        self._count = 0

    # Lives

    def restart(self, life: Life, end: End = End.TIDY) -> None:
        """End the life that there is, and begin another."""
        setting = self.setting
        if self._round.asked and not setting.can(Capability.HEARS_RESETS):
            self.host(Host(Act.FINISH))  # nothing would tell the device that it is over
        if self.steps and end is End.TIDY:
            self.take_all()
        elif self.steps and end is End.STOP and setting.can(Capability.STOPS_QUEUES):
            self._stop()
        self.accepted = life.accepted(setting.offered)
        size = life.entries(self.accepted) if setting.can(Capability.CHOOSES_QUEUE_SIZES) else 0
        self._room = min(size or setting.room, setting.room)
        for forgotten in (self._outstanding, self._busy, self._ballooned):
            forgotten.clear()
        self._unnotified.clear()
        self._harmed.clear()
        self._round.restart()
        negotiate = steps.negotiate(map(int, setting.offered), map(int, self.accepted))
        self.steps += [steps.reset(), negotiate | ({"queue_size": size} if size else {})]
        if Feature.PAGE_POISON in self.accepted and life.poison is not None:
            self.steps.append(steps.set_poison(life.poison))
        self.steps.append(steps.driver_ok())
        if self._round.asked:  # of the life before, in which the hints were given
            self.host(Host(Act.FINISH))

    def _stop(self) -> None:
        """Stop the queues and use at once what was outstanding."""
        if self._round.asked:
            self.host(Host(Act.FINISH))
        taken = sorted(self._busy)
        self._do("stop-queues")
        if taken:
            self.steps.append(steps.write(*(self.setting.unit(unit) for unit in taken)))

    # Requests

    def has(self, queue: Queue) -> bool:
        """Whether the driver has a queue, and has done nothing to it that it could not undo."""
        feature = QUEUE_FEATURE[queue]
        there = feature is None or feature in self.accepted
        return there and queue not in self._harmed

    def offer(self, move: Offer) -> None:
        """Make a request available, if a sound driver could; take answers until it has room."""
        queue = QUEUES[move.kind]
        if not self.has(queue) or (self.setting.alone and self._round.asked):
            return
        if queue is Queue.STATS and self._statistics():
            return
        units = self.setting.those(move.units)
        units = tuple(unit for unit in units if unit not in self._busy)
        if move.kind is not Kind.DEFLATE:
            units = tuple(unit for unit in units if unit not in self._ballooned)
        limit = self.setting.count if queue is Queue.HINTING else len(units)
        if queue is Queue.REPORTING:
            limit = min(limit, self._room)
        units = units[: max(1, limit)]
        if not units and queue is not Queue.STATS:
            return
        move = replace(move, units=units)
        message = messages.build(move, self.setting, self.accepted, self._count + 1)
        extras: Step = {"valid": message.valid and not self._harmed}
        if message.statuses:
            extras["answer"] = {
                "requirement": message.requirement,
                "statuses": sorted(message.statuses),
            }
        draft = message.draft
        named = units if draft.blocks and move.kind is not Kind.STATISTICS else ()
        if self._put(draft, move, extras, named):
            self._busy.update(named)

    def repeat(self, move: Repeat) -> None:
        """Make one small request after the other, each when the last one is answered."""
        offer = Offer(move.kind, (move.unit,), table=move.table)
        for _ in range(move.times):
            before = len(self.steps)
            self.offer(offer)
            if len(self.steps) == before:
                return
            while self._used(QUEUES[move.kind]):
                self._take_next(QUEUES[move.kind])

    def hint(self, move: Offer) -> None:
        """Give pages in a round, or when there is none; each is a chain of its own."""
        if not self.has(Queue.FREE_PAGE):
            return
        ignored = self._round.ignored
        for unit in self.setting.those(move.units):
            if unit in self._busy or (ignored and unit in self._round.lent):
                continue
            span = self.setting.unit(unit)
            if move.flaw is Flaw.ODD:
                inside = 1 + move.amount
                span = Span(span.start + inside, span.length - inside - 1)
            draft = Draft(Queue.FREE_PAGE, blocks=(span,), pages_are_buffers=True)
            extras: Step = {"valid": not self._harmed}
            if ignored:
                extras["ignored"] = ignored
            if not self._put(draft, move, extras, (unit,)):
                return
            self._busy.add(unit)
            if not ignored:
                self._round.lent.add(unit)

    def say(self, word: Word) -> None:
        """Send a command id; of one that is shown nothing is known before a round has begun."""
        if not self.has(Queue.FREE_PAGE) or not self._round.known:
            return
        data = b"" if word is not Word.STOP else bytes(command.SIZE)
        draft = Draft(Queue.FREE_PAGE, data or b"\xff" * command.SIZE)
        extras: Step = {"valid": not self._harmed}
        if word is not Word.STOP:
            extras["command"] = "shown" if word is Word.SHOWN else "other"
        if self._put(draft, Offer(Kind.FREE_PAGES, ()), extras, ()):
            self._round.say(word)

    def _put(self, draft: Draft, move: Offer, extras: Step, units: tuple[int, ...]) -> bool:
        """Take the step of an offer, if there can be room for its chain; return whether."""
        queue, room = draft.queue, self._room
        table = move.table and Feature.INDIRECT_DESC in self.accepted
        cut = move.cut if messages.descriptors(draft, move.cut) <= room else 0
        descriptors = messages.descriptors(draft, cut)
        if not 0 < descriptors <= room:
            return False
        needed = 1 if table else descriptors
        while self._used(queue) + needed > room:
            if queue is Queue.STATS:
                return False
            self._take_next(queue)
        self._count += 1
        name = f"r{self._count}"
        step = steps.offer_draft(name, draft) | extras
        readable, writable = messages.pieces(draft, cut)
        if cut:
            step["pieces"] = {"readable": list(readable), "writable": list(writable)}
        if table:
            step["indirect"] = True
        if move.quiet:
            step["quiet"] = True
        self.steps.append(step)
        if move.quiet:
            self._unnotified.add(queue)
        else:
            self._notify_late(queue)
        self._outstanding.append(_Outstanding(queue, name, units, move.kind, needed))
        return True

    def _used(self, queue: Queue) -> int:
        return sum(each.descriptors for each in self._outstanding if each.queue is queue)

    def _statistics(self) -> bool:
        return any(each.queue is Queue.STATS for each in self._outstanding)

    def notify(self, queue: Queue) -> None:
        """Notify the device of a queue."""
        if self.has(queue):
            self._unnotified.discard(queue)
            self.steps.append(steps.notify(str(queue)))

    def _notify_late(self, queue: Queue) -> None:
        """Notify of what was offered in silence: whether the device wants it is no longer known."""
        if queue in self._unnotified:
            self.notify(queue)

    def harm(self, move: Harm) -> None:
        """Make a malformed chain available, when nothing else is; it costs the queue its life."""
        statistics = move.queue is Queue.STATS and self._statistics()
        if not self.has(move.queue) or statistics or self._round.asked:
            return
        self.take_all()
        self._harmed.add(move.queue)
        self._count += 1
        offer = steps.offer(f"r{self._count}", str(move.queue))
        self.steps.append(offer | {"chain": move.chain, "valid": False})

    # Answers

    def take(self, which: int) -> None:
        """Wait for the answer to one of the outstanding requests, by its place among them."""
        waiting = [each for each in self._outstanding if each.queue is not Queue.STATS]
        if waiting:
            self._take(waiting[which % len(waiting)])

    def _take_next(self, queue: Queue) -> None:
        self._take(next(each for each in self._outstanding if each.queue is queue))

    def _take(self, found: _Outstanding) -> None:
        """Wait for an answer; its units are the driver's again, or in the balloon."""
        self._notify_late(found.queue)
        self._outstanding.remove(found)
        self._busy.difference_update(found.units)
        if found.kind is Kind.INFLATE:
            self._ballooned.update(found.units)
        elif found.kind is Kind.DEFLATE:
            self._ballooned.difference_update(found.units)
        self.steps.append({"step": "use", "request": found.name, "hex": "", "length": 0})

    def take_all(self) -> None:
        """Wait for the answers to all that is outstanding."""
        while any(each.queue is not Queue.STATS for each in self._outstanding):
            self.take(0)

    def end(self) -> None:
        """Have a round finished, and notify of what was offered in silence: all is waited for."""
        if self._round.asked:  # only then is it seen which hints were believed
            self.host(Host(Act.FINISH))
        for queue in sorted(self._unnotified):
            self.notify(queue)
        self.steps.append(steps.end())

    def write(self, units: Sequence[int]) -> None:
        """Use the units that are the driver's; one that was hinted it takes back so."""
        taken = self._busy | self._ballooned
        mine = [unit for unit in self.setting.those(units) if unit not in taken]
        if mine:
            self._round.lent.difference_update(mine)
            self.steps.append(steps.write(*(self.setting.unit(unit) for unit in mine)))

    # The host

    def host(self, move: Host) -> None:
        """Have the host do something, where it can and where it makes sense."""
        if not self.setting.can(NEEDS[move.act]):
            return
        match move.act:
            case Act.POLL:
                self._poll()
            case Act.RESIZE:
                self._do(move.act, move.amount)
            case Act.INHIBIT:
                if not self._round.asked:
                    self._inhibited = bool(move.amount % 2)
                    self._do(move.act, move.amount % 2)
            case Act.START:
                self._begin_round()
            case _ if self._round.asked:
                self._end_round(move.act)
            case _:
                pass

    def _poll(self) -> None:
        if Feature.STATS_VQ in self.accepted and not self._harmed:
            self._notify_late(Queue.STATS)
            self._do(Act.POLL)
            held = [each for each in self._outstanding if each.queue is Queue.STATS]
            for each in held:
                self._outstanding.remove(each)

    def _begin_round(self) -> None:
        book, setting = self._round, self.setting
        again = not book.asked or setting.can(Capability.REPEATS_ROUNDS)
        possible = setting.rounds and self.has(Queue.FREE_PAGE) and not self._inhibited
        if again and possible and not self._harmed:
            self.take_all() if setting.alone else self._take_hints()
            self._do(Act.START)
            book.begin()

    def _end_round(self, act: Act) -> None:
        if act is Act.STOP:
            self._take_hints()
            self._do(act)
            self._round.want_no_more()
            return
        self._take_hints()
        self._do(act)
        self._round.end()

    def _take_hints(self) -> None:
        """Wait for the answers on the free page queue."""
        while self._used(Queue.FREE_PAGE):
            self._take_next(Queue.FREE_PAGE)

    def _do(self, act: str, value: int = 0) -> None:
        self.steps.append(steps.host(str(act), value))
