"""`vhint requirements`: what is required, by slug."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import click
from rich.console import Console

from vhint_conformance.cli import completing
from vhint_conformance.report.console import make_console, print_block, say, styled
from vhint_conformance.report.terminal import labelled
from vhint_conformance.selection import close_names, matches
from vhint_spec import Requirement, bugs, clauses, errata, registry

T = TypeVar("T")


@click.command()
@click.argument("slugs", nargs=-1, metavar="[SLUG]...", shell_complete=completing.requirements)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def requirements(slugs: tuple[str, ...], as_json: bool) -> None:
    """Print requirements: all, or those whose slug matches a SLUG (a name or a glob).

    \b
    For example:
      vhint requirements
      vhint requirements reporting.device.containment
      vhint requirements 'hint.device.*' --json
    """  # noqa: D301 - click wants the character itself
    chosen = choose(slugs, registry.load(), "requirement", "vhint requirements")
    if as_json:
        say_json(_requirement_json(item) for item in chosen)
    elif slugs:
        console = make_console()
        for item in chosen:
            _print_requirement(console, item)
    else:
        for item in chosen:
            say(f"{item.level:<10}  {item.slug}")


def choose(globs: Sequence[str], known: Mapping[str, T], what: str, where: str) -> list[T]:
    """Return the entries that the globs name, all without globs; a wrong name is an error."""
    for glob in globs:
        if not any(matches(glob, name) for name in known):
            close = close_names(glob, known)
            hint = f"did you mean {' or '.join(close)}?" if close else f"see `{where}`"
            raise click.UsageError(f"no {what} is called {glob}; {hint}")
    return [
        item
        for name, item in known.items()
        if not globs or any(matches(glob, name) for glob in globs)
    ]


def say_json(entries: Iterable[dict[str, Any]]) -> None:
    """Print entries as a JSON list."""
    say(json.dumps(list(entries), indent=2, ensure_ascii=False, default=str))


def _requirement_json(item: Requirement) -> dict[str, Any]:
    return {
        **asdict(item),
        "clauses": [asdict(clause) for clause in clauses.of_slug().get(item.slug, ())],
        "errata": [erratum.id for erratum in errata.of_slug().get(item.slug, ())],
        "bugs": [
            {**asdict(bug), "confirmed": bug.confirmed} for bug in bugs.of_slug().get(item.slug, ())
        ],
    }


def _print_requirement(console: Console, item: Requirement) -> None:
    console.print(styled(item.slug, "bold"))
    print_block(
        console,
        labelled(
            ("level", item.level),
            ("text", item.text),
            ("why", item.rationale),
            ("source", item.source),
            *(
                ("clause", f"{clause.id} ({clause.label})")
                for clause in clauses.of_slug().get(item.slug, ())
            ),
            *(
                ("erratum", f"{erratum.id}: {erratum.title}")
                for erratum in errata.of_slug().get(item.slug, ())
            ),
            *(
                ("bug", f"{bug.id}, {bug.implementation} ({bug.confidence}): {bug.text}")
                for bug in bugs.of_slug().get(item.slug, ())
            ),
            ("seen by", ", ".join(item.observed)),
            ("since", f"{item.since} ({item.status})"),
            ("no case", item.review or ""),
        ),
    )
    console.print()
