"""`vhint decode`: bytes to values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from vhint_conformance.cli.codec_options import codec_options, complain, opened, options_of
from vhint_conformance.report.model import ExitStatus

if TYPE_CHECKING:
    from vhint.wire.formats import Format
    from vhint_conformance.codecs.messages import Piece

EPILOG = """\b
Examples:
  vhint decode command-id <<< '01 00 00 00'
  vhint decode hint-ack --param count=11 ack.hex --to table
  xxd queue.bin | vhint decode pfn-array
  vhint decode vhost-user-message --from binary --stream capture.bin
  vhint decode vring-descriptor --from binary --stream table.bin --to table
"""


@click.command(short_help="Bytes of a format to JSON or a table.", epilog=EPILOG)
@codec_options
@click.option(
    "--from",
    "source",
    type=click.Choice(["hex", "binary"]),
    default="hex",
    show_default=True,
    help="What the input is; hex may be plain or a dump of xxd or hexdump -C.",
)
@click.option(
    "--to",
    "target",
    type=click.Choice(["json", "table"]),
    default="json",
    show_default=True,
    help="A line of JSON for each message, or a table of its fields.",
)
@click.option(
    "--size",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="With --stream --from binary: the length of each message, if it does not say.",
)
def decode(
    form: Format,
    file: str,
    given: tuple[tuple[str, int], ...],
    layout: str | None,
    stream: bool,
    keep_going: bool,
    max_size: int,
    source: str,
    target: str,
    size: int | None,
) -> int:
    """Decode FILE, or standard input, as a message of FORMAT (see `vhint formats`).

    With --stream the input is many messages and may go on for ever: in hex one a line (or one a
    dump), in binary one after the other. Exits with 1 if a message is wrong, and says where.
    """
    from vhint.wire.formats import NotDelimited
    from vhint_conformance.codecs.hex_text import HexError
    from vhint_conformance.codecs.messages import InputError

    options = options_of(form, given, layout)
    status = ExitStatus.CONFORMS
    with opened(file) as data:
        try:
            for piece in _pieces(data, form, options, source, size, max_size, stream=stream):
                if not _show(file, form, piece, options, target, keep_going=keep_going):
                    status = ExitStatus.VIOLATED
                    if not keep_going:
                        break
        except NotDelimited as error:
            raise click.UsageError(f"{error}; give --size, or one message a line in hex") from error
        except (HexError, InputError) as error:
            complain(file, str(error))
            return int(ExitStatus.VIOLATED)
    return int(status)


def _pieces(
    data: BinaryIO,
    form: Format,
    options: dict[str, Any],
    source: str,
    size: int | None,
    limit: int,
    *,
    stream: bool,
) -> Iterator[Piece]:
    from vhint_conformance.codecs import messages

    is_hex = source == "hex"
    if size is not None and (is_hex or not stream):
        raise click.UsageError("--size goes with --stream --from binary")
    if not stream:
        return messages.whole(data, limit, is_hex=is_hex)
    if is_hex:
        return messages.hex_lines(data, limit)
    return messages.framed(data, form, options, size, limit)


def _show(
    file: str, form: Format, piece: Piece, options: dict[str, Any], target: str, *, keep_going: bool
) -> bool:
    """Print a message; return whether it is one."""
    from vhint.wire.errors import WireError
    from vhint_conformance.codecs import show

    error: WireError | None = None
    if target == "table":
        text, error = show.table(form, piece.data, options)
        if piece.where:
            print(f"message {piece.number}, at {piece.where}")
        print(text, flush=True)
    else:
        try:
            print(show.json_line(form, piece.data, options), flush=True)
        except WireError as found:
            error = found
            if keep_going:
                print(show.error_line(found, piece.number), flush=True)
    if error is None:
        return True
    where = f"message {piece.number}, at {piece.where}: " if piece.where else ""
    complain(file, f"{where}{error}")
    if piece.is_lost:
        complain(file, "where the next message begins cannot be told: nothing more is decoded")
    return False
