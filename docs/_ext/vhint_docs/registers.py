"""The registers of the sources: the standard's clauses, the choices made, the faults found."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from docutils import nodes

from vhint_docs.content import (
    WIDE,
    VhintDirective,
    field_list,
    inline,
    joined,
    level_badge,
    paragraph,
    section,
    table,
)
from vhint_docs.domain import link

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from vhint_docs.material import Material
    from vhint_spec.bugs import Bug
    from vhint_spec.clauses import Clause, Label
    from vhint_spec.errata import Erratum, Reading

CONFIDENCE = {
    "history": "seen in a project's history",
    "posting": "read in a posting",
    "thread": "reported in a thread or advisory",
    "secondary": "second-hand, to be checked",
    "inferred": "a hypothesis from reading source",
}
"""How far something is established, in words."""


class Clauses(VhintDirective):
    """``{clauses}``: the standard, section by section, and what carries each statement."""

    def make(self, material: Material) -> list[Node]:
        """Make a section for each label."""
        return [self._label(material, label) for label in material.labels.values()]

    def _label(self, material: Material, label: Label) -> nodes.section:
        anchor = nodes.make_id(f"label-{label.label}")
        about = field_list(
            [
                ("Label", [nodes.literal("", label.label)]),
                ("Place", f"{label.file}, line {label.line}"),
                ("Binds", who(label.role) + (", legacy interface" if label.legacy else "")),
                ("Obligations", f"{label.counted} in the source, {len(label.clauses)} here"),
                ("Left out", label.left_out or ""),
            ]
        )
        result = section(anchor, label.title, about)
        if label.clauses:
            for clause in label.clauses:
                self.domain.note("clause", clause.id, clause.id, f"{clause.level}: {clause.text}")
            result += table(
                ("Clause", "Level", "What it asks for", "Carried by"),
                [self._row(material, clause) for clause in label.clauses],
                widths=(8, 8, 50, 34),
                anchors=[clause.id for clause in label.clauses],
                classes=WIDE,
            )
        return result

    def _row(self, material: Material, clause: Clause) -> tuple[Any, ...]:
        text = inline(clause.text)
        if clause.note:
            text += [nodes.Text(" "), nodes.emphasis("", "", *inline(clause.note))]
        errata = material.errata_of_clause(clause.id)
        if errata:
            text += [nodes.Text(" See "), *joined(link("erratum", each.id) for each in errata)]
            text += [nodes.Text(".")]
        carried: list[Node] = joined(link("req", slug) for slug in clause.slugs)
        if not carried:
            carried = [nodes.emphasis("", "left out: "), *inline(clause.left_out or "")]
        return nodes.literal("", clause.id).astext(), [level_badge(clause.level)], text, carried


class Errata(VhintDirective):
    """``{errata}``: every contradiction and hole, its readings, and the one that is taken."""

    def make(self, material: Material) -> list[Node]:
        """Make a section for each."""
        return [self._erratum(erratum) for erratum in material.errata.values()]

    def _erratum(self, erratum: Erratum) -> nodes.section:
        self.domain.note("erratum", erratum.id, erratum.id, erratum.title)
        readings = table(
            ("Reading", "Who", "How far established"),
            [_reading(reading) for reading in erratum.readings],
            widths=(50, 30, 20),
            classes=WIDE,
        )
        about = field_list(
            [
                ("Taken", erratum.taken),
                ("Why", erratum.why),
                ("Clauses", joined(link("clause", name) for name in erratum.sources)),
                ("Requirements", joined(link("req", slug) for slug in erratum.slugs)),
                ("Links", joined(nodes.reference("", url, refuri=url) for url in erratum.links)),
            ]
        )
        kind = nodes.inline("", erratum.kind, classes=["vh-level", "vh-kind"])
        name = nodes.literal("", erratum.id)
        return section(
            erratum.id,
            erratum.title,
            paragraph([kind, nodes.Text(" "), name]),
            paragraph(erratum.problem),
            *([readings] if erratum.readings else []),
            about,
        )


def _reading(reading: Reading) -> tuple[Any, ...]:
    text = inline(reading.text)
    if reading.taken:
        text = [nodes.strong("", "Taken: "), *text]
    established = CONFIDENCE[str(reading.confidence)] if reading.confidence else ""
    return text, reading.who, established


class Bugs(VhintDirective):
    """``{bugs}``: the real faults, by implementation."""

    def make(self, material: Material) -> list[Node]:
        """Make a table for each implementation."""
        by_name: dict[str, list[Bug]] = defaultdict(list)
        for bug in material.bugs.values():
            by_name[bug.implementation].append(bug)
        return [self._implementation(name, bugs) for name, bugs in by_name.items()]

    def _implementation(self, name: str, bugs: list[Bug]) -> nodes.section:
        for bug in bugs:
            self.domain.note("bug", bug.id, bug.id, f"{bug.implementation}: {bug.text}")
        return section(
            nodes.make_id(f"bugs-{name}"),
            name,
            table(
                ("Id", "What broke", "How far established", "Forbidden by"),
                [_fault(bug) for bug in bugs],
                widths=(6, 46, 18, 30),
                anchors=[bug.id for bug in bugs],
                classes=WIDE,
            ),
        )


def _fault(bug: Bug) -> tuple[Any, ...]:
    known: list[Node] = [nodes.Text(CONFIDENCE.get(str(bug.confidence), str(bug.confidence)))]
    if bug.references:
        known += [nodes.Text(": "), *inline("; ".join(bug.references))]
    forbidden: Any = joined(link("req", slug) for slug in bug.slugs)
    if not forbidden:
        forbidden = [nodes.emphasis("", "nothing: "), *inline(bug.left_out or "")]
    return bug.id, bug.text, known, forbidden


def who(role: str) -> str:
    """Return whom a clause binds, in words."""
    return "driver and device" if role == "both" else role


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("clauses", Clauses)
    app.add_directive("errata", Errata)
    app.add_directive("bugs", Bugs)
