"""What cases of the hinting queue send, and how they read what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vhint.guest import Answer, Draft, requests
from vhint.spans import PAGE, Span, intersect
from vhint.wire import hint_ack
from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import MAX_ORDER
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint_conformance.bench import Bench
from vhint_conformance.cases.hinting import acknowledge, split
from vhint_conformance.cases.tools import number
from vhint_conformance.verdict import NotApplicable

NEEDS = [Feature.HINTING]
BITMAP = [Feature.HINTING, Feature.HINTING_BITMAP]
FORMATS = ("pfn", "bitmap")
ROOM = hint_ack.HEADER_SIZE
ACCEPTED = (Status.OK, Status.PARTIAL, Status.INHIBITED)
"""What a sound request may be answered: a host may be unable to take memory at any time."""

LARGEST = 1 << 20
"""Bytes of the largest request that the bench builds."""

BUDGET = 2 << 20
"""Bytes of blocks that an ordinary request names, so that several fit into a small target."""


def lowest(bench: Bench) -> int:
    """Return the smallest order that may be hinted; fail if no block can have it."""
    order = number(bench, "hint_min_order")
    bench.require(
        order <= MAX_ORDER,
        "hint.device.config-usable-limits",
        expected=f"a hint_min_order of at most {MAX_ORDER}",
        seen=str(order),
    )
    return order


def largest(bench: Bench) -> int:
    """Return the largest count of entries; fail if there is none."""
    count = number(bench, "hint_max_count")
    bench.require(
        count > 0,
        "hint.device.config-usable-limits",
        expected="a hint_max_count of at least 1",
        seen="0",
    )
    return count


def fitting(bench: Bench, wanted: int) -> int:
    """Return how many blocks of the smallest order, at most `wanted`, a request here may name."""
    limit = largest(bench)
    return max(1, min(wanted, limit, BUDGET // (PAGE << lowest(bench))))


def entries(blocks: Sequence[Span]) -> list[tuple[int, int]]:
    """Return blocks as (pfn, order)."""
    return [(each.start // PAGE, (each.length // PAGE).bit_length() - 1) for each in blocks]


def draft_of(bench: Bench, form: str, count: int = 4, cookie: int = 0x1122334455667788) -> Draft:
    """Return a sound request for `count` fresh blocks, or as many as fit, in one of the formats."""
    count = fitting(bench, count)
    order = lowest(bench)
    if form == "pfn":
        return requests.hint_blocks(cookie, entries(bench.blocks(count, order)))
    need_bitmap(bench)
    start, wide = area(bench, 2 * count)
    bits = Bitmap.from_indices(2 * count, range(0, 2 * count, 2))
    return requests.hint_bitmap(cookie, start, wide, bits)


def nothing(bench: Bench, form: str) -> Draft:
    """Return a sound request for no block, in one of the formats."""
    if form == "pfn":
        return requests.hint_blocks(4, [])
    need_bitmap(bench)
    return requests.hint_bitmap(4, 0, lowest(bench), Bitmap(0, b""))


def need_bitmap(bench: Bench) -> None:
    """Make the case not applicable if the target does not offer bitmaps."""
    if Feature.HINTING_BITMAP not in bench.offered:
        raise NotApplicable("HINTING_BITMAP is not offered")


def area(bench: Bench, count: int) -> tuple[int, int]:
    """Take adjacent blocks of the smallest order; return the first PFN and the order."""
    order = lowest(bench)
    whole = bench.area(count * PAGE << order, PAGE << order)
    return whole.start // PAGE, order


def hint(bench: Bench, draft: Draft, *, refused_by: str = "", **placing: Any) -> Acknowledgement:
    """Send a request; return its acknowledgement and use the accepted blocks again.

    What was not accepted is left alone, so that it shows if the device did not.  `refused_by` is
    the requirement that forbids to accept any of it, which is looked at before all else.
    """
    answer = bench.exchange(draft, reuse=False, **placing)
    if refused_by:
        expect_refusal(bench, answer, refused_by)
    found = acknowledge(bench, answer)
    bench.touch(split(answer, found)[0])
    return found


def expect_refusal(bench: Bench, answer: Answer, requirement: str) -> None:
    """Fail by `requirement` if the answer begins with the status of an accepted request."""
    status = int.from_bytes(answer.data[8:12], "little")
    accepted = len(answer.data) >= hint_ack.HEADER_SIZE and status in (
        Status.OK,
        Status.PARTIAL,
    )
    bench.require(
        not accepted,
        requirement,
        expected="a refusal",
        seen=Status(status).name if accepted else "",
    )


def expect(bench: Bench, found: Acknowledgement, requirement: str, *allowed: Status) -> None:
    """Fail unless the status is one of those allowed."""
    bench.require(
        found.status in allowed,
        requirement,
        expected=" or ".join(status.name for status in allowed),
        seen=found.status.name,
    )


def untouched(bench: Bench, blocks: Sequence[Span], requirement: str) -> None:
    """Fail if a byte of these blocks is not as the driver left it."""
    gone = intersect(blocks, bench.memory.holes())
    changed = [each for each in blocks if bench.memory.peek(each) != bench.memory.expected(each)]
    bench.require(
        not gone and not changed,
        requirement,
        expected="every block as it was",
        seen=f"{len(changed)} of {len(blocks)} blocks changed",
        where=str(changed[0]) if changed else "",
    )
    bench.memory.hold(blocks)


def patched(draft: Draft, offset: int, data: bytes) -> Draft:
    """Return the request with some of its bytes replaced."""
    raw = draft.readable
    return replace(draft, readable=raw[:offset] + data + raw[offset + len(data) :])
