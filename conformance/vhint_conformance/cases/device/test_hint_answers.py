"""The hinting virtqueue: room, results, and requests without an answer (rules 2, 4 and 5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vhint.guest import Draft, requests
from vhint.guest.driver import UNWRITTEN
from vhint.wire import hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.hint_ack import Status
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench
from vhint_conformance.case import case
from vhint_conformance.cases.hint_drafts import (
    ACCEPTED,
    BITMAP,
    FORMATS,
    NEEDS,
    ROOM,
    area,
    draft_of,
    expect,
    fitting,
    hint,
    patched,
    untouched,
)
from vhint_conformance.cases.hinting import acknowledge
from vhint_conformance.verdict import NotApplicable


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("room", [0, 1, 2, 100])
@case(
    "hint.device.used-length-with-results",
    "hint.device.processed-counts-accepted",
    "ring.device.writes-within-buffers",
    "hint.device.no-refusal-without-cause",
    id="hint.result-room",
    features=NEEDS,
)
def test_result_room(bench: Bench, form: str, room: int) -> None:
    """Result bits are cut to the room that the driver left, and are at most one a block."""
    bench.start()
    sound = draft_of(bench, form, 20)
    found = hint(bench, replace(sound, room=ROOM + room))
    expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)


@case(
    "hint-bitmap.device.result-order",
    "hint-bitmap.device.result-only-named",
    "hint.device.processed-counts-accepted",
    id="hint-bitmap.results-cut",
    features=BITMAP,
)
def test_results_cut(bench: Bench) -> None:
    """It is the first result bytes that are written where there is no room for all."""
    bench.start()
    count = fitting(bench, 30)
    start, order = area(bench, count)
    chosen = [number for number in (0, 9, 17, 18, 27, 28) if number < count]
    draft = requests.hint_bitmap(0x5EED, start, order, Bitmap.from_indices(count, chosen))
    for room in (1, 2, 3):
        found = hint(bench, replace(draft, room=ROOM + room))
        expect(bench, found, "hint.device.no-refusal-without-cause", *ACCEPTED)


@pytest.mark.parametrize("form", FORMATS)
@case("hint.device.result-fills-room", id="hint.result-fills-room", features=NEEDS)
def test_result_fills(bench: Bench, form: str) -> None:
    """As many result bytes are written as there is room and count for."""
    bench.start()
    for room in (0, 1, 2, 50):
        sound = draft_of(bench, form, 20 if form == "pfn" else 10)
        full = min(room, -(-sound.count // 8))
        answer = bench.exchange(replace(sound, room=ROOM + room), reuse=False)
        if acknowledge(bench, answer).status is Status.INHIBITED:
            raise NotApplicable("the device answers INHIBITED, which has no result bits")
        bench.require(
            answer.length == ROOM + full,
            "hint.device.result-fills-room",
            expected=f"a used length of {ROOM + full} with {room} bytes of room",
            seen=str(answer.length),
        )


@pytest.mark.parametrize("room", [0, 1, 15])
@case(
    "hint.device.no-room-touches-nothing",
    "hint.device.no-room-writes-nothing",
    "hint.device.no-room-length-zero",
    id="hint.no-room",
    features=NEEDS,
)
def test_no_room(bench: Bench, room: int) -> None:
    """Without room for an acknowledgement nothing is touched and the length is 0."""
    bench.start()
    draft = replace(draft_of(bench, "pfn"), room=room)
    request = bench.send(draft)
    answer = bench.answer(Queue.HINTING, reuse=False)
    bench.require(
        answer.length == 0,
        "hint.device.no-room-length-zero",
        expected="a used length of 0",
        seen=str(answer.length),
    )
    written = b"".join(bench.memory.read(span) for span in request.writable)
    bench.require(
        written == UNWRITTEN * room,
        "hint.device.no-room-writes-nothing",
        expected=f"the {room} writable bytes as they were",
        seen=written.hex(),
    )
    untouched(bench, draft.blocks, "hint.device.no-room-touches-nothing")


@case(
    "hint.device.refusal-processed-zero",
    "hint.device.refusal-length-16",
    "hint.device.cookie-echo",
    "hint.device.refusal-touches-nothing",
    id="hint.refused-at-last",
    features=NEEDS,
)
def test_refused_at_last(bench: Bench) -> None:
    """A fault in the last entry leaves nothing to count or to tell of the entries before it."""
    bench.start()
    sound = draft_of(bench, "pfn", 20)
    bad = patched(sound, len(sound.readable) - 4, b"\1")
    expect(bench, hint(bench, bad), "hint.device.refuse-nonzero-reserved", Status.MALFORMED)
    untouched(bench, sound.blocks, "hint.device.refusal-touches-nothing")


@pytest.mark.parametrize("size", [1, 8, 15])
@case(
    "hint.device.short-header-malformed",
    "hint.device.refusal-length-16",
    id="hint.short-header",
    features=NEEDS,
)
def test_short_header(bench: Bench, size: int) -> None:
    """Fewer than 16 readable bytes are MALFORMED, with cookie 0."""
    bench.start()
    raw = hint_request.build(hint_request.PfnRequest(5, hint_request.Blocks.of([])))
    draft = Draft(Queue.HINTING, raw[:size], ROOM, cookie=0)
    expect(bench, hint(bench, draft), "hint.device.short-header-malformed", Status.MALFORMED)


@case("hint.device.short-header-malformed", id="hint.no-request", features=NEEDS)
def test_no_request(bench: Bench) -> None:
    """A chain with nothing to read is MALFORMED, with cookie 0."""
    bench.start()
    found = hint(bench, Draft(Queue.HINTING, b"", ROOM, cookie=0))
    expect(bench, found, "hint.device.short-header-malformed", Status.MALFORMED)
