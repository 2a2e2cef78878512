"""The driver role, whole: sound guests pass, each broken one fails by its name."""

from collections.abc import Callable
from functools import partial

import pytest

from vhint.wire.queues import Queue
from vhint_conformance import runner, targets
from vhint_conformance.case import MARK, Role
from vhint_conformance.cases.driver import test_balloon as balloon
from vhint_conformance.cases.driver import test_hint_answers as hint_answers
from vhint_conformance.cases.driver import test_hinting as hinting
from vhint_conformance.cases.driver import test_poison as poison
from vhint_conformance.cases.driver import test_reporting as reporting
from vhint_conformance.cases.driver import test_rounds as rounds
from vhint_conformance.collection import UsageError
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.driver_bench.opening import open_driver_bench
from vhint_conformance.report.model import Report
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level
from vhint_conformance.targets import UnknownTarget
from vhint_conformance.targets.reference_driver import REFERENCE_GUESTS
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import Failed, Verdict

SPLIT = (Rings.SPLIT,)  # the other format doubles every case

BUSY = partial(hinting.test_busy_guest, name="pfn-hints")
FORM = partial(hinting.test_form, name="pfn-hints")
OWNERSHIP = partial(hinting.test_ownership, name="pfn-hints")
REFUSED = partial(hinting.test_refusals, status="MALFORMED")

ESSENTIAL = ("reporting.driver-*", "hint.driver-form*", "hint.driver-ownership*")

#: The case that finds a mutant soonest, and the requirement by which a device sees it.
FOUND: dict[str, tuple[Callable[[DriverBench], object], str]] = {
    "capture-without-recheck": (BUSY, "hint.driver.never-report-reallocated"),
    "recheck-outside-lock": (
        partial(hinting.test_busy_guest, name="hints"),
        "hint.driver.never-report-reallocated",
    ),
    "reports-parked-page": (BUSY, "hint.driver.never-report-reallocated"),
    "reports-twice": (OWNERSHIP, "hint.driver.no-overlap-outstanding"),
    "names-a-block-twice": (FORM, "hint.driver.no-overlap-in-request"),
    "never-kicks": (FORM, "ring.driver.kick-at-avail-event"),
    "reuses-request-memory": (FORM, "hint.driver.request-memory-stable"),
    "no-room-for-answer": (FORM, "hint.driver.room-for-acknowledgement"),
    "cookie-zero": (FORM, "hint.driver.cookie-nonzero"),
    "cookie-repeated": (FORM, "hint.driver.cookie-unique"),
    "release-on-offer": (OWNERSHIP, "hint.driver.no-allocate-while-outstanding"),
    "gives-up-waiting": (OWNERSHIP, "hint.driver.no-overlap-outstanding"),
    "no-return-on-error": (REFUSED, "hint.driver.return-every-acknowledged"),
    "returns-accepted-only": (
        partial(hinting.test_refusals, status="PARTIAL"),
        "hint.driver.return-every-acknowledged",
    ),
    "loses-remainder": (
        partial(hinting.test_count_limit, most=1),
        "hint.driver.return-every-acknowledged",
    ),
    "drops-when-full": (hinting.test_full_queue, "hint.driver.return-on-error"),
    "never-resets-after-bad-answer": (
        hint_answers.test_memory_after_bad_answer,
        "hint.driver.reset-on-bad-acknowledgement",
    ),
    "release-on-stop": (
        rounds.test_kept_until_done,
        "free-page-hint.driver.initialise-early-release",
    ),
    "release-without-initialising": (
        rounds.test_pressure_in_round,
        "free-page-hint.driver.initialise-early-release",
    ),
    "no-stop-after-done": (rounds.test_done_in_round, "free-page-hint.driver.finish-with-stop"),
    "results-beyond-length": (
        hint_answers.test_results_beyond_length,
        "ring.driver.nothing-beyond-len",
    ),
    "stale-id-taken": (hint_answers.test_stale_id, "hint.driver.bad-id-detected"),
    "balloon-page-hinted": (hinting.test_beside_balloon, "hint.driver.never-name-balloon-pages"),
    "poisoned-before-deflate-used": (
        poison.test_filled_after_deflate,
        "balloon.driver.wait-for-deflate",
    ),
    "inflate-ends-deflate": (
        partial(balloon.test_change_of_mind, before=64),
        "balloon.driver.wait-for-deflate",
    ),
    "believes-bad-answers": (
        partial(hint_answers.test_bad_answer, name="cookie"),
        "hint.driver.bad-cookie-detected",
    ),
    "selects-by-cookie": (hint_answers.test_swapped_cookies, "hint.driver.used-id-selects"),
    "no-poison-before-hint": (
        partial(poison.test_filled_first, queue=Queue.HINTING),
        "hint.driver.poison-fill-first",
    ),
    "take-back-before-reset-done": (
        reporting.test_reset_takes_time,
        "reporting.driver.no-touch-until-use",
    ),
    "leaks-on-reset": (
        hinting.test_removed_while_held,
        "hint.driver.remove-returns-all",
    ),
    "reports-without-waiting": (
        reporting.test_ownership_under_load,
        "reporting.driver.no-touch-until-use",
    ),
    "reported-mark-lost": (
        reporting.test_comes_to_rest,
        "reporting.driver.no-endless-rereport",
    ),
    "reported-mark-ignored": (
        reporting.test_comes_to_rest,
        "reporting.driver.no-endless-rereport",
    ),
    "reports-in-use": (reporting.test_form, "reporting.driver.no-overlap-in-report"),
    "report-lost-rest": (
        reporting.test_memory_comes_back,
        "reporting.driver.return-every-page",
    ),
    "no-poison-before-report": (
        partial(poison.test_filled_first, queue=Queue.REPORTING),
        "reporting.driver.poison-before-report",
    ),
    "report-leaks-on-reset": (
        reporting.test_unload_while_held,
        "reporting.driver.return-every-page",
    ),
    "pages-before-id": (rounds.test_round, "free-page-hint.driver.id-first"),
    "no-stop": (rounds.test_round, "free-page-hint.driver.finish-with-stop"),
    "second-id": (rounds.test_round, "free-page-hint.driver.id-once"),
    "command-of-8-bytes": (rounds.test_round, "free-page-hint.driver.command-size"),
    "held-pages-leaked-on-removal": (
        rounds.test_removed_in_round,
        "free-page-hint.driver.release-on-remove",
    ),
    "old-round-forgotten": (
        rounds.test_rounds_without_done,
        "free-page-hint.driver.release-on-done",
    ),
    "deflate-before-inflate-used": (
        partial(balloon.test_change_of_mind, before=0),
        "balloon.driver.no-deflate-before-inflate-use",
    ),
    "page-used-while-inflating": (balloon.test_inflate_held, "balloon.driver.wait-for-inflate"),
    "page-used-before-deflate-used": (
        balloon.test_deflate_held,
        "balloon.driver.wait-for-deflate",
    ),
    "deflate-without-request": (
        balloon.test_content,
        "balloon.driver.deflate-through-queue",
    ),
    "balloon-leaked-on-removal": (
        balloon.test_memory_comes_back,
        "balloon.driver.return-on-remove",
    ),
    "balloon-oscillates": (
        partial(balloon.test_grows_and_shrinks, pages=1),
        "balloon.driver.update-actual",
    ),
    "no-poison-after-deflate": (
        poison.test_filled_after_deflate,
        "balloon.driver.poison-fill-deflated",
    ),
}

