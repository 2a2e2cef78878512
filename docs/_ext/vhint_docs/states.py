"""``{states} module:NAME``: a transition table as a diagram and as a table."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective

from vhint_docs import states_svg
from vhint_docs.content import html, table
from vhint_docs.states_model import Machine, NotATable, find, read

if TYPE_CHECKING:
    from docutils import nodes
    from docutils.nodes import Node
    from sphinx.application import Sphinx


class States(SphinxDirective):
    """The states and events of a table, drawn and described."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Draw the machine; list its states, its events where they are explained, its steps."""
        path = self.arguments[0]
        try:
            machine = read(find(path))
        except NotATable as error:
            raise self.error(str(error)) from error
        module = importlib.import_module(path.partition(":")[0])
        self.env.note_dependency(str(Path(inspect.getfile(module))))
        return [html(states_svg.draw(machine, f"State machine {path}")), *tables(machine)]


def tables(machine: Machine) -> list[nodes.Element]:
    """Return the tables of a machine: what its docstrings say, then its transitions."""
    found = [
        table(
            (word, "Meaning"), [(f"`{each.name}`", each.docs) for each in explained], widths=(1, 3)
        )
        for word, explained in (("State", machine.states), ("Event", machine.events))
        if any(each.docs for each in explained)
    ]
    rows = [tuple(f"`{name}`" for name in step) for step in machine.steps]
    return [*found, table(("State", "Event", "Next state"), rows)]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("states", States)
