"""Free page hinting: how a round begins and ends, and what config space shows meanwhile."""

from __future__ import annotations

from itertools import product

import pytest

from vhint.guest import Draft
from vhint.wire import config
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability
from vhint_conformance.cases.rounds import (
    DONE,
    NEEDS,
    PREFIX,
    PUBLISHED,
    RESERVED,
    ROUNDS,
    STOP,
    USED,
    Round,
    other_than,
    round_case,
    shown,
)
from vhint_conformance.cases.tools import write_number
from vhint_conformance.variants import ANY_RINGS

CONFIG = "free_page_hint_cmd_id"
NOTIFIED = f"{PREFIX}id-change-notified"
USEFUL = f"{PREFIX}stop-when-useless"
NO_REUSE = f"{PREFIX}no-id-reuse"
ENDED = f"{PREFIX}completion-by-field"
FAILED = f"{PREFIX}done-after-failure"
READ_ONLY = f"{PREFIX}config-read-only"


def notified(bench: Bench, why: str) -> None:
    """Fail unless a configuration change notification has come, or comes."""
    bench.require(
        bench.transport.wait(
            lambda: bench.transport.take_interrupts().config, bench.limits.patience
        ),
        NOTIFIED,
        expected="a configuration change notification",
        seen="none",
        where=why,
    )


@round_case(
    f"{PREFIX}config-present",
    "virtio.device.config-optional-when-offered",
    id="free-page-hint.config",
    rings=ANY_RINGS,
    buses=True,
    features=NEEDS,
)
def test_config(bench: Bench) -> None:
    """free_page_hint_cmd_id can be read before FEATURES_OK, and is then what it is later."""
    before = shown(bench)
    Round(bench)
    bench.require(
        before == shown(bench),
        f"{PREFIX}config-present",
        expected=f"{shown(bench):#x}, as after DRIVER_OK",
        seen=f"{before:#x}",
        where=CONFIG,
    )


@round_case(USEFUL, id="free-page-hint.no-round", features=NEEDS)
def test_no_round(bench: Bench) -> None:
    """While nobody wants hints no round is shown."""
    Round(bench)
    bench.require(
        shown(bench) in (STOP, DONE),
        USEFUL,
        expected="STOP (0) before the host has asked for hints",
        seen=f"{shown(bench):#x}",
    )


@round_case(READ_ONLY, id="free-page-hint.config-read-only", features=NEEDS, capabilities=ROUNDS)
def test_read_only(bench: Bench) -> None:
    """What the driver writes to free_page_hint_cmd_id changes neither the field nor the round."""
    hints = Round(bench)
    for when in ("before a round", "in a round", "after a round"):
        if when == "in a round":
            hints.begin()
        elif when == "after a round":
            hints.finish()
        before = shown(bench)
        for value, wide in product((STOP, DONE, other_than(hints.id), 0xFFFFFFFF), (False, True)):
            if wide:  # a write to `actual` that goes on into its neighbour
                data = bytes(4) + value.to_bytes(4, "little")
                bench.transport.write_config(config.field_offset("actual"), data)
            else:
                write_number(bench, CONFIG, value)
            bench.transport.settle()
            bench.require(
                shown(bench) == before,
                READ_ONLY,
                expected=f"{before:#x}, as before the write of {value:#x}",
                seen=f"{shown(bench):#x}",
                where=when,
            )


