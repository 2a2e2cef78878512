"""Inflate and deflate."""

from __future__ import annotations

import pytest

from vhint.guest import Draft, requests
from vhint.guest.driver import UNWRITTEN
from vhint.spans import PAGE, Span, block
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench, Fate
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.tools import need_no_stray, need_untouched, not_silent, pfns
from vhint_conformance.verdict import NotApplicable, fail

ENTRY = 4


def raw(queue: Queue, numbers: list[int], tail: bytes = b"") -> Draft:
    """Return a PFN array as it is, with no page given by it."""
    data = b"".join(number.to_bytes(ENTRY, "little") for number in numbers)
    return Draft(queue, data + tail)


@case(
    "balloon.device.inflate-use-every-buffer",
    "balloon.device.inflate-containment",
    "balloon.device.used-length-zero",
    "ring.device.len-truthful",
    id="balloon.inflate-one-page",
)
def test_one_page(bench: Bench) -> None:
    """One page goes, nothing else, and the used length is 0."""
    bench.start()
    check_length(bench, bench.exchange(requests.inflate(pfns(bench, 1))).length)


@pytest.mark.parametrize("count", [2, 255, 256, 257, 1024])
@case(
    "balloon.device.inflate-use-every-buffer",
    "balloon.device.inflate-containment",
    "balloon.device.used-length-zero",
    id="balloon.inflate-many",
)
def test_many(bench: Bench, count: int) -> None:
    """An array of any length is used, and only its pages go."""
    bench.start()
    check_length(bench, bench.exchange(requests.inflate(pfns(bench, count))).length)


@case(
    "balloon.device.inflate-containment",
    "balloon.device.inflate-use-every-buffer",
    id="balloon.inflate-shuffled",
)
def test_shuffled(bench: Bench) -> None:
    """The order of the PFNs means nothing."""
    bench.start()
    numbers = pfns(bench, 300)
    bench.rng.shuffle(numbers)
    bench.exchange(requests.inflate(numbers))


@case(
    "balloon.device.inflate-containment",
    "balloon.device.inflate-use-every-buffer",
    id="balloon.inflate-repeated-page",
)
def test_repeated(bench: Bench) -> None:
    """A page that is named twice harms no other page."""
    bench.start()
    (page,) = pfns(bench, 1)
    bench.exchange(requests.inflate([page, page]))


@case("balloon.device.pfn-unit", "balloon.device.inflate-containment", id="balloon.pfn-unit")
def test_pfn_unit(bench: Bench) -> None:
    """A PFN is an address divided by 4096: adjacent PFNs name adjacent 4 KiB pages."""
    bench.start()
    (area,) = bench.blocks(1, order=4)
    first = area.start // PAGE
    bench.exchange(requests.inflate([first + 1, first + 3, first + 8]))
    need_no_stray(bench, "balloon.device.pfn-unit")


@case("balloon.device.pfn-unit", "balloon.device.inflate-containment", id="balloon.pfn-unit-low")
def test_pfn_unit_low(bench: Bench) -> None:
    """Near address 0 too a PFN is an address divided by 4096.

    A multiple or a part of a small address is still in memory; of one above 4 GiB it seldom is.
    """
    low = [Span(*each) for each in bench.limits.bystanders if each[0] == 0]
    if not low:
        raise NotApplicable("the target has no memory at 0 that nothing else uses")
    bench.start()
    last = low[0].length // PAGE // 2
    numbers = [16 << turn for turn in range(20) if 16 << turn < last]
    bench.exchange(requests.inflate(numbers))
    need_no_stray(bench, "balloon.device.pfn-unit")


@case("balloon.device.inflate-containment", id="balloon.pfn-little-endian")
def test_pfn_little_endian(bench: Bench) -> None:
    """A PFN is little-endian: the page goes whose number it is, not that of its bytes turned."""
    watched = [Span(*each) for each in bench.limits.bystanders]
    numbers = [
        number
        for each in watched
        for number in each.pages()
        if any(other.covers(block(turned(number))) for other in watched)
        and turned(number) != number
    ][:1]
    if not numbers:
        raise NotApplicable("the target has no watched page whose number is one turned round too")
    bench.start()
    bench.exchange(requests.inflate(numbers))


def turned(number: int) -> int:
    """Return a PFN with its bytes in the other order."""
    return int.from_bytes(number.to_bytes(ENTRY, "little"), "big")


