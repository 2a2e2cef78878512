"""The hinting virtqueue: whose a block is, and when (rules 1, 7 and 9)."""

from __future__ import annotations

import pytest

from vhint.guest import requests
from vhint.spans import PAGE, Span, intersect
from vhint.trace.events import ResetDone
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hint_drafts import (
    ACCEPTED,
    BUDGET,
    NEEDS,
    ROOM,
    draft_of,
    entries,
    expect,
    fitting,
    hint,
    lowest,
)
from vhint_conformance.cases.hinting import acknowledge, split
from vhint_conformance.verdict import NotApplicable


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
    for cookie in range(1, 201):
        hint(bench, requests.hint_blocks(cookie, blocks))


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


@pytest.mark.parametrize("turns", [0, 1, 2, 3, "kicked-later"])
@case(
    "hint.device.no-effect-after-backend-stop",
    id="hint.back-end-stopped",
    features=NEEDS,
    capabilities=[Capability.STOPS_QUEUES],
)
def test_stopped(bench: Bench, turns: int | str) -> None:
    """Once a back end has said where it stopped, it touches no block that was named before.

    If the first kick is later still, a back end that is deaf to the stop finds every request.
    """
    bench.start()
    many = bench.fitting(Queue.HINTING, 4, descriptors=2)
    drafts = [draft_of(bench, "pfn", 2, cookie) for cookie in range(1, many + 1)]
    for draft in drafts:
        bench.send(draft, notify=False)
    if isinstance(turns, int):
        bench.notify(Queue.HINTING)
        bench.let_run(turns)
    bench.control.stop_queues()
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
