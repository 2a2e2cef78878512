"""Free page hinting by rounds: command ids, STOP, and what is held until DONE."""

from __future__ import annotations

from dataclasses import replace

from vhint.spans import PAGE
from vhint.wire.command import DONE, SIZE, STOP
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.tools import (
    WORK,
    check_all_back,
    check_content,
    churn,
    driver_case,
    measure,
)
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.verdict import NotApplicable

FREE_PAGE = Queue.FREE_PAGE
FEATURES = (Feature.FREE_PAGE_HINT,)
FINISH = "free-page-hint.driver.finish-with-stop"
ID = 0x80000002
MANY = 1000
"""Blocks of a round that take their time."""


def commands(bench: DriverBench) -> list[int]:
    """Return every command that was sent so far."""
    return [int.from_bytes(data, "little") for data in bench.sent[FREE_PAGE] if len(data) == SIZE]


def run_round(bench: DriverBench, command: int) -> int:
    """Begin a round and let it run to its STOP; return how many pages were supplied."""
    before, known = bench.effectiveness["offered_pages"], len(commands(bench))
    bench.command(command)
    bench.run(lambda: STOP.value in commands(bench)[known:])
    said = commands(bench)[known:]
    bench.stop_if_broken()  # an id that is not the one shown says more than one that is missing
    bench.require(
        said[:1] == [command],
        "free-page-hint.driver.id-first",
        expected=f"command id {command} first",
        seen=str(said),
    )
    bench.require(STOP.value in said, FINISH, expected="STOP at the end", seen=str(said))
    bench.commands_settled()
    return bench.effectiveness["offered_pages"] - before


@driver_case(
    "free-page-hint.driver.id-first",
    "free-page-hint.driver.id-once",
    "free-page-hint.driver.current-id-read",
    "free-page-hint.driver.id-little-endian",
    "free-page-hint.driver.command-size",
    "free-page-hint.driver.supply-pages",
    "free-page-hint.driver.one-page-block-a-buffer",
    FINISH,
    id="free-page-hint.driver-round",
    features=FEATURES,
)
def test_round(bench: DriverBench) -> None:
    """A round begins with the id that config space shows and ends with STOP."""
    bench.start(offers.ROUNDS)
    pages = run_round(bench, ID)
    bench.observations["supplied_pages"] = pages
    bench.require(
        pages > 0,
        "free-page-hint.driver.supply-pages",
        expected="free pages supplied",
        seen="none",
    )
    bench.command(DONE.value)
    bench.idle(1.0)


@driver_case(
    "free-page-hint.driver.id-once",
    "free-page-hint.driver.current-id-read",
    id="free-page-hint.driver-no-second-round",
    features=FEATURES,
)
def test_no_second_round(bench: DriverBench) -> None:
    """The same id seen again, by a config interrupt that means nothing, begins no round."""
    bench.start(offers.ROUNDS)
    run_round(bench, ID)
    known = len(commands(bench))
    bench.device.signal(None)
    bench.idle(1.0)
    bench.require(
        commands(bench)[known:] == [],
        "free-page-hint.driver.id-once",
        expected="no command",
        seen=str(commands(bench)[known:]),
    )
    bench.command(DONE.value)
    bench.idle(1.0)


@driver_case(
    "free-page-hint.driver.release-on-done",
    "free-page-hint.driver.content-uninitialised",
    id="free-page-hint.driver-released-on-done",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY],
)
def test_released_on_done(bench: DriverBench) -> None:
    """After DONE the guest has all of its memory, and what it kept is intact."""
    bench.start(offers.ROUNDS)
    kept = bench.tester.allocate(bench.session.limits.chunk)
    whole = measure(bench)
    for command in (2, 0xFFFFFFFF, 3):
        run_round(bench, command)
        bench.command(DONE.value)
        bench.idle(1.0)
        if len(bench.hinted) > MANY:
            break  # page by page, one round is as good as three
    check_all_back(bench, whole, FREE_PAGE)
    check_content(bench, kept, FREE_PAGE)


