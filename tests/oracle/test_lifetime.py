"""The page lifetime monitor, on traces written by hand."""

from collections.abc import Sequence

import pytest

from vhint.spans import PAGE, Span
from vhint.trace.events import (
    Answered,
    Changed,
    ConfigWritten,
    Discarded,
    Event,
    FeaturesAccepted,
    Offered,
    QueueReady,
    ResetDone,
    Touched,
    Used,
)
from vhint.wire import config
from vhint.wire.features import Feature
from vhint_conformance.oracle import LifetimeMonitor

A, B = Span(0x100000, 4 * PAGE), Span(0x200000, PAGE)
PAGE_A = Span(A.start, PAGE)
POISON = (
    FeaturesAccepted(1 << Feature.PAGE_POISON),
    ConfigWritten(config.field_offset("poison_val"), 4, 0xAA),
)
TELLS = FeaturesAccepted(1 << Feature.MUST_TELL_HOST)


def offered(queue: str, *blocks: Span, ticket: int = 0) -> Offered:
    return Offered(queue, ticket, 0, (), (), blocks)


def used(queue: str, since: int = -1, ticket: int = 0) -> Used:
    return Used(queue, 0, ticket, 0, since)


def slugs(events: Sequence[Event]) -> list[str]:
    monitor = LifetimeMonitor()
    for place, event in enumerate(events):
        monitor.see(place, event)
    monitor.finish()
    return [violation.requirement for violation in monitor.violations]


@pytest.mark.parametrize("queue", ["reporting", "hinting", "inflate"])
def test_discard_while_owned_is_sound(queue: str) -> None:
    assert slugs([offered(queue, A), Discarded((A,), 0), used(queue)]) == []


@pytest.mark.parametrize("queue", ["reporting", "hinting"])
def test_discard_that_may_have_come_before_the_use_is_not_blamed(queue: str) -> None:
    # Last look at 0, the use was seen at 1, the hole at 2: the discard may be the earlier one.
    assert slugs([offered(queue, A), used(queue), Discarded((A,), 0)]) == []


@pytest.mark.parametrize(
    ("queue", "slug"),
    [
        ("reporting", "reporting.device.no-effect-after-use"),
        ("hinting", "hint.device.no-effect-after-use"),
        ("inflate", "balloon.device.no-effect-after-inflate-use"),
    ],
)
def test_discard_after_use_is_blamed_when_every_order_violates(queue: str, slug: str) -> None:
    by_look = [offered(queue, A), used(queue), Discarded((A,), 1)]
    by_touch = [offered(queue, A), used(queue), Touched((A,)), Discarded((A,), 0)]
    assert slugs(by_look) == [slug]
    assert slugs(by_touch) == [slug]


def test_touching_one_page_says_nothing_of_the_others() -> None:
    rest = Span(A.start + PAGE, A.length - PAGE)
    events = [offered("reporting", A), used("reporting"), Touched((PAGE_A,)), Discarded((rest,), 0)]
    assert slugs(events) == []


@pytest.mark.parametrize(
    ("queue", "slug"),
    [
        ("reporting", "reporting.device.containment"),
        ("hinting", "hint.device.containment"),
        ("inflate", "balloon.device.inflate-containment"),
    ],
)
def test_discard_of_what_nobody_named(queue: str, slug: str) -> None:
    assert slugs([offered(queue, A), Discarded((A, B), 0)]) == [slug]


def test_part_of_a_page_does_not_make_the_page_the_devices() -> None:
    part = Span(A.start + 8, 2 * PAGE)
    inner = Span(A.start + PAGE, PAGE)
    assert slugs([offered("reporting", part), Discarded((inner,), 0)]) == []
    assert slugs([offered("reporting", part), Discarded((PAGE_A,), 0)]) == [
        "reporting.device.containment"
    ]


def test_inflated_pages_are_the_devices_until_deflated_when_it_must_be_told() -> None:
    inflate = [TELLS, offered("inflate", A), used("inflate", ticket=0)]
    assert slugs([*inflate, Discarded((A,), 2)]) == []
    deflate = [*inflate, offered("deflate", A, ticket=1), used("deflate", ticket=1)]
    assert slugs([*deflate, Discarded((A,), 3)]) == []
    assert slugs([*deflate, Touched((A,)), Discarded((A,), 3)]) == [
        "balloon.device.no-effect-after-deflate-use"
    ]


