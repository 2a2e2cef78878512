"""What random traffic is worth: which mutants it finds in a few seconds each, in which words.

``python -m vhint_conformance.fuzz.worth --seconds 4`` searches every mutant of a role once, with
one seed, and stops at its first failure; nothing is shrunk.  The cases of the suite find all of
them (`vhint mutants`), so what is missed here is how far random traffic goes by itself.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

import click

from vhint_conformance import targets
from vhint_conformance.case import Role
from vhint_conformance.fuzz.options import Options
from vhint_conformance.mutants import GUEST_MUTANTS, MUTANTS, GuestMutant, Mutant
from vhint_conformance.verdict import NotApplicable, TargetError


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one mutant: by which requirements it was found, if it was, and in what time.

    `right` is whether one of them is declared to be broken by it; `problem` why it could not be
    searched.
    """

    name: str
    found: tuple[str, ...]
    right: bool
    programs: int
    seconds: float
    problem: str = ""


def row_of(mutant: Mutant | GuestMutant, options: Options) -> Row:
    """Search one mutant."""
    name = f"mutant:{mutant.name}"
    begun = time.monotonic()
    try:
        if isinstance(mutant, Mutant):
            from vhint_conformance.fuzz.search import search

            finding = search(targets.resolve(name), options)
        else:
            from vhint_conformance.fuzz.driver.search import search as search_driver

            finding = search_driver(targets.resolve_driver(name), options)
    except (NotApplicable, TargetError) as error:
        return Row(mutant.name, (), False, 0, 0.0, str(error))
    slugs = tuple(dict.fromkeys(each.requirement for each in finding.violations))
    found = slugs or ((f"died: {finding.died}",) if finding.died else ())
    right = bool(set(slugs) & set(mutant.violates))
    spent = round(time.monotonic() - begun, 2)
    return Row(mutant.name, found, right, finding.examples, spent)


@click.command()
@click.argument("globs", nargs=-1)
@click.option("--role", type=click.Choice(["device", "driver"]), default="device")
@click.option("--seconds", default=4.0, help="For each mutant.")
@click.option("--examples", default=100, help="Programs for each mutant at most.")
@click.option("--every", default=1, help="Take only every Nth mutant.")
@click.option("--seed", default=0)
@click.option("--json", "path", type=click.Path(path_type=Path))
def main(
    globs: tuple[str, ...],
    role: str,
    seconds: float,
    examples: int,
    every: int,
    seed: int,
    path: Path | None,
) -> None:
    """Search every mutant of a role whose name matches one of GLOBS, or all."""
    mutants: dict[str, Mutant | GuestMutant] = {}
    mutants.update(MUTANTS if role == Role.DEVICE else GUEST_MUTANTS)
    options = Options(seed, examples, seconds=seconds, shrink=False)
    rows: list[Row] = []
    for name, mutant in list(mutants.items())[::every]:
        if globs and not any(fnmatch(name, glob) for glob in globs):
            continue
        row = row_of(mutant, options)
        rows.append(row)
        words = ", ".join(row.found[:2]) or row.problem or "-"
        mark = "right" if row.right else "found" if row.found else "missed"
        click.echo(f"{mark:7}{name:40}{row.seconds:6.1f} s {row.programs:5} programs  {words}")
    found = sum(bool(row.found) for row in rows)
    right = sum(row.right for row in rows)
    click.echo(f"{len(rows)} mutants, {found} found, {right} by a requirement of theirs")
    if path:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
