"""Text of unknown origin in Markdown, where it must neither be markup nor break out of its place.

What comes from a target goes into code spans, in which nothing is markup, nobody is mentioned and
no link is made.
"""

from __future__ import annotations

import re
from html import escape

from vhint_conformance.report.console import printable

_SPECIAL = re.compile(r"([\\`*_\[\]|~<>&])")
_SPACE = re.compile(r"\s+")
LONGEST = 400


def code(text: str, longest: int = LONGEST) -> str:
    r"""Return text as a code span, on one line, that may stand in a table.

    >>> code("a`b|c")
    '``a`b\\|c``'
    >>> code("`")
    '`` ` ``'
    """
    line = one_line(text, longest) or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    pad = " " if line[0] == "`" or line[-1] == "`" or not line.strip() else ""
    inside = line.replace("|", r"\|")
    return f"{fence}{pad}{inside}{pad}{fence}"


def plain(text: str, longest: int = LONGEST) -> str:
    r"""Return our own prose on one line, with whatever would be markup escaped.

    >>> plain("a_b <i>")
    'a\\_b \\<i\\>'
    """
    return _SPECIAL.sub(r"\\\1", one_line(text, longest))


def in_html(text: str, longest: int = LONGEST) -> str:
    """Return text for inside an HTML element that stands in Markdown.

    >>> in_html("a <b> *c*")
    'a &lt;b&gt; &#42;c&#42;'
    """
    escaped = escape(one_line(text, longest))
    return re.sub(r"[*_`~\[\]()|\\@:]", lambda found: f"&#{ord(found[0])};", escaped)


def block(text: str, longest: int = 4000) -> list[str]:
    """Return the lines of a code block that holds the text, whatever stands in it."""
    cleaned = printable(text[:longest].replace("\n", " "))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", cleaned)), default=0))
    return [f"{fence}sh", cleaned, fence]


def one_line(text: str, longest: int = LONGEST) -> str:
    r"""Return text as one line of limited length, without control characters.

    >>> one_line("a\n\tb" + 400 * "c", 6)
    'a bccc…'
    """
    line = printable(_SPACE.sub(" ", text[: 4 * longest]).strip())
    return line if len(line) <= longest else f"{line[:longest]}…"
