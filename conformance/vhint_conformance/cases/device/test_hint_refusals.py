"""The hinting virtqueue: what is refused, and with which status (rule 3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span
from vhint.wire import config, hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import MAX_ORDER, PFN_LIMIT
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Status
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hint_drafts import (
    BITMAP,
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
    patched,
    untouched,
)
from vhint_conformance.cases.tools import need_untouched, number
from vhint_conformance.verdict import NotApplicable

MALFORMED, UNSUPPORTED = Status.MALFORMED, Status.UNSUPPORTED


def refuse(
    bench: Bench, draft: Draft, requirement: str, *allowed: Status, touched: str = ""
) -> None:
    """Send a request that must be refused; fail unless it is, with nothing touched.

    Nor is anything touched by what comes next: a device might have kept what it had read.
    """
    bench.stake = requirement
    found = hint(bench, draft, refused_by=requirement)
    expect(bench, found, requirement, *allowed)
    untouched(bench, draft.blocks, touched or "hint.device.refusal-touches-nothing")
    if draft.blocks:
        hint(bench, draft_of(bench, "pfn", 1))
        untouched(bench, draft.blocks, "hint.device.refusal-touches-nothing")


@pytest.mark.parametrize("kind", [0, 3, 0x0100, 0x0101, 0xFFFF])
@case("hint.device.refuse-unknown-type", id="hint.refuse-type", features=NEEDS)
def test_type(bench: Bench, kind: int) -> None:
    """A type that is not defined is UNSUPPORTED."""
    bench.start()
    draft = patched(draft_of(bench, "pfn"), 0, kind.to_bytes(2, "little"))
    refuse(bench, draft, "hint.device.refuse-unknown-type", UNSUPPORTED)


@case(
    "hint-bitmap.device.refuse-not-negotiated",
    id="hint-bitmap.refuse-not-negotiated",
    features=BITMAP,
)
def test_not_negotiated(bench: Bench) -> None:
    """A bitmap is UNSUPPORTED if only PFN arrays were negotiated, whatever the life before had."""
    bench.start()
    hint(bench, draft_of(bench, "bitmap"))
    bench.reset()
    bench.start(without=[Feature.HINTING_BITMAP])
    draft = draft_of(bench, "bitmap")
    refuse(bench, draft, "hint-bitmap.device.refuse-not-negotiated", UNSUPPORTED)


@case(
    "hint.device.refusal-before-inhibition",
    "hint.device.refusal-touches-nothing",
    id="hint.refusal-before-inhibition",
    features=NEEDS,
    capabilities=[Capability.INHIBITS_ROUNDS],
)
def test_refusal_before_inhibition(bench: Bench) -> None:
    """A request with a fault is refused for that, whether or not the host could discard."""
    bench.start()
    bench.control.inhibit(True)
    try:
        sound = hint(bench, draft_of(bench, "pfn"))
        if sound.status is not Status.INHIBITED:
            raise NotApplicable(f"nothing inhibits the hinting queue: {sound.status.name}")
        faulty = patched(draft_of(bench, "pfn"), 2, b"\1\0")
        refuse(bench, faulty, "hint.device.refusal-before-inhibition", MALFORMED)
        reserved = patched(draft_of(bench, "pfn"), hint_request.HEADER_SIZE + 12, b"\1")
        refuse(bench, reserved, "hint.device.refusal-before-inhibition", MALFORMED)
        unknown = patched(draft_of(bench, "pfn"), 0, b"\3\0")
        refuse(bench, unknown, "hint.device.refusal-before-inhibition", UNSUPPORTED)
    finally:
        bench.control.inhibit(False)  # the device may live on


FIELDS = {"count": (4, 4), "pfn": (hint_request.HEADER_SIZE, 8), "order": (24, 4)}
"""Where fields of a request lie in either format, and how long they are."""


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("form", FORMATS)
@case("hint.device.little-endian", id="hint.turned", features=NEEDS)
def test_turned(bench: Bench, form: str, field: str) -> None:
    """A field that makes sense from its most significant byte on only is faulty."""
    bench.start()
    if form == "bitmap":
        need_bitmap(bench)
    order = lowest(bench) or 1
    (place,) = bench.blocks(1, order)
    draft = requests.hint_blocks(7, entries([place]))
    if form == "bitmap":
        start = place.start // PAGE
        draft = requests.hint_bitmap(7, start, order, Bitmap.from_indices(1, [0]))
    at, size = FIELDS[field]
    turned = patched(draft, at, draft.readable[at : at + size][::-1])
    refuse(bench, turned, "hint.device.little-endian", MALFORMED, UNSUPPORTED)


@pytest.mark.parametrize("flags", [1, 0x8000, 0xFFFF])
@pytest.mark.parametrize("form", FORMATS)
@case("hint.device.refuse-nonzero-flags", id="hint.refuse-flags", features=NEEDS)
def test_flags(bench: Bench, form: str, flags: int) -> None:
    """Flags that are not 0 are MALFORMED."""
    bench.start()
    draft = patched(draft_of(bench, form), 2, flags.to_bytes(2, "little"))
    refuse(bench, draft, "hint.device.refuse-nonzero-flags", MALFORMED)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("where", ["first", "last"])
@case("hint.device.refuse-nonzero-reserved", id="hint.refuse-reserved", features=NEEDS)
def test_reserved(bench: Bench, form: str, where: str) -> None:
    """A reserved field that is not 0 is MALFORMED, in the last entry as in the first."""
    bench.start()
    draft = draft_of(bench, form)
    if form == "pfn":
        last = len(draft.readable) - 4
        offset = last if where == "last" else hint_request.HEADER_SIZE + 12
    else:
        offset = hint_request.HEADER_SIZE + 12
    bad = patched(draft, offset, b"\0\0\0\x80" if where == "last" else b"\1")
    refuse(bench, bad, "hint.device.refuse-nonzero-reserved", MALFORMED)


@case("hint-bitmap.device.refuse-nonzero-padding", id="hint-bitmap.refuse-padding", features=BITMAP)
def test_padding(bench: Bench) -> None:
    """A bit beyond the count is MALFORMED."""
    bench.start()
    start, order = area(bench, 16)
    draft = requests.hint_bitmap(3, start, order, Bitmap.from_indices(13, [0, 5]))
    bad = patched(draft, len(draft.readable) - 1, b"\x80")
    refuse(bench, bad, "hint-bitmap.device.refuse-nonzero-padding", MALFORMED)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("change", [-16, -1, 1, 16])
@case("hint.device.refuse-inexact-length", id="hint.refuse-length", features=NEEDS)
def test_length(bench: Bench, form: str, change: int) -> None:
    """A request that is longer or shorter than its count says is MALFORMED."""
    bench.start()
    draft = draft_of(bench, form)
    raw = draft.readable[:change] if change < 0 else draft.readable + bytes(change)
    refuse(
        bench,
        replace(draft, readable=raw),
        "hint.device.refuse-inexact-length",
        MALFORMED,
    )


@pytest.mark.parametrize("order", [MAX_ORDER + 1, 63, 64, 0x100, 0x10000, 0xFFFFFFFF])
@pytest.mark.parametrize("form", FORMATS)
@case("hint.device.refuse-order-over-40", id="hint.refuse-order", features=NEEDS)
def test_order(bench: Bench, form: str, order: int) -> None:
    """An order above 40 is MALFORMED."""
    bench.start()
    draft = draft_of(bench, form, 1)
    bad = patched(draft, hint_request.HEADER_SIZE + 8, order.to_bytes(4, "little"))
    refuse(bench, bad, "hint.device.refuse-order-over-40", MALFORMED)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("pfn", [PFN_LIMIT, 1 << 63], ids=hex)
@case("hint.device.refuse-past-address-limit", id="hint.refuse-address", features=NEEDS)
def test_address(bench: Bench, form: str, pfn: int) -> None:
    """A block that ends beyond page 2^52 is MALFORMED; it does not wrap round to low memory."""
    bench.start()
    draft = draft_of(bench, form, 1)
    first = int.from_bytes(draft.readable[16:24], "little")
    bad = patched(draft, hint_request.HEADER_SIZE, (first + pfn).to_bytes(8, "little"))
    refuse(bench, bad, "hint.device.refuse-past-address-limit", MALFORMED)


@case(
    "hint.device.refuse-past-address-limit",
    id="hint-bitmap.refuse-address",
    features=BITMAP,
)
def test_bitmap_past_the_limit(bench: Bench) -> None:
    """A bitmap that begins below page 2^52 and goes on past it does not wrap round to page 0."""
    bench.start()
    below = 8
    start, order = area(bench, 2)
    again = below + (start >> order)  # the bit that comes to the area if addresses wrap round
    if again >= largest(bench) * config.BITMAP_COUNT_FACTOR or again >= 8 * LARGEST:
        raise NotApplicable(f"a bitmap of {again} bits is too large for the target, or the bench")
    bits = Bitmap.from_indices(again + 1, [again])
    draft = requests.hint_bitmap(3, PFN_LIMIT - (below << order), order, bits)
    bad = replace(draft, blocks=(), positions=())
    slug = "hint.device.refuse-past-address-limit"
    refuse(bench, bad, slug, MALFORMED)
    wrapped = [Span(start * PAGE, PAGE << order)]
    need_untouched(bench, wrapped, slug, "the block discarded to which it wraps round")


@pytest.mark.parametrize("form", FORMATS)
@case(
    "hint-pfn.device.refuse-misaligned",
    "hint-bitmap.device.refuse-misaligned",
    id="hint.refuse-misaligned",
    features=NEEDS,
)
def test_misaligned(bench: Bench, form: str) -> None:
    """A PFN that is not a multiple of 2^order is MALFORMED."""
    bench.start()
    if form == "bitmap":
        need_bitmap(bench)
    order = max(2, lowest(bench))
    (whole,) = bench.blocks(1, order + 1)
    good = (whole.start // PAGE, order)
    for cookie, beside in enumerate((1 << (order - 1), 1, (1 << order) - 1), 2):
        pfn = whole.start // PAGE + beside
        if form == "pfn":
            draft = requests.hint_blocks(cookie, [(pfn, order)])
            if largest(bench) > 1 and fitting(bench, 2) > 1:
                refuse(bench, draft, "hint-pfn.device.refuse-misaligned", MALFORMED)
                # The fault may be in any entry: here it is in the last one.
                second = requests.hint_blocks(cookie + 8, [good, (pfn, order)])
                draft = replace(second, blocks=second.blocks[:1], positions=(0,))
        else:
            draft = requests.hint_bitmap(cookie, pfn, order, Bitmap.from_indices(2, [0]))
        refuse(bench, draft, f"hint-{form}.device.refuse-misaligned", MALFORMED)


def with_bad_block(bench: Bench, outside: tuple[int, int]) -> Draft:
    """Return a PFN array whose last entry is `outside`, behind good ones as far as they fit."""
    limit = number(bench, "hint_max_count")
    good = bench.blocks(min(fitting(bench, 3), limit - 1), lowest(bench))
    draft = requests.hint_blocks(3, [*entries(good), outside])
    return replace(draft, blocks=good)


def with_bad_bit(bench: Bench, pfn: int, order: int) -> Draft:
    """Return a bitmap that names the block (pfn, order), and good ones before it if they fit."""
    start, lowest_order = area(bench, 2)
    far = (pfn - start) >> order
    most = number(bench, "hint_max_count") * config.BITMAP_COUNT_FACTOR
    if order != lowest_order or far >= min(most, 8 * LARGEST):
        sound = requests.hint_bitmap(3, pfn, order, Bitmap.from_indices(3, [0]))
        return replace(sound, blocks=(), positions=())
    sound = requests.hint_bitmap(3, start, order, Bitmap.from_indices(far + 1, [0, 1, far]))
    return replace(sound, blocks=sound.blocks[:2], positions=sound.positions[:2])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "where", ["past-the-end", "across-the-end", "absent", "past-32-bits", "of-32-bits"]
)
@case(
    "hint.device.refuse-outside-ram",
    "hint.device.validate-before-touch",
    id="hint.refuse-outside-ram",
    features=NEEDS,
)
def test_outside_ram(bench: Bench, form: str, where: str) -> None:
    """One block outside RAM makes the request MALFORMED, and the good ones stay untouched."""
    if form == "bitmap":
        need_bitmap(bench)
    bench.start()
    order = lowest(bench)
    end = max(start + length for start, length in bench.limits.ram) // PAGE
    outside = {
        "past-the-end": (end, order),
        "across-the-end": (0, end.bit_length()),  # one block that reaches from 0 past the end
        "absent": (bench.limits.absent // PAGE, order),
        "of-32-bits": (0, 32),  # as many pages as 32 bits count, which are 0, or 1
        # Its lower half is the number of a page that nobody names.
        "past-32-bits": (1 << 32 | bench.blocks(1, order)[0].start // PAGE, order),
    }[where]
    draft = with_bad_block(bench, outside) if form == "pfn" else with_bad_bit(bench, *outside)
    refuse(
        bench,
        draft,
        "hint.device.refuse-outside-ram",
        MALFORMED,
        touched="hint.device.validate-before-touch",
    )


@pytest.mark.parametrize("form", FORMATS)
@case(
    "hint-pfn.device.refuse-count-over-limit",
    "hint-bitmap.device.refuse-count-over-limit",
    id="hint.refuse-count",
    features=NEEDS,
)
def test_count_over_limit(bench: Bench, form: str) -> None:
    """One more than the limit is UNSUPPORTED; so is a count that the bytes do not bear out."""
    limit = largest(bench)
    order = lowest(bench)
    bench.start()
    slug = f"hint-{form}.device.refuse-count-over-limit"
    count = limit + 1 if form == "pfn" else limit * config.BITMAP_COUNT_FACTOR + 1
    if form == "bitmap":
        need_bitmap(bench)
    if 16 * limit > LARGEST:
        bench.observations["limit"] = f"{limit}: too large for a whole request beyond it"
    elif form == "pfn":
        (place,) = entries(bench.blocks(1, order))
        draft = requests.hint_blocks(2, [place] * count, results=0)
        refuse(bench, replace(draft, blocks=draft.blocks[:1], positions=(0,)), slug, UNSUPPORTED)
    else:
        start, _ = area(bench, 1)
        bits = Bitmap.from_indices(count, [0])
        refuse(bench, requests.hint_bitmap(2, start, order, bits, results=0), slug, UNSUPPORTED)
    huge = patched(draft_of(bench, form), 4, b"\xff\xff\xff\xff")  # two faults: either status
    refuse(bench, huge, slug, UNSUPPORTED, MALFORMED)


@pytest.mark.parametrize("form", FORMATS)
@case("hint.device.refuse-order-under-minimum", id="hint.refuse-small-order", features=NEEDS)
def test_small_order(bench: Bench, form: str) -> None:
    """An order below hint_min_order is UNSUPPORTED."""
    order = lowest(bench)
    if order == 0:
        raise NotApplicable("hint_min_order is 0: there is no smaller order")
    bench.start()
    (place,) = bench.blocks(1, order)
    pfn = place.start // PAGE
    slug = "hint.device.refuse-order-under-minimum"
    if form == "pfn":
        draft = requests.hint_blocks(2, [(pfn, order - 1)])
        if fitting(bench, 2) > 1:  # the fault may be in any entry: here it is in the last one
            (good,) = bench.blocks(1, order)
            second = requests.hint_blocks(3, [*entries([good]), (pfn, order - 1)])
            bad = replace(second, blocks=second.blocks[:1], positions=(0,))
            refuse(bench, bad, slug, UNSUPPORTED)
    else:
        need_bitmap(bench)
        draft = requests.hint_bitmap(2, pfn, order - 1, Bitmap.from_indices(2, [0]))
    refuse(bench, draft, slug, UNSUPPORTED)
