"""`vhint host`: the reference device, served over vhost-user."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from vhint.host import EVERY_FEATURE
from vhint.transport.vhost_user import (
    CannotListen,
    Commander,
    ControlSocket,
    ListeningSocket,
    Server,
    ServerOptions,
    supervise,
)
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QueueMode
from vhint_conformance.cli.host_display import Display
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.selection import close_names

STDIN = "-"


class FeatureList(click.ParamType[Features]):
    """Names of features with commas between: those of the device, or all but some."""

    name = "features"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Features:
        """Return the set: the rings' own features are offered unless they are taken away."""
        if isinstance(value, Features):
            return value
        names = {feature.name: feature for feature in EVERY_FEATURE}
        rings = Features.of(*(feature for feature in EVERY_FEATURE if feature >= _FIRST_OF_RINGS))
        words = [word for word in str(value).upper().replace("-", "_").split(",") if word]
        chosen = rings if any(not word.startswith("_") for word in words) else EVERY_FEATURE
        for word in words:
            name = word.removeprefix("_")
            if name == "ALL":
                chosen = EVERY_FEATURE
            elif name not in names:
                close = close_names(name, names)
                hint = f"did you mean {' or '.join(close)}?" if close else ""
                self.fail(f"no feature {name}; {hint} Known: {', '.join(names)}", param, ctx)
            elif word.startswith("_"):
                chosen -= Features.of(names[name])
            else:
                chosen |= Features.of(names[name])
        return chosen


_FIRST_OF_RINGS = Feature.INDIRECT_DESC


@click.command(
    epilog="Exit status: 0 ended as asked, 2 wrong usage or no socket possible."
    " The commands of --commands are shown by its command `help`."
)
@click.option(
    "--socket",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="Where front ends connect; made at the start and removed at the end.",
)
@click.option(
    "--features",
    type=FeatureList(),
    default="all",
    help="What to offer: names with commas, or -NAME for all but that. Default: all.",
)
@click.option(
    "--queue-map",
    type=click.Choice([mode.value for mode in QueueMode]),
    default=QueueMode.COMPACT_ACCEPTED.value,
    show_default=True,
    help="Which ring is which queue.",
)
@click.option(
    "--host-page",
    type=int,
    default=4096,
    show_default=True,
    help="Bytes of the host's pages, by which memory is given back.",
)
@click.option(
    "--stats",
    type=click.FloatRange(0.05, 86400),
    is_flag=False,
    flag_value=1.0,
    help="Show figures every so many seconds (1): a table, or JSON lines off a terminal.",
)
@click.option("--once", is_flag=True, help="End with the first front end.")
@click.option("--inhibit", is_flag=True, help="Keep all memory until told otherwise.")
@click.option(
    "--commands", help="Take commands on a socket at this path, or on standard input (-)."
)
def host(
    path: Path,
    features: Features,
    queue_map: str,
    host_page: int,
    stats: float | None,
    once: bool,
    inhibit: bool,
    commands: str | None,
) -> int:
    """Serve the reference balloon device to a virtual machine monitor over vhost-user.

    Memory that the guest gives up is really given back. One front end is served at a time, and the
    next when it has gone; SIGINT or SIGTERM ends the server.

    \b
    For example:
      vhint host --socket /tmp/balloon.sock --stats
      vhint host --socket /tmp/balloon.sock --features=-hinting_bitmap --once
    """  # noqa: D301 - click wants the character itself
    options = ServerOptions(
        features=features,
        queue_mode=QueueMode(queue_map),
        host_page=host_page,
        once=once,
        inhibit=inhibit,
    )
    try:
        options.device()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    display = Display(live=stats is not None)
    with ExitStack() as stack:
        try:
            listening = _listen(stack, path)
            control = None if commands in (None, STDIN) else _listen(stack, Path(str(commands)))
        except CannotListen as error:
            raise click.UsageError(str(error)) from None

        def serve() -> int:
            with display:
                server = Server(options, listening, display.say)
                server.stop_on_signals()
                if commands == STDIN:
                    _take_stdin(server, display)
                if control:
                    ControlSocket(server, control)
                if stats is not None:
                    server.every(stats, lambda: display.show(server.figures()))
                display.say(f"waiting for a front end at {path}")
                server.run()
                display.show(server.figures())
            return int(ExitStatus.CONFORMS)

        return supervise(serve, display.say)


def _listen(stack: ExitStack, path: Path) -> ListeningSocket:
    listening = ListeningSocket(path)
    stack.callback(listening.close)
    return listening


def _take_stdin(server: Server, display: Display) -> None:
    # It stays as it is: a terminal is one file for the shell and for standard output as well.
    try:
        Commander(server, sys.stdin.fileno(), display.answer)
    except OSError:
        display.say("no commands are taken: standard input is neither a terminal nor a pipe")
