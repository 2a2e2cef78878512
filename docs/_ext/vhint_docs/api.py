"""The pages of the API reference: one for each wire format, one for each other package.

Which modules there are is found out, so that a new one cannot be forgotten. What a module is about
is said by the first sentence of its docstring, here as everywhere.
"""

from __future__ import annotations

import ast
import importlib.util
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MACHINERY = frozenset(
    {"build_source", "leading_codec", "parse_source", "plan", "records", "source"}
)
"""Modules of `vhint.wire` that nobody outside has a use for."""

ALONE = ("vhint.wire", "vhint.wire.history")
"""Packages each of whose modules has a page."""

TOGETHER = (
    "vhint.wire.formats",
    "vhint.trace",
    "vhint.ring",
    "vhint.guest",
    "vhint.host",
    "vhint.transport",
    "vhint.export",
    "vhint_conformance.oracle",
)
"""Packages that have a page each."""

DOCSTRING = """\
```{{eval-rst}}
.. automodule:: {name}
   :no-index:
```

"""

MEMBERS = """\
```{{eval-rst}}
.. automodule:: {name}
   :members:
   :ignore-module-all:
   :undoc-members:
   :show-inheritance:
```
"""


@dataclass(frozen=True, slots=True)
class Module:
    """A module: its full name, its docstring's first sentence, and whether it declares a format."""

    name: str
    about: str
    has_format: bool


def modules(package: str) -> Iterator[Module]:
    """Yield the modules of a package, and of the packages in it, that are not private."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    for found in sorted(pkgutil.iter_modules(places), key=lambda found: found.name):
        name = f"{package}.{found.name}"
        if found.name.startswith("_") or found.name in MACHINERY:
            continue
        if found.ispkg:
            if name not in (*ALONE, *TOGETHER):
                yield from modules(name)
            continue
        tree = ast.parse((Path(places[0]) / f"{found.name}.py").read_text(encoding="utf-8"))
        yield Module(name, first_sentence(ast.get_docstring(tree) or ""), _declares(tree))


def first_sentence(docstring: str) -> str:
    """Return the first sentence without its full stop, its backticks kept.

    >>> first_sentence("Reads it: all of it. And more.")
    'Reads it: all of it'
    """
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].removesuffix(".")


def _declares(tree: ast.Module) -> bool:
    names = (
        target.id
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    )
    return any("FORMAT" in name and not name.startswith("_") for name in names)


def pages() -> dict[str, str]:
    """Return the text of every page by its name."""
    found = {module.name: alone(module) for package in ALONE for module in modules(package)}
    for package in TOGETHER:
        parts = list(modules(package))
        if parts:
            found[package] = together(package, parts)
    found["vhint.spans"] = alone(Module("vhint.spans", "", has_format=False))
    return found


def alone(module: Module) -> str:
    """Return the page of one module: what it says, its diagrams, its names."""
    short = module.name.removeprefix("vhint.wire.")
    text = f"# {short}\n\n{DOCSTRING.format(name=module.name)}"
    if module.has_format:
        text += f"## Layout\n\n```{{wire}} {short}\n```\n\n## Names\n\n"
    return text + MEMBERS.format(name=module.name)


def together(package: str, parts: list[Module]) -> str:
    """Return the page of a package with a section for each module."""
    text = [f"# {package}\n", f"```{{eval-rst}}\n.. automodule:: {package}\n```\n"]
    for module in parts:
        short = module.name.removeprefix(package + ".")
        text += [
            f"## {short}\n",
            DOCSTRING.format(name=module.name),
            MEMBERS.format(name=module.name),
        ]
    return "\n".join(text)


def once(_app: Sphinx, what: str, _name: str, _obj: object, options: Any, lines: list[str]) -> None:
    """Leave out the docstring of a module where its names stand: it is further up."""
    if what == "module" and options.get("members") is not None:
        lines.clear()


def setup(app: Sphinx) -> None:
    """Let autodoc ask."""
    app.connect("autodoc-process-docstring", once)
