"""What several reports are called beside each other, and what their requirements are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from vhint_conformance.report.model import Report
from vhint_spec import Requirement, registry

SITE = "VHINT_SITE"
"""The environment variable that says where the site with the specification is."""


def versions(report: Report) -> str:
    """Return the versions of what was judged, in words.

    >>> versions(Report("qemu", {"qemu": "7.2", "bus": "pci"}, ()))
    'qemu 7.2, bus pci'
    """
    return ", ".join(f"{name} {version}" for name, version in report.versions.items())


def labels(reports: Sequence[Report]) -> list[str]:
    """Return a name for each report: its target, and as much more as tells it from the others.

    >>> labels([Report("a", {"a": "1"}, ()), Report("a", {"a": "2"}, ()), Report("b", {}, ())])
    ['a (a 1)', 'a (a 2)', 'b']
    >>> labels([Report("a", {}, ()), Report("a", {}, ())])
    ['a, run 1', 'a, run 2']
    """
    named = [report.target for report in reports]
    for more in (versions, _role, lambda report: report.created):
        said: dict[str, set[str]] = {}
        for name, report in zip(named, reports, strict=True):
            said.setdefault(name, set()).add(more(report))
        named = [
            f"{name} ({more(report)})" if len(said[name]) > 1 and more(report) else name
            for name, report in zip(named, reports, strict=True)
        ]
    counts, seen = Counter(named), Counter[str]()
    for index, name in enumerate(named):
        if counts[name] > 1:
            seen[name] += 1
            named[index] = f"{name}, run {seen[name]}"
    return named


def _role(report: Report) -> str:
    return "" if report.role == "all" else report.role


def requirements_in(reports: Iterable[Report]) -> dict[str, Requirement | None]:
    """Return every requirement that cases of the reports are about, by slug, sorted.

    The value is None for one that this version of vhint does not know.
    """
    known = registry.load()
    slugs = {
        slug
        for report in reports
        for outcome in report.outcomes
        for slug in (*outcome.requirements, *(each.requirement for each in outcome.seen_broken))
    }
    return {slug: known.get(slug) for slug in sorted(slugs)}


def page_of(site: str, requirement: Requirement) -> str:
    """Return the address of a requirement on the site; empty if it is not known where that is.

    >>> page_of("https://example.org/vhint/", registry.load()["hint.device.use-once"])
    'https://example.org/vhint/requirements/hint-device.html#hint.device.use-once'
    """
    if not site:
        return ""
    page = f"{requirement.profile}-{requirement.role}.html"
    return f"{site.rstrip('/')}/requirements/{page}#{requirement.slug}"
