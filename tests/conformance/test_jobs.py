import os

import pytest

from vhint_conformance import targets
from vhint_conformance.jobs import WORTH_WHILE, jobs_for
from vhint_conformance.targets import TargetSettings

MANY = 10 * WORTH_WHILE


def judged(name: str, **settings: object) -> list[targets.AnyTarget]:
    return list(targets.judged(name, None, TargetSettings(**settings)).values())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["reference", "reference:pci", "qemu", "qemu:mmio"])
def test_many_cases_on_a_target_that_bears_it_run_side_by_side(name: str) -> None:
    assert jobs_for(None, judged(name), MANY, ()) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vhost-user:/tmp/socket", {}),  # one device, which need not take two connections
        ("vhost-user", {"spawn": "device {socket}"}),  # what it uses besides is not known
    ],
)
def test_what_may_not_bear_it_is_judged_by_one_process(name: str, settings: dict[str, str]) -> None:
    assert jobs_for(None, judged(name, **settings), MANY, ()) == 1


def test_few_cases_are_not_worth_other_processes() -> None:
    assert jobs_for(None, judged("reference"), WORTH_WHILE - 1, ()) == 1


def test_what_the_user_tells_pytest_is_not_meddled_with() -> None:
    assert jobs_for(None, judged("reference"), MANY, ("-x",)) == 1


def test_who_asks_for_a_number_of_jobs_gets_it() -> None:
    assert jobs_for(3, judged("vhost-user:/tmp/socket"), 1, ("-x",)) == 3
