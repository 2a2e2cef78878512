"""The ring and feature monitors, on traces written by hand."""

from collections.abc import Sequence

import pytest

from vhint.spans import Span
from vhint.trace.events import (
    Event,
    FeaturesAccepted,
    FeaturesOffered,
    Offered,
    ResetDone,
    StatusRead,
    StatusWritten,
    Used,
)
from vhint.wire.features import Feature, Features
from vhint_conformance.oracle import FeatureMonitor, Monitor, RingMonitor

LIVE = StatusWritten(15)
ROOM = Span(0x1000, 16)


def offered(queue: str = "inflate", head: int = 0, ticket: int = 0, *, valid: bool = True) -> Event:
    return Offered(queue, ticket, head, (), (ROOM,), valid=valid)


def used(head: int = 0, ticket: int | None = 0, length: int = 0, queue: str = "inflate") -> Event:
    return Used(queue, head, ticket, length, -1)


def slugs(monitor: Monitor, events: Sequence[Event]) -> list[str]:
    for place, event in enumerate(events):
        monitor.see(place, event)
    monitor.finish()
    return [violation.requirement for violation in monitor.violations]


def ring(*events: Event) -> list[str]:
    return slugs(RingMonitor(), [LIVE, *events])


def test_used_once_is_sound() -> None:
    assert ring(offered(), used(length=16)) == []


def test_length_beyond_the_buffers() -> None:
    assert ring(offered(), used(length=17)) == ["ring.device.len-truthful"]


def test_used_twice_and_never_offered() -> None:
    assert ring(offered(), used(), used(ticket=None)) == ["ring.device.use-chain-once"]
    assert ring(used(head=9, ticket=None)) == ["ring.device.used-id-is-head"]


def test_used_after_it_was_taken_back() -> None:
    found = ring(offered(), ResetDone(), used())
    assert found == ["ring.device.no-processing-after-reset"]


def test_index_that_makes_no_sense() -> None:
    assert ring(used(head=-1, ticket=None, length=700)) == ["ring.device.used-idx-counts-chains"]


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        ("inflate", ["balloon.device.inflate-use-every-buffer"]),
        ("reporting", ["reporting.device.use-every-buffer"]),
        ("hinting", ["hint.device.use-every-buffer"]),
        ("stats", []),  # its buffer is held
    ],
)
def test_never_used(queue: str, expected: list[str]) -> None:
    assert ring(offered(queue)) == expected


def test_what_owes_no_use() -> None:
    assert ring(offered(valid=False)) == []
    assert ring(offered(), StatusRead(64 | 15)) == []
    assert ring(offered(), StatusWritten(0), ResetDone()) == []


def test_used_before_driver_ok() -> None:
    events = [StatusWritten(11), offered(), used()]
    assert slugs(RingMonitor(), events) == ["ring.device.no-processing-before-driver-ok"]


@pytest.mark.parametrize(
    ("offer", "slug"),
    [
        (Features.of(Feature.VERSION_1, Feature.HINTING), None),
        (Features.of(Feature.HINTING), "hint.device.offer-needs-version-1"),
        (
            Features.of(Feature.VERSION_1, Feature.HINTING_BITMAP),
            "hint-bitmap.device.offer-needs-hinting",
        ),
        (
            Features.of(Feature.VERSION_1, Feature.HINTING, Feature.ACCESS_PLATFORM),
            "hint.device.offer-excludes-access-platform",
        ),
    ],
)
def test_offers(offer: Features, slug: str | None) -> None:
    found = slugs(FeatureMonitor(), [FeaturesOffered(offer.bits)])
    assert found == ([slug] if slug else [])


def test_offer_that_changes() -> None:
    one, two = Features.of(Feature.VERSION_1), Features.of(Feature.VERSION_1, Feature.STATS_VQ)
    events = [FeaturesOffered(one.bits), FeaturesOffered(two.bits)]
    assert slugs(FeatureMonitor(), events) == ["virtio.device.offer-stable"]


def test_use_of_a_queue_that_was_not_accepted() -> None:
    events = [FeaturesAccepted(1 << Feature.VERSION_1), used(queue="reporting")]
    assert slugs(FeatureMonitor(), events) == ["balloon.device.unaccepted-queue-idle"]
