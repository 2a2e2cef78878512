"""Moves in words for people, and as JSON for files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, get_type_hints

from vhint_conformance.fuzz.driver.moves import (
    MOVES,
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


def described(moves: Sequence[Move]) -> list[str]:
    """Return a sentence for each move."""
    return [_sentence(move) for move in moves]


def _sentence(move: Move) -> str:
    match move:
        case Begin(offer, packed, size):
            words = f"offer {offer!r}" + (", packed rings" if packed else "")
            return words + (f", queues of {size}" if size else "")
        case Allocate(pages):
            return f"allocate and fill {pages} pages"
        case Free(which):
            return f"look at allocation {which} and free it"
        case Press():
            return "use all memory that is left, and free it"
        case Work(turns):
            return f"let driver and guest do {turns} things"
        case Wait(tenths):
            return f"let {tenths / 10:g} s go by"
        case Answer(queue, which, manner, amount, lose):
            how = f"{manner} ({bad_answer(amount)})" if manner is Manner.BAD else str(manner)
            before = ", its pages discarded" if lose else ""
            return f"answer request {which} of the {queue} queue {how}{before}"
        case Lose(queue):
            return f"discard the pages of what is outstanding on the {queue} queue"
        case Serve(on):
            return "answer everything as it comes" if on else "answer nothing by itself"
        case Stray(queue, again, length):
            what = "an id that was used already" if again else "an id that was never offered"
            return f"use {what} on the {queue} queue, with length {length}"
        case Interrupt(queue):
            return f"notify of {f'the {queue} queue' if queue else 'the configuration'} for nothing"
        case Configure(field, value, quiet):
            what = f"{field} {value}" if field in (Field.TARGET, Field.ROUND) else str(field)
            return f"show {what}" + (" without a notification" if quiet else "")
        case DemandReset(slow):
            return "ask for a reset" + (", and take time over it" if slow else "")
        case Reload():
            return "remove the driver and load it again"


def to_json(move: Move) -> dict[str, Any]:
    """Return a move as an object for a file."""
    name = next(name for name, kind in MOVES.items() if isinstance(move, kind))
    return {"move": name} | asdict(move)


def from_json(value: dict[str, Any]) -> Move:
    """Return the move that an object stands for; raises `ValueError` for what is none."""
    kind = MOVES.get(str(value.get("move")))
    if kind is None:
        raise ValueError(f"there is no move {value.get('move')!r}; known: {', '.join(MOVES)}")
    hints = get_type_hints(kind)
    given = {key: item for key, item in value.items() if key != "move"}
    strange = given.keys() - {each.name for each in fields(kind)}
    if strange:
        raise ValueError(f"{value['move']}: unknown member {sorted(strange)[0]!r}")
    made = {key: _read(hints[key], item) for key, item in given.items()}
    try:
        return kind(**made)
    except TypeError as error:
        raise ValueError(f"{value['move']}: {error}") from error


def _read(hint: Any, item: Any) -> Any:
    """Return a member as its type has it; raises `ValueError` if it cannot be that."""
    for each in getattr(hint, "__args__", (hint,)):
        if each is type(None) and item is None:
            return None
        if issubclass(each, str) and isinstance(item, str):
            return each(item)
        if each in (int, bool) and type(item) is each:
            return item
    raise ValueError(f"{item!r} is no {getattr(hint, '__name__', hint)}")
