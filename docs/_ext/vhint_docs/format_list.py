"""``{format-list}``: every wire format by its id, from the catalogue."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from docutils import nodes

from vhint.wire.formats import FORMATS, Format
from vhint_docs.content import WIDE, VhintDirective, section, table

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from vhint_docs.material import Material


class FormatList(VhintDirective):
    """``{format-list}``: a table of the formats, the normative ones first."""

    def make(self, material: Material) -> list[Node]:  # noqa: ARG002 - the catalogue says it all
        """Make a table for each status."""
        grouped = groupby(FORMATS.values(), key=lambda form: form.status)
        return [_group(str(status), list(forms)) for status, forms in grouped]


def _group(status: str, forms: list[Format]) -> nodes.section:
    made = table(
        ("Format", "Bytes", "What it is", "Since", "Needs besides"),
        [
            (
                [nodes.literal("", form.id)],
                _size(form),
                form.title,
                form.since,
                ", ".join((*form.parameters, *(["layout"] if form.layouts else []))),
            )
            for form in forms
        ],
        widths=(26, 8, 40, 12, 14),
        anchors=[f"format-{form.id}" for form in forms],
        classes=WIDE,
    )
    return section(nodes.make_id(f"formats-{status}"), status.capitalize(), made)


def _size(form: Format) -> str:
    least, most = form.sizes()
    if least == most:
        return str(least)
    return f"{least} to {most}" if most is not None else f"{least} or more"


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("format-list", FormatList)
