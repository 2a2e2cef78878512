"""Names in backticks in docstrings: a link where one is meant, code everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from docutils import nodes
from sphinx import addnodes
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from docutils.nodes import Element, Node, system_message
    from docutils.parsers.rst.states import Inliner
    from sphinx.application import Sphinx
    from sphinx.domains.python import ObjectEntry, PythonDomain
    from sphinx.environment import BuildEnvironment


def name(
    _role: str,
    _raw: str,
    text: str,
    _line: int,
    inliner: Inliner,
    _options: dict[str, Any] | None = None,
    _content: list[str] | None = None,
) -> tuple[list[Node], list[system_message]]:
    """Refer to a Python object as the docstring around it would; never complain."""
    code = nodes.literal("", text, classes=["xref", "py"])
    if not text.replace(".", "").replace("_", "").isalnum():
        return [code], []
    context = inliner.document.settings.env.ref_context
    reference = addnodes.pending_xref(
        "",
        code,
        refdomain="",
        reftype="vhint-name",
        reftarget=text,
        module=context.get("py:module") or "",
        owner=context.get("py:class") or "",
        refdoc=inliner.document.settings.env.current_document.docname,
        refwarn=False,
    )
    return [reference], []


def meant(text: str, module: str, owner: str) -> Iterator[str]:
    """Yield the full names that a name can stand for, the nearest first.

    >>> list(meant("parse", "vhint.wire.blocks", "Blocks"))[:3]
    ['vhint.wire.blocks.Blocks.parse', 'vhint.wire.blocks.parse', 'vhint.wire.parse']
    """
    if owner:
        yield f"{module}.{owner}.{text}"
    while module:
        yield f"{module}.{text}"
        module = module.rpartition(".")[0]
    yield text


def find(
    objects: dict[str, ObjectEntry], text: str, module: str, owner: str
) -> tuple[str, ObjectEntry] | None:
    """Return the object that a name stands for, if there is one and no doubt about it.

    A class may be named from anywhere if no other class has its name; a word in lower case may
    be a parameter, and is linked only where it is a name of the module, or of a package of it.
    """
    for full in meant(text, module, owner):
        if full in objects:
            return full, objects[full]
    if not text.rpartition(".")[2][:1].isupper() and "." not in text:
        return None
    same = [full for full in objects if full.endswith(f".{text}")]
    return (same[0], objects[same[0]]) if len(same) == 1 else None


def resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: Element
) -> Element | None:
    """Make the link, or leave the name as code."""
    if node["reftype"] != "vhint-name":
        return None
    domain = cast("PythonDomain", env.get_domain("py"))
    found = find(domain.objects, node["reftarget"], node["module"], node["owner"])
    if found is None:
        return content
    full, entry = found
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, full)


def setup(app: Sphinx) -> None:
    """Register the role."""
    app.add_role("name", name)
    app.connect("missing-reference", resolve)
