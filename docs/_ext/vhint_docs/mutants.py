"""Mutants and the kill matrix: what is broken on purpose, and which case told of it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from docutils import nodes

from vhint_conformance.kill_matrix import Matrix
from vhint_conformance.kill_matrix.coverage import groups
from vhint_conformance.kill_matrix.result import COMMITTED
from vhint_conformance.kill_matrix.show import summary
from vhint_docs.content import WIDE, VhintDirective, joined, paragraph, section, table
from vhint_docs.domain import link

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from vhint_conformance.kill_matrix import Row
    from vhint_docs.material import Fault, Material


class Mutants(VhintDirective):
    """``{mutant-list}``: the broken devices and guests that the suite must tell from sound ones."""

    def make(self, material: Material) -> list[Node]:
        """Make a table for each role and subject."""
        grouped = groupby(material.mutants.values(), key=lambda mutant: mutant.heading)
        return [self._group(heading, list(mutants)) for heading, mutants in grouped]

    def _group(self, heading: str, mutants: list[Fault]) -> nodes.section:
        for mutant in mutants:
            self.domain.note("mutant", mutant.name, f"mutant-{mutant.name}", mutant.summary)
        rows = [
            (
                [nodes.literal("", each.name)],
                each.summary,
                joined(link("req", slug) for slug in each.violates),
                joined(link("bug", bug) for bug in each.bugs),
            )
            for each in mutants
        ]
        made = table(
            ("Mutant", "What it does wrong", "Requirements", "Re-enacts"),
            rows,
            widths=(20, 36, 34, 10),
            anchors=[f"mutant-{mutant.name}" for mutant in mutants],
            classes=WIDE,
        )
        return section(nodes.make_id(f"mutants-{heading}"), heading, made)


class KillMatrix(VhintDirective):
    """``{kill-matrix}``: the matrix as it was last saved, group by group."""

    def make(self, material: Material) -> list[Node]:  # noqa: ARG002 - the file says it all
        """Make a table for each role and subject."""
        matrix = Matrix.load(COMMITTED)
        grouped = groupby(matrix.rows, key=lambda row: f"{row.role}: {row.group}")
        tables = [_rows(heading, list(rows)) for heading, rows in grouped]
        return [paragraph(f"{summary(matrix.rows)}."), *tables]


def _rows(heading: str, rows: list[Row]) -> nodes.section:
    made = table(
        ("Implementation", "Verdict", "Requirement", "Found by", "Cases", "Seconds"),
        [
            (
                [link("mutant", row.name) if row.violates else nodes.literal("", row.name)],
                str(row.verdict),
                [link("req", row.kill.requirement)] if row.kill else "",
                [nodes.literal("", row.kill.by)] if row.kill else "",
                str(row.judged),
                f"{row.seconds:.1f}",
            )
            for row in rows
        ],
        widths=(24, 10, 30, 24, 6, 6),
        classes=WIDE,
    )
    return section(nodes.make_id(f"kills-{heading}"), heading, made)


class WithoutMutant(VhintDirective):
    """``{without-mutant}``: requirements that a case checks and no mutant violates, and why."""

    def make(self, material: Material) -> list[Node]:  # noqa: ARG002 - the list says it all
        """Make one row for each reason."""
        rows = [
            (group.reason, joined(link("req", slug) for slug in group.slugs)) for group in groups()
        ]
        return [table(("Reason", "Requirements"), rows, widths=(40, 60), classes=WIDE)]


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("mutant-list", Mutants)
    app.add_directive("kill-matrix", KillMatrix)
    app.add_directive("without-mutant", WithoutMutant)
