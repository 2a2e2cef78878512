"""A Sphinx domain for what the specification names: requirements, clauses, cases and the rest.

Each kind has a role of the same name, as ``vhint:req`` and, shorter, as ``req``. A name that is not
known is a warning that says where it stands, whether or not Sphinx is nitpicky. The objects are
in ``objects.inv``, so other projects can link to a requirement by intersphinx.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx.domains import Domain, ObjType
from sphinx.roles import XRefRole
from sphinx.util.logging import getLogger
from sphinx.util.nodes import make_refnode

from vhint_docs.material import material

if TYPE_CHECKING:
    from docutils.nodes import Element, Node, system_message
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.builders import Builder
    from sphinx.environment import BuildEnvironment

KINDS = {
    "req": "requirement",
    "clause": "clause",
    "erratum": "erratum",
    "bug": "bug",
    "case": "case",
    "mutant": "mutant",
    "vec": "vector",
}
"""Role to the word for what it names."""

FIRST, LATER = 0, 1
"""Where what was found stands in the results of a search."""

logger = getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name is explained, and a line about it for the tooltip."""

    docname: str
    anchor: str
    title: str


class NameRole(XRefRole):
    """A role of this domain, also under its bare name."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Make the reference one of this domain's, however the role was written."""
        self.refdomain, self.reftype = "vhint", self.name.rpartition(":")[2]
        self.classes = ["xref", "vhint", f"vhint-{self.reftype}"]
        return self.create_xref_node()


class VhintDomain(Domain):
    """What the specification names."""

    name = "vhint"
    label = "vhint"
    object_types: ClassVar[dict[str, ObjType]] = {
        kind: ObjType(word, kind) for kind, word in KINDS.items()
    }
    roles: ClassVar[dict[str, Any]] = {kind: NameRole(warn_dangling=True) for kind in KINDS}
    initial_data: ClassVar[dict[str, Any]] = {"places": {}}
    data_version = 1

    @property
    def places(self) -> dict[tuple[str, str], Place]:
        """Where everything is, by kind and name."""
        found: dict[tuple[str, str], Place] = self.data["places"]
        return found

    def note(self, kind: str, name: str, anchor: str, title: str, docname: str = "") -> None:
        """Say that `name` is explained at an anchor of the document that is being read."""
        place = Place(docname or self.env.current_document.docname, anchor, title)
        known = self.places.get((kind, name))
        if known and known.docname != place.docname:
            logger.warning(
                "%s %s is explained in two places, %s and %s",
                KINDS[kind],
                name,
                known.docname,
                place.docname,
            )
        self.places[kind, name] = place

    def clear_doc(self, docname: str) -> None:
        """Forget what a document explained."""
        for key, place in list(self.places.items()):
            if place.docname == docname:
                del self.places[key]

    def merge_domaindata(self, docnames: AbstractSet[str], otherdata: dict[str, Any]) -> None:
        """Take over what a parallel reader found."""
        for key, place in otherdata["places"].items():
            if place.docname in docnames:
                self.places[key] = place

    def find(self, kind: str, target: str) -> Place | None:
        """Return where a name is explained; a case may be named with its parameter."""
        place = self.places.get((kind, target))
        if place is None and kind == "case":
            place = self.places.get((kind, target.partition("[")[0]))
        return place

    def resolve_xref(
        self,
        env: BuildEnvironment,  # noqa: ARG002
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,  # noqa: ARG002
        contnode: Element,
    ) -> nodes.reference | None:
        """Make the link."""
        place = self.find(typ, target)
        if place is None:
            return None
        return make_refnode(
            builder, fromdocname, place.docname, place.anchor, contnode, place.title
        )

    def resolve_any_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> list[tuple[str, nodes.reference]]:
        """Make a link for every kind that has the name."""
        found = []
        for kind in KINDS:
            link = self.resolve_xref(env, fromdocname, builder, kind, target, node, contnode)
            if link is not None:
                found.append((f"vhint:{kind}", link))
        return found

    def get_objects(self) -> Iterable[tuple[str, str, str, str, str, int]]:
        """Yield everything for ``objects.inv`` and for the search."""
        for (kind, name), place in self.places.items():
            yield name, name, kind, place.docname, place.anchor, FIRST if kind == "req" else LATER


def missing(_app: Sphinx, domain: Domain | None, node: pending_xref) -> bool | None:
    """Say of a name that is not known what it might have been."""
    if not isinstance(domain, VhintDomain):
        return None
    kind, target = node["reftype"], node["reftarget"]
    names = material().names(kind)
    close = difflib.get_close_matches(target, names, n=2, cutoff=0.6)
    problem = f"no {KINDS[kind]} is called {target}"
    if target in names:
        problem = f"no page explains the {KINDS[kind]} {target}"
    elif close:
        problem += f"; did you mean {' or '.join(close)}?"
    logger.warning(
        problem,
        location=node,
        type="vhint",
        subtype=kind,
    )
    return True


def link(kind: str, name: str, text: str | None = None) -> Node:
    """Return a reference to a name, to be resolved when everything has been read."""
    from sphinx import addnodes

    return addnodes.pending_xref(
        "",
        nodes.literal("", text or name, classes=["xref", "vhint", f"vhint-{kind}"]),
        refdomain="vhint",
        reftype=kind,
        reftarget=name,
        refwarn=True,
    )


def setup(app: Sphinx) -> None:
    """Register the domain and the bare names of its roles."""
    app.add_domain(VhintDomain)
    for kind in KINDS:
        app.add_role(kind, NameRole(warn_dangling=True))
    app.connect("warn-missing-reference", missing)
