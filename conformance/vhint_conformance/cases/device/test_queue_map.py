"""The numbers of queues under every subset of the features that bring them, and what they need."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest

from vhint.guest import Answer, Draft, requests
from vhint.spans import PAGE, intersect
from vhint.wire import config, hint_ack
from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import WireError
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue, queue_map
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hint_drafts import (
    ACCEPTED,
    FORMATS,
    NEEDS,
    draft_of,
    expect,
    fitting,
    hint,
    lowest,
    need_bitmap,
)
from vhint_conformance.cases.hostile import offer
from vhint_conformance.cases.tools import not_silent, pfns
from vhint_conformance.verdict import NotApplicable

SERVED = (Queue.STATS, Queue.REPORTING, Queue.HINTING)
"""The queues that depend on a feature and can be asked something at any time."""


def subsets(bench: Bench) -> Iterator[Features]:
    """Yield every set of accepted features that brings another set of queues."""
    bringing = [
        feature
        for queue in SERVED
        if (feature := QUEUE_FEATURE[queue]) is not None and feature in bench.offered
    ]
    for count in range(len(bringing) + 1):
        for chosen in combinations(bringing, count):
            yield Features.of(Feature.VERSION_1, *chosen) & bench.offered


@case(
    "balloon.device.queue-map-follows-offer",
    "balloon.device.offered-queues-exist",
    "hint.device.queue-index",
    id="balloon.queue-map-subsets",
)
def test_subsets(bench: Bench) -> None:
    """Whatever subset of the queues' features is accepted, every queue is where it must be."""
    bench.observations["queue_mode"] = str(bench.queue_mode)
    shown: dict[str, dict[str, int]] = {}
    understood: dict[bool, Features] = {}
    for accept in subsets(bench):
        driver = bench.start(accept=accept)
        shown[repr(accept)] = {str(q): each.index for q, each in driver.negotiated.queues.items()}
        for queue in driver.rings:
            if queue is Queue.STATS:
                continue  # its buffer is held
            slug = "hint.device.queue-index" if queue is Queue.HINTING else ""
            answer = bench.exchange(
                question(bench, queue), slug or "balloon.device.queue-map-follows-offer"
            )
            if queue is Queue.HINTING:
                understood[acknowledged(answer)] = accept
        bench.require(
            len(understood) < 2,
            "hint.device.queue-index",
            expected="hints acknowledged whatever other queues there are",
            seen=f"no acknowledgement with {understood.get(False)!r} accepted",
        )
        bench.reset()
    bench.observations["queues"] = shown


def acknowledged(answer: Answer) -> bool:
    """Whether an answer is an acknowledgement, of whatever."""
    try:
        hint_ack.parse(answer.data, answer.request.draft.count)
    except WireError:
        return False
    return True


@case(
    "balloon.device.offered-queues-exist",
    id="balloon.offered-queues-exist",
    capabilities=[Capability.SHOWS_QUEUE_SIZES],
)
def test_exist(bench: Bench) -> None:
    """Every queue whose feature is offered shows a size, as soon as its feature is accepted."""
    for accept in subsets(bench):
        bench.reset()
        for status in (1, 3):
            bench.transport.write_status(status)
        bench.transport.write_features(accept.bits)
        bench.transport.write_status(3 | DeviceStatus.FEATURES_OK)
        for queue, index in queue_map(bench.queue_mode, bench.offered, accept).items():
            bench.require(
                bench.transport.queue_max(index) > 0,
                "balloon.device.offered-queues-exist",
                expected="a queue",
                seen=f"size 0 at number {index}",
                where=f"{queue} queue, {accept!r} accepted",
            )


@case(
    "balloon.device.queue-map-follows-offer",
    id="balloon.queue-map-exchanged",
    features=[Feature.PAGE_REPORTING, Feature.FREE_PAGE_HINT],
    capabilities=[Capability.SEES_DISCARDS],
)
def test_exchanged(bench: Bench) -> None:
    """Pages are not discarded where rounds of hints belong while they are kept as reports."""
    bench.start(accept=DEFAULT | Features.of(Feature.FREE_PAGE_HINT))
    hinted, reported = bench.blocks(3), bench.blocks(3)
    for block in hinted:  # outside of any round, so nothing may become of them
        bench.send(Draft(Queue.FREE_PAGE, blocks=(block,), pages_are_buffers=True), notify=False)
    bench.notify(Queue.FREE_PAGE)
    for _ in hinted:
        bench.answer(Queue.FREE_PAGE)
    bench.exchange(requests.report(reported), reuse=False)
    bench.transport.settle()
    holes = bench.memory.holes()
    gone = [intersect(holes, given) for given in (hinted, reported)]
    bench.require(
        not gone[0] or bool(gone[1]),
        "balloon.device.queue-map-follows-offer",
        expected="reports, if anything, discarded, and not what is hinted outside of rounds",
        seen=f"{len(gone[0])} hinted pages gone, and no reported one",
    )