def test_two_outstanding_requests_for_one_page() -> None:
    both = [offered("hinting", A, ticket=0), offered("hinting", A, ticket=1)]
    one_left = [*both, used("hinting", ticket=0), Discarded((A,), 2)]
    assert slugs(one_left) == []
    assert slugs([*one_left, used("hinting", ticket=1), Touched((A,)), Discarded((A,), 4)]) == [
        "hint.device.no-effect-after-use"
    ]


def test_refused_blocks_must_not_have_been_discarded() -> None:
    start = [offered("hinting", A, B), Discarded((B,), 0), used("hinting")]
    assert slugs([*start, Answered(0, (A, B))]) == []
    assert slugs([*start, Answered(0, (A,), (B,))]) == ["hint.device.unaccepted-untouched"]
    assert slugs([*start, Answered(0, (), (A, B))]) == ["hint.device.refusal-touches-nothing"]


def test_refused_blocks_were_never_the_devices() -> None:
    refused = [offered("hinting", A), used("hinting"), Answered(0, (), (A,)), Discarded((A,), 0)]
    assert slugs(refused) == ["hint.device.refusal-touches-nothing"]


def test_reset_gives_everything_back() -> None:
    events = [offered("reporting", A), ResetDone(), Touched((A,)), Discarded((A,), 0)]
    assert slugs(events) == ["reporting.device.no-effect-after-reset"]


def test_poisoned_pages_may_not_become_holes() -> None:
    report = [offered("reporting", A), Discarded((A,), 1)]
    assert slugs([*POISON, *report]) == ["reporting.device.poison-preserved"]
    assert slugs([POISON[0], *report]) == []  # poison_val 0 is what a hole reads as


def test_changed_structures_are_told_apart() -> None:
    table, ring, buffer = Span(0x1000, 64), Span(0x2000, 32), Span(0x3000, 16)
    start = [
        QueueReady("inflate", 0, 4, table, ring, Span(0x4000, 64)),
        Offered("inflate", 0, 0, (buffer,), (), (A,)),
    ]
    assert slugs([*start, Changed((Span(0x1010, 1),), 0)]) == [
        "ring.device.descriptor-table-never-written"
    ]
    assert slugs([*start, Changed((Span(0x2002, 2),), 0)]) == [
        "ring.device.avail-ring-never-written"
    ]
    assert slugs([*start, Changed((buffer,), 0)]) == ["ring.device.readable-never-written"]
    assert slugs([*start, Changed((B,), 0)]) == ["balloon.device.inflate-containment"]


def test_one_violation_is_reported_once_with_its_place() -> None:
    monitor = LifetimeMonitor()
    for place, event in enumerate([offered("reporting", A), *[Discarded((B,), 0)] * 3]):
        monitor.see(place, event)
    (violation,) = monitor.violations
    assert str(B) in violation.where
    assert "4096 bytes discarded" in violation.seen


def test_a_hinted_page_may_change_also_after_the_use() -> None:
    assert slugs([offered("free_page", A), used("free_page"), Discarded((A,), 1)]) == []


def test_a_hinted_page_that_the_driver_wrote_to_is_its_own() -> None:
    history = [offered("free_page", A), Touched((PAGE_A,)), Discarded((PAGE_A,), 1)]
    assert slugs(history) == ["free-page-hint.device.guest-write-wins"]


def test_a_hinted_page_that_came_back_can_be_reported() -> None:
    history = [
        offered("free_page", PAGE_A),
        used("free_page"),
        offered("reporting", PAGE_A, ticket=1),
        used("reporting", 2, ticket=1),
        Discarded((PAGE_A,), 3),
    ]
    assert slugs(history) == ["reporting.device.no-effect-after-use"]


def test_a_reset_ends_a_round() -> None:
    history = [offered("free_page", A), ResetDone(), Discarded((PAGE_A,), 1)]
    assert slugs(history) == ["free-page-hint.device.reset-ends-round"]
