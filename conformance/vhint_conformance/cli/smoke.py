"""`vhint smoke`: whether the harness is in order, before the implementation is judged."""

from __future__ import annotations

from typing import cast

import click

from vhint_conformance.cli import completing
from vhint_conformance.report.console import make_console, print_block, say, styled
from vhint_conformance.report.model import ExitStatus


@click.command(short_help="Look whether a harness works, before anything is judged.")
@click.argument("target", shell_complete=completing.targets)
@click.option(
    "--answer-within",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give a harness up that takes longer for one answer; 10 by default.",
)
def smoke(target: str, answer_within: float | None) -> int:
    """Start TARGET, have one exchange of each kind that it offers, reset it, stop it.

    Nothing is judged here: what goes wrong is laid at the harness's door, with advice. Messages
    of a stdio harness are held against the schema. Exit status 0: it works; 2: wrong usage; 3: it
    does not work, or could not be started.

    \b
    For example:
      vhint smoke stdio:./harness
      vhint smoke 'stdio:python3 harness.py'
      vhint smoke python:mypackage.balloon:make_device
    """  # noqa: D301 - click wants the character itself
    from vhint_conformance import targets
    from vhint_conformance.case import Role
    from vhint_conformance.smoke import smoke as steps_of
    from vhint_conformance.targets import TargetSettings
    from vhint_conformance.targets.stdio import KIND

    of_stdio = target.startswith(f"{KIND}:")
    settings = TargetSettings(validate=of_stdio, answer_within=answer_within)
    try:
        found_target = targets.judged(target, Role.DEVICE, settings)[Role.DEVICE]
    except (targets.UnknownTarget, targets.WrongSettings) as error:
        raise click.UsageError(str(error)) from error
    console = make_console()
    well = True
    try:
        for found in steps_of(cast(targets.Target, found_target)):
            well = found.well
            mark = styled("ok ", "green") if found.well else styled("BAD", "bold red")
            console.print(mark, styled(f" {found.step:<18} {found.said}"), soft_wrap=True)
            if found.advice:
                print_block(console, styled(found.advice), indent=23)
    finally:
        found_target.close()
    if not well:
        say(f"\n{target}: not in order; nothing was judged")
        return int(ExitStatus.TARGET)
    say(f"\n{target}: in order; judge what is behind it: vhint conform {_quoted(target)}")
    return int(ExitStatus.CONFORMS)


def _quoted(target: str) -> str:
    import shlex

    return shlex.quote(target)
