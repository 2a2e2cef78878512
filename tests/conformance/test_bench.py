"""What the bench makes of a target that fails it."""

from dataclasses import dataclass, field

import pytest

from vhint.guest import requests
from vhint.wire.queues import Queue, QueueMode
from vhint_conformance.bench import open_bench, opening
from vhint_conformance.case import Case
from vhint_conformance.targets.base import Session, Target
from vhint_conformance.targets.planted import device
from vhint_conformance.targets.reference import REFERENCES
from vhint_conformance.verdict import Failed, NotApplicable, TargetDied, TargetNotStarted

CASE = Case("virtio.identity", "a case", ("virtio.device.identity",))


@dataclass
class Moody(Target):
    """Starts as often as it is told to."""

    name: str = "moody"
    moods: list[bool] = field(default_factory=list)

    def start(self) -> Session:
        if not self.moods.pop(0):
            raise TargetNotStarted("not in the mood", "wait")
        return REFERENCES["reference"].start()

    def versions(self) -> dict[str, str]:
        return {}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_offers", {})
    monkeypatch.setattr(opening, "_modes", {"moody": QueueMode.COMPACT_OFFERED})


def test_a_target_that_never_started_is_not_started() -> None:
    with pytest.raises(TargetNotStarted), open_bench(Moody(moods=[False]), CASE, 0, None):
        pass


def test_a_target_that_does_not_start_again_died() -> None:
    target = Moody(moods=[True, False, True])
    with open_bench(target, CASE, 0, None) as first:
        first.start()
    with pytest.raises(TargetDied, match="did not start again") as caught:  # noqa: SIM117
        with open_bench(target, CASE, 0, None):
            pass
    assert caught.value.hint == "wait"
    with open_bench(target, CASE, 0, None) as third:
        third.start()


def test_the_same_seed_makes_the_same_choices() -> None:
    rolls = []
    for seed in (1, 1, 2):
        with open_bench(REFERENCES["reference"], CASE, seed, None) as opened:
            rolls.append(opened.rng.random())
    assert rolls[0] == rolls[1] != rolls[2]


def leave_with_a_chain_of_its_own(*unwatched: Queue) -> None:
    with open_bench(REFERENCES["reference"], CASE, 0, None) as opened:
        driver = opened.start()
        opened.unwatched.update(unwatched)
        ring = driver.rings[Queue.DEFLATE]
        ring.add(driver.place(bytes(4)), ())
        ring.publish()
        opened.notify(Queue.DEFLATE)
        raise NotApplicable("enough")


def test_what_nobody_asked_for_is_found_in_the_used_rings_whatever_the_verdict() -> None:
    with pytest.raises(Failed, match="used-id-is-head"):
        leave_with_a_chain_of_its_own()


def test_a_queue_that_the_case_accounts_for_itself_is_left_alone() -> None:
    with pytest.raises(NotApplicable):
        leave_with_a_chain_of_its_own(Queue.DEFLATE)


def report_a_page(*, inside: bool) -> None:
    """Report a page to a device that discards the one behind it, in or before a part of a case."""
    target = device("mutant:discard-neighbour")
    assert target is not None
    with open_bench(target, CASE, 0, None) as opened:
        opened.start()
        if not inside:
            opened.exchange(requests.report(opened.blocks(1)), reuse=False)
            opened.observe()
        with opened.blaming("virtio.device.identity", "everything in order"):
            if inside:
                opened.exchange(requests.report(opened.blocks(1)), reuse=False)


@pytest.mark.parametrize("inside", [True, False])
def test_what_goes_wrong_in_a_part_is_blamed_on_what_the_part_is_about(inside: bool) -> None:
    with pytest.raises(Failed) as caught:
        report_a_page(inside=inside)
    blamed = [each.requirement for each in caught.value.violations]
    part = ["virtio.device.identity"] if inside else []
    assert blamed == [*part, "reporting.device.containment"]
