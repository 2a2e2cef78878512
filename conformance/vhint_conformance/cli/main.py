"""The `vhint` command."""

from __future__ import annotations

import os
import sys
import traceback

import click

import vhint
from vhint_conformance.cli.conform import conform
from vhint_conformance.cli.demo import demo
from vhint_conformance.cli.errata import errata
from vhint_conformance.cli.explore import explore_command
from vhint_conformance.cli.fuzz import fuzz
from vhint_conformance.cli.host import host
from vhint_conformance.cli.ics import ics
from vhint_conformance.cli.init import init
from vhint_conformance.cli.mutants import mutants
from vhint_conformance.cli.requirements import requirements
from vhint_conformance.cli.smoke import smoke
from vhint_conformance.cli.vectors import vectors
from vhint_conformance.judge import DEBUG
from vhint_conformance.report.model import ExitStatus

SUITE_FAULT = ExitStatus.UNSETTLED


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(vhint.__version__, prog_name="vhint")
def vhint_command() -> None:
    """Guest free page hinting: judge implementations, look up requirements."""


vhint_command.add_command(conform)
vhint_command.add_command(demo)
vhint_command.add_command(explore_command, "explore")
vhint_command.add_command(fuzz)
vhint_command.add_command(host)
vhint_command.add_command(mutants)
vhint_command.add_command(init)
vhint_command.add_command(smoke)
vhint_command.add_command(requirements)
vhint_command.add_command(errata)
vhint_command.add_command(vectors)
vhint_command.add_command(ics)


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
        if os.environ.get(DEBUG):
            traceback.print_exc()
        first = str(error).strip().partition("\n")[0]
        click.echo(f"vhint: internal fault: {type(error).__name__}: {first}", err=True)
        click.echo(f"  {DEBUG}=1 shows where; please report it", err=True)
        return int(SUITE_FAULT)
    return int(status or 0)
