"""``{wire} MODULE``: the formats of a module of `vhint.wire`, drawn from their declarations."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from construct import Construct
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from vhint_docs import wire_svg
from vhint_docs.api import first_sentence
from vhint_docs.content import html, paragraph, table
from vhint_docs.wire_model import Field, Layout, NotDrawable, Open, layouts

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx


class Wire(SphinxDirective):
    """Diagrams and tables of a module's formats, or of the declarations that are named."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"declaration": directives.unchanged_required}

    def run(self) -> list[Node]:
        """Draw each declaration."""
        name = self.arguments[0]
        try:
            module = importlib.import_module(f"vhint.wire.{name}")
        except ImportError as error:
            raise self.error(f"no wire module is called {name}: {error}") from error
        self.env.note_dependency(str(Path(inspect.getfile(module))))
        wanted = self.options.get("declaration", "").split()
        declared = declarations(module, wanted)
        about = first_sentence(module.__doc__ or "")
        if not declared and not wanted and "no payload" in about:
            return [paragraph(f"{about}.", classes=["vh-remark"])]
        if not declared:
            raise self.error(f"vhint.wire.{name} declares no {' or '.join(wanted) or 'format'}")
        try:
            several = distinct(declared)
            return [
                node
                for title, shapes in several
                for node in drawn(shapes, f"{name}.{title}" if len(several) > 1 else name)
            ]
        except NotDrawable as error:
            raise self.error(f"vhint.wire.{name} cannot be drawn: {error}") from error


def declarations(module: Any, wanted: list[str]) -> dict[str, Construct]:
    """Return declarations by name: those wanted, else what is called a format, else all.

    One that depends on the guest's layout is a mapping; its members have names like
    ``FORMATS, LP64_LITTLE``.
    """
    public = {name: value for name, value in vars(module).items() if name.isupper()}
    chosen = {name: public[name] for name in wanted if name in public}
    if not wanted:
        chosen = {name: value for name, value in public.items() if "FORMAT" in name}
    if not wanted and not chosen:
        chosen = public
    found: dict[str, Construct] = {}
    for name, value in chosen.items():
        members = value.items() if isinstance(value, Mapping) else [("", value)]
        for key, con in members:
            if isinstance(con, Construct) and not name.startswith("_"):
                found[f"{name}, {getattr(key, 'name', key)}" if key else name] = con
    return found


def distinct(declared: dict[str, Construct]) -> list[tuple[str, list[Layout]]]:
    """Return what there is to draw: declarations of one name that look alike make one entry."""
    found: dict[tuple[str, tuple[Layout, ...]], list[str]] = {}
    for title, con in declared.items():
        name, _, member = title.partition(", ")
        found.setdefault((name, tuple(layouts(con))), []).append(member)
    alone = len({name for name, _ in found}) == len(found)
    return [
        (name if alone else ", ".join([name, *members]), list(shapes))
        for (name, shapes), members in found.items()
    ]


def drawn(shapes: list[Layout], name: str) -> list[Node]:
    """Return the diagrams of a declaration with their tables."""
    found: list[Node] = []
    for layout in shapes:
        title = f"{name}, {layout.case}" if layout.case else name
        caption = f"{title}: {layout.size} bytes"
        if layout.has_optional:
            caption += " (dashed fields may be missing at the end)"
        figure = nodes.container("", classes=["vh-figure"])
        figure += paragraph([nodes.strong("", caption)], classes=["vh-caption"])
        figure += html(wire_svg.draw(layout, f"Wire format {title}"))
        figure += tabular(layout)
        found.append(figure)
    return found


def tabular(layout: Layout) -> nodes.Element:
    """Return the table of a layout."""
    rows: list[tuple[str, ...]] = []
    base = ""
    for part in layout.parts:
        if isinstance(part, Field):
            rows += _rows(part, base)
            continue
        start = _offset(layout, part)
        if part.fields:
            each = "each + " if part.tail else f"{start}{part.stride}·i + "
            for field in part.fields:
                rows += _rows(field, each, part.name)
            rows += _tail(part)
        else:
            offset = start.removesuffix(" + ") or "0"
            rows.append((offset, part.length, f"`{part.name}`", part.type, part.docs or "any"))
        base = "then + "
    return table(
        ("Offset", "Size", "Name", "Type", "Allowed values"),
        rows,
        widths=(16, 12, 24, 16, 32),
        classes=["vh-wire"],
    )


def _offset(layout: Layout, part: Open) -> str:
    """Return what stands before an open part, as the beginning of a sum."""
    before = layout.parts[: layout.parts.index(part)]
    if any(isinstance(each, Open) for each in before):
        return "then + "
    fixed = sum(each.size for each in before if isinstance(each, Field))
    return f"{fixed} + " if fixed else ""


def _rows(field: Field, base: str, group: str = "") -> list[tuple[str, ...]]:
    """Return the row of a field, and one for each of the parts that its bits are cut into."""
    parts = [
        ("", f"bits {low} to {low + width - 1}", f"`{name}`", f"{width} bits", "any")
        for name, low, width in field.bits
    ]
    return [_row(field, base, group), *parts]


def _tail(part: Open) -> list[tuple[str, ...]]:
    """Return the row of what is not always there at the end of a record."""
    if part.tail is None:
        return []
    base = f"each + {part.stride}"
    if isinstance(part.tail, Field):
        return [_row(part.tail, f"{base} + ", part.name)]
    name = f"`{part.name}[i].{part.tail.name}`"
    return [(base, part.tail.length, name, part.tail.type, "any")]


def _row(field: Field, base: str, group: str = "") -> tuple[str, ...]:
    offset = f"{base}{field.offset}".removesuffix(" + 0") if base else str(field.offset)
    name = field.name
    if group and not name.startswith(f"{group}["):
        name = f"{group}[i].{name}"
    missing = field.is_optional and "only if" not in field.allowed
    allowed = field.allowed + (", may be missing" if missing else "")
    return offset, str(field.size), f"`{name}`", field.type, allowed


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("wire", Wire)
