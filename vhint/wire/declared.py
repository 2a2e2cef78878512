"""A codec that runs a declaration and has no face: values are construct containers.

For what is looked at rather than worked with: rings as a whole, registers, whole messages.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from operator import index
from typing import Any

from construct import Construct, Container

from vhint.wire.codec import Data
from vhint.wire.errors import OutOfRange, WireError, WrongType


class DeclaredCodec:
    """`parse` and `build` by running a declaration.

    `name` is the format's, for errors; `parameters` are the names of numbers (0 or more) that both
    functions need besides the bytes.
    """

    def __init__(self, name: str, declaration: Construct, parameters: tuple[str, ...] = ()) -> None:
        self.name = name
        self.declaration = declaration
        self.parameters = parameters

    def parse(self, data: Data, *parameters: int) -> Container:
        """Parse a whole message; raises `WireError`."""
        try:
            octets = data if type(data) is bytes else bytes(memoryview(data))
        except TypeError:
            raise WrongType("", 0, "bytes", data, format=self.name) from None
        return self._run(self.declaration.parse_stream, io.BytesIO(octets), parameters=parameters)

    def build(self, values: Mapping[str, Any], *parameters: int) -> bytes:
        """Build a message of the values of its fields; raises `WireError`."""
        stream = io.BytesIO()
        self._run(self.declaration.build_stream, values, stream, parameters=parameters)
        return stream.getvalue()

    def _run(self, function: Any, *arguments: Any, parameters: tuple[int, ...]) -> Any:
        try:
            return function(*arguments, **self._numbers(parameters))
        except WireError as error:
            error.format = self.name
            raise

    def _numbers(self, parameters: tuple[int, ...]) -> dict[str, int]:
        numbers = {}
        for name, value in zip(self.parameters, parameters, strict=True):
            try:
                numbers[name] = index(value)
            except TypeError:
                raise WrongType(name, 0, "an integer", value) from None
            if numbers[name] < 0:
                raise OutOfRange(name, 0, "0 or more", value)
        return numbers
