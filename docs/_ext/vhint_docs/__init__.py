"""The Sphinx extension that makes vhint's site out of its registers, declarations and code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhint_docs import (
    api,
    domain,
    evidence,
    format_list,
    harness,
    models,
    mutants,
    names,
    navigation,
    pages,
    registers,
    requirements,
    sample_report,
    sequence,
    signatures,
    states,
    wire,
)

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PARTS = (
    api,
    domain,
    names,
    signatures,
    navigation,
    pages,
    requirements,
    registers,
    evidence,
    format_list,
    mutants,
    models,
    wire,
    harness,
    states,
    sequence,
    sample_report,
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything."""
    app.setup_extension("sphinx.ext.autodoc")
    for part in PARTS:
        part.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
