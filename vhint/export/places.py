"""Where the fields of a format are, as constants: for those who only need an offset."""

from __future__ import annotations

from collections.abc import Iterator

from vhint.export.formats import Format
from vhint.export.shape import Array, Bits, End, Field, Leading, Number, Parts, Variant


def places(form: Format) -> list[tuple[str, int]]:
    """Give what is known of a format's layout: offsets, sizes of elements, and its own size.

    The names are in capitals, those in a case with the case's name before. There is nothing if it
    depends on the guest's layout.

    >>> from vhint.export.formats import catalogue
    >>> places(catalogue()["command-id"])
    [('VALUE_OFFSET', 0), ('SIZE', 4)]
    """
    return [] if len(form.groups) > 1 else list(_places(form.tree, 0, ""))


def _places(fields: tuple[Field, ...], offset: int, prefix: str) -> Iterator[tuple[str, int]]:
    for field in fields:
        name = prefix + field.name.upper()
        if isinstance(field, Leading):
            yield from _places(field.numbers, offset, prefix)
            return
        if isinstance(field, Variant):
            for case in field.cases:
                yield from _places(case.fields, offset, f"{prefix}{case.name.upper()}_")
        elif isinstance(field, (Array, Bits)):
            yield f"{name}_OFFSET", offset
            if isinstance(field, Array) and field.stride:
                yield f"{name}_STRIDE", field.stride
            return
        elif isinstance(field, (Number, Parts)):
            if isinstance(field, Parts) or field.is_shown:
                yield f"{name}_OFFSET", offset
            offset += field.size
        elif isinstance(field, End):
            yield f"{prefix}SIZE", offset
