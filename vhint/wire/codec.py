"""A format's four functions: parse and build, fast, and both again by running the declaration.

The fast functions accept; they never explain. On anything they do not accept, the construct
declaration is run on the same input, so its error is *the* error, whichever function was called.
That run skips the records that a vectorised test has found good: a message of 100,000 entries with
a bad one costs one interpreted entry.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from operator import index
from typing import Any, Generic, NoReturn, TypeVar, cast

import numpy as np

from vhint.wire.bitmap import Bitmap
from vhint.wire.build_source import write_build
from vhint.wire.errors import OutOfRange, WireError, WrongType
from vhint.wire.parse_source import write_parse
from vhint.wire.plan import read_message
from vhint.wire.records import RecordLayout
from vhint.wire.schema import Repeat
from vhint.wire.source import Face

F = TypeVar("F")
Data = bytes | bytearray | memoryview
"""What can be parsed. Anything but `bytes` is copied first, as it may change while it is read."""


class Skipping(io.BytesIO):
    """A stream on which `Repeat` passes over leading records that are known to be good."""

    def __init__(self, layouts: Mapping[int, RecordLayout], data: bytes = b"") -> None:
        super().__init__(data)
        self._layouts = layouts

    def skip(self, repeat: Repeat, elements: Any) -> int:
        """Move past good records; `elements` is how many to parse, or the array to build."""
        layout = self._layouts[id(repeat)]
        if isinstance(elements, int):
            data = self.getvalue()
            position = self.tell()
            whole = min(elements, (len(data) - position) // layout.dtype.itemsize)
            if whole <= 0:
                return 0
            records = np.frombuffer(data, layout.dtype, whole, position)
        elif isinstance(elements, np.ndarray) and len(elements):
            records = elements
        else:
            return 0
        invalid = layout.first_invalid(records)
        good = len(records) if invalid is None else invalid
        self.seek(good * layout.dtype.itemsize, io.SEEK_CUR)
        return good


class Codec(Generic[F]):
    """The functions of one format.

    Args:
        name: of the format, for errors.
        declaration: the construct, which is the only definition.
        faces: the face of the message; or of each case, by its selector.
        parameters: names of numbers (0 or more) that parsing needs besides the bytes.

    Raises:
        NotDerivable: if the declaration is of no shape that `vhint.wire.plan` understands.

    """

    parse: Callable[..., F]
    """``parse(data, *parameters)``: bytes to face; raises `WireError`."""
    build: Callable[..., bytes]
    """``build(face, *parameters)``: face to bytes; raises `WireError`."""
    parse_source: str
    """The source of `parse`, for reading."""
    build_sources: dict[str, str]
    """The source of the build function of each face class, for reading."""

    def __init__(
        self,
        name: str,
        declaration: Any,
        faces: Face | Mapping[int, Face],
        parameters: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.declaration = declaration
        self.parameters = parameters
        self._faces: Mapping[int | None, Face]
        self._faces = {None: faces} if isinstance(faces, Face) else dict(faces.items())
        self._by_class = {face.cls: (key, face) for key, face in self._faces.items()}
        self._layouts: dict[int, RecordLayout] = {}
        self._prepare()

    def _prepare(self) -> None:
        """Derive the fast functions."""
        self._plan = plan = read_message(self.declaration)
        self._layouts = {id(p.con): p.records for p in plan.opens if p.records is not None}
        source = write_parse(plan, self._faces, self.parameters)
        self.parse_source = source.text()
        reject = {"reject": self._reject_data, "copied": self._copied}
        self.parse = source.compile(f"{self.name}: parse", **reject)
        builds: dict[type[Any], Callable[..., bytes]] = {}
        self.build_sources = {}
        for key, face in self._faces.items():
            source = write_build(plan, face, key, self.parameters)
            self.build_sources[face.cls.__name__] = source.text()
            label = f"{self.name}: build {face.cls.__name__}"
            builds[face.cls] = source.compile(label, reject=self._reject_face)
        self.build = (
            next(iter(builds.values()))
            if len(builds) == 1
            else _dispatch(builds, self._reject_face)
        )

    def parse_interpreted(self, data: Data, *parameters: int) -> F:
        """Parse by running the declaration; the same face or the same error as `parse`."""
        numbers = self._numbers(parameters)
        values = self._run(self.declaration.parse_stream, io.BytesIO(self._copied(data)), **numbers)
        return self._face_of(values)

    def build_interpreted(self, face: F, *parameters: int | None) -> bytes:
        """Build by running the declaration; the same bytes or the same error as `build`."""
        stream = io.BytesIO()
        self._build_onto(stream, face, parameters, plain=True)
        return stream.getvalue()

    def _reject_data(self, data: bytes, *parameters: int) -> NoReturn:
        """Find out what is wrong with bytes that `parse` did not accept."""
        numbers = self._numbers(parameters)
        self._run(self.declaration.parse_stream, Skipping(self._layouts, data), **numbers)
        raise RuntimeError(f"{self.name}: the declaration accepts what the plan does not: {data!r}")

    def _reject_face(self, face: F, *parameters: int | None) -> bytes:
        """Find out what is wrong with a face that `build` did not accept.

        If nothing is (a subclass, say, or a number of some other type), the declaration builds it.
        """
        self._build_onto(Skipping(self._layouts), face, parameters, plain=False)
        return self.build_interpreted(face, *parameters)

    def _build_onto(
        self, stream: io.BytesIO, face: F, parameters: tuple[Any, ...], *, plain: bool
    ) -> None:
        values, numbers = self._values_of(face, parameters, plain=plain)
        self._run(self.declaration.build_stream, values, stream, **numbers)

    def _run(self, function: Callable[..., Any], *arguments: Any, **numbers: Any) -> Any:
        try:
            return function(*arguments, **numbers)
        except WireError as error:
            error.format = self.name
            raise

    def _copied(self, data: Data) -> bytes:
        if type(data) is bytes:
            return data
        try:
            return bytes(memoryview(data))
        except TypeError:
            raise WrongType("", 0, "bytes", data, format=self.name) from None

    def _numbers(self, parameters: tuple[Any, ...]) -> dict[str, int]:
        numbers = {}
        for name, value in zip(self.parameters, parameters, strict=True):
            try:
                numbers[name] = index(value)
            except TypeError:
                raise WrongType(name, 0, "an integer", value, format=self.name) from None
            if numbers[name] < 0:
                raise OutOfRange(name, 0, "0 or more", value, format=self.name)
        return numbers

    def _face_of(self, values: Any) -> F:
        """Make the face of what the declaration parsed."""
        key: int | None = None
        if self._plan.body is not None:
            key = values[self._plan.key]
            values = {**values, **values[self._plan.body]}
        face, message = self._faces[key], self._plan if key is None else self._plan.cases[key]
        made = {}
        for name in face.attributes:
            made[name] = value = values[name]
            column = face.column(name)
            if column is not None and message.open and message.open.records:
                made[name] = column.over(_array(value, message.open.records.dtype))
        return cast(F, made[face.whole] if face.whole else face.cls(**made))

    def _values_of(
        self, face: F, parameters: tuple[Any, ...], *, plain: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give what the declaration builds from, and the parameters; arrays as lists if `plain`."""
        key, description = self._description(face)
        message = self._plan if key is None else self._plan.cases[key]
        values: dict[str, Any] = {}
        for name in description.attributes:
            value = face if description.whole else getattr(face, name)
            column = description.column(name)
            if column is not None:
                if not isinstance(value, column):
                    raise WrongType(name, 0, column.__name__, value, format=self.name)
                value = value.records.tolist() if plain else value.records
                if plain and message.open and message.open.records:
                    names = message.open.records.dtype.names
                    value = (
                        [dict(zip(names, row, strict=True)) for row in value] if names else value
                    )
            values[name] = value
        part = message.open
        if part and part.count:
            value = values[part.name]
            if part.records is None and not isinstance(value, Bitmap | None):
                raise WrongType(part.name, 0, "a Bitmap", value, format=self.name)
            own = 0 if value is None else value.count if part.records is None else len(value)
            if part.count.is_parameter:
                if not parameters or parameters[0] is None:
                    parameters = (own,)
            else:
                values[part.count.name] = own
        numbers = self._numbers(parameters)
        if key is not None and self._plan.key and self._plan.body:
            values = {**values, self._plan.key: key, self._plan.body: values}
        return values, numbers

    def _description(self, face: F) -> tuple[int | None, Face]:
        for cls in type(face).__mro__:
            if cls in self._by_class:
                return self._by_class[cls]
        expected = " or ".join(cls.__name__ for cls in self._by_class)
        raise WrongType("", 0, expected, face, format=self.name)


def _dispatch(
    builds: dict[type[Any], Callable[..., bytes]], otherwise: Callable[..., bytes]
) -> Callable[..., bytes]:
    def build(face: Any) -> bytes:
        return builds.get(type(face), otherwise)(face)

    return build


def _array(values: list[Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    rows = [tuple(row[name] for name in dtype.names) for row in values] if dtype.names else values
    array = np.array(rows, dtype)
    array.flags.writeable = False
    return array
