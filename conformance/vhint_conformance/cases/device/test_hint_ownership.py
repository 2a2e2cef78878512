"""The hinting virtqueue: whose a block is, and when (rules 1, 7 and 9)."""

from __future__ import annotations

import time

import pytest

from vhint.guest import requests
from vhint.ring import DriverRing, PackedDriverQueue
from vhint.spans import PAGE, Span, intersect
from vhint.trace.events import ResetDone
from vhint.wire import hint_request
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hint_drafts import (
    ACCEPTED,
    BUDGET,
    NEEDS,
    ROOM,
    area,
    draft_of,
    entries,
    expect,
    fitting,
    hint,
    lowest,
)
from vhint_conformance.cases.hinting import acknowledge, split
from vhint_conformance.cases.raw import as_split, spend_id
from vhint_conformance.cases.tools import need_untouched
from vhint_conformance.verdict import NotApplicable

SECONDS = 20.0
"""How long blocks are used again and again: large ones take their time."""


@case(
    "hint.device.use-once",
    "hint.device.use-every-buffer",
    "ring.device.drains-available",
    id="hint.many-outstanding",
    features=NEEDS,
)
def test_outstanding(bench: Bench) -> None:
    """Many requests are outstanding at once; each is answered once, under its own cookie."""
    bench.start()
    size = PAGE << lowest(bench)
    many = bench.fitting(Queue.HINTING, min(30, max(4, 4 * BUDGET // size)), descriptors=2)
    for cookie in range(1, many + 1):
        bench.send(draft_of(bench, "pfn", 2, cookie), notify=False)
    bench.notify(Queue.HINTING)
    for _ in range(many):
        answer = bench.answer(Queue.HINTING, "ring.device.drains-available", reuse=False)
        bench.touch(split(answer, acknowledge(bench, answer))[0])


@case(
    "hint.device.no-effect-after-use",
    "hint.device.content-stable-after-use",
    id="hint.reuse-at-once",
    features=NEEDS,
)
def test_reuse(bench: Bench) -> None:
    """Blocks that are used again the moment they come back keep their content, many times."""
    bench.start()
    blocks = entries(bench.blocks(fitting(bench, 4), lowest(bench)))
    ends = time.monotonic() + SECONDS
    for cookie in range(1, 51 if bench.stepped else 201):
        hint(bench, requests.hint_blocks(cookie, blocks))
        if time.monotonic() > ends:
            break
    bench.observations["times"] = cookie


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4])
@case("hint.device.no-effect-after-reset", id="hint.reset-under-way", features=NEEDS)
def test_reset(bench: Bench, turns: int) -> None:
    """Whenever the reset comes, no block is touched after it has been read back."""
    bench.start()
    bench.transport.settle()  # so that every turn is spent on the requests
    many = bench.fitting(Queue.HINTING, 4, descriptors=2)
    drafts = [draft_of(bench, "pfn", 2, cookie) for cookie in range(1, many + 1)]
    for draft in drafts:
        bench.send(draft, notify=False)
    bench.notify(Queue.HINTING)
    bench.let_run(turns)
    bench.reset()
    bench.observe()
    for draft in drafts:
        bench.touch(draft.blocks)
    bench.transport.settle()
    bench.start()
    expect(
        bench, hint(bench, draft_of(bench, "pfn")), "hint.device.no-effect-after-reset", *ACCEPTED
    )


@pytest.mark.parametrize("turns", [0, 1, 2, 3, "kicked-later", "enabled"])
@case(
    "hint.device.no-effect-after-backend-stop",
    id="hint.back-end-stopped",
    features=NEEDS,
    capabilities=[Capability.STOPS_QUEUES],
)
def test_stopped(bench: Bench, turns: int | str) -> None:
    """Once a back end has said where it stopped, it touches no block that was named before.

    If the first kick is later still, a back end that is deaf to the stop finds every request; it
    does so too if its queues were left enabled.
    """
    bench.start()
    many = bench.fitting(Queue.HINTING, 4, descriptors=2)
    drafts = [draft_of(bench, "pfn", 2, cookie) for cookie in range(1, many + 1)]
    for draft in drafts:
        bench.send(draft, notify=False)
    if isinstance(turns, int):
        bench.notify(Queue.HINTING)
        bench.let_run(turns)
    bench.control.stop_queues(disable=turns != "enabled")
    bench.observe()
    bench.recorder.emit(ResetDone())  # everything is the driver's again, as after a reset
    mine = [block for draft in drafts for block in draft.blocks]
    bench.touch(mine)
    bench.notify(Queue.HINTING)
    bench.transport.settle()
    lost = intersect(bench.memory.holes(), mine)
    bench.require(
        not lost,
        "hint.device.no-effect-after-backend-stop",
        expected="blocks that were written after the stop to keep what was written",
        seen="a discard",
        where=", ".join(map(str, lost)),
    )
    bench.reset()
    bench.start()
    hint(bench, draft_of(bench, "pfn"))


@case(
    "hint.device.copy-before-touch",
    "hint.device.containment",
    id="hint.request-names-itself",
    features=NEEDS,
)
def test_names_itself(bench: Bench) -> None:
    """A request whose first block is the memory of the request itself leads to no other block."""
    bench.start()
    bench.need_entries(Queue.HINTING, 2)
    order = lowest(bench)
    own, *others = bench.blocks(fitting(bench, 8), order)
    if not others:
        raise NotApplicable("a request here names one block, and nothing is read after it")
    draft = requests.hint_blocks(0x0DD, entries([own, *others]))
    readable = Span(own.start, len(draft.readable))
    bench.memory.write(readable.start, draft.readable)
    room = bench.driver.make_room(ROOM)
    head = bench.driver.rings[Queue.HINTING].add((readable,), room)
    bench.driver.note(draft, head, (readable,), room, room)
    bench.memory.release([*draft.blocks, *room])
    bench.publish(Queue.HINTING)
    acknowledge(bench, bench.answer(Queue.HINTING, reuse=False))
    stray = bench.stray_discards()
    bench.require(
        not stray,
        "hint.device.copy-before-touch",
        expected="nothing discarded but what the request named when it was made available",
        seen="a discard",
        where=", ".join(map(str, stray)),
    )


@case("hint.device.copy-before-touch", id="hint.request-changed-meanwhile", features=NEEDS)
def test_changed_meanwhile(bench: Bench) -> None:
    """A request that its driver changes is carried out as it was copied, or refused as changed.

    The change makes it malformed.  So a block that only the changed request names is touched by
    no device but one that judges one copy and acts by another.
    """
    bench.start()
    order = max(1, lowest(bench))
    slug = "hint.device.copy-before-touch"
    for turns in range(8):
        bench.transport.settle()
        named = bench.area(PAGE << order, PAGE << order)
        other = bench.area(PAGE << order + 1, PAGE << order + 1)
        draft = requests.hint_blocks(turns + 1, entries([named]))
        request = bench.send(draft)
        bench.let_run(turns)
        (place, *_) = request.readable
        at = place.start + hint_request.HEADER_SIZE
        bench.memory.write(at, (other.start // PAGE + 1).to_bytes(8, "little"))
        answer = bench.answer(Queue.HINTING, reuse=False)
        found = acknowledge(bench, answer)
        bench.touch(split(answer, found)[0])
        bench.transport.settle()
        bench.observe()
        seen = "a block discarded that only the changed, malformed request names"
        need_untouched(bench, [other], slug, seen)


@case(
    "ring.device.len-before-idx",
    "ring.device.id-before-idx",
    "ring.device.writes-before-idx",
    "ring.device.packed-fields-before-flags",
    id="hint.complete-when-used",
    features=NEEDS,
)
def test_complete_when_used(bench: Bench) -> None:
    """When a request shows as used its used element and its acknowledgement are complete.

    Where the device can be stepped both are looked at before its next step.
    """
    ring = bench.start().rings[Queue.HINTING]
    if ring.layout.size > 2:
        spend_id(ring, 0)  # the id that a fresh ring shows before any was written
    for cookie in (1, 2):
        request = bench.send(draft_of(bench, "pfn", 9, cookie))
        element = used_element(ring)
        parts = {"id": element["id"], "len": element["len"]} | {
            f"answer {number}": span for number, span in enumerate(request.writable)
        }
        if not bench.waits(Queue.HINTING):
            bench.silent(Queue.HINTING)
        first = {name: bench.memory.read(span) for name, span in parts.items()}
        bench.transport.settle()
        for name, span in parts.items():
            later = bench.memory.read(span)
            bench.require(
                later == first[name],
                before_use(name, packed=bench.packed),
                expected=f"{name} to be {later.hex()} by the time the request shows as used",
                seen=first[name].hex(),
                where=str(span),
            )
        answer = bench.answer(Queue.HINTING, reuse=False)
        bench.touch(split(answer, acknowledge(bench, answer))[0])


def used_element(ring: DriverRing) -> dict[str, Span]:
    """Return where the id and the length of the next used element will stand."""
    if isinstance(ring, PackedDriverQueue):
        at = ring.layout.used_part_at(ring.used_position.slot)
        return {"len": Span(at, 4), "id": Span(at + 4, 2)}
    at = as_split(ring).layout.used_entry_at(ring.used_index)
    return {"id": Span(at, 4), "len": Span(at + 4, 4)}


def before_use(part: str, *, packed: bool) -> str:
    """Return the requirement that this part is written before the buffer shows as used."""
    if part not in ("id", "len"):
        return "ring.device.writes-before-idx"
    return "ring.device.packed-fields-before-flags" if packed else f"ring.device.{part}-before-idx"


@case(
    "hint.device.no-effect-after-use",
    "hint.device.containment",
    id="hint.neighbours-in-turn",
    features=NEEDS,
)
def test_neighbours_in_turn(bench: Bench) -> None:
    """A request costs nothing of the block beside it that came back and was written before."""
    bench.start()
    start, order = area(bench, 8)
    places = [(start + (number << order), order) for number in range(8)]
    for cookie, place in enumerate((*places, *reversed(places)), 1):
        hint(bench, requests.hint_blocks(cookie, [place]))
