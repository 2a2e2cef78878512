"""The hinting virtqueue: sound requests are accepted (rules 1 to 3)."""

from __future__ import annotations

import pytest

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span, block, intersect
from vhint.wire import config
from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import MAX_ORDER
from vhint.wire.hint_ack import Status
from vhint_conformance.bench import Bench
from vhint_conformance.case import case
from vhint_conformance.cases.hint_drafts import (
    ACCEPTED,
    BITMAP,
    BUDGET,
    FORMATS,
    LARGEST,
    NEEDS,
    area,
    draft_of,
    entries,
    expect,
    fitting,
    hint,
    largest,
    lowest,
    need_bitmap,
    nothing,
)
from vhint_conformance.cases.hinting import acknowledge
from vhint_conformance.cases.tools import number, touching
from vhint_conformance.verdict import NotApplicable

FAR = 300
"""A number of bits that a byte does not count."""


@pytest.mark.parametrize("form", FORMATS)
@case(
    "hint.device.use-every-buffer",
    "hint.device.cookie-echo",
    "hint.device.little-endian",
    "hint.device.no-refusal-without-cause",
    "hint.device.ok-means-all",
    "hint.device.containment",
    "hint.device.no-effect-after-use",
    "hint.device.content-stable-after-use",
    id="hint.sound-request",
    features=NEEDS,
)
def test_sound(bench: Bench, form: str) -> None:
    """A sound request is not refused as faulty, is answered under its cookie, and comes back."""
    bench.start()
    for cookie in (1, 0xFFFFFFFFFFFFFFFF, 0x8000000000000001):
        found = hint(bench, draft_of(bench, form, cookie=cookie))
        expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)


@pytest.mark.parametrize("form", FORMATS)
@case("hint.device.no-refusal-without-cause", id="hint.cookie-zero", features=NEEDS)
def test_cookie_zero(bench: Bench, form: str) -> None:
    """A cookie of 0, which no driver should choose, is no fault of a request."""
    bench.start()
    found = hint(bench, draft_of(bench, form, cookie=0))
    expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)


@case(
    "hint.device.no-refusal-without-cause",
    "hint.device.containment",
    id="hint.ends-of-ram",
    features=NEEDS,
)
def test_ends_of_ram(bench: Bench) -> None:
    """The first and the last block of every region are RAM like all others."""
    bench.start()
    size = PAGE << lowest(bench)
    places = [
        Span(start, size)
        for region in (Span(*each) for each in bench.limits.bystanders)
        for start in (region.start, region.end - size)
    ]
    places.append(Span(Span(*bench.limits.usable).end - size, size))
    for cookie, place in enumerate(places, 1):
        if place.start % size == 0:
            found = hint(bench, requests.hint_blocks(cookie, entries([place])))
            expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)


@case(
    "hint.device.no-refusal-without-cause",
    "hint.device.containment",
    id="hint.across-regions",
    features=NEEDS,
)
def test_across_regions(bench: Bench) -> None:
    """A block that lies across two regions of RAM that touch is a block like any other."""
    first, second = touching(bench)
    bench.start()
    both = Span(first.start, first.length + second.length)
    order = (both.length // PAGE).bit_length() - 1
    if PAGE << order != both.length or both.start % both.length or order < lowest(bench):
        raise NotApplicable("no block is as large as the regions that touch")
    found = hint(bench, requests.hint_blocks(5, entries([both])))
    expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 255])
@case(
    "hint-pfn.device.result-order",
    "hint.device.result-padding-zero",
    "hint.device.processed-counts-accepted",
    "hint.device.used-length-with-results",
    "hint.device.containment",
    id="hint-pfn.count",
    features=NEEDS,
)
def test_pfn_count(bench: Bench, count: int) -> None:
    """Arrays of any count up to the limit are answered with one result bit an entry."""
    count = min(count, number(bench, "hint_max_count"))
    bench.start()
    found = hint(bench, draft_of(bench, "pfn", count))
    expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)


@pytest.mark.parametrize("above", [0, 1, 4, 8, 9, 10])
@case(
    "hint.device.containment",
    "hint.device.no-effect-after-use",
    "hint.device.processed-counts-accepted",
    id="hint-pfn.order",
    features=NEEDS,
)
def test_pfn_order(bench: Bench, above: int) -> None:
    """Blocks of larger orders are taken whole, and nothing beside them."""
    bench.start()
    blocks = bench.blocks(fitting(bench, 2), lowest(bench) + above)
    found = hint(bench, requests.hint_blocks(5, entries(blocks)))
    expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)


