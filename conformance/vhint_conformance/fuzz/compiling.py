"""From moves to the steps of a stateful vector, which `--replay` can play on any device."""

from __future__ import annotations

from collections.abc import Sequence

from vhint_conformance.fuzz.books import Books
from vhint_conformance.fuzz.life import PLAIN
from vhint_conformance.fuzz.moves import (
    Flaw,
    Harm,
    Host,
    Kind,
    Move,
    Notify,
    Offer,
    Repeat,
    Restart,
    Say,
    Take,
    Write,
)
from vhint_conformance.fuzz.setting import Setting
from vhint_conformance.vectors.steps import Step


def compiled(moves: Sequence[Move], setting: Setting) -> list[Step]:
    """Return the steps of a program on a target."""
    books = Books(setting)
    if not moves or not isinstance(moves[0], Restart):
        books.restart(PLAIN)
    for move in moves:
        _take(books, move)
    books.end()
    return books.steps


def _take(books: Books, move: Move) -> None:
    match move:
        case Offer(kind=Kind.FREE_PAGES):
            books.hint(move)
        case Offer():
            books.offer(move)
        case Repeat():
            books.repeat(move)
        case Take(which):
            books.take(which)
        case Write(units):
            books.write(units)
        case Notify(queue):
            books.notify(queue)
        case Harm():
            books.harm(move)
        case Say(word):
            books.say(word)
        case Host():
            books.host(move)
        case Restart(life, end):
            books.restart(life, end)


def described(moves: Sequence[Move]) -> list[str]:
    """Return a sentence for each move, but for a beginning that goes without saying."""
    plain = moves and moves[0] == Restart()
    found = [_sentence(move) for move in (moves[1:] if plain else moves)]
    if moves and not plain and isinstance(moves[0], Restart):
        found[0] = f"begin with {moves[0].life}"
    return found


def _sentence(move: Move) -> str:
    match move:
        case Offer(kind, units, flaw, cut, table, _, quiet):
            words = f"offer {kind} of units {', '.join(map(str, units))}"
            words += f" with {flaw}" if flaw is not Flaw.NONE else ""
            words += f", cut into {cut} bytes" if cut else ""
            words += ", in a table" if table else ""
            return words + (", without a notification" if quiet else "")
        case Repeat(kind, unit, times, table):
            words = f"offer {kind} of unit {unit}" + (", in a table" if table else "")
            return f"{words}, and take the answer, {times} times"
        case Take(which):
            return f"take the answer to outstanding request {which}"
        case Write(units):
            return f"write to units {', '.join(map(str, units))}"
        case Notify(queue):
            return f"notify of the {queue} queue"
        case Harm(queue, chain):
            return f"offer a malformed chain on the {queue} queue: {chain}"
        case Say(word):
            return f"send {word}"
        case Host(act, amount):
            return f"have the host do {act} {amount or ''}".rstrip()
        case Restart(life, end):
            return f"{end}; begin with {life}"