@case(
    "hint.device.refuse-without-version-1",
    "virtio.device.refusal-clears-features-ok",
    id="hint.refuse-without-version-1",
    features=NEEDS,
    capabilities=[Capability.SHOWS_STATUS],
)
def test_without_version_1(bench: Bench) -> None:
    """FEATURES_OK stays clear when HINTING is accepted without VERSION_1."""
    bench.reset()
    for status in (1, 3):
        bench.transport.write_status(status)
    bench.transport.write_features(Features.of(Feature.HINTING).bits)
    bench.transport.write_status(3 | DeviceStatus.FEATURES_OK)
    status = bench.transport.read_status()
    bench.require(
        not status & DeviceStatus.FEATURES_OK,
        "hint.device.refuse-without-version-1",
        expected="FEATURES_OK clear",
        seen=repr(status),
    )
    bench.reset()
    bench.start()
    hint(bench, draft_of(bench, "pfn"))


@pytest.mark.parametrize("form", FORMATS)
@case("hint.device.pfn-unit", "hint.device.containment", id="hint.pfn-unit", features=NEEDS)
def test_pfn_unit(bench: Bench, form: str) -> None:
    """A PFN is an address divided by 4096, whatever the pages of guest and host."""
    bench.start()
    order = lowest(bench)
    (whole,) = bench.blocks(1, order + 4)
    first, step = whole.start // PAGE, 1 << order
    chosen: tuple[int, ...] = (1, 3, 8)
    if form == "pfn":
        chosen = chosen[: fitting(bench, len(chosen))]
        draft = requests.hint_blocks(5, [(first + n * step, order) for n in chosen])
    else:
        need_bitmap(bench)
        draft = requests.hint_bitmap(5, first, order, Bitmap.from_indices(12, chosen))
    # The monitors see whatever else is discarded.
    expect(bench, hint(bench, draft), "hint.device.no-refusal-without-cause", *ACCEPTED)


@case(
    "hint.device.config-gap-zero",
    "balloon.device.config-stable-bytes",
    id="hint.config-gap",
    features=NEEDS,
    capabilities=[Capability.SHOWS_CONFIG],
)
def test_gap(bench: Bench) -> None:
    """Bytes below offset 32 that are no offered feature's read as zero."""
    fields = {"num_pages", "actual", "hint_max_count", "hint_min_order"}
    fields |= {"poison_val"} if Feature.PAGE_POISON in bench.offered else set()
    fields |= {"free_page_hint_cmd_id"} if Feature.FREE_PAGE_HINT in bench.offered else set()
    check_stray(bench, fields, 32, "hint.device.config-gap-zero")


@case(
    "balloon.device.config-stable-bytes",
    id="balloon.config-stray-bytes",
    features=[Feature.PAGE_POISON],
    capabilities=[Capability.SHOWS_CONFIG],
)
def test_stray_bytes(bench: Bench) -> None:
    """Between the fields of offered features there is nothing but zeros."""
    fields = {"num_pages", "actual", "poison_val"}
    fields |= {"free_page_hint_cmd_id"} if Feature.FREE_PAGE_HINT in bench.offered else set()
    end = config.field_offset("poison_val") + config.field_size("poison_val")
    check_stray(bench, fields, end, "balloon.device.config-stable-bytes")


@case(
    "ring.device.indirect-length-bounded",
    id="ring.indirect-length-huge",
    features=[Feature.INDIRECT_DESC],
)
def test_huge_table(bench: Bench) -> None:
    """A table of nearly 4 GiB is not read to its end: the device answers in time."""
    bench.start()
    if not offer(bench, Queue.INFLATE, "indirect-huge"):
        raise NotApplicable("the queue is too short")
    not_silent(bench, Queue.INFLATE, "ring.device.indirect-length-bounded")


def check_stray(bench: Bench, fields: set[str], end: int, requirement: str) -> None:
    """Fail if a byte below `end` that belongs to no field is not zero."""
    bench.start()
    data = bench.transport.read_config(0, end)
    theirs = {
        at
        for name in fields
        for at in range(
            config.field_offset(name), config.field_offset(name) + config.field_size(name)
        )
    }
    stray = {at: data[at] for at in range(min(end, len(data))) if at not in theirs and data[at]}
    bench.require(
        not stray, requirement, expected="zeros between the fields", seen=f"bytes {stray}"
    )


def question(bench: Bench, queue: Queue) -> Draft:
    """Return a message that a queue answers at once."""
    match queue:
        case Queue.INFLATE:
            return requests.inflate(pfns(bench, 1))
        case Queue.DEFLATE:
            return requests.deflate(pfns(bench, 1))
        case Queue.REPORTING:
            return requests.report(bench.blocks(1))
        case _:
            return requests.hint_blocks(1, [])