@case(
    "hint.device.containment",
    "hint.device.ok-means-all",
    id="hint-pfn.mixed-orders",
    features=NEEDS,
)
def test_pfn_mixed(bench: Bench) -> None:
    """Entries of different orders in any order make one request."""
    bench.start()
    blocks = [each for up in (0, 3, 1, 5) for each in bench.blocks(3, lowest(bench) + up)]
    bench.rng.shuffle(blocks)
    limit = number(bench, "hint_max_count")
    for start in range(0, len(blocks), limit):
        hint(bench, requests.hint_blocks(6 + start, entries(blocks[start : start + limit])))


@pytest.mark.parametrize("pattern", ["one", "last", "alternate", "all", "random"])
@case(
    "hint-bitmap.device.request-order",
    "hint-bitmap.device.result-order",
    "hint-bitmap.device.result-only-named",
    "hint-bitmap.device.clear-bit-untouched",
    "hint.device.no-refusal-without-cause",
    "hint.device.ok-means-all",
    "hint.device.processed-counts-accepted",
    "hint.device.containment",
    id="hint-bitmap.pattern",
    features=BITMAP,
)
def test_bitmap_pattern(bench: Bench, pattern: str) -> None:
    """Bit N, least significant first, is block N: set ones may go, clear ones stay."""
    bench.start()
    size = PAGE << lowest(bench)
    count = min(125, max(2, 2 * BUDGET // size))  # whole words, then a part of one, and of a byte
    start, order = area(bench, count)
    chosen = {
        "one": [min(3, count - 1)],
        "last": [count - 1],
        "alternate": range(0, count, 2),
        "all": range(count),
        "random": sorted(bench.rng.sample(range(count), max(1, count // 4))),
    }[pattern]
    bits = Bitmap.from_indices(count, chosen)
    draft = requests.hint_bitmap(0x77, start, order, bits)
    found = hint(bench, draft)
    expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)
    clear_bits_kept(bench, draft, start, order)
    stray = set(found.results.indices().tolist() if found.results else ()) - set(chosen)
    bench.require(
        not stray,
        "hint-bitmap.device.result-only-named",
        expected="result bits only where the request has them",
        seen=f"also {sorted(stray)[:5]}",
    )


@case(
    "hint-bitmap.device.request-order",
    "hint-bitmap.device.clear-bit-untouched",
    "hint-bitmap.device.result-order",
    "hint.device.containment",
    id="hint-bitmap.far-bits",
    features=BITMAP,
)
def test_bitmap_far(bench: Bench) -> None:
    """Bit N is block N however large N is."""
    bench.start()
    most = largest(bench) * config.BITMAP_COUNT_FACTOR
    count = min(1000, most, 2 * BUDGET // (PAGE << lowest(bench)))
    if count < FAR:
        raise NotApplicable(f"a bitmap of {count} bits is too short, and more are too many")
    start, order = area(bench, count)
    chosen = [number for number in (5, 257, 300, 515, 771, 999) if number < count]
    draft = requests.hint_bitmap(0xFA2, start, order, Bitmap.from_indices(count, chosen))
    with bench.blaming("hint-bitmap.device.request-order", f"the blocks of bits {chosen} to go"):
        found = hint(bench, draft)
        clear_bits_kept(bench, draft, start, order)
    expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)


@case(
    "hint-bitmap.device.request-order",
    "hint-bitmap.device.clear-bit-untouched",
    "hint.device.containment",
    id="hint-bitmap.larger-order",
    features=BITMAP,
)
def test_bitmap_larger_order(bench: Bench) -> None:
    """A bit stands for a block of the order that the request says, not for a page."""
    bench.start()
    order = lowest(bench) + 2
    size = PAGE << order
    if 8 * size > 4 * BUDGET:
        raise NotApplicable(f"eight blocks of order {order} are too large for the bench")
    whole = bench.area(8 * size, size)
    start = whole.start // PAGE
    draft = requests.hint_bitmap(0x78, start, order, Bitmap.from_indices(8, [1, 2, 6]))
    found = hint(bench, draft)
    expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)
    clear_bits_kept(bench, draft, start, order)


def clear_bits_kept(bench: Bench, draft: Draft, start: int, order: int) -> None:
    """Fail if a block was discarded whose bit is clear, and say so if a turned byte explains it."""
    bench.observe()
    gone = bench.memory.holes()
    clear = set(range(draft.count)) - set(draft.positions)
    lost = {n for n in clear if intersect(gone, [block(start + (n << order), order)])}
    turned = {n ^ 7 for n in draft.positions}  # as if bit 0 of each byte were its highest
    bench.require(
        not lost,
        f"hint-bitmap.device.{'request-order' if lost <= turned else 'clear-bit-untouched'}",
        expected=f"only the blocks of bits {sorted(draft.positions)[:8]} discarded",
        seen=f"those of {sorted(lost)[:8]} as well",
    )


@case(
    "hint-bitmap.device.clear-bits-not-judged",
    "hint.device.no-refusal-without-cause",
    "hint.device.partial-not-all",
    id="hint-bitmap.clear-bits-outside",
    features=BITMAP,
)
def test_bitmap_clear_outside(bench: Bench) -> None:
    """Clear bits may stand for blocks outside RAM, of any order that there is."""
    bench.start()
    order = lowest(bench)
    end = max(start + length for start, length in bench.limits.ram) // PAGE
    start = max(0, (end >> order) - 8) << order
    for first, size in ((start, order), (0, MAX_ORDER)):
        draft = requests.hint_bitmap(8, first, size, Bitmap.from_indices(64, []))
        found = hint(bench, draft)
        expect(bench, found, "hint-bitmap.device.clear-bits-not-judged", *ACCEPTED)


@pytest.mark.parametrize("form", FORMATS)
@case("hint.device.count-zero-ok", id="hint.count-zero", features=NEEDS)
def test_count_zero(bench: Bench, form: str) -> None:
    """A request for nothing is answered OK."""
    bench.start()
    found = hint(bench, nothing(bench, form))
    expect(bench, found, "hint.device.count-zero-ok", Status.OK)


@pytest.mark.parametrize("form", FORMATS)
@case(
    "hint-pfn.device.refuse-count-over-limit",
    "hint-bitmap.device.refuse-count-over-limit",
    "hint.device.no-refusal-without-cause",
    "hint.device.processed-counts-accepted",
    id="hint.count-at-limit",
    features=NEEDS,
)
def test_count_at_limit(bench: Bench, form: str) -> None:
    """A request of exactly the largest count is accepted."""
    limit = largest(bench)
    order = lowest(bench)
    bench.start()
    if 16 * limit > LARGEST:
        raise NotApplicable(f"a request of {limit} entries is too large for the bench")
    if form == "pfn":
        start, _ = area(bench, limit)
        draft = requests.hint_blocks(2, [(start + (n << order), order) for n in range(limit)])
    else:
        need_bitmap(bench)
        start, _ = area(bench, 8)
        bits = Bitmap.from_indices(limit * config.BITMAP_COUNT_FACTOR, range(8))
        draft = requests.hint_bitmap(2, start, order, bits, results=8)
    expect(bench, hint(bench, draft), "hint.device.no-refusal-without-cause", *ACCEPTED)


@case(
    "hint.device.overlap-union",
    "hint.device.containment",
    "hint.device.processed-counts-accepted",
    id="hint.overlap",
    features=NEEDS,
)
def test_overlap(bench: Bench) -> None:
    """Blocks that overlap are taken as their union and not refused."""
    bench.start()
    order = lowest(bench)
    (whole,) = bench.blocks(1, order + 1)
    first = whole.start // PAGE
    overlapping = [
        (first, order + 1),
        (first, order),
        (first + (1 << order), order),
        (first, order),
    ]
    limit = number(bench, "hint_max_count")
    if limit < 2:
        raise NotApplicable("a request names one block at most")
    draft = requests.hint_blocks(2, overlapping[:limit])
    expect(bench, hint(bench, draft), "hint.device.overlap-union", *ACCEPTED)
    same = [(first, order)] * 2
    answer = bench.exchange(requests.hint_blocks(3, same), reuse=False)
    found = acknowledge(bench, answer)
    expect(bench, found, "hint.device.overlap-union", *ACCEPTED)
    told = {found.results[n] for n in range(found.results.count)} if found.results else set()
    gone = intersect(bench.memory.known_holes, [Span(first * PAGE, PAGE << order)])
    bench.require(
        told != {False, True} or not gone,
        "hint.device.overlap-union",
        expected="one answer for one block that is named twice",
        seen="accepted once and refused once, and discarded",
        where=str(gone[0]) if gone else "",
    )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("pieces", [(1,), (16,), (15, 2), (17, 1, 1), (3,) * 8], ids=str)
@case(
    "hint.device.any-fragmentation",
    "ring.device.framing-independent",
    id="hint.fragmented",
    features=NEEDS,
)
def test_fragmented(bench: Bench, form: str, pieces: tuple[int, ...]) -> None:
    """Request and acknowledgement may be cut into buffers anywhere."""
    bench.start()
    draft = draft_of(bench, form, 9)
    found = hint(bench, draft, readable_pieces=pieces, writable_pieces=pieces[:2])
    expect(bench, found, "hint.device.any-fragmentation", *ACCEPTED)