@driver_case(
    "free-page-hint.driver.release-on-done",
    "free-page-hint.driver.id-first",
    "free-page-hint.driver.current-id-read",
    id="free-page-hint.driver-rounds-without-done",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY],
)
def test_rounds_without_done(bench: DriverBench) -> None:
    """Pages of a round that another followed without DONE come back with its DONE."""
    bench.start(offers.ROUNDS)
    whole = measure(bench)
    for command in (2, 9, 4):  # none that could be told from the one before
        run_round(bench, command)
        churn(bench)
    bench.command(DONE.value)
    bench.idle(1.0)
    check_all_back(bench, whole, FREE_PAGE)


@driver_case(
    "free-page-hint.driver.keep-until-done",
    "free-page-hint.driver.initialise-early-release",
    id="free-page-hint.driver-kept-until-done",
    features=FEATURES,
    capabilities=[WORK],  # a guest that works by itself may want memory at any time
)
def test_kept_until_done(bench: DriverBench) -> None:
    """Between STOP and DONE nothing fills the holes of hinted pages, with no want of memory.

    Whether config space shows the id of the round still, or STOP.
    """
    bench.start(offers.ROUNDS)
    run_round(bench, ID)
    wanted = bench.hinted
    before = bench.hole_bytes(wanted)
    for command in (ID, STOP.value):
        bench.command(command)
        bench.idle()
    after = bench.hole_bytes(wanted)
    bench.observations["released_early_pages"] = (before - after) // PAGE
    bench.require(
        after == before,
        "free-page-hint.driver.keep-until-done",
        expected="hinted pages left alone until DONE",
        seen=f"{before - after} bytes with content again",
    )
    bench.command(DONE.value)
    bench.idle(1.0)


@driver_case(
    "free-page-hint.driver.may-release-early",
    "free-page-hint.driver.initialise-early-release",
    FINISH,
    id="free-page-hint.driver-pressure-in-round",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY],
)
def test_pressure_in_round(bench: DriverBench) -> None:
    """A guest that runs out of memory while pages are held lives on, with its content."""
    bench.start(offers.ROUNDS)
    kept = bench.tester.allocate(bench.session.limits.chunk)
    run_round(bench, ID)
    full = bench.tester.fill()
    check_content(bench, kept, FREE_PAGE)
    check_content(bench, full, FREE_PAGE)
    known = len(commands(bench))
    bench.command(ID + 1)  # with nothing left to supply
    bench.idle(1.0)
    said = commands(bench)[known:]
    bench.require(
        not said or STOP.value in said,
        FINISH,
        expected="STOP at the end of a round without pages",
        seen=str(said),
    )
    bench.tester.free(full)
    bench.command(DONE.value)
    bench.idle(1.0)


@driver_case(
    "free-page-hint.driver.stop-on-command",
    "free-page-hint.driver.room-for-stop",
    id="free-page-hint.driver-stopped",
    features=FEATURES,
)
def test_stopped(bench: DriverBench) -> None:
    """When config space shows STOP in the middle of a round, the driver stops supplying.

    The queue is full by then, so that there is room for more only after it has seen STOP.
    """
    bench.start(offers.ROUNDS, hold=[FREE_PAGE])
    bench.command(ID)
    bench.run(lambda: len(bench.waiting(FREE_PAGE)) >= 2)
    bench.idle(1.0)
    bench.command(STOP.value)
    bench.idle(1.0)
    before = len(bench.hinted)
    bench.observations["blocks_while_held"] = before
    bench.held.clear()
    bench.idle()
    after = len(bench.hinted)
    bench.require(
        after == before,
        "free-page-hint.driver.stop-on-command",
        expected="no more pages after STOP was shown",
        seen=f"{after - before} blocks more",
    )
    bench.command(DONE.value)
    bench.idle(1.0)


@driver_case(
    FINISH,
    "free-page-hint.driver.stop-on-command",
    "free-page-hint.driver.id-once",
    id="free-page-hint.driver-done-in-round",
    features=FEATURES,
)
def test_done_in_round(bench: DriverBench) -> None:
    """A round that DONE cuts short is ended with STOP, before the id of another."""
    bench.start(offers.ROUNDS, hold=[FREE_PAGE])
    bench.command(ID)
    bench.run(lambda: len(bench.waiting(FREE_PAGE)) >= 2)
    if STOP.value in commands(bench):
        raise NotApplicable("the driver had ended its round by then")
    bench.device.signal(None)  # with nothing new
    bench.idle(0.5)
    bench.command(DONE.value)
    bench.idle(1.0)
    bench.held.clear()
    bench.run(lambda: STOP.value in commands(bench), bench.session.limits.rest)
    said = commands(bench)
    bench.require(
        STOP.value in said,
        FINISH,
        expected="STOP at the end of a round that DONE has cut short",
        seen=str(said),
    )
    run_round(bench, ID + 5)
    bench.command(DONE.value)
    bench.idle(1.0)


