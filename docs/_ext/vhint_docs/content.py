"""Small pieces of docutils that the directives have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from vhint_docs.domain import VhintDomain, link
from vhint_docs.material import Material, material, sources

if TYPE_CHECKING:
    from docutils.nodes import Element, Node

Cell = str | Sequence["Node"]
"""What stands in a cell: text, in which backticks mark literals, or inline nodes."""

WIDE = ("vh-wide",)
"""The class of tables with columns of text, which scroll rather than be squeezed."""

_TOKEN = re.compile(
    r"`(?P<literal>[^`]+)`"
    r"|(?P<url>https?://[^\s<>]+[^\s<>.,;:)])"
    r"|(?<!\S)\*(?P<stress>\w[^*]*)\*"
    r"|(?P<slug>\b[a-z-]+\.(?:driver|device)\.[a-z0-9.-]*[a-z0-9])"
)


class VhintDirective(SphinxDirective):
    """A directive over the material; the document is renewed when the material changes."""

    def run(self) -> list[Node]:
        """Note what the document depends on, then make the nodes."""
        for path in sources():
            self.env.note_dependency(str(path))
        return self.make(material())

    def make(self, material: Material) -> list[Node]:
        """Make the nodes."""
        raise NotImplementedError

    @property
    def domain(self) -> VhintDomain:
        """The domain in which names are noted."""
        return cast(VhintDomain, self.env.get_domain("vhint"))


def inline(text: str) -> list[Node]:
    """Turn plain text into nodes: literals in backticks, links from slugs and URLs, *stress*.

    >>> [node.astext() for node in inline("see `start_pfn` there")]
    ['see ', 'start_pfn', ' there']
    """
    found: list[Node] = []
    done = 0
    for match in _TOKEN.finditer(text):
        if match.start() > done:
            found.append(nodes.Text(text[done : match.start()]))
        literal, url, stress, slug = match.group("literal", "url", "stress", "slug")
        if stress:
            found.append(nodes.emphasis("", stress))
        elif url:
            found.append(nodes.reference("", url, refuri=url))
        elif (literal or slug) in material().requirements:
            found.append(link("req", literal or slug))
        else:
            found.append(nodes.literal("", literal) if literal else nodes.Text(slug))
        done = match.end()
    if done < len(text):
        found.append(nodes.Text(text[done:]))
    return found


def paragraph(content: Cell, *, classes: Sequence[str] = ()) -> nodes.paragraph:
    """Return a paragraph of a cell's content."""
    children = inline(content) if isinstance(content, str) else list(content)
    return nodes.paragraph("", "", *children, classes=list(classes))


def joined(items: Iterable[Node], between: str = ", ") -> list[Node]:
    """Return the nodes with text between them."""
    found: list[Node] = []
    for item in items:
        if found:
            found.append(nodes.Text(between))
        found.append(item)
    return found


def level_badge(level: str) -> nodes.inline:
    """Return a level as it stands beside a requirement."""
    word = level.lower().replace(" ", "-")
    return nodes.inline("", level, classes=["vh-level", f"vh-level-{word}"])


def field_list(fields: Iterable[tuple[str, Cell]]) -> nodes.field_list:
    """Return names with their values, without those that are empty."""
    result = nodes.field_list(classes=["vh-fields"])
    for name, value in fields:
        if value:
            result += nodes.field(
                "", nodes.field_name("", name), nodes.field_body("", paragraph(value))
            )
    return result


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    widths: Sequence[int] | None = None,
    anchors: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> Element:
    """Return a table that scrolls by itself where the page is too narrow; rows may have anchors."""
    group = nodes.tgroup(cols=len(header))
    for width in widths or [1] * len(header):
        group += nodes.colspec(colwidth=width)
    group += nodes.thead("", _row(header))
    body = nodes.tbody()
    for number, cells in enumerate(rows):
        row = _row(cells)
        if number < len(anchors):
            row["ids"] = [anchors[number]]
        body += row
    group += body
    return nodes.table("", group, classes=["vh-table", *classes])


def _row(cells: Sequence[Cell]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        row += nodes.entry("", paragraph(cell)) if cell else nodes.entry("", nodes.paragraph())
    return row


def section(anchor: str, title: Cell, *children: Node) -> nodes.section:
    """Return a section with a permanent anchor."""
    heading = inline(title) if isinstance(title, str) else list(title)
    return nodes.section("", nodes.title("", "", *heading), *children, ids=[anchor])


def html(markup: str) -> nodes.raw:
    """Return markup for the HTML builders; others leave it out."""
    return nodes.raw("", markup, format="html")
