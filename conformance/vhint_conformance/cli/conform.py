"""`vhint conform`: judge a target, requirement by requirement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from vhint.wire.queues import QueueMode
from vhint_conformance import statement, targets
from vhint_conformance.case import Role
from vhint_conformance.cli import completing
from vhint_conformance.cli.listing import print_listing
from vhint_conformance.cli.outputs import Outputs
from vhint_conformance.cli.verbosity import tell_config, verbosity, verbosity_options
from vhint_conformance.collection import UsageError
from vhint_conformance.plugin_options import rings_in
from vhint_conformance.replay import replay_on
from vhint_conformance.report import files
from vhint_conformance.report.console import make_console
from vhint_conformance.report.model import ExitStatus, Report
from vhint_conformance.report.progress import make_progress
from vhint_conformance.report.runs import SITE
from vhint_conformance.report.terminal import print_report
from vhint_conformance.runner import RunOptions, listing, run
from vhint_conformance.selection import Level
from vhint_conformance.targets import SpawnPer, TargetSettings
from vhint_conformance.variants import ANY_RINGS, Rings
from vhint_spec import registry

FILE = click.Path(path_type=Path)


class PassThrough(click.Command):
    """A command that leaves what stands after `--` to pytest."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep click from seeing the rest."""
        here, mark, rest = list(args), "--", []
        if mark in here:
            at = here.index(mark)
            here, rest = here[:at], here[at + 1 :]
        ctx.meta["pytest_args"] = tuple(rest)
        return super().parse_args(ctx, here)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show that there may be such a rest."""
        return [*super().collect_usage_pieces(ctx), "[-- PYTEST_ARGS...]"]


@click.command(cls=PassThrough)
@click.argument("target", required=False, shell_complete=completing.targets)
@click.option("--role", type=click.Choice([r.value for r in Role]), help="Only cases of this role.")
@click.option(
    "--select",
    multiple=True,
    metavar="GLOB",
    shell_complete=completing.cases,
    help="Only cases whose id, or one of whose requirements, matches. Repeatable.",
)
@click.option(
    "--level",
    type=click.Choice(["must", "should"]),
    show_default="the statement's, or must",
    help="`should` also runs cases that check no MUST.",
)
@click.option(
    "--rings",
    default=",".join(ANY_RINGS),
    show_default=True,
    metavar="FORMATS",
    help="Run the cases with virtqueues of these formats, as far as the target has them.",
)
@click.option("--list", "list_", is_flag=True, help="List the cases instead of running them.")
@click.option("--json", "json_file", type=FILE, help="Write the report as JSON (- for stdout).")
@click.option("--junit", type=FILE, metavar="FILE", help="Write the report as JUnit XML.")
@click.option("--html", type=FILE, metavar="FILE", help="Write the report as one HTML page.")
@click.option(
    "--markdown", type=FILE, metavar="FILE", help="Write a summary for a CI job, as Markdown."
)
@click.option("--sarif", type=FILE, metavar="FILE", help="Write the violations as SARIF.")
@click.option("--badge", type=FILE, metavar="FILE", help="Write a badge, as shields.io reads it.")
@click.option(
    "--site",
    default="",
    envvar=SITE,
    metavar="URL",
    help=f"Where the site with the specification is, for links to requirements (or ${SITE}).",
)
@click.option("--trace", type=FILE, metavar="DIR", help="Write the trace of every case here.")
@click.option(
    "--expect", multiple=True, type=FILE, help="Failures that you expect (TOML). Repeatable."
)
@click.option(
    "--ics",
    type=FILE,
    help="Hold the target to a conformance statement (TOML): run what it claims.",
)
@click.option("--no-expect", is_flag=True, help="Do not excuse the target's known deviations.")
@click.option(
    "--spawn",
    metavar="COMMAND",
    help="Start a vhost-user device with this; {socket} is where it is to listen.",
)
@click.option(
    "--spawn-per",
    type=click.Choice([each.value for each in SpawnPer]),
    default=SpawnPer.CASE.value,
    show_default=True,
    help="How long what --spawn starts lives.",
)
@click.option(
    "--queue-map",
    type=click.Choice([mode.value for mode in QueueMode]),
    help="How a vhost-user device numbers its queues; by default this is found out.",
)
@click.option(
    "--in-band", is_flag=True, help="Notify a vhost-user device by messages, where it can."
)
@click.option(
    "-V",
    "--validate",
    is_flag=True,
    help="Hold a harness's messages, and ours, against the schema.",
)
@click.option(
    "--answer-within",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give a harness up that takes longer for one answer; 10 by default.",
)
@click.option(
    "--replay",
    type=FILE,
    metavar="FILE",
    help="Replay what FILE holds instead of running cases: stateful vectors, or moves of a fuzzer.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    show_default="the processors, for many cases on reference or qemu; else 1",
    help="How many cases to run at a time, each in a process of its own.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random choices.")
@click.option(
    "--deadline",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Give a case up after this long; 0 waits for ever.",
)
@verbosity_options
@click.pass_context
def conform(
    ctx: click.Context,
    target: str | None,
    role: str | None,
    select: tuple[str, ...],
    level: str | None,
    rings: str,
    list_: bool,
    json_file: Path | None,
    junit: Path | None,
    html: Path | None,
    markdown: Path | None,
    sarif: Path | None,
    badge: Path | None,
    site: str,
    trace: Path | None,
    expect: tuple[Path, ...],
    ics: Path | None,
    no_expect: bool,
    spawn: str | None,
    spawn_per: str,
    queue_map: str | None,
    in_band: bool,
    validate: bool,
    answer_within: float | None,
    replay: Path | None,
    jobs: int | None,
    seed: int,
    deadline: float,
) -> int:
    """Judge TARGET: say requirement by requirement whether it conforms.

    \b
    Exit status:
      0  it conforms, or fails only as expected
      1  a requirement is violated, or an expectation is out of date
      2  wrong usage
      3  the target could not be started, or died
      4  no violation seen, but a MUST case is inconclusive or in error

    What stands after -- goes to pytest, which runs the cases: -x stops at the first failure.

    \b
    For example:
      vhint conform qemu --select 'reporting.*' --html report.html
      vhint conform qemu --ics qemu.toml
      vhint conform mutant:discard-neighbour
      vhint conform vhost-user --spawn 'my-balloon --socket {socket}'
      vhint conform python:mypackage.balloon:make_device
      vhint conform stdio:./my-harness --validate
    """  # noqa: D301 - click wants the character itself
    settings = TargetSettings(
        spawn=spawn,
        spawn_per=SpawnPer(spawn_per),
        queue_mode=QueueMode(queue_map) if queue_map else None,
        in_band=in_band,
        validate=validate,
        answer_within=answer_within,
    )
    options = RunOptions(
        target=target or "reference",
        settings=settings,
        role=Role(role) if role else None,
        select=select,
        level=Level(level) if level else None,
        rings=_rings(rings),
        trace=trace,
        ics=ics,
        expect=expect,
        no_expect=no_expect,
        jobs=jobs,
        seed=seed,
        deadline=deadline,
        pytest_args=ctx.meta["pytest_args"],
    )
    wanted = {"html": html, "junit": junit, "markdown": markdown, "sarif": sarif, "badge": badge}
    outputs = Outputs(json_file, {name: path for name, path in wanted.items() if path}, site)
    try:
        _check_role(target, role)
        options, roles = _with_role(options, target, needed=not list_)
        if list_:
            print_listing(listing(options, roles), registry.load())
            return int(ExitStatus.CONFORMS)
        outputs.check()
        if trace:
            files.check_directory(trace)
        if replay:
            _check_replay(select, trace, [*expect, *([ics] if ics else [])])
            return _show(
                lambda _: replay_on(options.target, replay, deadline, options.settings), outputs
            )
        tell_config(ctx)
        return _show(lambda console: run(options, make_progress(console, verbosity())), outputs)
    except (UsageError, files.Unwritable) as error:
        raise click.UsageError(str(error)) from error


def _rings(text: str) -> tuple[Rings, ...]:
    try:
        return rings_in(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--rings") from error


def _with_role(
    options: RunOptions, target: str | None, *, needed: bool
) -> tuple[RunOptions, list[Role]]:
    """Return the options and the roles in which the target can be judged.

    If it is only one, the options say so too.
    """
    if target is not None:
        try:
            stated = statement.load(options.ics) if options.ics else None
            role = statement.role_of(options.role, stated)
            roles = list(targets.judged(target, role, options.settings))
        except (targets.UnknownTarget, targets.WrongSettings, statement.StatementError) as error:
            raise UsageError(str(error)) from error
        return replace(options, role=roles[0]) if len(roles) == 1 else options, roles
    if needed:
        raise UsageError(f"name a TARGET: {', '.join(targets.shown())}")
    return options, list(Role)


def _check_role(target: str | None, role: str | None) -> None:
    if target and target.startswith("python:") and role == Role.DRIVER:
        raise UsageError(
            "a Python driver is not judged by this command in this version: "
            "use vhint_conformance.testing.check_guest"
        )


def _check_replay(select: tuple[str, ...], trace: Path | None, expect: list[Path]) -> None:
    given = {"--select": select, "--trace": trace,
             "--expect or --ics": expect}  # fmt: skip
    wrong = [name for name, value in given.items() if value]
    if wrong:
        raise UsageError(f"--replay does not go with {', '.join(wrong)}")


def _show(judge: Callable[[Console], Report], outputs: Outputs) -> int:
    console = make_console(to_stderr=outputs.to_stdout)
    report = judge(console)
    print_report(console, report, registry.load(), verbosity())
    complaints = outputs.write(report)
    for complaint in complaints:
        # The disk filled up meanwhile: whoever reads the file must not take an old one for new.
        click.echo(f"vhint: {complaint}", err=True)
    return int(ExitStatus.USAGE if complaints else report.exit_status)
