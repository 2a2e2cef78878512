"""Where a report for people is written to, and how text of unknown origin gets there safely."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from typing import TextIO, cast

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

# Control characters, and those that turn the direction of what follows.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def make_console(*, to_stderr: bool = False) -> Console:
    """Return a console on standard output, or on standard error."""
    stream = own_stream(sys.stderr if to_stderr else sys.stdout)
    return Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        # FORCE_COLOR makes rich take a pipe for a terminal; it asks for colours and nothing else.
        force_interactive=stream.isatty(),
    )


def say(text: str) -> None:
    """Print text on standard output as it is; nobody need read to the end."""
    own_stream(sys.stdout).write(f"{text}\n")


def print_block(console: Console, what: RenderableType, indent: int = 0) -> None:
    """Print something wrapped and indented; in a file or a pipe without blanks at line ends."""
    padded = Padding(what, (0, 0, 0, indent), expand=False)
    if console.is_terminal:
        console.print(padded)
        return
    with console.capture() as taken:
        console.print(padded)
    console.file.write("".join(f"{line.rstrip()}\n" for line in taken.get().splitlines()))


def printable(text: str) -> str:
    r"""Return the text with control characters, such as those of ANSI sequences, made visible.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text.expandtabs())


def styled(text: str, style: str = "") -> Text:
    """Return text for a console, taken literally."""
    return Text(printable(text), style=style)


def watched(console: Console) -> bool:
    """Whether somebody looks on who can be shown something that moves."""
    return console.is_interactive and not console.is_dumb_terminal


def own_stream(stream: TextIO | None) -> TextIO:
    """Return a stream of our own on the same file.

    pytest redirects the file descriptors of standard output and error while a case runs; what
    the progress bar draws then must still reach the terminal.
    """
    if stream is None:  # closed by whoever started us
        return io.StringIO()
    try:
        descriptor = os.dup(stream.fileno())
    except (OSError, ValueError):
        return stream
    return cast(TextIO, _Descriptor(descriptor, stream.encoding or "utf-8"))


class _Descriptor(io.TextIOBase):
    """Text written straight to a file descriptor; falls silent when nobody reads any more."""

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._silent = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        data = text.encode(self._encoding, "backslashreplace")
        while data and not self._silent:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError as error:
                # `vhint conform qemu | head` is no reason to lose the JSON report or the verdict.
                self._silent = True
                if error.errno != errno.EPIPE:
                    sys.stderr.write(f"vhint: the output cannot be written: {error.strerror}\n")
        return len(text)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()
