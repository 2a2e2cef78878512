"""The rules that hold between the entries of the registers, one function a rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from vhint_spec.lint_read import Problem, Registers
from vhint_spec.registry import PROFILES, Observation

Rule = Callable[[Registers], Iterator[Problem]]

_LOWER = re.compile(r"\b(?:must|shall|should|may)\b(?! 20)")
_TWO = re.compile(
    r"\b(?:and|or|but) (?:the (?:device|driver) |it )?(?:MUST|SHOULD|SHALL|MAY)\b"
    r"|; (?:the|a) (?:device|driver)\b"
    r"|[.,;] (?:and )?(?:the|a) (?:device|driver) (?:has to|needs to|is to|is not to|cannot)\b"
    r"|\b(?:is|are) (?:required|obliged|forbidden|permitted|allowed) to\b"
    r"|\bin addition\b|\bas well as (?:to )?(?:\w+ing)\b"
)
_ERRATUM = re.compile(r"\berrat(?:um|a) ([a-z0-9]+(?:-[a-z0-9]+)+)")
_SLUG = re.compile(
    rf"\b(?:{'|'.join(sorted(PROFILES, key=len, reverse=True))})\.(?:driver|device)\.[a-z0-9-]+"
)
_CLAUSE = re.compile(r"\b[A-Z]{2}-[A-Z]{1,2}\d+\b")
_BUG = re.compile(r"\b(?:as in|see|like) ([A-Z]\d+[a-z]?)\b")
_COMMIT = re.compile(r"\b(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,12}\b|\bCVE-\d{4}-\d+\b")
_POSTED = re.compile(r"\bprototypes?\b|\bposted\b")
_HEDGE = re.compile(r"\bseems?\b|\bso says?\b|\binferred\b|\bunresolved\b")
_SEEN_BY = {"device": ("driver", "memory", "host"), "driver": ("device", "memory", "guest")}


def one_obligation(found: Registers) -> Iterator[Problem]:
    """Refuse an entry that hides a second obligation."""
    for slug, entry in found.requirements.items():
        if match := _TWO.search(entry.text):
            yield found.at(slug, f"text seems to have two obligations: {match[0]!r}")


def texts_differ(found: Registers) -> Iterator[Problem]:
    """Refuse two entries that say the same."""
    first: dict[str, str] = {}
    for slug, entry in found.requirements.items():
        if (other := first.setdefault(entry.text, slug)) != slug:
            yield found.at(slug, f"has the text of {other}")


def no_lower_case(found: Registers) -> Iterator[Problem]:
    """Refuse RFC 2119 words in lower case, in every prose of the registers."""
    for name, text in _prose(found):
        if match := _LOWER.search(text):
            yield found.at(name, f"has {match[0]!r} in lower case: {_around(text, match)}")


def observers_fit(found: Registers) -> Iterator[Problem]:
    """Refuse an observation from the side that is itself under test."""
    for slug, entry in found.requirements.items():
        for observation in entry.observed:
            side = observation.partition(":")[0]
            if observation != Observation.REVIEW and side not in _SEEN_BY[entry.role]:
                yield found.at(slug, f"a {entry.role} cannot be observed by '{observation}'")


def references_live(found: Registers) -> Iterator[Problem]:
    """Refuse references to slugs, clauses, bugs and errata that do not exist."""
    for name, kind, target in _references(found):
        register = getattr(found, kind)
        if target not in register:
            yield found.at(name, f"refers to {target}, which is not in {kind}")


def faults_agree(found: Registers) -> Iterator[Problem]:
    """Refuse a fault in a rationale that the register of bugs does not lead back from."""
    by_commit: dict[str, list[str]] = {}
    for bug in found.bugs.values():
        for reference in bug.references:
            by_commit.setdefault(reference.split()[-1], []).append(bug.id)
    for slug, entry in found.requirements.items():
        for commit in dict.fromkeys(_COMMIT.findall(entry.rationale)):
            bugs = by_commit.get(commit, [])
            if not bugs:
                yield found.at(slug, f"rationale names {commit}, which no bug refers to")
            elif not any(slug in found.bugs[bug].slugs for bug in bugs):
                yield found.at(slug, f"rationale names {commit}, but {bugs[0]} lacks this slug")
        if match := _POSTED.search(entry.rationale):
            told = [bug for bug in found.bugs.values() if slug in bug.slugs]
            if not any(bug.confidence in ("posting", "history") for bug in told):
                yield found.at(slug, f"rationale tells of something {match[0]}, but no bug does")


def sections_complete(found: Registers) -> Iterator[Problem]:
    """Refuse a label that the standard lacks, and one whose statements are not all listed."""
    for name, section in found.sections.items():
        if name not in found.labels:
            yield Problem("clauses", name, f"has {section.counted} statements, none listed")
    for name, label in found.labels.items():
        if name not in found.sections:
            yield found.at(name, "is no label of the standard's, or has no statements there")
        elif label.left_out and label.clauses:
            yield found.at(name, "is left out and has clauses")
        elif not label.left_out and len(label.clauses) != label.counted:
            listed = len(label.clauses)
            yield found.at(name, f"has {label.counted} statements, of which {listed} are listed")


def clauses_carried(found: Registers) -> Iterator[Problem]:
    """Refuse a clause that no entry carries without a reason, or one of another level or role."""
    for name, clause in found.clauses.items():
        if bool(clause.slugs) == bool(clause.left_out):
            yield found.at(name, "needs slugs or a reason in left_out, and not both")
        entries = [found.requirements[slug] for slug in clause.slugs if slug in found.requirements]
        for entry in entries:
            if entry.level != clause.level and not clause.note:
                yield found.at(
                    name, f"is {clause.level}, {entry.slug} is {entry.level}: note says why"
                )
            if clause.role not in ("both", entry.role):
                yield found.at(name, f"binds the {clause.role}, {entry.slug} does not")


def sources_agree(found: Registers) -> Iterator[Problem]:
    """Refuse an entry that cites the standard without a clause, or by another title."""
    titles: dict[str, list[str]] = {}
    for clause in found.clauses.values():
        for slug in clause.slugs:
            titles.setdefault(slug, []).append(found.labels[clause.label].title)
    for slug, entry in found.requirements.items():
        if not entry.source.startswith("VIRTIO"):
            continue
        if slug not in titles:
            yield found.at(slug, "cites the standard, but no clause leads to it")
        elif not any(entry.source.endswith(f", {title}") for title in titles[slug]):
            yield found.at(slug, f"source does not end with {' or '.join(titles[slug])!r}")


def bugs_honest(found: Registers) -> Iterator[Problem]:
    """Refuse a fault without consequence, and a hypothesis that reads like a finding."""
    for name, bug in found.bugs.items():
        if bool(bug.slugs) == bool(bug.left_out):
            yield found.at(name, "needs slugs or a reason in left_out, and not both")
        if bug.confirmed == bool(_HEDGE.search(bug.text)):
            kind = "confirmed" if bug.confirmed else "unconfirmed"
            yield found.at(name, f"is {kind} and not phrased so")


def errata_settled(found: Registers) -> Iterator[Problem]:
    """Refuse an erratum without a reading that is taken, or that touches nothing."""
    for name, erratum in found.errata.items():
        if not any(reading.taken for reading in erratum.readings):
            yield found.at(name, "has no reading that is taken")
        if not erratum.slugs:
            yield found.at(name, "names no requirement that rests on it")


RULES: tuple[Rule, ...] = (
    one_obligation,
    texts_differ,
    no_lower_case,
    observers_fit,
    references_live,
    faults_agree,
    sections_complete,
    clauses_carried,
    sources_agree,
    bugs_honest,
    errata_settled,
)


def _prose(found: Registers) -> Iterator[tuple[str, str]]:
    """Yield the name of each entry with each piece of prose that it has."""
    for slug, entry in found.requirements.items():
        for text in (entry.text, entry.rationale, entry.source, entry.review):
            yield slug, text or ""
    for name, label in found.labels.items():
        yield name, label.left_out or ""
    for name, clause in found.clauses.items():
        for text in (clause.text, clause.left_out, clause.note):
            yield name, text or ""
    for name, bug in found.bugs.items():
        yield name, bug.text
        yield name, bug.left_out or ""
    for name, erratum in found.errata.items():
        for text in (erratum.title, erratum.problem, erratum.taken, erratum.why):
            yield name, text
        for reading in erratum.readings:
            yield name, reading.text
            yield name, reading.who


def _references(found: Registers) -> Iterator[tuple[str, str, str]]:
    """Yield every reference as the entry that makes it, the register meant, and the name."""
    for register in (found.clauses, found.bugs, found.errata):
        for name, entry in register.items():
            yield from ((name, "requirements", slug) for slug in entry.slugs)
    for name, erratum in found.errata.items():
        yield from ((name, "clauses", source) for source in erratum.sources)
    for name, text in _prose(found):
        yield from ((name, "errata", target) for target in _ERRATUM.findall(text))
        yield from ((name, "requirements", target) for target in _SLUG.findall(text))
        yield from ((name, "clauses", target) for target in _CLAUSE.findall(text))
        yield from ((name, "bugs", target) for target in _BUG.findall(text))


def _around(text: str, match: re.Match[str]) -> str:
    return f"...{text[max(0, match.start() - 20) : match.end() + 20]}..."
