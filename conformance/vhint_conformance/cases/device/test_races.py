"""Races on real memory: a page is used again in the very instant in which it has come back."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span
from vhint.wire import hint_ack
from vhint.wire.errors import WireError
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Status
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench
from vhint_conformance.case import case
from vhint_conformance.cases.hint_drafts import entries, lowest
from vhint_conformance.verdict import NotApplicable, fail

ROUNDS = 1000
"""How often a place is given away and taken back, on each queue, if there is the time."""

SECONDS = 20.0
"""How long the rounds may take: a device that takes its time gets fewer of them."""

PAGES = 12
"""How many places take turns, so that a late discard has some time to strike."""

SLUGS = {
    Queue.INFLATE: "balloon.device.no-effect-after-inflate-use",
    Queue.DEFLATE: "balloon.device.no-effect-after-deflate-use",
    Queue.REPORTING: "reporting.device.no-effect-after-use",
    Queue.HINTING: "hint.device.no-effect-after-use",
}


@pytest.mark.parametrize("queue", [str(each) for each in SLUGS])
@case(
    *SLUGS.values(),
    "balloon.device.deflated-page-keeps-writes",
    "reporting.device.page-usable-after-use",
    id="ring.race-reuse",
)
def test_reuse(bench: Bench, queue: str) -> None:
    """Thousands of times a page is written the instant its request is used, and keeps that."""
    name = Queue(queue)
    # Without MUST_TELL_HOST an inflated page may be used again without deflating it.
    bench.start(without=[Feature.MUST_TELL_HOST] if name is Queue.INFLATE else [])
    if name not in bench.driver.rings:
        raise NotApplicable(f"the target has no {queue} queue")
    bench.need_entries(name, 2 if name is Queue.HINTING else 1)
    order = lowest(bench) if name is Queue.HINTING else 0
    places = [*bench.blocks(2, order)] if order > 4 else [*bench.blocks(PAGES, order)]
    race = Race(bench, name, places)
    ends = time.monotonic() + SECONDS
    rounds = 0
    while rounds < ROUNDS and (rounds < 2 * len(places) or time.monotonic() < ends):
        race.round(rounds)
        rounds += 1
    bench.transport.settle()
    for number in range(rounds, rounds + len(places)):
        race.check(number)
    bench.observations["rounds"] = rounds


class Race:
    """A driver that keeps no books, so that it is as quick as the memory."""

    def __init__(self, bench: Bench, queue: Queue, places: Sequence[Span]) -> None:
        self._bench = bench
        self._queue = queue
        self._places = places
        self._stamps: dict[int, bytes] = {}
        bench.unwatched |= {queue, Queue.INFLATE}
        self._buffers = {
            place: {name: self._buffers_of(draft) for name, draft in self._drafts(place)}
            for place in places
        }
        given = Draft(queue, blocks=tuple(places))
        for name in {queue, *(name for name, _ in self._drafts(places[0]))}:
            bench.driver.note(Draft(name, blocks=given.blocks), -1, (), (), valid=False)
        answers = [
            span for each in self._buffers.values() for _, room in each.values() for span in room
        ]
        bench.memory.release([*places, *answers])

    def round(self, number: int) -> None:
        """Give a place away, and write to it as soon as it is back."""
        place = self._places[number % len(self._places)]
        self.check(number)
        for name, (readable, writable) in self._buffers[place].items():
            self._exchange(name, readable, writable)
        stamp = number.to_bytes(4, "little") * 4
        memory = self._bench.memory
        memory.write(place.start, stamp)
        memory.write(place.end - len(stamp), stamp)
        self._stamps[place.start] = stamp

    def check(self, number: int) -> None:
        """Fail if a place does not hold what was written to it last."""
        place = self._places[number % len(self._places)]
        stamp = self._stamps.get(place.start)
        if stamp is None:
            return
        for start in (place.start, place.end - len(stamp)):
            span = Span(start, len(stamp))
            held = self._bench.memory.peek(span)
            if held != stamp:
                raise fail(
                    SLUGS[self._queue],
                    expected=f"what was written after the request was used, {stamp[:4].hex()}...",
                    seen=held[:4].hex() + "...",
                    where=f"{span}, round {number}",
                )

    def _exchange(self, queue: Queue, readable: Sequence[Span], writable: Sequence[Span]) -> None:
        bench, ring = self._bench, self._bench.driver.rings[queue]
        ring.add(readable, writable)
        ring.publish()
        if ring.kick_needed():
            bench.notify(queue)
        if not bench.transport.wait(lambda: ring.waits, bench.limits.patience):
            bench.silent(queue)
        ring.collect()
        if queue is Queue.HINTING:
            self._accepted(bench.memory.read(writable[0]))

    def _accepted(self, data: bytes) -> None:
        """Look at an acknowledgement; what refuses is not raced against."""
        try:
            found = hint_ack.parse(data, 1)
        except WireError as error:
            slug = "hint.device.used-length-with-results"
            raise fail(slug, expected=error.expected, seen=str(error.seen)) from error
        if found.status is not Status.OK:
            raise NotApplicable(f"the device answers {found.status.name}")

    def _drafts(self, place: Span) -> list[tuple[Queue, Draft]]:
        """Return what gives a place away and takes it back."""
        pfn = [place.start // PAGE]
        inflate = (Queue.INFLATE, requests.inflate(pfn))
        match self._queue:
            case Queue.INFLATE:
                return [inflate]
            case Queue.DEFLATE:
                return [inflate, (Queue.DEFLATE, requests.deflate(pfn))]
            case Queue.REPORTING:
                return [(Queue.REPORTING, requests.report([place]))]
            case _:
                return [(Queue.HINTING, requests.hint_blocks(7, entries([place]), results=0))]

    def _buffers_of(self, draft: Draft) -> tuple[Sequence[Span], Sequence[Span]]:
        driver = self._bench.driver
        if draft.pages_are_buffers:
            return (), draft.blocks
        return driver.place(draft.readable), driver.make_room(draft.room)