@driver_case(
    "free-page-hint.driver.release-on-remove",
    id="free-page-hint.driver-removed-after-done",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY, Capability.RELOADS_DRIVER],
)
def test_removed_after_done(bench: DriverBench) -> None:
    """Pages whose buffers were not used when DONE came are the guest's again all the same."""
    bench.start(offers.ROUNDS)
    whole = measure(bench)
    bench.held.add(FREE_PAGE)
    bench.command(ID)
    bench.run(lambda: len(bench.waiting(FREE_PAGE)) >= 2)
    bench.command(DONE.value)
    bench.idle(1.0)
    bench.held.clear()
    bench.idle(1.0)
    bench.unload()
    bench.idle(1.0)
    check_all_back(bench, whole, FREE_PAGE, "free-page-hint.driver.release-on-remove")


@driver_case(
    "free-page-hint.driver.room-for-stop",
    id="free-page-hint.driver-full-queue",
    features=FEATURES,
)
def test_full_queue(bench: DriverBench) -> None:
    """However many pages wait in the queue, STOP can follow them before any was used."""
    short = replace(offers.ROUNDS, name="short-rounds", queue_size=8)
    sized = bench.can(Capability.SEES_QUEUE_SIZE)
    device = bench.start(short if sized else offers.ROUNDS, hold=[FREE_PAGE])
    bench.command(ID)
    bench.idle(1.0)
    bench.command(STOP.value)
    bench.idle(1.0)
    waiting, size = len(bench.waiting(FREE_PAGE)), device.queues[FREE_PAGE].layout.size
    bench.observations["waiting"], bench.observations["queue_size"] = waiting, size
    bench.require(
        STOP.value in commands(bench) or waiting < size,
        "free-page-hint.driver.room-for-stop",
        expected=f"a place of {size} kept for STOP",
        seen=f"{waiting} buffers, and no STOP among them",
    )
    bench.held.clear()
    bench.run(lambda: STOP.value in commands(bench))
    bench.command(DONE.value)
    bench.idle(1.0)


@driver_case(
    "free-page-hint.driver.supply-pages",
    "free-page-hint.driver.id-first",
    id="free-page-hint.driver-round-after-reset",
    features=FEATURES,
    capabilities=[Capability.RELOADS_DRIVER],
)
def test_round_after_reset(bench: DriverBench) -> None:
    """The id that a driver has answered in one life begins a round in its next as well."""
    device = bench.start(offers.ROUNDS)
    run_round(bench, ID)
    bench.unload()
    bench.tester.load()
    bench.run(lambda: device.live)
    bench.need_live("virtio.driver.initialisation-order")
    known = len(commands(bench))
    device.signal(None)
    bench.run(lambda: STOP.value in commands(bench)[known:])
    said = commands(bench)[known:]
    bench.require(
        said[:1] == [ID],
        "free-page-hint.driver.supply-pages",
        expected=f"a round under {ID:#x}, which config space shows still",
        seen=", ".join(f"{each:#x}" for each in said) or "no command",
    )
    bench.command(DONE.value)
    bench.idle(1.0)


@driver_case(
    "free-page-hint.driver.release-on-remove",
    id="free-page-hint.driver-removed-in-round",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY, Capability.RELOADS_DRIVER],
)
def test_removed_in_round(bench: DriverBench) -> None:
    """A driver that is removed while it holds hinted pages gives them all back."""
    bench.start(offers.ROUNDS)
    whole = measure(bench)
    run_round(bench, ID)
    bench.unload()
    bench.idle(1.0)
    check_all_back(bench, whole, FREE_PAGE, "free-page-hint.driver.release-on-remove")
