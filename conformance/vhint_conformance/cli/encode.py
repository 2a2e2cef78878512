"""`vhint encode`: values to bytes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from vhint_conformance.cli.codec_options import codec_options, complain, opened, options_of
from vhint_conformance.report.model import ExitStatus

if TYPE_CHECKING:
    from vhint.wire.formats import Format

CHARACTERS = 16
"""Of JSON for a byte of a message: a bitmap has 8, a number by itself up to 12."""

EPILOG = """\b
Examples:
  vhint encode command-id <<< '{"value": 1}'
  vhint encode hint-request request.json
  vhint decode statistics old.hex | jq '.entries[0].value = "0"' > new.json
  vhint encode statistics new.json
  vhint encode hint-ack --param count=11 --to binary ack.json > ack.bin
"""


@click.command(short_help="JSON to the bytes of a format.", epilog=EPILOG)
@codec_options
@click.option(
    "--to",
    "target",
    type=click.Choice(["hex", "binary"]),
    default="hex",
    show_default=True,
    help="A line of hex for each message, or nothing but their bytes.",
)
def encode(
    form: Format,
    file: str,
    given: tuple[tuple[str, int], ...],
    layout: str | None,
    stream: bool,
    keep_going: bool,
    max_size: int,
    target: str,
) -> int:
    """Encode the JSON in FILE, or standard input, as a message of FORMAT (see `vhint formats`).

    The JSON is what `vhint decode` prints. Counts, reserved fields and padding may be left out;
    numbers may be strings, also of the form "0x1000". With --stream there is one message a line.
    Exits with 1 if it is no such message, and says where.
    """
    from vhint.wire.errors import WireError

    options = options_of(form, given, layout)
    status = ExitStatus.CONFORMS
    with opened(file) as data:
        try:
            for where, text in _texts(data, CHARACTERS * max_size, stream=stream):
                try:
                    made = form.from_json(_value(text), **options)
                except (WireError, _JsonError) as error:
                    status = ExitStatus.VIOLATED
                    complain(file, f"{where}{_short(error)}")
                    if not keep_going:
                        break
                else:
                    _write(made, target)
        except _JsonError as error:  # a text that is too long to be looked for the next one
            status = ExitStatus.VIOLATED
            complain(file, str(error))
    return int(status)


def _write(made: bytes, target: str) -> None:
    if target == "hex":
        print(made.hex(), flush=True)
    else:
        sys.stdout.buffer.write(made)
        sys.stdout.buffer.flush()


class _JsonError(ValueError):
    """A text that is no JSON, or no JSON for this: the message says where and why."""


def _texts(data: BinaryIO, limit: int, *, stream: bool) -> Iterator[tuple[str, bytes]]:
    """Yield what to say of the place of each JSON text, and the text."""
    if not stream:
        text = data.read(limit + 1)
        _within(len(text), limit, "the input")
        yield "", text
        return
    number = 0
    while line := data.readline(limit + 1):
        number += 1
        _within(len(line), limit, f"line {number}")
        if line.strip():
            yield f"line {number}: ", line


def _within(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise _JsonError(f"{what} is longer than {limit} bytes (--max-size allows more)")


def _value(text: bytes) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise _JsonError(f"byte {error.start} is not UTF-8: no JSON") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _JsonError(f"{where}: no JSON: {error.msg}") from None
    except RecursionError:
        raise _JsonError("brackets within brackets without end") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _JsonError(f"the field {twice!r} is there twice")
    return made


def _short(error: Exception, most: int = 300) -> str:
    text = str(error)
    return text if len(text) <= most else f"{text[:most]}..."
