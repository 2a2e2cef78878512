"""Tables of a TOML file made into frozen dataclasses, with every field checked by its type.

A field of type ``str`` is one line of text; a ``Literal`` or an enum is a closed choice; a
tuple is a list without repetitions, of choices or lines, or of tables if its items are
dataclasses. A field with a default is optional.
"""

from __future__ import annotations

import enum
import functools
import tomllib
import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

T = TypeVar("T")


class RegistryError(ValueError):
    """A register's data are wrong; the message names the file and, if known, the entry."""

    def __init__(self, problem: str, *, file: str, slug: str | None = None) -> None:
        super().__init__(": ".join(part for part in (file, slug, problem) if part))
        self.problem = problem
        self.file = file
        self.slug = slug


class FieldError(ValueError):
    """One table does not fit its dataclass."""


def toml_files(directory: Traversable) -> list[Traversable]:
    """Return the TOML files of a directory in the order of their names; at least one."""
    try:
        paths = [path for path in directory.iterdir() if path.name.endswith(".toml")]
    except OSError as error:
        raise RegistryError(f"cannot be listed: {error}", file=str(directory)) from error
    if not paths:
        raise RegistryError("has no TOML files", file=str(directory))
    return sorted(paths, key=lambda path: path.name)


def toml_tables(
    path: Traversable, array: str, head: frozenset[str]
) -> tuple[dict[str, Any], list[Any]]:
    """Return a file's head, of the keys in `head`, and its non-empty array of tables."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegistryError(f"cannot be read: {error}", file=path.name) from error
    if unknown := sorted(data.keys() - head - {array}):
        raise RegistryError(f"unknown keys: {', '.join(unknown)}", file=path.name)
    title = data.get("title")
    if not isinstance(title, str) or not title:
        raise RegistryError("title is missing or not a string", file=path.name)
    entries = data.get(array)
    if not isinstance(entries, list) or not entries:
        raise RegistryError(f"has no [[{array}]] tables", file=path.name)
    return data, entries


def records(directory: Traversable, array: str, kind: type[T], key: str) -> dict[str, T]:
    """Return the records of all files of a directory by their `key` field, in order.

    Raises `RegistryError` for a table that does not fit `kind`, or a key that occurs twice.
    """
    found: dict[str, T] = {}
    homes: dict[str, str] = {}
    for path in toml_files(directory):
        _, entries = toml_tables(path, array, frozenset({"title"}))
        for name, record in keyed(path.name, entries, kind, key):
            if name in found:
                raise RegistryError(f"is already in {homes[name]}", file=path.name, slug=name)
            found[name], homes[name] = record, path.name
    return found


def keyed(file: str, entries: list[Any], kind: type[T], key: str) -> Iterator[tuple[str, T]]:
    """Yield each table of a list as its key and its record; raise `RegistryError` at a bad one."""
    for name, record in judged(entries, kind, key):
        if isinstance(record, FieldError):
            raise RegistryError(str(record), file=file, slug=name)
        yield name, record


def judged(entries: list[Any], kind: type[T], key: str) -> Iterator[tuple[str, T | FieldError]]:
    """Yield each table of a list as its key and its record, or what is wrong with it."""
    for number, entry in enumerate(entries, 1):
        named = entry.get(key) if isinstance(entry, dict) else None
        name = named if isinstance(named, str) else f"entry {number}"
        try:
            yield name, build(kind, entry)
        except FieldError as error:
            yield name, error


def build(kind: type[T], entry: object) -> T:
    """Return `entry` as a `kind`, a dataclass. Raises `FieldError` with what is wrong."""
    if not isinstance(entry, dict):
        raise FieldError("is not a table")
    described, hints = _described(kind)  # type: ignore[arg-type]
    needed = [field.name for field in described if field.default is MISSING]
    if missing := [name for name in needed if name not in entry]:
        raise FieldError(f"lacks {', '.join(missing)}")
    if unknown := sorted(entry.keys() - {field.name for field in described}):
        raise FieldError(f"unknown fields: {', '.join(unknown)}")
    return kind(**{name: _value(name, hints[name], value) for name, value in entry.items()})


@functools.cache
def _described(kind: type[Any]) -> tuple[tuple[Field[Any], ...], dict[str, Any]]:
    return fields(kind), typing.get_type_hints(kind)


def _value(name: str, hint: Any, value: object) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        (hint,) = (option for option in arguments if option is not types.NoneType)
        return _value(name, hint, value)
    if origin is tuple:
        return _items(name, arguments[0], value)
    if hint is int or hint is bool:
        if type(value) is not hint:
            raise FieldError(f"{name} is not {'a number' if hint is int else 'true or false'}")
        return value
    if not isinstance(value, str) or not value or value != " ".join(value.split()):
        raise FieldError(f"{name} is not one line of text")
    if choices := _choices(hint):
        if value not in choices:
            raise FieldError(f"{name} is {value!r}, not one of {', '.join(choices)}")
        return choices[value]
    return value


def _items(name: str, hint: Any, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise FieldError(f"{name} is not a list")
    if is_dataclass(hint):
        return tuple(_nested(name, hint, number, item) for number, item in enumerate(value, 1))
    items = tuple(_value(f"an item of {name}", hint, item) for item in value)
    if len(set(items)) != len(items):
        raise FieldError(f"{name} names one twice")
    return items


def _nested(name: str, hint: Any, number: int, item: object) -> Any:
    try:
        return build(hint, item)
    except FieldError as error:
        raise FieldError(f"{name} {number}: {error}") from None


@functools.cache
def _choices(hint: Any) -> dict[str, Any]:
    """Return the permitted texts of a closed choice, with what each becomes; else nothing."""
    if typing.get_origin(hint) is typing.Literal:
        return {choice: choice for choice in typing.get_args(hint)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {member.value: member for member in hint}
    return {}
