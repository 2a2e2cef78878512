"""Expectations: failures that are known, with a reason and a link, kept in TOML files.

A file looks like this:

    schema = "vhint-expectations/1"

    [[expect]]
    slug = "balloon.device.wait-for-driver-ok"   # glob over case ids and requirement slugs;
                                                 # with @packed in one variant only, @ in the plain
    reason = "QEMU consumes buffers before DRIVER_OK"
    link = "https://gitlab.com/qemu-project/qemu/-/issues/0"
    message = "before DRIVER_OK"                 # optional: part of the failure's text
    versions = ">=5.1,<11"                       # optional: PEP 440, the target's version
    shows = "sometimes"                          # optional: a pass is no news either

How it is judged:

* A failing case is an *expected failure* if every violation in it is covered.  An expectation
  covers a violation if its slug matches the case or the violated requirement, and its `message`,
  if any, occurs in the violation's text.
* An expectation whose slug matches the id of some case speaks of those cases: each of them that
  passes *fails*, because the expectation is out of date.
* Any other expectation speaks of requirements.  It is out of date, and the run fails, if nobody
  violated those requirements, some case that checks one of them passed, and none is left that
  could have: deselected, interrupted, inconclusive, errored or failed for another reason.
* One that shows only sometimes is never out of date.
* An expectation for other versions of the target does not exist; if the target's version cannot
  be told, neither does one that names versions.
* Only a failure can be expected: `inconclusive` and `error` stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from vhint_conformance import toml_text
from vhint_conformance.selection import close_names, matches
from vhint_conformance.variants import MARK
from vhint_conformance.verdict import Verdict, Violation

if TYPE_CHECKING:
    from vhint_conformance.targets.base import Target
    from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.targets.pair import PairTarget

SCHEMA = "vhint-expectations/1"
REQUIRED = ("slug", "reason", "link")
OPTIONAL = ("message", "versions", "shows")
SOMETIMES = "sometimes"


class ExpectationsError(ValueError):
    """An expectations file that cannot be used; the text says where and what is expected."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One `[[expect]]` entry; `source` is the file that it stands in."""

    slug: str
    reason: str
    link: str
    message: str = ""
    versions: str = ""
    source: str = ""
    shows: str = ""

    def covers(self, case: str, violation: Violation) -> bool:
        """Whether it expects this violation in this case."""
        named = matches(self.slug, case) or matches(self.slug, violation.requirement, case)
        return named and self.message in str(violation)

    def applies_to(self, version: str | None) -> bool:
        """Whether it speaks of a target of this version."""
        if not self.versions:
            return True
        # Distributions decorate versions: "7.2.22 (Debian 1:7.2+dfsg-7)" is judged as 7.2.22.
        number = re.search(r"\d+(\.\d+)*", version or "")
        return number is not None and SpecifierSet(self.versions).contains(number[0])


