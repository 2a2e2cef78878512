"""What the suite has for each requirement: cases, mutants, vectors, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from docutils import nodes

from vhint_docs.content import WIDE, VhintDirective, joined, level_badge, section, table
from vhint_docs.domain import link
from vhint_spec import LEVELS, PROFILES, ROLES

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from vhint_docs.material import CaseFamily, Material, Vector
    from vhint_spec import Requirement


MANY = 4
"""More vectors of one file than this are counted, not named."""


class Cases(VhintDirective):
    """``{case-list}``: every case by id, with its title and what it checks."""

    def make(self, material: Material) -> list[Node]:
        """Make a table for each profile."""
        groups: dict[str, list[CaseFamily]] = defaultdict(list)
        for case in material.cases.values():
            groups[case.id.partition(".")[0]].append(case)
        return [self._group(profile, groups[profile]) for profile in sorted(groups)]

    def _group(self, profile: str, cases: list[CaseFamily]) -> nodes.section:
        cases = sorted(cases, key=lambda case: case.id)
        for case in cases:
            self.domain.note("case", case.id, case.id, case.title)
        rows = [(_case_id(case), case.title, _slugs(case.requirements)) for case in cases]
        return section(
            f"cases-{profile}",
            profile,
            table(
                ("Case", "What it looks at", "Requirements"),
                rows,
                widths=(25, 40, 35),
                anchors=[case.id for case in cases],
                classes=WIDE,
            ),
        )


def _case_id(case: CaseFamily) -> list[Node]:
    found: list[Node] = [nodes.literal("", case.id)]
    if case.parameters:
        found.append(nodes.Text(f" × {case.size}"))
    if case.role != "device":
        found.append(nodes.Text(f" ({case.role})"))
    return found


def _slugs(slugs: tuple[str, ...]) -> list[Node]:
    return joined(link("req", slug) for slug in slugs)


class Vectors(VhintDirective):
    """``{vector-list}``: the vectors, file by file."""

    def make(self, material: Material) -> list[Node]:
        """Make a table for each file."""
        files: dict[str, list[Vector]] = defaultdict(list)
        for vector in material.vectors.values():
            files[vector.file].append(vector)
        return [self._file(name, vectors) for name, vectors in files.items()]

    def _file(self, name: str, vectors: list[Vector]) -> nodes.section:
        anchor = nodes.make_id(f"vectors-{name}")
        self.domain.note("vec", name, anchor, f"{len(vectors)} vectors")
        for vector in vectors:
            self.domain.note("vec", vector.id, vector.id, vector.summary)
        rows = [
            ([nodes.literal("", each.id)], each.kind, each.summary, _slugs(each.requirements))
            for each in vectors
        ]
        return section(
            anchor,
            [nodes.literal("", name)],
            table(
                ("Vector", "Kind", "What it shows", "Requirements"),
                rows,
                widths=(24, 8, 36, 32),
                anchors=[vector.id for vector in vectors],
                classes=WIDE,
            ),
        )


class Traceability(VhintDirective):
    """``{traceability}``: requirement to cases, mutants and vectors, profile by profile."""

    def make(self, material: Material) -> list[Node]:
        """Make a table for each profile."""
        return [
            section(
                f"trace-{profile}",
                profile,
                table(
                    ("Requirement", "Level", "Cases", "Mutants", "Vectors"),
                    [_trace(material, item) for item in of_profile(material, profile)],
                    widths=(30, 8, 32, 14, 16),
                    classes=["vh-matrix", *WIDE],
                ),
            )
            for profile in PROFILES
            if of_profile(material, profile)
        ]


def _trace(material: Material, item: Requirement) -> tuple[Any, ...]:
    slug = item.slug
    cases: list[Node] = joined(link("case", case.id) for case in material.cases_of(slug))
    if not cases:
        reason = "by review" if item.review else "no case yet"
        cases = [nodes.inline("", reason, classes=["vh-gap"])]
    return (
        [link("req", slug)],
        [level_badge(item.level)],
        cases,
        joined(link("mutant", mutant.name) for mutant in material.mutants_of(slug)),
        vectors_of(material, slug),
    )


def vectors_of(material: Material, slug: str) -> list[Node]:
    """Return links to the vectors of a requirement; to a file where it has many of them."""
    files: dict[str, list[Vector]] = defaultdict(list)
    for vector in material.vectors_of(slug):
        files[vector.file].append(vector)
    found: list[Node] = []
    for name, vectors in files.items():
        if len(vectors) > MANY:
            found.append(link("vec", name, f"{name}: {len(vectors)}"))
        else:
            found += [link("vec", vector.id) for vector in vectors]
    return joined(found)


class Coverage(VhintDirective):
    """``{coverage}``: how many requirements of each role and level have a case, and what else."""

    def make(self, material: Material) -> list[Node]:
        """Make the table by role and level, and the one by profile."""
        everything = list(material.requirements.values())
        by_level = [
            (
                role,
                level,
                *counts(
                    material,
                    [item for item in everything if item.level == level and item.role == role],
                ),
            )
            for role in ROLES
            for level in LEVELS
        ]
        by_profile = [
            (
                profile,
                role,
                *counts(
                    material, [item for item in of_profile(material, profile) if item.role == role]
                ),
            )
            for profile in PROFILES
            for role in ROLES
        ]
        return [
            section("coverage-by-level", "By role and level", _counted("Role", "Level", by_level)),
            section(
                "coverage-by-profile",
                "By profile and role",
                _counted("Profile", "Role", by_profile),
            ),
        ]


COUNTED = (
    "Requirements",
    "With a case",
    "By review",
    "No case yet",
    "With a mutant",
    "With a vector",
)


def counts(material: Material, items: list[Requirement]) -> tuple[int, ...]:
    """Return how many there are, and how many of them have what `COUNTED` says."""
    checked = [item for item in items if material.cases_of(item.slug)]
    review = [item for item in items if item.review and item not in checked]
    return (
        len(items),
        len(checked),
        len(review),
        len(items) - len(checked) - len(review),
        sum(1 for item in items if material.mutants_of(item.slug)),
        sum(1 for item in items if material.vectors_of(item.slug)),
    )


def _counted(first: str, second: str, rows: list[tuple[Any, ...]]) -> nodes.Element:
    shown = [tuple(map(str, row)) for row in rows if row[2]]
    total = [str(sum(row[i] for row in rows)) for i in range(2, 2 + len(COUNTED))]
    return table(
        (first, second, *COUNTED),
        [*shown, ("all", "", *total)],
        classes=["vh-counts"],
    )


def of_profile(material: Material, profile: str) -> list[Requirement]:
    """Return the requirements of a profile."""
    return [item for item in material.requirements.values() if item.profile == profile]


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("case-list", Cases)
    app.add_directive("vector-list", Vectors)
    app.add_directive("traceability", Traceability)
    app.add_directive("coverage", Coverage)
