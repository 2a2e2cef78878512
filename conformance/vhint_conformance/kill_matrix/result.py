"""What a matrix says, and its form as JSON (`vhint-matrix/1`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

FORMAT = "vhint-matrix/1"

COMMITTED = Path(__file__).with_name("matrix.json")
"""The matrix of this version, which the site shows; `make matrix` renews it."""


class Verdict(StrEnum):
    """What became of one subject."""

    KILLED = "killed"
    """A mutant: an assertion named a requirement that it declares to violate."""
    MISATTRIBUTED = "wrong requirement"
    """A mutant: it failed, but everything that was named is none of its own."""
    SURVIVED = "survived"
    """A mutant: every case and the machine found it sound."""
    PASSED = "passed"
    """A sound implementation: nothing was found."""
    FALSE_ALARM = "false alarm"
    """A sound implementation: something was found."""
    BROKEN = "no verdict"
    """It crashed, hung, or could not be judged, and no assertion failed before."""


GOOD = frozenset({Verdict.KILLED, Verdict.PASSED})
"""The verdicts that are as they should be."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One failed assertion: the case (or `machine NAME`) and the requirement that it named."""

    by: str
    requirement: str


@dataclass(frozen=True, slots=True)
class Row:
    """One subject's line.

    `kill` is the first failure that named a declared requirement, or else the first of all;
    `named` is every requirement that was named, `judged` how many cases ran, `note` what a
    person should know of a row that is not good.
    """

    name: str
    role: str
    group: str
    verdict: Verdict
    violates: tuple[str, ...] = ()
    kill: Kill | None = None
    named: tuple[str, ...] = ()
    judged: int = 0
    seconds: float = 0.0
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether the row is as it should be."""
        return self.verdict in GOOD

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the row that a file describes."""
        typed = dict(values)
        typed["verdict"] = Verdict(values["verdict"])
        typed["violates"] = tuple(values["violates"])
        typed["named"] = tuple(values["named"])
        typed["kill"] = Kill(**values["kill"]) if values["kill"] else None
        return cls(**typed)


@dataclass(frozen=True, slots=True)
class Matrix:
    """All rows of a run, in the order in which the subjects are listed."""

    rows: tuple[Row, ...]
    full: bool = False
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether every mutant was killed by its own requirement and all that is sound passed."""
        return all(row.good for row in self.rows)

    @property
    def counts(self) -> Counter[Verdict]:
        """How many rows have each verdict."""
        return Counter(row.verdict for row in self.rows)

    def as_json(self) -> str:
        """Return the file's text, one row a line so that differences can be read."""
        rows = ",\n    ".join(json.dumps(asdict(row)) for row in self.rows)
        head = {"format": FORMAT, "full": self.full, "seconds": round(self.seconds, 1)}
        body = json.dumps(head, indent=2)[:-2]
        return f'{body},\n  "rows": [\n    {rows}\n  ]\n}}\n'

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file; raise `ValueError` if it is of another format."""
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.get("format") != FORMAT:
            raise ValueError(f"{path}: not a {FORMAT} file")
        rows = tuple(Row.from_json(row) for row in values["rows"])
        return cls(rows, values["full"], values["seconds"])
