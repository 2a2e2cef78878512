"""A first draft of a statement, from what a target offers."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import tomlkit

from vhint.wire.features import Feature
from vhint_conformance.case import Role
from vhint_conformance.expectations import Expectation
from vhint_conformance.statement.claims import PROFILE_FEATURE
from vhint_conformance.statement.offered import Offered
from vhint_spec import load as load_registry

SPECIFICATION = "0.1"
PAGE = 4096
UNKNOWN = "0"


def draft(
    target: str,
    offered: Offered,
    versions: Mapping[str, str],
    known: tuple[Expectation, ...],
    today: datetime.date,
) -> str:
    """Return the text of a statement that claims all that is offered.

    `versions` are those of what is judged, the target's own first; `known` its deviations.
    """
    name, version = next(iter(versions.items()), (target, UNKNOWN))
    says = bool(name.strip()) and len(version.split()) == 1  # some tell of themselves in a sentence
    if not says:
        name, version = target, UNKNOWN
    document = tomlkit.document()
    for line in (
        f"What {target} offers, as a claim: an implementation conformance statement.",
        "Take out what is not to be claimed, and see whether the rest holds:",
        f"    vhint conform {target} --ics FILE",
        "What each member means stands in the specification, under Conformance.",
    ):
        document.add(tomlkit.comment(line))
    profiles = [each for each, bit in PROFILE_FEATURE.items() if bit in offered.features]
    document.add("schema", tomlkit.item("vhint-ics/1"))
    document.add("specification", tomlkit.item(SPECIFICATION))
    document.add("role", tomlkit.item(str(offered.role)))
    document.add("level", tomlkit.item("must").comment('or "should": the recommendations too'))
    document.add("date", tomlkit.item(today))
    document.add("profiles", tomlkit.item(["balloon", *profiles]))
    document.add("rings", tomlkit.item([str(each) for each in offered.rings]))
    if offered.transports:
        document.add("transports", tomlkit.item(list(offered.transports)))
    mode = offered.queue_mode or "compact-offered"
    found = "" if offered.queue_mode else "a guess: the target did not show it"
    document.add("queue_map_mode", tomlkit.item(str(mode)))
    if found:
        document["queue_map_mode"].comment(found)
    features = tomlkit.array().multiline(multiline=True)
    features.extend(feature.name for feature in offered.features)
    document.add("features", features)
    implementation = tomlkit.table()
    implementation.add("name", tomlkit.item(" ".join(name.split())))
    implementation.add("version", tomlkit.item(version.strip()))
    if not says:
        implementation["name"].comment("fill in: the target does not say")
        implementation["version"].comment("fill in")
    document.add("implementation", implementation)
    document.add("limits", _limits(offered))
    registry = load_registry()
    stated = tuple(item for item in known if item.slug in registry)
    if stated:
        document.add("deviations", _deviations(stated))
    return tomlkit.dumps(document)


def _limits(offered: Offered) -> tomlkit.items.Table:
    limits = tomlkit.table()
    if offered.role is Role.DRIVER:
        limits.add("guest_page_sizes", [PAGE])
        limits["guest_page_sizes"].comment("not shown by a driver: look")
        return limits
    limits.add("host_page_sizes", [offered.page_size or PAGE])
    if offered.queue_sizes:
        sizes = tomlkit.inline_table()
        sizes.update({str(queue): size for queue, size in offered.queue_sizes.items()})
        limits.add("queue_sizes", sizes)
    if Feature.HINTING in offered.features:
        shown = offered.hint_max_count is not None
        limits.add("hint_max_count", offered.hint_max_count or 1)
        limits.add("hint_min_order", offered.hint_min_order or 0)
        if not shown:
            limits["hint_max_count"].comment("a guess: the target did not show it")
    return limits


def _deviations(known: tuple[Expectation, ...]) -> tomlkit.items.AoT:
    entries = tomlkit.aot()
    for item in known:
        entry = tomlkit.table()
        entry.add("slug", item.slug)
        entry.add("reason", item.reason)
        entry.add("link", item.link)
        if item.message:
            entry.add("message", item.message)
        entries.append(entry)
    return entries
