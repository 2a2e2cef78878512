"""The docstrings of modules, of their constants and of the members of their enumerations.

Python forgets the strings that stand after an assignment; they are read from the source.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType

_SOURCE = re.compile(r"^Source: (?P<source>.+?)\.?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class About:
    """What a docstring says: its first paragraph, and the source that it names ("" if none)."""

    text: str
    source: str = ""


def about(docstring: str | None) -> About:
    r"""Read a docstring.

    >>> about("The ring.\n\nSource: VIRTIO 1.4, 2.7 Split Virtqueues. All are little-endian.")
    About(text='The ring.', source='VIRTIO 1.4, 2.7 Split Virtqueues')
    """
    paragraphs = [
        " ".join(each.split()) for each in inspect.cleandoc(docstring or "").split("\n\n")
    ]
    source = ""
    for paragraph in paragraphs:
        if match := _SOURCE.match(paragraph):
            source = _first_sentence(match["source"])
            break
    return About(plain(paragraphs[0]), plain(source))


def plain(text: str) -> str:
    """Give a text without its marks for code.

    >>> plain("up to `count` of ``ceil(count / 8)`` bytes")
    'up to count of ceil(count / 8) bytes'
    """
    return re.sub(r"`+([^`]+)`+", r"\1", text)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[a-z\d)\"])\.\s+(?=[A-Z])", text, maxsplit=1)[0]


@cache
def of_assignments(module: ModuleType) -> dict[str, str]:
    """Give the docstring of each name that a module assigns, "" if it has none, in order.

    Members of classes are under ``Class.member``.
    """
    tree = ast.parse(inspect.getsource(module))
    found = dict(_assigned(tree.body, ""))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= dict(_assigned(node.body, f"{node.name}."))
    return found


def _assigned(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, str]]:
    for node, after in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                match after:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        yield prefix + name, plain(" ".join(text.split()))
                    case _:
                        yield prefix + name, ""
