"""The `vhint` command."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import click

import vhint
from vhint_conformance.cli.lazy import REST, LazyGroup
from vhint_conformance.cli.verbosity import CONFIG, verbosity_options
from vhint_conformance.exit_status import ExitStatus

WITHOUT_CONFIG = ("completion", "doctor")
"""Commands that must work whatever stands in it."""
COMPLETING = "_VHINT_COMPLETE"
"""The environment variable by which a shell asks for completions."""
SUITE_FAULT = ExitStatus.UNSETTLED


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(vhint.__version__, prog_name="vhint")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Read settings from this TOML file; by default vhint.toml or pyproject.toml, the nearest.",
)
@click.option("--no-config", is_flag=True, help="Read settings from no file.")
@verbosity_options
@click.pass_context
def vhint_command(ctx: click.Context, config_file: Path | None, no_config: bool) -> None:
    """Guest free page hinting: judge implementations, look up requirements.

    \b
    For example:
      vhint conform reference                  what a run looks like
      vhint conform vhost-user --spawn './balloon {socket}'
      vhint COMMAND --help                     every command has examples

    Settings that do not change can stand in vhint.toml, or in pyproject.toml under [tool.vhint].
    """  # noqa: D301 - click wants the character itself
    if config_file and no_config:
        raise click.UsageError("--config and --no-config exclude each other")
    if not no_config:
        _configure(ctx, config_file)


def _configure(ctx: click.Context, file: Path | None) -> None:
    """Take what a configuration file says for defaults of the command that is called."""
    from vhint_conformance.cli import config

    found = config.read(file) if file else config.find(Path.cwd())
    name = ctx.invoked_subcommand
    if found is None:
        if file:
            raise click.UsageError(f"{file}: there is no [tool.vhint] in it")
        return
    if name is None or name in WITHOUT_CONFIG:
        return
    ctx.default_map = {name: found.defaults(vhint_command, ctx, name, ctx.meta[REST])}
    ctx.meta[CONFIG] = str(found.path)


COMMANDS = (
    ("check", "check:check", "Judge a recorded trace."),
    ("completion", "completion:completion", "Print the script that lets a shell complete vhint."),
    ("conform", "conform:conform", "Judge a target, requirement by requirement."),
    ("decode", "decode:decode", "Take messages apart."),
    ("demo", "demo:demo", "Show memory coming back to the host, with hinting off and on."),
    ("doctor", "doctor:doctor", "Say what is installed, what targets need, how to get it."),
    ("encode", "encode:encode", "Put messages together."),
    ("errata", "errata:errata", "List contradictions and holes of the sources."),
    ("explore", "explore:explore_command", "Explore a model: every interleaving, or a violation."),
    ("export", "export:export", "Write the formats as C, Rust, Kaitai or a dissector."),
    ("formats", "formats:formats", "List the formats."),
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
    # Hypothesis keeps things, by default in the working directory, which is somebody's project.
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    if Path(caches).is_absolute():  # else there is no home
        os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", f"{caches}/vhint/hypothesis")
    sys.exit(_guarded())


def _guarded() -> int:
    if COMPLETING in os.environ:
        import vhint_conformance.cli.completion  # noqa: F401 - it teaches click about colons
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
