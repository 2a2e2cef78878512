"""Which requirements have a case and which have not, held against a list in the repository."""

from pathlib import Path

from vhint_conformance import runner
from vhint_conformance.collection import Collection
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level
from vhint_spec import Requirement, load

UNCOVERED = Path(__file__).parent / "requirements_without_case.txt"


def every_case() -> Collection:
    return runner.listing(RunOptions(target="reference", level=Level.SHOULD))


def test_every_case_checks_requirements_that_exist() -> None:
    registry = load()
    unknown = {
        name: [slug for slug in slugs if slug not in registry]
        for name, slugs in every_case().requirements.items()
    }
    assert {name: slugs for name, slugs in unknown.items() if slugs} == {}


def test_case_ids_begin_with_a_profile() -> None:
    profiles = {requirement.profile for requirement in load().values()}
    strays = [name for name in every_case().requirements if name.split(".")[0] not in profiles]
    assert strays == []


def test_requirements_without_a_case_are_those_listed() -> None:
    """A device requirement that no case checks stands in the list, and no other.

    Driver requirements and those checked by review are not listed: their `review` says why.
    """
    covered = {slug for slugs in every_case().requirements.values() for slug in slugs}
    found = [slug for slug, entry in load().items() if owes_a_case(entry) and slug not in covered]
    listed = [line for line in UNCOVERED.read_text().splitlines() if line and line[0] != "#"]
    assert sorted(listed) == sorted(found), "bring requirements_without_case.txt up to date"


def test_there_are_cases_enough() -> None:
    cases = every_case().requirements
    assert len({name.partition("@")[0].partition("[")[0] for name in cases}) >= 80


def owes_a_case(entry: Requirement) -> bool:
    return entry.role == "device" and not entry.review
