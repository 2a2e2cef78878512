"""From moves to the steps of a stateful vector, which `--replay` can play on any device.

The compiler keeps the books of a sound driver: a unit that the device has is neither named again
nor written to, so whatever goes wrong is the device's doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vhint.guest import Draft
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint_conformance.fuzz import messages
from vhint_conformance.fuzz.moves import Flaw, Kind, Move, Offer, Restart, Take, Write
from vhint_conformance.vectors import steps
from vhint_conformance.vectors.steps import Step

OPTIONAL = (
    Feature.MUST_TELL_HOST,
    Feature.STATS_VQ,
    Feature.PAGE_REPORTING,
    Feature.HINTING,
    Feature.HINTING_BITMAP,
    Feature.INDIRECT_DESC,
    Feature.EVENT_IDX,
)
"""What a fuzzed driver may accept besides VERSION_1."""

QUEUES = {
    Kind.INFLATE: Queue.INFLATE,
    Kind.DEFLATE: Queue.DEFLATE,
    Kind.REPORT: Queue.REPORTING,
    Kind.PFNS: Queue.HINTING,
    Kind.BITMAP: Queue.HINTING,
    Kind.STATISTICS: Queue.STATS,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a program has to know of its target.

    `base` is the first address of the units, `order` the order of a unit, `end` the first address
    behind RAM, `room` the entries of the shortest queue, `count` the most blocks of a request.
    """

    offered: Features
    base: int
    order: int
    end: int
    room: int
    count: int

    def unit(self, number: int) -> Span:
        """Return where a unit lies."""
        size = PAGE << self.order
        return Span(self.base + number * size, size)


@dataclass(slots=True)
class _Outstanding:
    queue: Queue
    name: str
    units: tuple[int, ...]
    kind: Kind
    descriptors: int


class _Books:
    """A sound driver's books, and the steps that it has taken."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.steps: list[Step] = []
        self.accepted = Features(0)
        self._outstanding: list[_Outstanding] = []
        self._busy: set[int] = set()
        self._ballooned: set[int] = set()
        self._count = 0

    def restart(self, mask: int) -> None:
        """Begin a life in which some of the offered features are accepted."""
        chosen = Features.of(*(each for n, each in enumerate(OPTIONAL) if mask >> n & 1))
        if Feature.HINTING not in chosen:
            chosen -= Features.of(Feature.HINTING_BITMAP)
        self.accepted = (chosen | Features.of(Feature.VERSION_1)) & self.setting.offered
        self._outstanding.clear()
        self._busy.clear()
        self._ballooned.clear()
        offered = self.setting.offered
        self.steps += [
            steps.reset(),
            steps.negotiate(map(int, offered), map(int, self.accepted)),
            steps.driver_ok(),
        ]

    def offer(self, move: Offer) -> None:
        """Make a request available, if a sound driver could; take answers until it has room."""
        queue = QUEUES[move.kind]
        feature = QUEUE_FEATURE[queue]
        if feature is not None and feature not in self.accepted:
            return
        held = [each for each in self._outstanding if each.queue is Queue.STATS]
        if queue is Queue.STATS and held:
            return
        units = tuple(unit for unit in move.units if unit not in self._busy)
        if move.kind is not Kind.DEFLATE:
            units = tuple(unit for unit in units if unit not in self._ballooned)
        limit = self.setting.count if queue is Queue.HINTING else len(units)
        units = units[: max(1, limit)]
        if not units and queue is not Queue.STATS:
            return
        move = replace(move, units=units)
        message = messages.build(move, self.setting, self.accepted, self._count + 1)
        draft = message.draft
        table = move.table and Feature.INDIRECT_DESC in self.accepted
        pieces = messages.pieces(draft, move.cut)
        needed = 1 if table else len(pieces[0]) + len(pieces[1]) + len(_buffers(draft)) + 2
        if needed > self.setting.room or len(pieces[0]) + len(pieces[1]) > self.setting.room - 2:
            pieces, needed = ((), ()), len(_buffers(draft)) + 2
        if needed > self.setting.room:
            return
        while self._used(queue) + needed > self.setting.room:
            if queue is Queue.STATS:
                return
            self.take(next(n for n, each in enumerate(self._outstanding) if each.queue is queue))
        self._count += 1
        name = f"r{self._count}"
        step = steps.offer_draft(name, draft) | {"valid": message.valid}
        if message.statuses:
            step["answer"] = {
                "requirement": message.requirement,
                "statuses": sorted(message.statuses),
            }
        if pieces != ((), ()):
            step["pieces"] = {"readable": list(pieces[0]), "writable": list(pieces[1])}
        if table:
            step["indirect"] = True
        self.steps.append(step)
        named = units if draft.blocks and move.kind is not Kind.STATISTICS else ()
        self._busy.update(named)
        self._outstanding.append(_Outstanding(queue, name, named, move.kind, needed))

    def _used(self, queue: Queue) -> int:
        return sum(each.descriptors for each in self._outstanding if each.queue is queue)

    def take(self, which: int) -> None:
        """Wait for an answer; its units are the driver's again, or in the balloon."""
        waiting = [each for each in self._outstanding if each.queue is not Queue.STATS]
        if not waiting:
            return
        found = waiting[which % len(waiting)] if which < len(self._outstanding) else waiting[-1]
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

    def write(self, units: Sequence[int]) -> None:
        """Use the units that are the driver's."""
        mine = [unit for unit in units if unit not in self._busy | self._ballooned]
        if mine:
            self.steps.append(steps.write(*(self.setting.unit(unit) for unit in mine)))


def _buffers(draft: Draft) -> tuple[Span, ...]:
    return draft.blocks if draft.pages_are_buffers else ()


def compiled(moves: Sequence[Move], setting: Setting) -> list[Step]:
    """Return the steps of a program on a target."""
    books = _Books(setting)
    books.restart((1 << len(OPTIONAL)) - 1)
    for move in moves:
        match move:
            case Offer():
                books.offer(move)
            case Take(which):
                books.take(which)
            case Write(units):
                books.write(units)
            case Restart(mask, abandon):
                if not abandon:
                    books.take_all()
                books.restart(mask)
    return [*books.steps, steps.end()]


def described(moves: Sequence[Move]) -> list[str]:
    """Return a sentence for each move."""
    return [_sentence(move) for move in moves]


def _sentence(move: Move) -> str:
    match move:
        case Offer(kind, units, flaw, cut, table, _):
            words = f"offer {kind} of units {', '.join(map(str, units))}"
            words += f" with {flaw}" if flaw is not Flaw.NONE else ""
            words += f", cut into {cut} bytes" if cut else ""
            return words + (", in a table" if table else "")
        case Take(which):
            return f"take the answer to outstanding request {which}"
        case Write(units):
            return f"write to units {', '.join(map(str, units))}"
        case Restart(mask, abandon):
            chosen = Features.of(*(each for n, each in enumerate(OPTIONAL) if mask >> n & 1))
            words = "reset in mid-flight" if abandon else "take all answers, then reset"
            return f"{words}; accept VERSION_1 and {', '.join(each.name for each in chosen)}"
