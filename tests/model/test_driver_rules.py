"""What a driver may do, rule by rule: each is broken once, and kept where it looks alike."""

from __future__ import annotations

import pytest

from tests.model.driver_tools import driver
from vhint.spans import Span, block
from vhint.trace.events import (
    Allocated,
    ConfigWritten,
    Freed,
    Isolated,
    Notified,
    Offered,
    QueueReady,
    ResetDone,
    Returned,
    StatusRead,
    StatusWritten,
    Touched,
    Used,
)
from vhint.wire import config
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.model.driver_rules import (
    KickRules,
    OwnershipRules,
    RequestRules,
    RoundRules,
)

PAGE, OTHER = 0x100, 0x102
ONE = (block(PAGE),)


def test_a_page_may_be_used_again_once_its_request_was_used() -> None:
    with driver(OwnershipRules) as made:
        request = made.hint(0, (PAGE, 0))
        made.answer(request)
        made.say(Returned(ONE), Allocated(ONE), Touched(ONE))
        assert made.found == []


@pytest.mark.parametrize(
    ("event", "slug"),
    [
        (Allocated(ONE), "hint.driver.no-allocate-while-outstanding"),
        (Returned(ONE), "hint.driver.no-allocate-while-outstanding"),
        (Touched(ONE), "hint.driver.no-touch-while-outstanding"),
    ],
)
def test_a_page_is_the_devices_until_then(event, slug: str) -> None:
    with driver(OwnershipRules) as made:
        made.hint(0, (PAGE, 0))
        made.say(event)
        assert made.found[:1] == [slug]


def test_what_is_allocated_is_not_named() -> None:
    with driver(OwnershipRules) as made:
        made.say(Allocated(ONE))
        made.hint(0, (PAGE, 1))
        assert made.found == ["hint.driver.never-report-reallocated"]
    with driver(OwnershipRules) as made:
        made.say(Allocated(ONE), Freed(ONE))
        made.hint(0, (PAGE, 1))
        assert made.found == []


def test_nothing_is_named_twice() -> None:
    with driver(OwnershipRules) as made:
        made.hint(0, (PAGE, 1), (PAGE + 1, 0))
        assert made.found == ["hint.driver.no-overlap-in-request"]
    with driver(OwnershipRules) as made:
        made.hint(0, (PAGE, 0))
        made.say(Offered(Queue.REPORTING, 1, 1, (), ONE, ONE))
        assert made.found == ["reporting.driver.no-overlap-outstanding"]


def test_a_reset_gives_back_only_when_it_is_done() -> None:
    with driver(OwnershipRules) as made:
        made.hint(0, (PAGE, 0))
        made.say(StatusWritten(0), Returned(ONE))
        assert made.found == ["hint.driver.no-return-before-reset-done"]
    with driver(OwnershipRules) as made:
        made.hint(0, (PAGE, 0))
        made.say(StatusWritten(0), StatusRead(0), ResetDone(), Returned(ONE))
        assert made.found == []


def test_needs_reset_gives_nothing_back() -> None:
    with driver(OwnershipRules) as made:
        made.hint(0, (PAGE, 0))
        made.say(StatusRead(int(DeviceStatus.LIVE | DeviceStatus.NEEDS_RESET)), Returned(ONE))
        assert made.found == ["hint.driver.needs-reset-returns-nothing"]


def test_after_a_bad_answer_everything_stays_away() -> None:
    with driver(OwnershipRules) as made:
        first, second = made.hint(0, (PAGE, 0)), made.hint(1, (OTHER, 0))
        made.answer(first, status=99)
        made.answer(second)
        made.say(Returned((block(OTHER),)))
        assert made.found == ["hint.driver.keep-isolated-on-bad-acknowledgement"]


def test_the_cookie_selects_nothing() -> None:
    with driver(OwnershipRules) as made:
        first = made.hint(0, (PAGE, 0))
        made.hint(1, (OTHER, 0))
        made.answer(first, cookie=2)
        made.say(Returned((block(OTHER),)))
        assert made.found == ["hint.driver.used-id-selects"]


def test_a_block_comes_back_as_it_went() -> None:
    with driver(OwnershipRules) as made:
        made.say(Isolated((block(PAGE, 1),)), Returned((block(PAGE),)))
        assert made.found == ["hint.driver.return-original-order"]


@pytest.mark.parametrize(("tells", "found"), [(True, ["balloon.driver.wait-for-deflate"]),
                                              (False, [])])  # fmt: skip
def test_a_ballooned_page_waits_for_its_deflate_if_that_was_negotiated(tells, found) -> None:
    with driver(OwnershipRules) as made:
        made.accept(*[Feature.MUST_TELL_HOST] * tells)
        made.say(Offered(Queue.INFLATE, 0, 0, (), (), ONE), Used(Queue.INFLATE, 0, 0, 0, 1))
        made.say(Offered(Queue.DEFLATE, 1, 1, (), (), ONE), Returned(ONE))
        assert made.found == found


