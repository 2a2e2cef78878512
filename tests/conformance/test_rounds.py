"""Rounds of free page hints: each broken device is found by its requirement, no sound one is."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from vhint.host import DiscardHints, NotedWrites
from vhint.host.context import Context
from vhint.spans import PAGE
from vhint_conformance.bench import Bench, open_bench
from vhint_conformance.case import MARK, Capability, Case
from vhint_conformance.cases.device import test_round_commands as of_commands
from vhint_conformance.cases.device import test_round_pages as of_pages
from vhint_conformance.cases.device import test_rounds as of_rounds
from vhint_conformance.cases.rounds import Round
from vhint_conformance.mutants.device.rounds import MUTANTS as ROUNDS
from vhint_conformance.mutants.device.rounds import Hinted
from vhint_conformance.targets.base import Target
from vhint_conformance.targets.reference import REFERENCES, LoopbackTarget
from vhint_conformance.verdict import Failed, NotApplicable

Play = Callable[[Bench], None]


def cases() -> Iterator[tuple[Case, Play]]:
    """Yield every case of rounds with what it does; one with a parameter for each value of it."""
    for module in (of_rounds, of_pages, of_commands):
        for name, function in vars(module).items():
            if not name.startswith("test_"):
                continue
            marks = {mark.name: mark for mark in function.pytestmark}
            info = marks[MARK].args[0]
            if "parametrize" not in marks:
                yield info, function
                continue
            parameter, values = marks["parametrize"].args
            for value in values:
                yield info, partial(function, **{parameter: value})


EVERY = tuple(cases())


def violated(target: Target, info: Case, play: Play) -> set[str]:
    """Run one case and return the requirements that it saw broken."""
    try:
        with open_bench(target, info, 0, None) as bench:
            play(bench)
    except Failed as failed:
        return {violation.requirement for violation in failed.violations}
    except NotApplicable:
        pass
    return set()


ROUND_MUTANTS = {mutant.name: mutant for mutant in ROUNDS}


@pytest.mark.parametrize("name", ROUND_MUTANTS)
def test_a_mutant_is_found_by_its_requirement(name: str) -> None:
    mutant = ROUND_MUTANTS[name]
    target = LoopbackTarget(f"mutant:{name}", mutant.make_device)
    looking = [(info, play) for info, play in EVERY if mutant.requirement in info.requirements]
    assert any(mutant.requirement in violated(target, info, play) for info, play in looking)


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case[0].id)
def test_a_device_that_discards_what_nobody_wrote_is_sound(case: tuple[Case, Play]) -> None:
    assert violated(REFERENCES["reference:discards-hints"], *case) == set()


class Scribbles(DiscardHints):
    """Writes into hinted pages that nobody wrote, which it may until DONE."""

    def accept(self, spans: object, context: Context) -> None:
        with self.log.unwritten(spans) as untouched:  # type: ignore[arg-type]
            for span in untouched:
                for number in range(-(-span.start // PAGE), span.end // PAGE):
                    context.memory.write(number * PAGE, b"scribble" * (PAGE // 8))


class Scribbler(Hinted):
    policy = Scribbles
    log = NotedWrites


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case[0].id)
def test_a_device_that_writes_into_hinted_pages_is_sound(case: tuple[Case, Play]) -> None:
    if case[0].id == "free-page-hint.poison":
        pytest.skip("it does not keep poison")
    assert violated(LoopbackTarget("scribbler", Scribbler), *case) == set()


def test_what_was_skipped_is_told() -> None:
    for name, skipped in (("reference", 9), ("reference:ignores-hints", 0)):
        info = Case("x.y", "A round", (), capabilities=(Capability.STARTS_ROUNDS,))
        with open_bench(REFERENCES[name], info, 0, None) as bench:
            hints = Round(bench)
            hints.command(hints.begin())
            hints.hint([*bench.blocks(1), *bench.blocks(1, 3)])
            hints.finish()
            assert bench.effectiveness["offered_pages"] == 9
            assert bench.effectiveness["skipped_pages"] == skipped
