"""Requirements: lists of them in chapters, and the pages where each is explained."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes

from vhint_conformance.kill_matrix.coverage import reasons
from vhint_docs.content import (
    VhintDirective,
    field_list,
    inline,
    joined,
    paragraph,
    section,
)
from vhint_docs.domain import link
from vhint_docs.evidence import vectors_of
from vhint_spec import LEVELS, ROLES, STATUSES

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from vhint_docs.material import Material
    from vhint_spec import Requirement


def one_of(choices: tuple[str, ...]) -> Any:
    """Return an option's check: one or more of some words, separated by commas."""

    def check(argument: str) -> tuple[str, ...]:
        words = tuple(word.strip() for word in (argument or "").split(","))
        for word in words:
            if word not in choices:
                raise ValueError(f"{word!r} is not one of {', '.join(choices)}")
        return words

    return check


class Requirements(VhintDirective):
    """``{requirements} GLOB...``: the requirements whose slug matches, as a standard lists them."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {
        "role": one_of(ROLES),
        "level": one_of(LEVELS),
        "status": one_of(STATUSES),
    }

    def make(self, material: Material) -> list[Node]:
        """List them; a glob that matches nothing is an error."""
        globs = self.arguments[0].split()
        for glob in globs:
            if not any(fnmatch.fnmatchcase(slug, glob) for slug in material.requirements):
                raise self.error(f"no requirement matches {glob}")
        chosen = [
            item
            for slug, item in material.requirements.items()
            if any(fnmatch.fnmatchcase(slug, glob) for glob in globs) and self._admits(item)
        ]
        if not chosen:
            raise self.error("no requirement that matches has this role, level and status")
        result = nodes.bullet_list(classes=["vh-requirements"])
        for item in chosen:
            name = paragraph([link("req", item.slug)], classes=["vh-slug"])
            result += nodes.list_item("", name, paragraph(statement(item)))
        return [result]

    def _admits(self, item: Requirement) -> bool:
        values = {"role": item.role, "level": item.level, "status": item.status}
        return all(values[name] in self.options[name] for name in values if name in self.options)


def statement(item: Requirement) -> list[Node]:
    """Return a requirement's text with its obligation made strong."""
    before, word, after = item.text.partition(item.level)
    strong = nodes.strong("", word, classes=["vh-must"])
    return [*inline(before), strong, *inline(after)]


class RequirementPage(VhintDirective):
    """``{requirement-page} PROFILE ROLE``: every requirement of a profile and role, explained."""

    required_arguments = 2

    def make(self, material: Material) -> list[Node]:
        """Make a section for each."""
        profile, role = self.arguments
        chosen = [
            item
            for item in material.requirements.values()
            if item.profile == profile and item.role == role
        ]
        if not chosen:
            raise self.error(f"no requirement has profile {profile} and role {role}")
        return [self._explain(material, item) for item in chosen]

    def _explain(self, material: Material, item: Requirement) -> nodes.section:
        self.domain.note("req", item.slug, item.slug, f"{item.level}: {item.text}")
        word = item.level.lower().replace(" ", "-")
        text = paragraph(statement(item), classes=["vh-statement", f"vh-statement-{word}"])
        title = [nodes.literal("", item.slug)]
        return section(item.slug, title, text, field_list(self._fields(material, item)))

    def _fields(self, material: Material, item: Requirement) -> list[tuple[str, Any]]:
        slug = item.slug
        return [
            ("Why", item.rationale),
            ("Source", item.source),
            ("Clauses", joined(link("clause", clause.id) for clause in material.clauses_of(slug))),
            ("Since", f"{item.since}, {item.status}"),
            ("Observed", observed(item)),
            ("Invariants", ", ".join(item.invariants)),
            ("Choices", joined(link("erratum", each.id) for each in material.errata_of(slug))),
            ("Faults", joined(link("bug", each.id) for each in material.bugs_of(slug))),
            ("Cases", joined(link("case", case.id) for case in material.cases_of(slug))),
            ("Mutants", _mutants(material, slug)),
            ("Vectors", vectors_of(material, slug)),
        ]


def _mutants(material: Material, slug: str) -> Any:
    """Return links to the mutants that violate it, or why there is none though it is checked."""
    found = material.mutants_of(slug)
    if found or slug not in reasons():
        return joined(link("mutant", each.name) for each in found)
    return f"none: {reasons()[slug]}"


def observed(item: Requirement) -> str:
    """Say from which sides it can be seen, and who judges it if no case does."""
    seen = ", ".join(str(side) for side in item.observed)
    return f"{seen}; no case: {item.review}" if item.review else seen


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("requirements", Requirements)
    app.add_directive("requirement-page", RequirementPage)
