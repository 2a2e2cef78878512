"""What the models say: the three generations compared, and what exploration proves and refutes.

Both are run when the site is built, so the pages say what this version says.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from docutils import nodes

from vhint.guest.workload import compare
from vhint_conformance.model.explore import report
from vhint_conformance.model.explore.catalogue import SYSTEMS, System
from vhint_conformance.model.explore.liveness import Liveness, comes_to_rest
from vhint_conformance.model.explore.search import Counterexample, Exploration, Verdict, explore
from vhint_conformance.model.explore.systems.bounds import Bounds
from vhint_docs.content import VhintDirective, section, table
from vhint_docs.domain import link

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from vhint.guest.hinting import Counters
    from vhint_docs.material import Material

BOUNDS = Bounds(pages=2)
"""Small enough for every build; `vhint explore` takes larger ones."""

COLUMNS: tuple[tuple[str, Callable[[Counters], int]], ...] = (
    ("allocations that had to wait", lambda c: c.allocations_stalled),
    ("steps they waited", lambda c: c.stall_steps),
    ("lock acquisitions", lambda c: c.lock_acquisitions),
    ("steps a lock was held", lambda c: c.lock_held_steps),
    ("steps waited for a lock", lambda c: c.lock_wait_steps),
    ("notifications", lambda c: c.kicks),
    ("pages captured", lambda c: c.captured_pages),
    ("pages isolated or exposed", lambda c: c.isolated_pages),
    ("pages reported", lambda c: c.reported_pages),
)


class Generations(VhintDirective):
    """``{generations}``: the talk's test application under each generation."""

    def make(self, material: Material) -> list[Node]:  # noqa: ARG002
        """Make one table of figures, and one of the reasons why entries were missed."""
        found = _compared()
        rows = [
            (name, *(f"{figure(counters):,}" for counters in found.values()))
            for name, figure in COLUMNS
        ]
        reasons = sorted({reason for c in found.values() for reason in c.missed}, key=str)
        missed = [
            (
                reason.name.lower().replace("_", " "),
                *(f"{counters.missed[reason]:,}" for counters in found.values()),
            )
            for reason in reasons
        ]
        return [
            table(("", *found), rows, classes=["vh-counts"]),
            table(("entries missed, by reason", *found), missed, classes=["vh-counts"]),
        ]


@functools.cache
def _compared() -> dict[str, Counters]:
    return compare()


class Explorations(VhintDirective):
    """``{explorations}``: every system of the catalogue, explored."""

    def make(self, material: Material) -> list[Node]:  # noqa: ARG002
        """Make a table of verdicts, then a section for each system that is refuted."""
        found = [(system, *_explored(system.name)) for system in SYSTEMS.values()]
        rows = [
            (
                [nodes.literal("", system.name)],
                system.summary,
                _verdict(outcome, liveness),
                f"{outcome.states:,}",
                report.bounds_text(outcome),
            )
            for system, outcome, liveness, _ in found
        ]
        header = ("System", "What it is", "Verdict", "States", "Bounds")
        runs = [
            self._run(system, loss or outcome.counterexample)
            for system, outcome, _, loss in found
            if outcome.counterexample
        ]
        return [table(header, rows, widths=(20, 32, 18, 8, 22)), *runs]

    def _run(self, system: System, found: Counterexample | None) -> nodes.section:
        assert found is not None  # noqa: S101 - the system is refuted
        steps = nodes.enumerated_list()
        for _, _, does in report.scenario(found):
            steps += nodes.list_item("", nodes.paragraph("", does))
        broken = nodes.paragraph("", "Breaks ")
        broken += link("req", found.slug)
        broken += nodes.Text(f". The shortest run to a loss has {len(found.steps)} steps:")
        return section(f"explored-{system.name}", system.name, broken, steps)


@functools.cache
def _explored(name: str) -> tuple[Exploration, Liveness, Counterexample | None]:
    system = SYSTEMS[name]
    outcome = explore(system.make(BOUNDS, True))
    loss = explore(system.make(BOUNDS, False)).counterexample if system.breaks else None
    return outcome, comes_to_rest(outcome), loss


def _verdict(outcome: Exploration, liveness: Liveness) -> str:
    words = [outcome.verdict.value]
    if outcome.verdict is Verdict.PROVED and outcome.model.settled is not None:
        words.append(f"liveness {liveness.verdict.value}")
    return "; ".join(words)


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("generations", Generations)
    app.add_directive("explorations", Explorations)