#: Some of them for every day; `make matrix` judges all mutants by all cases.
QUICK = (
    "capture-without-recheck",
    "names-a-block-twice",
    "cookie-zero",
    "believes-bad-answers",
    "no-stop",
    "balloon-leaked-on-removal",
    "no-poison-after-deflate",
)

#: What a device and an upper tester cannot see: the machines find them from inside the guest.
UNSEEN = {
    "reports-cached-page": "the reference's upper tester keeps no page cache",
    "no-time-limit": "a driver need not hint at any time, and gives all back under pressure",
    "wrong-order-on-return": "the order of a free block is the guest's own",
}


def run(target: str, *select: str, level: Level = Level.SHOULD) -> Report:
    return runner.run(RunOptions(target, role=Role.DRIVER, select=select, level=level, rings=SPLIT))


def test_the_reference_guest_passes_everything() -> None:
    report = run("reference")
    bad = [o.id for o in report.outcomes if o.verdict is not Verdict.PASS]
    assert bad == ["ring.driver-index-wrap-from-0"]  # its queues can begin near the wrap
    assert len(report.outcomes) >= 100


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in REFERENCE_GUESTS if name != "reference"])
def test_other_generations_pass_what_concerns_them(name: str) -> None:
    report = run(name, *ESSENTIAL)
    bad = [o for o in report.outcomes if o.verdict in (Verdict.FAIL, Verdict.ERROR)]
    assert [(o.id, o.message) for o in bad] == []


def violated(name: str, run_case: Callable[[DriverBench], object]) -> set[str]:
    """Run one case on a mutant, and return what it was found to break."""
    function = run_case.func if isinstance(run_case, partial) else run_case
    info = next(mark.args[0] for mark in function.pytestmark if mark.name == MARK)
    try:
        with open_driver_bench(targets.resolve_driver(f"mutant:{name}"), info, 0, None) as bench:
            run_case(bench)
    except Failed as failed:
        return {each.requirement for each in failed.violations}
    return set()


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in FOUND],
)
def test_a_broken_guest_is_found_by_its_requirement(name: str) -> None:
    run_case, slug = FOUND[name]
    assert slug in violated(name, run_case)


def test_a_mutant_of_a_guest_exits_1() -> None:
    report = run("mutant:cookie-zero", "hint.driver-form*")
    assert report.exit_status == 1


def test_a_driver_that_dies_of_an_answer_has_broken_a_requirement() -> None:
    (outcome,) = run("mutant:dies-of-bad-answers", "hint.driver-bad-answer[cookie]").outcomes
    assert outcome.verdict is Verdict.FAIL
    assert [v.requirement for v in outcome.violations] == [
        "hint.driver.reset-on-bad-acknowledgement"
    ]
    assert "it died: the driver raised AssertionError" in outcome.violations[0].seen


def test_a_target_has_the_role_that_it_has() -> None:
    assert list(targets.judged("reference")) == [Role.DEVICE, Role.DRIVER]
    assert list(targets.judged("qemu")) == [Role.DEVICE]
    assert list(targets.judged("linux")) == [Role.DRIVER]
    with pytest.raises(UnknownTarget, match="qemu can be judged as a device only"):
        targets.judged("qemu", Role.DRIVER)
    with pytest.raises(UsageError, match="as a driver only"):
        runner.run(RunOptions("linux", role=Role.DEVICE))


def test_reports_say_how_many_pages_came_back() -> None:
    (outcome,) = run("reference", "reporting.driver-figures").outcomes
    assert outcome.observations["figures"]["seconds to nine tenths"] != "not reached"
    assert outcome.effectiveness["discarded_pages"] > 0
