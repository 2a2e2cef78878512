"""Writing SVG: elements as strings, text that stays text, colours left to the style sheet."""

from __future__ import annotations

import itertools
from html import escape

MONO = 7.25
"""Width of a character of the diagrams' monospaced text at 12 px."""

_ids = itertools.count(1)


def el(tag: str, *children: str, **attributes: object) -> str:
    """Return an element; children are markup, underscores in attribute names become hyphens.

    >>> el("line", x1=0, stroke_width=2)
    '<line x1="0" stroke-width="2"/>'
    >>> el("g", el("rect"), class_="box")
    '<g class="box"><rect/></g>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = "".join(children)
    return f"<{tag}{written}>{inside}</{tag}>" if inside else f"<{tag}{written}/>"


def text(x: float, y: float, content: str, class_: str = "vh-t", **attributes: object) -> str:
    """Return text with its baseline at `y`.

    >>> text(1, 2, "a < b")
    '<text x="1" y="2" class="vh-t">a &lt; b</text>'
    """
    return el("text", escape(content), x=x, y=y, class_=class_, **attributes)


def picture(width: float, height: float, title: str, *children: str, description: str = "") -> str:
    """Return a whole drawing in a frame that scrolls where the page is too narrow.

    It has the role of an image and a title (and a description) for those who do not see it.
    """
    key = f"vh-svg-{next(_ids)}"
    about = el("title", escape(title), id=f"{key}-t")
    labelled = f"{key}-t"
    if description:
        about += el("desc", escape(description), id=f"{key}-d")
        labelled += f" {key}-d"
    drawing = el(
        "svg",
        about,
        *children,
        xmlns="http://www.w3.org/2000/svg",
        class_="vh-svg",
        role="img",
        aria_labelledby=labelled,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        width=width,
        height=height,
    )
    return el("div", drawing, class_="vh-scroll", tabindex="0")


def clip(content: str, width: float, per_character: float = MONO) -> str:
    """Shorten text to what fits a width.

    >>> clip("free_page_hint", 60)
    'free_pa…'
    """
    fits = int(width // per_character)
    return content if len(content) <= fits else content[: max(1, fits - 1)] + "…"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
