"""The vectors as a capture: each is a frame, with its id and what is to be seen as a comment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vhint.export import vectors
from vhint.export.capture import Frame, write
from vhint.export.formats import Format
from vhint.export.rendering import Export
from vhint.export.words import snake
from vhint.wire import hint_request
from vhint.wire.bitmap import Bitmap

_LONGEST = 1 << 20
"""Counts above it get no request in front of their acknowledgement."""


def render(export: Export) -> bytes:
    """Give the capture."""
    frames = [
        frame
        for each in export.formats
        for vector in vectors.of_format(each.name)
        for frame in _frames(each, vector)
    ]
    return write(frames)


def _frames(form: Format, vector: dict[str, Any]) -> Iterator[Frame]:
    layout = vector["layouts"][0] if "layouts" in vector else None
    name = dissector(form, layout)
    data = bytes.fromhex(vector["hex"])
    count = vector["parameters"].get("count")
    if form.name == "hint-ack" and count <= _LONGEST:
        # The dissector takes the count from the request with the same cookie.
        cookie = int.from_bytes(data[:8], "little")
        request = hint_request.BitmapRequest(cookie, 0, 0, Bitmap(count, bytes(-(-count // 8))))
        yield Frame("vhint.hint_request", hint_request.build(request), "the request for the next")
    given = "".join(f"; {each} is {number}" for each, number in vector["parameters"].items())
    yield Frame(name, data, f"{vector['id']}: {_verdict(vector)}{given}. {vector['comment']}")


def _verdict(vector: dict[str, Any]) -> str:
    if vector["result"] == "valid":
        return "valid"
    error = vector["error"]
    return f"{error['kind']}, {error['path'] or 'message'} at byte {error['offset']}"


def dissector(form: Format, layout: str | None) -> str:
    """Give the name of the protocol that dissects a format."""
    return f"vhint.{snake(form.name)}" + (f".{snake(layout)}" if layout else "")
