"""`vhint ics`: implementation conformance statements."""

from __future__ import annotations

import datetime
from difflib import get_close_matches
from pathlib import Path

import click

from vhint.wire.queues import QueueMode
from vhint_conformance import expectations, statement, targets
from vhint_conformance.case import Role
from vhint_conformance.cli import completing
from vhint_conformance.exit_status import ExitStatus
from vhint_conformance.report import files
from vhint_conformance.report.console import say
from vhint_conformance.targets import SpawnPer, TargetSettings
from vhint_conformance.targets.pair import PairTarget
from vhint_conformance.verdict import TargetError

FILE = click.Path(dir_okay=False, path_type=Path)


class DraftByDefault(click.Group):
    """A group in which the name of a target stands for `draft` and that name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take what is no command for a target, or say what it may have been."""
        name = args[0]
        if name in self.commands or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        try:
            targets.judged(name, None, TargetSettings())
        except targets.WrongSettings:
            pass  # it is one, and `draft` will say what it lacks
        except targets.UnknownTarget as error:
            if get_close_matches(name, self.commands):
                return super().resolve_command(ctx, args)
            raise click.UsageError(str(error), ctx) from error
        return super().resolve_command(ctx, ["draft", *args])


@click.group(cls=DraftByDefault)
def ics() -> None:
    """Draft and check what an implementation claims (vhint-ics/1: the chapter on conformance).

    A statement is a TOML file: profiles, role, options, limits, known deviations.  `vhint ics
    TARGET` is short for `vhint ics draft TARGET`.

    \b
    For example:
      vhint ics qemu > qemu.toml
      vhint ics check qemu.toml
      vhint conform qemu --ics qemu.toml
    """  # noqa: D301 - click wants the character itself


@ics.command(short_help="Check a statement: form, slugs, report.")
@click.argument("file", type=FILE)
@click.option(
    "--report", type=FILE, help="The report that the statement names: check that this is it."
)
def check(file: Path, report: Path | None) -> int:
    """Check a statement: its form, and that its slugs exist and bind its role.

    Exits with 1 if something is wrong, and says each thing on a line of standard error.

    \b
    For example:
      vhint ics check statement.toml
      vhint ics check statement.toml --report report.json
    """  # noqa: D301
    try:
        data = file.read_bytes()
        found = statement.problems(data)
        if report is not None and not found:
            found = statement.report_problems(data, report.read_bytes())
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
    for line in found:
        click.echo(f"{file}: {line}", err=True)
    if not found:
        say(f"{file}: sound")
    return int(ExitStatus.VIOLATED if found else ExitStatus.CONFORMS)


@ics.command(short_help="Draft a statement from what a target offers.")
@click.argument("target", shell_complete=completing.targets)
@click.option(
    "--role",
    type=click.Choice([Role.DEVICE.value, Role.DRIVER.value]),
    help="Which role, of a target that has both.  [default: device]",
)
@click.option("-o", "--output", type=FILE, help="Write it to this file, which must not exist yet.")
@click.option(
    "--spawn",
    metavar="COMMAND",
    help="Start a vhost-user device with this; {socket} is where it is to listen.",
)
@click.option(
    "--queue-map",
    type=click.Choice([mode.value for mode in QueueMode]),
    help="How a vhost-user device numbers its queues; by default this is found out.",
)
def draft(
    target: str, role: str | None, output: Path | None, spawn: str | None, queue_map: str | None
) -> int:
    """Ask TARGET what it offers, and write a statement that claims all of it.

    Nothing is judged.  Take out what is not to be claimed, and hold the target to the rest with
    `vhint conform TARGET --ics FILE`.

    \b
    For example:
      vhint ics draft qemu -o qemu.toml
      vhint ics draft vhost-user --spawn './balloon {socket}'
      vhint ics draft linux --role driver
    """  # noqa: D301
    from vhint_conformance.statement.drafting import draft as draft_text
    from vhint_conformance.statement.offered import ask

    settings = TargetSettings(
        spawn=spawn,
        spawn_per=SpawnPer.CASE,
        queue_mode=QueueMode(queue_map) if queue_map else None,
    )
    try:
        judged = targets.judged(target, Role(role) if role else None, settings)
        found = next(iter(judged.values()))
        if isinstance(found, PairTarget):
            raise click.UsageError(f"{target} is a driver and a device; a statement is about one")
        if output:
            files.check_file(output)
        if output and output.exists():
            raise click.UsageError(f"{output} exists; remove it, or name another file")
        shipped = found.deviations()
        versions = found.versions()
        known = expectations.for_target(
            expectations.load(shipped) if shipped else (), target, lambda: versions
        )
        text = draft_text(target, ask(found), versions, known, datetime.date.today())
    except (targets.UnknownTarget, targets.WrongSettings, files.Unwritable) as error:
        raise click.UsageError(str(error)) from error
    except TargetError as error:
        click.echo(f"{target}: {error}", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
        return int(ExitStatus.TARGET)
    if output is None:
        say(text.rstrip("\n"))
        return int(ExitStatus.CONFORMS)
    output.write_text(text, encoding="utf-8")
    say(f"wrote {output}: vhint conform {target} --ics {output}")
    return int(ExitStatus.CONFORMS)
