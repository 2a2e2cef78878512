"""The tree of pages in the sidebar, from titles alone.

Sphinx makes it anew for every page by copying the contents of all of them, every heading included,
and then leaves the headings out. With some hundreds of requirements, each a heading, that was the
larger part of a build; titles are all that is needed.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def tree(app: Sphinx, page: str, root: str, level: int = 1) -> str:
    """Return the pages below `root` as nested lists, with the way to `page` marked."""
    env = app.builder.env
    items = []
    for name in env.toctree_includes.get(root, []):
        if name not in env.titles:
            continue
        below = tree(app, page, name, level + 1)
        on_the_way = name == page or 'class="current' in below
        mark = "current " if on_the_way else ""
        title = escape(env.titles[name].astext())
        href = "#" if name == page else escape(app.builder.get_relative_uri(page, name))
        classes = f"toctree-l{level} {mark}".rstrip()
        items.append(
            f'<li class="{classes}"><a class="{mark}reference internal" href="{href}">{title}</a>'
            f"{below}</li>"
        )
    if not items:
        return ""
    current = ' class="current"' if any('class="current' in item for item in items) else ""
    return f"<ul{current}>{''.join(items)}</ul>"


def provide(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Give the theme this tree in place of Sphinx's."""
    context["toctree"] = lambda **_options: tree(app, page, app.config.root_doc)


def setup(app: Sphinx) -> None:
    """Be there before the theme asks."""
    app.connect("html-page-context", provide, priority=100)
