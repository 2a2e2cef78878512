"""Live figures of `vhint host`: a table on a terminal, a line of JSON each time anywhere else."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vhint.transport.vhost_user import Figures

MIB = 1 << 20


class Display:
    """Shows figures, and lines in between; a context manager.

    Without `live`, `show` does nothing and lines go to standard error as they are.
    """

    def __init__(self, *, live: bool) -> None:
        self._json = live and not sys.stdout.isatty()
        self._live = (
            Live(console=Console(), auto_refresh=False, transient=False)
            if live and not self._json
            else None
        )

    def say(self, line: str) -> None:
        """Say something about the server."""
        text = f"vhint host: {line}"
        if self._live:
            self._live.console.print(Text(text))
        else:
            print(text, file=sys.stderr, flush=True)

    def answer(self, line: str) -> None:
        """Answer a command that came over standard input."""
        if self._live:
            self._live.console.print(Text(line))
        else:
            print(line, flush=True)

    def show(self, figures: Figures) -> None:
        """Show the figures of now."""
        if self._json:
            print(json.dumps(figures.as_data()), flush=True)
        elif self._live:
            self._live.update(table(figures), refresh=True)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()


def table(figures: Figures) -> Group:
    """Return the figures as tables for a terminal."""
    head = Table.grid(padding=(0, 3))
    state = "connected" if figures.connected else "waiting for a front end"
    inhibited = ", inhibited" if figures.inhibited else ""
    head.add_row("front end", f"{state} ({figures.front_ends} so far, {figures.refused} refused)")
    head.add_row("requests", f"{figures.requests:,} naming {figures.pages:,} pages")
    head.add_row("given back", f"{figures.discarded_bytes / MIB:,.1f} MiB{inhibited}")
    if figures.failed_bytes:
        head.add_row("not given back", f"{figures.failed_bytes / MIB:,.1f} MiB: the host refused")
    head.add_row(
        "resident", f"{figures.resident_bytes / MIB:,.1f} of {figures.memory_bytes / MIB:,.1f} MiB"
    )
    head.add_row(
        "balloon", f"{figures.balloon_actual:,} of {figures.balloon_target:,} pages wanted"
    )
    head.add_row("hinting", f"{figures.hinting}, {figures.hinted_bytes / MIB:,.1f} MiB hinted")
    if figures.error:
        head.add_row("stopped", Text(figures.error, "bold red"))
    queues = Table("ring", "queue", "state", "size", "requests", "kicks", "calls", box=None)
    for index, queue in figures.queues.items():
        numbers = (queue.size, queue.used, queue.kicks, queue.calls)
        queues.add_row(
            str(index),
            queue.queue or "-",
            queue.state.replace("_", ", "),
            *(f"{number:,}" for number in numbers),
        )
    return Group(head, queues) if figures.queues else Group(head)
