"""`vhint formats`: which formats there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from vhint_conformance.report.console import say

if TYPE_CHECKING:
    from vhint.wire.formats import Format


class FormatId(click.ParamType):  # type: ignore[type-arg]
    """The id of a format."""

    name = "format"

    def convert(self, value: Any, param: Any, ctx: Any) -> Format:  # noqa: ARG002
        """Return the format, or say which one may have been meant."""
        from vhint.wire.formats import FORMATS
        from vhint_conformance.selection import close_names

        if value not in FORMATS:
            close = close_names(value, FORMATS)
            hint = f"did you mean {' or '.join(close)}?" if close else "see `vhint formats`"
            raise click.UsageError(f"no format is called {value}; {hint}")
        return FORMATS[value]

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return the ids that begin like this."""
        from vhint.wire.formats import FORMATS

        return [
            CompletionItem(form.id, help=form.title)
            for form in FORMATS.values()
            if form.id.startswith(incomplete)
        ]


@click.command(short_help="List the wire formats.")
@click.argument("globs", nargs=-1, metavar="[FORMAT]...")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def formats(globs: tuple[str, ...], as_json: bool) -> None:
    """List the formats that `vhint decode` and `vhint encode` know: all, or those that match.

    A line has the id, the size in bytes (with a + the smallest), since when there is such a thing,
    the module of vhint.wire that defines it, and what it is.

    \b
    For example:
      vhint formats
      vhint formats 'hint-*' --json
    """  # noqa: D301 - click wants the character itself
    from vhint.wire.formats import FORMATS
    from vhint_conformance.cli.requirements import choose, say_json

    chosen = choose(globs, FORMATS, "format", "vhint formats")
    if as_json:
        say_json(_json(form) for form in chosen)
        return
    rows = [_row(form) for form in chosen]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        say("  ".join([*cells, row[4]]))


def _row(form: Format) -> tuple[str, str, str, str, str]:
    since = form.since if form.status == "normative" else f"posted {form.since}"
    module = form.module.removeprefix("vhint.wire.")
    return form.id, _size(form), since, module, form.title


def _size(form: Format) -> str:
    least, most = form.sizes()
    return str(least) if least == most else f"{least}+"


def _json(form: Format) -> dict[str, Any]:
    least, most = form.sizes()
    return {
        "id": form.id,
        "title": form.title,
        "status": str(form.status),
        "since": form.since,
        "source": form.source,
        "module": form.module,
        "smallest": least,
        "largest": most,
        "parameters": list(form.parameters),
        "layouts": [str(layout) for layout in form.layouts],
    }
