"""`vhint conform --list`: the cases that a run would take."""

from __future__ import annotations

from collections.abc import Mapping

import click

from vhint_conformance.collection import Collection
from vhint_conformance.report.console import say
from vhint_conformance.selection import level_of
from vhint_conformance.variants import MARK
from vhint_spec import Requirement


def print_listing(collection: Collection, registry: Mapping[str, Requirement]) -> None:
    """Print id, level, requirements and title of each selected case."""
    chosen = [collection.cases[node] for node in collection.selected if node in collection.cases]
    plain = {case.id for case in chosen}
    shown = [case for case in chosen if case.id.partition(MARK)[0] not in plain - {case.id}]
    for case in shown:
        say(f"{case.id}  {level_of(case.requirements, registry).upper()}")
        say(f"    {case.title}")
        say(f"    checks {', '.join(case.requirements)}")
    left = len(collection.cases) - len(chosen)
    rest = f"; {left} more are left out by --role, --level or --select" if left else ""
    more = len(chosen) - len(shown)
    variants = f", {more} of them once more in another variant" if more else ""
    say(f"\n{len(shown)} cases{variants}{rest}")
    for file, reason in collection.broken.items():
        click.echo(f"vhint: {file} cannot be read: {reason}", err=True)
