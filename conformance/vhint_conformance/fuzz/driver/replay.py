"""Playing a saved program of moves on a driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vhint_conformance.case import Case, Role
from vhint_conformance.collection import UsageError
from vhint_conformance.driver_bench.offer import OFFERS
from vhint_conformance.driver_bench.opening import open_driver_bench
from vhint_conformance.fuzz.driver.moves import Begin, Move
from vhint_conformance.fuzz.driver.playing import play
from vhint_conformance.fuzz.driver.wording import from_json
from vhint_conformance.replay import Play, blank_of
from vhint_conformance.report.model import Outcome
from vhint_conformance.targets import DriverTarget
from vhint_conformance.vectors.model import Json
from vhint_conformance.witness import Witness

ALWAYS = "ring.driver.used-id-checked"
"""What every program looks at, if the file names nothing."""


@dataclass(frozen=True, slots=True)
class DriverReplay:
    """A program on a driver; raises `UsageError` if the file holds none."""

    target: DriverTarget
    value: Json
    path: Path

    def plays(self) -> Iterator[tuple[Outcome, Play]]:
        """Yield the one that there is."""
        moves = moves_in(self.value, self.path)
        slugs = tuple(self.value.get("requirements", ())) or (ALWAYS,)
        info = Case(
            str(self.value.get("id", "program")),
            str(self.value.get("comment", "")),
            slugs,
            Role.DRIVER,
        )

        def played(told: Callable[[Witness], object]) -> None:
            with open_driver_bench(self.target, info, 0, None) as bench:
                told(bench.witness)
                play(bench, moves)

        yield blank_of(info), played


def moves_in(value: Json, path: Path) -> list[Move]:
    """Return the moves of a file; raises `UsageError` with the place of what is none."""
    listed = value.get("moves")
    if not isinstance(listed, list):
        raise UsageError(f"{path} has no list of moves")
    moves: list[Move] = []
    for place, each in enumerate(listed):
        try:
            if not isinstance(each, dict):
                raise ValueError(f"expected an object, seen {each!r}")
            moves.append(from_json(each))
        except ValueError as error:
            raise UsageError(f"{path}: move {place}: {error}") from error
        if isinstance(move := moves[-1], Begin) and move.offer not in OFFERS:
            raise UsageError(f"{path}: move {place}: there is no offer {move.offer!r}")
    return moves