@round_case(
    RESERVED,
    NOTIFIED,
    id="free-page-hint.round-announced",
    rings=ANY_RINGS,
    buses=True,
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_announced(bench: Bench) -> None:
    """Each round begins with an id of 2 or more and a configuration change notification."""
    hints = Round(bench)
    for _ in range(3):
        hints.begin()
        notified(bench, "at the beginning of a round")
        hints.command(STOP)
        hints.finish()
        bench.transport.take_interrupts()


@round_case(NOTIFIED, id="free-page-hint.id-stays", features=NEEDS, capabilities=ROUNDS)
def test_id_stays(bench: Bench) -> None:
    """The id stays in the field when the driver sends it, or STOP, or the change is notified."""
    hints = Round(bench)
    number = hints.begin()
    for value in (number, STOP):
        before = shown(bench)
        bench.transport.take_interrupts()
        hints.command(value)
        bench.transport.settle()
        if shown(bench) != before:
            bench.require(
                bench.transport.take_interrupts().config,
                NOTIFIED,
                expected=f"{before:#x} shown on, or a configuration change notification",
                seen=f"{shown(bench):#x} and no notification",
                where=f"{CONFIG}, after the driver's {value:#x}",
            )


@round_case(
    PUBLISHED,
    NOTIFIED,
    id="free-page-hint.done",
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_done(bench: Bench) -> None:
    """When the host is done with the hints DONE is shown, with a notification; also next time."""
    hints = Round(bench)
    for _ in range(2):
        number = hints.begin()
        hints.command(number)
        hints.hint(bench.blocks(3))
        hints.command(STOP)
        hints.finish()
        notified(bench, "at the end of a round")
        hints.owe(f"{PREFIX}no-effect-after-done", hints.hinted)
        bench.touch(span for _, span in hints.owed)


@round_case(PUBLISHED, id="free-page-hint.done-without-stop", features=NEEDS, capabilities=ROUNDS)
def test_done_without_stop(bench: Bench) -> None:
    """DONE comes also if the driver has not sent STOP, or nothing at all."""
    hints = Round(bench)
    hints.begin()
    hints.finish()
    hints.command(hints.begin())
    hints.finish()


@pytest.mark.parametrize("broken", [False, True], ids=["cancelled", "failed"])
@round_case(
    FAILED,
    NOTIFIED,
    id="free-page-hint.no-success",
    features=NEEDS,
    capabilities=[*ROUNDS, Capability.CANCELS_ROUNDS],
)
def test_no_success(bench: Bench, broken: bool) -> None:
    """When what hints were for is cancelled or fails DONE is shown; another round is possible."""
    hints = Round(bench)
    hints.command(hints.begin())
    blocks = bench.blocks(4)
    hints.hint(blocks)
    bench.transport.take_interrupts()
    bench.control.cancel_round(broken=broken)
    hints.expect_done(FAILED)
    notified(bench, "after the failure")
    hints.owe(f"{PREFIX}no-effect-after-done", blocks)
    bench.touch(blocks)
    hints.command(STOP)
    hints.command(hints.begin())
    hints.hint(bench.blocks(2))
    hints.finish()


@round_case(
    NO_REUSE,
    id="free-page-hint.new-ids",
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_new_ids(bench: Bench) -> None:
    """No id is shown again before the driver has sent STOP, round after round."""
    hints = Round(bench)
    seen: list[int] = []
    again = Capability.REPEATS_ROUNDS in bench.session.capabilities
    for turn in range(3):
        bench.transport.take_interrupts()
        number = hints.begin()
        bench.require(
            number not in seen,
            NO_REUSE,
            expected="an id that is not under way",
            seen=f"{number:#x} again",
            where=f"rounds {', '.join(map(hex, seen))}",
        )
        seen.append(number)
        hints.command(number)
        if turn == 0 or not again:
            hints.finish()


@round_case(ENDED, id="free-page-hint.id-is-no-end", features=NEEDS, capabilities=ROUNDS)
def test_id_is_no_end(bench: Bench) -> None:
    """The driver's id, once or again, and pages after it, do not end the round: it is not DONE."""
    hints = Round(bench)
    number = hints.begin()
    for _ in range(2):
        hints.command(number)
        hints.hint(bench.blocks(2))
        bench.transport.settle()
        bench.require(
            shown(bench) != DONE,
            ENDED,
            expected="the round under way until the host is done with it",
            seen="DONE",
        )
    hints.finish()


@round_case(
    USED,
    "ring.device.drains-available",
    id="free-page-hint.every-buffer",
    rings=ANY_RINGS,
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_every_buffer(bench: Bench) -> None:
    """All chains are used, in a round and outside, hints that count and hints that do not."""
    hints = Round(bench)
    pages = bench.blocks(2)
    before_id = f"{PREFIX}pages-before-id-ignored"
    hints.hint(pages, against=before_id)
    hints.command(other_than(STOP))
    number = hints.begin()
    hints.hint(pages, against=before_id)
    hints.command(other_than(number))
    hints.command(number)
    many = bench.fitting(Queue.FREE_PAGE, 100)
    hints.hint(bench.blocks(many))
    hints.command(STOP)
    hints.hint(pages, against=f"{PREFIX}pages-after-stop-ignored")
    hints.finish()
    hints.hint(pages, against=before_id)
    hints.command(STOP)


@round_case(
    f"{PREFIX}used-length-zero", id="free-page-hint.used-length", features=NEEDS,
    capabilities=ROUNDS,
)  # fmt: skip
def test_used_length(bench: Bench) -> None:
    """Commands and pages are used with length 0."""
    hints = Round(bench)
    answers = [hints.command(hints.begin())]
    (page,) = bench.blocks(1)
    draft = Draft(Queue.FREE_PAGE, blocks=(page,), pages_are_buffers=True)
    answers += [bench.exchange(draft, USED), hints.command(STOP)]
    lengths = [answer.length for answer in answers]
    bench.require(
        not any(lengths),
        f"{PREFIX}used-length-zero",
        expected="used lengths of 0",
        seen=str(lengths),
    )


@round_case(
    f"{PREFIX}environment-inhibits",
    id="free-page-hint.inhibited",
    features=NEEDS,
    capabilities=[*ROUNDS, Capability.INHIBITS_ROUNDS],
)
def test_inhibited(bench: Bench) -> None:
    """While the host cannot honour hints it asks for none."""
    Round(bench)
    bench.control.inhibit(True)
    try:
        bench.control.start_round()
        bench.transport.settle()
        asked = bench.transport.wait(lambda: shown(bench) not in (STOP, DONE), 0.2)
        bench.require(
            not asked,
            f"{PREFIX}environment-inhibits",
            expected="no round",
            seen=f"id {shown(bench):#x}",
        )
    finally:
        bench.control.inhibit(False)  # the device may live on
