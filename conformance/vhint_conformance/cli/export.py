"""`vhint export`: the formats for other languages and tools."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vhint.export import TARGETS
from vhint_conformance.cli import completing
from vhint_conformance.report import files
from vhint_conformance.selection import close_names

EXAMPLES = """\
\b
Examples:
  vhint export --to c -o vhint.h
  vhint export --to rust --format 'hint-*' -o vhint.rs
  vhint export --to wireshark --format '*' -o vhint.lua
  vhint export --to pcap -o samples.pcapng
  vhint export --to pcap --strace backend.log -o session.pcapng
"""


@click.command(
    short_help="Generate C, Rust, Kaitai or a dissector from the formats.", epilog=EXAMPLES
)
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice(list(TARGETS)),
    help="; ".join(f"{name}: {what}" for name, what in TARGETS.items()) + ".",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    default=Path("-"),
    metavar="FILE",
    help="Where to write it; standard output by default.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME",
    shell_complete=completing.formats,
    help="Only this format (or glob); can be repeated. By default all but the historic ones.",
)
@click.option(
    "--strace",
    "log",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="LOG",
    help="With --to pcap: the vhost-user messages that strace has seen, instead of vectors.",
)
def export(target: str, output: Path, formats: tuple[str, ...], log: Path | None) -> None:
    """Generate parsers that accept and refuse what vhint does, with the same errors.

    Everything comes from the declarations of the formats; `vhint formats` lists them. What is
    generated is the same every time, needs no library, and may be put into any project.
    """
    from vhint import export as generator

    if log and (target != "pcap" or formats):
        raise click.UsageError("--strace goes with --to pcap, and with no --format")
    try:
        made = _of_log(log) if log else generator.export(target, formats)
    except LookupError as error:
        raise _unknown(str(error.args[0])) from error
    except TypeError as error:
        raise click.UsageError(
            f"{', '.join(formats)} cannot be exported to {target}: {error}"
        ) from error
    try:
        if isinstance(made, bytes):
            _write_bytes(output, made)
        else:
            files.write(output, made)
    except files.Unwritable as error:
        raise click.UsageError(str(error)) from error


def _of_log(log: Path) -> bytes:
    from vhint.export import capture, strace

    how = f"strace -f -xx -s 65536 -e trace={','.join(strace.CALLS)} -o LOG COMMAND"
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            found = list(strace.frames(lines))
    except strace.CutOff as error:
        raise click.UsageError(f"{log}: bytes are cut off in {error}...: use {how}") from error
    except OSError as error:
        raise click.UsageError(f"{log} cannot be read: {error.strerror}") from error
    if not found:
        raise click.UsageError(f"{log}: no message of vhost-user in it; make it with {how}")
    return capture.write(found)


def _unknown(name: str) -> click.UsageError:
    from vhint.export.formats import catalogue

    close = close_names(name, catalogue())
    hint = f"did you mean {' or '.join(close)}?" if close else "`vhint formats` lists them"
    return click.UsageError(f"no format is called {name}; {hint}")


def _write_bytes(output: Path, data: bytes) -> None:
    if str(output) != "-":
        try:
            output.write_bytes(data)
        except OSError as error:
            raise files.Unwritable(f"{output}: could not be written: {error.strerror}") from error
    elif sys.stdout.isatty():
        raise click.UsageError("a capture is no text: name a file with -o, or redirect the output")
    else:
        sys.stdout.buffer.write(data)
