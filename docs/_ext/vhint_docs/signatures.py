"""What `parse` and `build` take and return, for the reference.

They are written from a declaration at import, so they carry no annotations of their own; those of
the module say it: ``parse: Final[Callable[[Data], PfnRequest]]``, or a protocol in place of the
callable.
"""

from __future__ import annotations

import ast
import inspect
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def from_annotation(annotation: str, namespace: dict[str, Any]) -> tuple[str, str] | None:
    """Return the parameters, if it names them, and the result of an annotated callable.

    >>> from_annotation("Final[Callable[[Data], PfnRequest | None]]", {})
    ('', 'PfnRequest | None')
    """
    node = ast.parse(annotation, mode="eval").body
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Final":
        node = node.slice
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Callable":
        if isinstance(node.slice, ast.Tuple):
            return "", ast.unparse(node.slice.elts[-1])
        return None
    protocol = namespace.get(ast.unparse(node))
    if protocol is None or not getattr(protocol, "_is_protocol", False):
        return None
    signature = inspect.signature(vars(protocol)["__call__"])
    parameters = list(signature.parameters.values())[1:]
    shown = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return str(shown).replace("'", ""), str(signature.return_annotation)


def process(
    _app: Sphinx,
    _what: str,
    name: str,
    _obj: object,
    _options: object,
    signature: str | None,
    _result: str | None,
) -> tuple[str | None, str | None] | None:
    """Put the module's word for a callable in place of a type variable, or of nothing."""
    module_name, _, attribute = name.rpartition(".")
    module = sys.modules.get(module_name)
    annotation = getattr(module, "__annotations__", {}).get(attribute)
    if module is None or not isinstance(annotation, str):
        return None
    said = from_annotation(annotation, vars(module))
    if said is None:
        return None
    parameters, returned = said
    return parameters or signature, returned


def setup(app: Sphinx) -> None:
    """Let autodoc ask."""
    app.connect("autodoc-process-signature", process)