@case(
    "balloon.device.pfn-address-width",
    "balloon.device.inflate-ram-only",
    id="balloon.pfn-above-4g",
)
def test_wide_pfn(bench: Bench) -> None:
    """A PFN whose address needs more than 32 bits does not wrap round to low memory."""
    bench.start()
    # The same low 32, 36, 40 bits of address, and the same but for the sign of the PFN.
    low = {bit: pfns(bench, 2) for bit in (20, 24, 28, 31)}
    beyond = [page + (1 << bit) for bit, pages in low.items() for page in pages]
    ram = max(start + length for start, length in bench.limits.ram) // PAGE
    wraps = [page for page in beyond if page >= ram]
    bench.send(raw(Queue.INFLATE, wraps))
    settle_fate(bench)
    bench.transport.settle()
    bench.observe()
    never_given = [block(page) for pages in low.values() for page in pages]
    seen = "the pages whose numbers have the same lower bits discarded"
    need_untouched(bench, never_given, "balloon.device.pfn-address-width", seen)
    need_no_stray(bench, "balloon.device.pfn-address-width")  # no page was given


@pytest.mark.parametrize("pfn", [0x7FFFFFFF, 0x80000000, 0xFFFFFFFF], ids=hex)
@case("balloon.device.inflate-ram-only", id="balloon.pfn-outside-ram")
def test_outside_ram(bench: Bench, pfn: int) -> None:
    """A PFN outside RAM has no effect, and the pages beside it are treated as ever."""
    bench.start()
    bench.stake = "balloon.device.inflate-ram-only"
    good = pfns(bench, 2)
    draft = requests.inflate(good)
    with_bad = Draft(
        Queue.INFLATE,
        draft.readable[:ENTRY] + pfn.to_bytes(ENTRY, "little") + draft.readable[ENTRY:],
        blocks=draft.blocks,
    )
    bench.send(with_bad)
    settle_fate(bench)


@case("balloon.device.bad-pfn-answered", id="balloon.bad-pfn-answered")
def test_bad_pfn_answered(bench: Bench) -> None:
    """A request with a PFN outside RAM is used, or a reset is asked for."""
    bench.start()
    bench.driver.note(
        Draft(Queue.INFLATE),
        bench.driver.rings[Queue.INFLATE].add(bench.driver.place(b"\xff" * ENTRY), ()),
        (),
        (),
        valid=False,
    )
    bench.publish(Queue.INFLATE)
    not_silent(bench, Queue.INFLATE, "balloon.device.bad-pfn-answered")


@pytest.mark.parametrize("tail", [1, 2, 3])
@case("balloon.device.trailing-bytes-ignored", id="balloon.trailing-bytes")
def test_trailing_bytes(bench: Bench, tail: int) -> None:
    """Bytes after the last whole PFN are ignored."""
    bench.start()
    draft = requests.inflate(pfns(bench, 2))
    longer = Draft(Queue.INFLATE, draft.readable + b"\1" * tail, blocks=draft.blocks)
    bench.exchange(longer, "balloon.device.trailing-bytes-ignored")
    need_no_stray(bench, "balloon.device.trailing-bytes-ignored")


@pytest.mark.parametrize("pieces", [(1,), (3, 4), (4, 4, 4), (1,) * 16], ids=str)
@case(
    "ring.device.framing-independent",
    "balloon.device.inflate-containment",
    id="balloon.inflate-fragmented",
)
def test_fragmented(bench: Bench, pieces: tuple[int, ...]) -> None:
    """A PFN array means the same however it is cut into buffers.

    How much is discarded is the device's affair, unless it takes all of every array in one buffer.
    """
    bench.start()
    discarded = []
    for cut in ((), pieces, ()):
        before = bench.effectiveness["discarded_pages"]
        bench.exchange(
            requests.inflate(pfns(bench, 8)),
            "ring.device.framing-independent",
            readable_pieces=cut,
        )
        discarded.append(bench.effectiveness["discarded_pages"] - before)
    whole, fragmented, again = discarded
    bench.observations["discarded_pages"] = {"fragmented": fragmented, "in one buffer": whole}
    bench.require(
        fragmented == 8 or not whole == again == 8,
        "ring.device.framing-independent",
        expected="8 pages discarded, as for the same requests in one buffer",
        seen=str(fragmented),
    )


@case(
    "balloon.device.deflate-use-every-buffer",
    "balloon.device.deflated-page-keeps-writes",
    "balloon.device.no-effect-after-deflate-use",
    "balloon.device.used-length-zero",
    id="balloon.deflate",
)
def test_deflate(bench: Bench) -> None:
    """Deflated pages are ordinary memory again."""
    bench.start()
    numbers = pfns(bench, 64)
    bench.exchange(requests.inflate(numbers))
    check_length(bench, bench.exchange(requests.deflate(numbers)).length)
    bench.touch([block(page) for page in numbers])
    bench.exchange(requests.inflate(pfns(bench, 64)))


