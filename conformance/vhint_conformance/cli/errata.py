"""`vhint errata`: where the sources contradict themselves or are silent."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.console import Console

from vhint_conformance.cli import completing
from vhint_conformance.cli.requirements import choose, say_json
from vhint_conformance.report.console import make_console, print_block, say, styled
from vhint_conformance.report.terminal import labelled
from vhint_spec import errata as register
from vhint_spec.errata import Erratum


@click.command()
@click.argument("names", nargs=-1, metavar="[ID]...", shell_complete=completing.errata)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def errata(names: tuple[str, ...], as_json: bool) -> None:
    """Print where the sources contradict themselves or are silent, and the reading taken here.

    \b
    For example:
      vhint errata
      vhint errata statistics-entry-size
    """  # noqa: D301 - click wants the character itself
    chosen = choose(names, register.load(), "erratum", "vhint errata")
    if as_json:
        say_json(asdict(item) for item in chosen)
    elif names:
        console = make_console()
        for item in chosen:
            _print_erratum(console, item)
    else:
        for item in chosen:
            say(f"{item.kind:<13}  {item.id:<34}  {item.title}")


def _print_erratum(console: Console, item: Erratum) -> None:
    console.print(styled(f"{item.id}: {item.title}", "bold"))
    print_block(
        console,
        labelled(
            ("kind", item.kind),
            ("clauses", ", ".join(item.sources)),
            ("problem", item.problem),
            *(
                (
                    "taken" if reading.taken else "reading",
                    f"{reading.text} By {reading.who}"
                    + (f" ({reading.confidence})." if reading.confidence else "."),
                )
                for reading in item.readings
            ),
            ("here", item.taken),
            ("why", item.why),
            ("slugs", ", ".join(item.slugs)),
            ("see", ", ".join(item.links)),
        ),
    )
    console.print()
