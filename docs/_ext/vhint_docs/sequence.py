"""``{sequence} NAME``: an exchange, recorded from the reference and drawn."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import vhint
from vhint_conformance.drawing import sequence_svg
from vhint_conformance.drawing.sequence_model import steps
from vhint_docs import recorders
from vhint_docs.content import html, paragraph

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx


class Sequence(SphinxDirective):
    """The sequence diagram of a recorded exchange."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Play the exchange and draw its trace."""
        name = self.arguments[0]
        if name not in recorders.RECORDERS:
            known = ", ".join(recorders.RECORDERS)
            raise self.error(f"no exchange is called {name}; there are {known}")
        for path in followed():
            self.env.note_dependency(path)
        trace = recorders.record(name)
        title = (recorders.RECORDERS[name].__doc__ or name).strip()
        figure = nodes.container("", classes=["vh-figure"])
        figure += paragraph([nodes.strong("", title)], classes=["vh-caption"])
        figure += html(sequence_svg.draw(steps(trace.events[trace.first :]), f"Sequence {name}"))
        note = f"Recorded from the reference driver and device: {len(trace.events)} events"
        note += f", the first {trace.first} of them the initialisation." if trace.first else "."
        note += " The bar on the device's line shows while the blocks are the device's."
        figure += paragraph(note, classes=["vh-remark"])
        return [figure]


@functools.cache
def followed() -> list[str]:
    """Return the files whose change can change a recording."""
    root = Path(vhint.__file__).parent
    parts = ("guest", "host", "ring", "trace", "transport")
    return [str(path) for part in parts for path in (root / part).rglob("*.py")]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("sequence", Sequence)