@case(
    "balloon.device.deflated-page-keeps-writes",
    "balloon.device.inflate-use-every-buffer",
    id="balloon.inflate-deflate-cycles",
)
def test_cycles(bench: Bench) -> None:
    """Pages go into the balloon and come back many times over."""
    bench.start()
    numbers = pfns(bench, 16)
    for _ in range(50):
        bench.exchange(requests.inflate(numbers))
        bench.exchange(requests.deflate(numbers))
        bench.touch([block(page) for page in numbers])


@case("balloon.device.deflate-outside-balloon", id="balloon.deflate-outside-balloon")
def test_deflate_outside(bench: Bench) -> None:
    """Deflating pages that were never inflated leaves their content."""
    bench.start()
    bench.exchange(requests.deflate(pfns(bench, 16)))


@case(
    "balloon.device.partial-page-cleared-by-deflate",
    "balloon.device.no-effect-after-deflate-use",
    id="balloon.partial-page-deflated",
)
def test_partial_page_deflated(bench: Bench) -> None:
    """A part of a host page that was deflated does not count when its siblings are inflated."""
    first, rest = siblings(bench)
    bench.start()
    bench.exchange(requests.inflate([first]))
    bench.exchange(requests.deflate([first]))
    bench.touch([block(first)])
    slug = "balloon.device.partial-page-cleared-by-deflate"
    with bench.blaming(slug, "the page that was deflated to be left alone"):
        bench.exchange(requests.inflate(rest))


@case(
    "balloon.device.partial-page-cleared-by-reset",
    id="balloon.partial-page-reset",
    capabilities=[Capability.HEARS_RESETS],
)
def test_partial_page_reset(bench: Bench) -> None:
    """A part of a host page that was inflated before a reset does not count after it."""
    first, rest = siblings(bench)
    bench.start()
    bench.exchange(requests.inflate([first]))
    bench.reset()
    bench.start()
    bench.touch([block(first)])
    slug = "balloon.device.partial-page-cleared-by-reset"
    with bench.blaming(slug, "the page that was inflated before the reset to be left alone"):
        bench.exchange(requests.inflate(rest))


@case("balloon.device.no-effect-after-inflate-use", id="balloon.inflate-then-touch")
def test_inflate_then_touch(bench: Bench) -> None:
    """Without MUST_TELL_HOST an inflated page is the device's until the request is used."""
    bench.start(without=[Feature.MUST_TELL_HOST])
    numbers = pfns(bench, 16)
    bench.exchange(requests.inflate(numbers))
    bench.touch([block(page) for page in numbers])
    bench.exchange(requests.inflate(pfns(bench, 16)))


@case(
    "ring.device.writes-within-buffers",
    "balloon.device.inflate-containment",
    id="balloon.inflate-writable-buffer",
)
def test_writable_buffer(bench: Bench) -> None:
    """A device-writable buffer behind the PFNs is none of the device's business."""
    bench.start()
    draft = requests.inflate(pfns(bench, 2))
    answer = bench.exchange(Draft(Queue.INFLATE, draft.readable, room=64, blocks=draft.blocks))
    bench.observations["used_length"] = answer.length
    if answer.data and set(answer.data) == set(UNWRITTEN):
        raise fail(
            "ring.device.len-truthful",
            expected=f"{answer.length} bytes written",
            seen="the buffer as the driver left it",
        )


def siblings(bench: Bench) -> tuple[int, list[int]]:
    """Return the first 4 KiB page of a host page, and the others."""
    if bench.limits.host_page == PAGE:
        raise NotApplicable("the host's page is 4 KiB: it has no parts")
    order = (bench.limits.host_page // PAGE).bit_length() - 1
    (area,) = bench.blocks(1, order)
    first, *rest = area.pages()
    return first, rest


def settle_fate(bench: Bench) -> None:
    """Take the answer to an array that the device need not use, or reset the device."""
    fate = bench.fate(Queue.INFLATE)
    bench.observations["fate"] = fate
    if fate is Fate.USED:
        bench.answer(Queue.INFLATE)
    else:
        bench.reset()


def check_length(bench: Bench, length: int) -> None:
    """Fail unless the used length is 0."""
    bench.require(
        length == 0,
        "balloon.device.used-length-zero",
        expected="a used length of 0",
        seen=str(length),
    )


@case(
    "balloon.device.no-effect-after-deflate-use",
    "balloon.device.inflate-containment",
    id="balloon.neighbours-in-turn",
)
def test_neighbours_in_turn(bench: Bench) -> None:
    """Inflating a page costs nothing of the one beside it that was deflated and written before."""
    bench.start()
    (whole,) = bench.blocks(1, order=3)
    numbers = [*whole.pages()]
    for number in (*numbers, *reversed(numbers)):
        bench.exchange(requests.inflate([number]))
        bench.exchange(requests.deflate([number]))
        bench.touch([block(number)])
