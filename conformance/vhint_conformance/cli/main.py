"""The `vhint` command."""

from __future__ import annotations

import os
import sys
import traceback

import click

import vhint
from vhint_conformance.cli.lazy import LazyGroup
from vhint_conformance.exit_status import ExitStatus

SUITE_FAULT = ExitStatus.UNSETTLED


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(vhint.__version__, prog_name="vhint")
def vhint_command() -> None:
    """Guest free page hinting: judge implementations, look up requirements."""


COMMANDS = (
    ("conform", "conform:conform", "Judge a target, requirement by requirement."),
    ("demo", "demo:demo", "Show memory coming back to the host, with hinting off and on."),
    ("errata", "errata:errata", "List contradictions and holes of the sources."),
    ("explore", "explore:explore_command", "Explore a model: every interleaving, or a violation."),
    ("export", "export:export", "Write the formats as C, Rust, Kaitai or a dissector."),
    ("fuzz", "fuzz:fuzz", "Random traffic against a device, shrunk to what breaks it."),
    ("host", "host:host", "Serve the reference device over vhost-user."),
    ("ics", "ics:ics", "Draft and check conformance statements."),
    ("init", "init:init", "Begin an adapter for an implementation."),
    ("mutants", "mutants:mutants", "Hold the suite against broken and unusual implementations."),
    ("report", "report:report", "Show, convert, compare saved reports."),
    ("requirements", "requirements:requirements", "Print requirements."),
    ("smoke", "smoke:smoke", "Look at an adapter, before what it adapts is judged."),
    ("vectors", "vectors:vectors", "Find, list, check and make the vectors."),
)
"""Name, where in this package, line of help.  Nothing of it is imported before it is called."""

for _name, _where, _short_help in COMMANDS:
    vhint_command.add_lazy(_name, f"vhint_conformance.cli.{_where}", _short_help)


def main() -> None:
    """Run the command and exit; nothing that a user can cause ends in a traceback."""
    sys.exit(_guarded())


def _guarded() -> int:
    try:
        status = vhint_command.main(prog_name="vhint", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return int(ExitStatus.USAGE)
    except click.exceptions.Abort:
        print("vhint: interrupted", file=sys.stderr)
        return int(ExitStatus.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last guard before the user
        from vhint_conformance.judge import DEBUG

        if os.environ.get(DEBUG):
            traceback.print_exc()
        first = str(error).strip().partition("\n")[0]
        click.echo(f"vhint: internal fault: {type(error).__name__}: {first}", err=True)
        click.echo(f"  {DEBUG}=1 shows where; please report it", err=True)
        return int(SUITE_FAULT)
    return int(status or 0)