def load(path: Path) -> tuple[Expectation, ...]:
    """Return the expectations in a file, or raise `ExpectationsError`."""
    try:
        data = path.read_bytes()
        document = toml_text.parse(data)
    except OSError as error:
        raise ExpectationsError(f"{path}: {error.strerror or error}") from error
    except toml_text.NotToml as error:
        raise ExpectationsError(f"{path}: {error}") from error
    text = data.decode()
    if document.get("schema") != SCHEMA:
        seen = f"seen {document['schema']!r}" if "schema" in document else "there is none"
        raise ExpectationsError(f'{path}: line 1: expected schema = "{SCHEMA}"; {seen}')
    extra = sorted(document.keys() - {"schema", "expect"})
    if extra:
        raise ExpectationsError(f"{path}: unknown key {extra[0]!r}; expected [[expect]] entries")
    entries = document.get("expect", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ExpectationsError(f"{path}: `expect` must be a list of tables: write [[expect]]")
    return tuple(
        _entry(path, toml_text.line_of(text, ["expect", place]), entry)
        for place, entry in enumerate(entries)
    )


def gather(
    judged: Iterable[Target | DriverTarget | PairTarget], files: Iterable[Path], no_expect: bool
) -> tuple[Expectation, ...]:
    """Return the expectations in the user's files and in those that ship with what is judged.

    `no_expect` leaves out those that ship with the targets, and nothing else.
    """
    shipped = [] if no_expect else [target.deviations() for target in judged]
    paths = dict.fromkeys([*files, *filter(None, shipped)])
    return tuple(item for path in paths for item in load(path))


def for_target(
    expectations: Sequence[Expectation], name: str, versions: Callable[[], Mapping[str, str]]
) -> tuple[Expectation, ...]:
    """Return those that speak of the target called `name`, as it is installed.

    A target may report several versions; its own is the one under its name, or else the first.
    They are asked for only if some expectation depends on them.
    """
    version: str | None = None
    if any(item.versions for item in expectations):
        known = versions()
        version = known.get(name.partition(":")[0], next(iter(known.values()), None))
    return tuple(item for item in expectations if item.applies_to(version))


def covering(
    expectations: Sequence[Expectation], case: str, violations: Iterable[Violation]
) -> tuple[Expectation, ...]:
    """Return the expectations that together cover all the violations, or none at all."""
    found: list[Expectation] = []
    for violation in violations:
        match = next((item for item in expectations if item.covers(case, violation)), None)
        if match is None:
            return ()
        found.append(match)
    return tuple(dict.fromkeys(found))


def naming(expectations: Iterable[Expectation], case: str) -> Expectation | None:
    """Return the first expectation that says that this case fails, whatever it checks."""
    named = (item for item in expectations if matches(item.slug, case))
    return next((item for item in named if item.shows != SOMETIMES), None)


def unknown(
    expectations: Iterable[Expectation], cases: Mapping[str, Sequence[str]], slugs: Iterable[str]
) -> list[str]:
    """Return a complaint for each expectation that names no case and no requirement.

    `cases` maps the id of every case to its requirements, `slugs` are those of the registry.
    """
    names = {*cases, *slugs, *(slug for checked in cases.values() for slug in checked)}
    complaints = []
    for item in expectations:
        bare = item.slug.partition(MARK)[0]  # not every run has every variant
        if not any(matches(bare, name) for name in names):
            close = close_names(item.slug, names)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            complaints.append(
                f"{item.source}: {item.slug!r} names no case and no requirement{hint}"
            )
    return complaints


def out_of_date(
    expectations: Iterable[Expectation],
    cases: Mapping[str, Sequence[str]],
    verdicts: Mapping[str, Verdict],
    violated: Iterable[str],
) -> tuple[Expectation, ...]:
    """Return the expectations about requirements that this whole run has refuted.

    `cases` maps the id of every case, run or not, to its requirements; `verdicts` has those that
    ran; `violated` are the requirements that any case saw broken.
    """
    broken = set(violated)
    refuted = []
    for item in expectations:
        if item.shows == SOMETIMES or any(matches(item.slug, case) for case in cases):
            continue  # it names cases, and each of those was judged by itself
        checking = [
            case
            for case, slugs in cases.items()
            if any(matches(item.slug, slug, case) for slug in slugs)
        ]
        verdicts_seen = {verdicts.get(case) for case in checking}
        settled = verdicts_seen <= {Verdict.PASS, Verdict.NOT_APPLICABLE}
        held = not any(matches(item.slug.partition(MARK)[0], slug) for slug in broken)
        if settled and held and Verdict.PASS in verdicts_seen:
            refuted.append(item)
    return tuple(refuted)


def complaint(item: Expectation) -> str:
    """Return a line that says that an expectation is out of date."""
    return (
        f"unexpected pass: every case that checks {item.slug} passed, "
        f"but {item.source} expects a failure ({item.reason})"
    )


def _entry(path: Path, line: int, entry: Mapping[str, object]) -> Expectation:
    """Return one entry, checked."""
    where = f"{path}: line {line}: [[expect]]"
    for key in entry:
        if key not in REQUIRED + OPTIONAL:
            expected = ", ".join(REQUIRED + OPTIONAL)
            raise ExpectationsError(f"{where}: unknown key {key!r}; expected {expected}")
    for key in REQUIRED:
        if key not in entry:
            raise ExpectationsError(f"{where}: `{key}` is missing; is the file cut short?")
    values: dict[str, str] = {}
    for key, value in entry.items():
        if not isinstance(value, str) or not value.strip():
            raise ExpectationsError(f"{where}: `{key}` must be text; seen {value!r}")
        values[key] = value
    if values.get("shows", SOMETIMES) != SOMETIMES:
        seen = values["shows"]
        raise ExpectationsError(f'{where}: `shows` is {seen!r}; expected "{SOMETIMES}" or nothing')
    try:
        SpecifierSet(values.get("versions", ""))
    except InvalidSpecifier as error:
        expected = 'expected e.g. ">=7.2,<11"'
        raise ExpectationsError(
            f"{where}: `versions` is {values['versions']!r}; {expected}"
        ) from error
    return Expectation(**values, source=str(path))
