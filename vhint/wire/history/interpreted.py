"""A codec that runs a declaration whose shape no fast one is written for.

Historical formats with parts that depend on parts of their own elements (a bitmap in each record, a
count that follows only sometimes) are read for old traces, not for speed.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Generic

from vhint.wire.codec import Data, F
from vhint.wire.errors import WireError, WrongType


class InterpretedCodec(Generic[F]):
    """`parse` and `build` by running a declaration.

    `name` is the format's, for errors, `declaration` its construct and `cls` the face's class.
    `to_face` makes the face of what the declaration parsed; `to_values` makes of a face what the
    declaration builds from, and raises `WireError` for one that it cannot be.
    """

    def __init__(
        self,
        name: str,
        declaration: Any,
        cls: type[F],
        to_face: Callable[[Any], F],
        to_values: Callable[[F], Any],
    ) -> None:
        self.name = name
        self.declaration = declaration
        self._cls = cls
        self._to_face = to_face
        self._to_values = to_values

    def parse(self, data: Data) -> F:
        """Parse a message; raises `WireError`."""
        try:
            octets = data if type(data) is bytes else bytes(memoryview(data))
        except TypeError:
            raise WrongType("", 0, "bytes", data, format=self.name) from None
        try:
            return self._to_face(self.declaration.parse_stream(io.BytesIO(octets)))
        except WireError as error:
            error.format = self.name
            raise

    def build(self, face: F) -> bytes:
        """Build a message; raises `WireError`."""
        stream = io.BytesIO()
        try:
            if not isinstance(face, self._cls):
                raise WrongType("", 0, self._cls.__name__, face)
            self.declaration.build_stream(self._to_values(face), stream)
        except WireError as error:
            error.format = self.name
            raise
        return stream.getvalue()