def test_the_balloon_has_one_way_out_and_none_before_the_way_in_is_over() -> None:
    with driver(OwnershipRules) as made:
        made.say(Offered(Queue.INFLATE, 0, 0, (), (), ONE))
        made.say(Offered(Queue.DEFLATE, 1, 1, (), (), ONE))
        assert made.found == ["balloon.driver.no-deflate-before-inflate-use"]
    with driver(OwnershipRules) as made:
        made.say(Offered(Queue.INFLATE, 0, 0, (), (), ONE), Used(Queue.INFLATE, 0, 0, 0, 1))
        made.say(Returned(ONE))
        assert made.found == ["balloon.driver.deflate-through-queue"]


def test_pages_of_the_balloon_are_not_hinted() -> None:
    with driver(OwnershipRules) as made:
        made.say(Offered(Queue.INFLATE, 0, 0, (), (), ONE), Used(Queue.INFLATE, 0, 0, 0, 1))
        made.hint(1, (PAGE, 0))
        assert made.found == ["hint.driver.never-name-balloon-pages"]


def test_the_memory_of_another_request_is_not_hinted() -> None:
    with driver(RequestRules) as made:
        first = made.hint(0, (PAGE, 0), at=0x30000)
        made.hint(1, (0x30, 0))
        assert made.found == ["hint.driver.never-name-own-structures"]
        made.answer(first)
    with driver(RequestRules) as made:
        made.answer(made.hint(0, (PAGE, 0), at=0x30000))
        made.hint(1, (0x30, 0))
        assert made.found == []


def test_request_memory_is_left_alone() -> None:
    with driver(RequestRules) as made:
        made.hint(0, (PAGE, 0), at=0x30000)
        made.hint(1, (OTHER, 0), at=0x30010)
        assert "hint.driver.request-memory-stable" in made.found
    with driver(RequestRules) as made:
        request = made.hint(0, (PAGE, 0), at=0x30000)
        made.memory.write(0x30010, b"\xff")
        made.answer(request)
        assert made.found == ["hint.driver.request-memory-stable"]


def test_cookies_room_and_structures() -> None:
    with driver(RequestRules) as made:
        made.hint(0, (PAGE, 0), cookie=5)
        made.hint(1, (OTHER, 0), cookie=5)
        made.hint(2, (OTHER, 0), room=15)
        made.say(QueueReady("hinting", 5, 8, block(0x50), block(0x51), block(0x52)))
        made.hint(3, (0x50, 0))
        assert made.found == [
            "hint.driver.cookie-unique",
            "hint.driver.room-for-acknowledgement",
            "hint.driver.never-name-own-structures",
        ]


@pytest.mark.parametrize("filled", [True, False])
def test_poison_is_written_first(filled: bool) -> None:
    with driver(RequestRules) as made:
        made.accept(Feature.PAGE_POISON)
        made.say(ConfigWritten(config.field_offset("poison_val"), 4, 0xAABBCCDD))
        if filled:
            made.memory.write(PAGE * 4096, bytes.fromhex("ddccbbaa") * 1024)
        made.say(Offered(Queue.REPORTING, 0, 0, (), ONE, ONE))
        assert made.found == ([] if filled else ["reporting.driver.poison-before-report"])


def command(made, ticket: int, value: int, size: int = 4) -> None:
    at = 0x40000 + ticket * 16
    made.memory.write(at, value.to_bytes(size, "little"))
    made.say(Offered(Queue.FREE_PAGE, ticket, ticket, (Span(at, size),), ()))


def pages(made, ticket: int) -> None:
    made.say(Offered(Queue.FREE_PAGE, ticket, ticket, (), ONE, ONE))


def test_a_round_as_it_should_be() -> None:
    with driver(RoundRules) as made:
        command(made, 0, 2)
        pages(made, 1)
        command(made, 2, 0)
        made.monitor.shown(1)
        made.say(Returned(ONE))
        command(made, 3, 3)
        command(made, 4, 0)
        made.monitor.finish()
        assert made.found == []


def test_rounds_that_are_wrong() -> None:
    with driver(RoundRules) as made:
        pages(made, 0)
        command(made, 1, 2, size=8)
        command(made, 2, 2)
        command(made, 3, 2)
        made.say(Returned(ONE))
        made.monitor.finish()
        assert made.found == [
            "free-page-hint.driver.id-first",
            "free-page-hint.driver.command-size",
            "free-page-hint.driver.id-once",
            "free-page-hint.driver.initialise-early-release",
            "free-page-hint.driver.finish-with-stop",
        ]


def test_an_early_release_is_sound_if_the_page_was_written() -> None:
    with driver(RoundRules) as made:
        command(made, 0, 2)
        pages(made, 1)
        made.say(Touched(ONE), Returned(ONE))
        command(made, 2, 0)
        made.monitor.finish()
        assert made.found == []


@pytest.mark.parametrize(("event", "kicked", "found"), [
    (0, False, ["ring.driver.kick-at-avail-event"]), (0, True, []), (1, False, [])])  # fmt: skip
def test_the_device_is_notified_where_it_asked_to_be(event, kicked, found) -> None:
    with driver(KickRules) as made:
        made.accept(Feature.EVENT_IDX)
        used = Span(0x52000, 70)
        made.say(QueueReady("hinting", 5, 8, block(0x50), block(0x51), used))
        made.memory.store16(used.end - 2, event)
        made.hint(0, (PAGE, 0))
        if kicked:
            made.say(Notified("hinting"))
        made.monitor.finish()
        assert made.found == found
