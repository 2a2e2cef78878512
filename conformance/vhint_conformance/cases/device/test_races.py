"""Races on real memory: a page is used again in the very instant in which it has come back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from threading import Thread

import pytest

from vhint.guest import Draft, requests
from vhint.ring import DriverRing, SplitDriverQueue
from vhint.ring.memory import GuestMemory
from vhint.spans import PAGE, Span
from vhint.wire import hint_ack, packed_vring, vring
from vhint.wire.errors import WireError
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Status
from vhint.wire.queues import Queue
from vhint.wire.vring import DescriptorFlag
from vhint_conformance.bench import Bench
from vhint_conformance.case import case
from vhint_conformance.cases.hint_drafts import entries, largest, lowest
from vhint_conformance.cases.raw import as_packed
from vhint_conformance.verdict import NotApplicable, fail

ROUNDS = 1000
"""How often a place is given away and taken back, on each queue, if there is the time."""

STEPPED_ROUNDS = 250
"""The same for a device that cannot race, as it works only while it is waited for."""

SECONDS = 20.0
"""How long the rounds may take: a device that takes its time gets fewer of them."""

PAGES = 12
"""How many places take turns, so that a late discard has some time to strike."""

BURSTS = 20
"""How often much memory is given away by one request and looked at when that is used."""

BURST_ORDER, BURST_BLOCKS = 8, 4
"""1 MiB each, as a rule: to discard so many populated pages takes a host some time."""

HOLD = 8 << 20
"""Bytes of the write that holds discards up: it takes some milliseconds."""

HEAD_START = 0.0002
"""Seconds in which that write gets under way."""

SPIN = 0.05
"""Seconds in which a used buffer is looked for without a pause."""

UNSEEN = b"\xa5"
ALL_UNSEEN = int.from_bytes(UNSEEN * 4, "little")
"""What the driver leaves where the device is going to write."""

ELEMENT = vring.USED_ELEMENT_STRUCT

STAMP = 16
"""Bytes that say in which round they were written."""

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
    wanted = STEPPED_ROUNDS if bench.stepped else ROUNDS
    while rounds < wanted and (rounds < 2 * len(places) or time.monotonic() < ends):
        race.round(rounds)
        rounds += 1
    bench.transport.settle()
    for number in range(rounds, rounds + len(places)):
        race.check(number)
    bench.observations["rounds"] = rounds


@pytest.mark.parametrize("queue", [str(each) for each in SLUGS if each is not Queue.DEFLATE])
@case(
    *(slug for each, slug in SLUGS.items() if each is not Queue.DEFLATE),
    id="ring.race-large",
)
def test_large(bench: Bench, queue: str) -> None:
    """A request for much memory is used when the last page of it has been dealt with, not before.

    Discards are held up meanwhile.  One that comes before the use delays that, and nothing else;
    one that comes too late finds what was written in the instant of use.
    """
    name = Queue(queue)
    bench.start(without=[Feature.MUST_TELL_HOST] if name is Queue.INFLATE else [])
    if name not in bench.driver.rings:
        raise NotApplicable(f"the target has no {queue} queue")
    order = max(BURST_ORDER, lowest(bench)) if name is Queue.HINTING else BURST_ORDER
    many = BURST_BLOCKS if name is not Queue.HINTING else min(BURST_BLOCKS, largest(bench))
    # Reported blocks are the buffers of one chain; a hint has a buffer to read and one to write.
    needed = {Queue.REPORTING: many, Queue.HINTING: 2}
    bench.need_entries(name, needed.get(name, 1))
    race = Race(bench, name, bench.blocks(many, order), together=True)
    hold = Hold(bench) if bench.transport.works_by_itself else None
    for number in range(BURSTS):
        race.burst(number, hold)
    bench.observations["rounds"] = BURSTS


@case(
    "ring.device.id-before-idx",
    "ring.device.len-before-idx",
    "ring.device.writes-before-idx",
    id="ring.race-order",
    features=[Feature.HINTING],
)
def test_order(bench: Bench) -> None:
    """When a request shows as used, its id, its length and its answer are there already."""
    driver = bench.start()
    bench.need_entries(Queue.HINTING, 2)
    ring = driver.rings[Queue.HINTING]
    bench.unwatched.add(Queue.HINTING)
    blocks = bench.blocks(1, lowest(bench))
    draft = requests.hint_blocks(5, entries(blocks))
    readable, (room,) = driver.place(draft.readable), driver.make_room(2 * hint_ack.HEADER_SIZE)
    driver.note(Draft(Queue.HINTING, blocks=blocks), -1, (), (), valid=False)
    bench.memory.release([*blocks, room])
    for number in range(BURSTS * 10):
        GuestMemory.write(bench.memory, room.start, UNSEEN * room.length)
        if isinstance(ring, SplitDriverQueue):
            entry = Span(ring.layout.used_entry_at(ring.used_index), ELEMENT.size)
            GuestMemory.write(bench.memory, entry.start, UNSEEN * ELEMENT.size)
        ring.add(readable, [room])
        ring.publish()
        if ring.kick_needed():
            bench.notify(Queue.HINTING)
        wait_at_once(bench, ring, Queue.HINTING, spin=bench.transport.works_by_itself)
        late = []
        if isinstance(ring, SplitDriverQueue):
            name, length = ELEMENT.unpack(bench.memory.peek(entry))
            late += ["id-before-idx"] * (name == ALL_UNSEEN)
            late += ["len-before-idx"] * (length == ALL_UNSEEN)
        elif packed_length(bench, ring) == readable[0].length:  # of the list's first descriptor
            late.append("len-before-idx")
        if bench.memory.peek(room)[: hint_ack.HEADER_SIZE] == UNSEEN * hint_ack.HEADER_SIZE:
            late.append("writes-before-idx")
        for slug in late:
            raise fail(
                f"ring.device.{slug}",
                expected="all of a used buffer's entry and answer there when it shows as used",
                seen=f"what was there before, where the device writes {WRITES[slug]}",
                where=f"hinting queue, round {number}",
            )
        ring.collect()


WRITES = {
    "id-before-idx": "the id",
    "len-before-idx": "the length",
    "writes-before-idx": "its answer",
}


def packed_length(bench: Bench, ring: DriverRing) -> int | None:
    """Return the length in the next used descriptor, if it says that there is one."""
    queue = as_packed(ring)
    descriptor = queue.layout.descriptor_at(queue.used_position.slot)
    span = Span(descriptor, packed_vring.DESCRIPTOR_STRUCT.size)
    _, length, _, flags = packed_vring.DESCRIPTOR_STRUCT.unpack(bench.memory.peek(span))
    return int(length) if flags & DescriptorFlag.WRITE else None


def wait_at_once(bench: Bench, ring: DriverRing, queue: Queue, *, spin: bool = False) -> None:
    """Wait for a used buffer, for some time without a pause; fail if there is none."""
    until = time.perf_counter() + SPIN
    while spin and not ring.waits and time.perf_counter() < until:
        pass
    if not bench.transport.wait(lambda: ring.waits, bench.limits.patience):
        bench.silent(queue)


class Hold:
    """Keeps discards waiting for some milliseconds, in whatever process they are.

    A file has one lock for writing it and for punching holes into it.  So one long write of guest
    memory, of bytes as they are, keeps every discard waiting, while mapped memory can be read and
    written as ever.
    """

    def __init__(self, bench: Bench) -> None:
        span = bench.area(HOLD, PAGE)
        ((self._offset, _),) = bench.memory.extents(span)
        self._fd = bench.memory.fd
        self._content = bench.memory.peek(span)

    @contextmanager
    def up(self) -> Iterator[None]:
        """Hold discards up, from now on for as long as the write lasts, and wait for its end."""
        writer = Thread(target=os.pwrite, args=(self._fd, self._content, self._offset), daemon=True)
        writer.start()
        time.sleep(HEAD_START)
        try:
            yield
        finally:
            writer.join()


class Race:
    """A driver that keeps no books, so that it is as quick as the memory.

    Each place is given away by a request of its own, or all of them `together` by one.
    """

    def __init__(
        self, bench: Bench, queue: Queue, places: Sequence[Span], *, together: bool = False
    ) -> None:
        self._bench = bench
        self._queue = queue
        self._places = places
        self._stamps: dict[int, bytes] = {}
        bench.unwatched |= {queue, Queue.INFLATE}
        self._requests = [
            {name: self._buffers_of(draft) for name, draft in self._drafts(given)}
            for given in ([places] if together else [[place] for place in places])
        ]
        for name in {queue, *self._requests[0]}:
            bench.driver.note(Draft(name, blocks=tuple(places)), -1, (), (), valid=False)
        answers = [span for each in self._requests for _, room in each.values() for span in room]
        bench.memory.release([*places, *answers])

    def round(self, number: int) -> None:
        """Give a place away, and write to it as soon as it is back."""
        turn = number % len(self._places)
        place, stamp = self._places[turn], stamp_of(number)
        self.check(number)
        for name, (readable, writable) in self._requests[turn].items():
            self._give(name, readable, writable)
            wait_at_once(self._bench, self._bench.driver.rings[name], name)
            self._take(name, writable)
        for start in ends(place):
            self._bench.memory.write(start, stamp)
        self._stamps[place.start] = stamp

    def check(self, number: int) -> None:
        """Fail if a place does not hold what was written to it last."""
        place = self._places[number % len(self._places)]
        if place.start in self._stamps:
            self._expect(place, self._stamps[place.start], number)

    def burst(self, number: int, hold: Hold | None) -> None:
        """Give all places away at once, and write to them as soon as they are back.

        The last comes first: most devices go through them from the first on, so that the last is
        what one is latest for that is late.
        """
        memory = self._bench.memory
        for place in self._places:  # so that there is something to discard in every page
            GuestMemory.write(memory, place.start, stamp_of(number) * (place.length // STAMP))
        stamp = stamp_of(BURSTS + number)
        for name, (readable, writable) in self._requests[0].items():
            with hold.up() if hold else nullcontext():
                self._give(name, readable, writable)
                ring = self._bench.driver.rings[name]
                wait_at_once(self._bench, ring, name, spin=hold is not None)
                for place in reversed(self._places):
                    for start in ends(place):
                        GuestMemory.write(memory, start, stamp)
            self._take(name, writable)
        self._bench.transport.settle()
        for place in self._places:
            self._expect(place, stamp, number)

    def _expect(self, place: Span, stamp: bytes, number: int) -> None:
        for start in ends(place):
            span = Span(start, STAMP)
            held = self._bench.memory.peek(span)
            if held != stamp:
                raise fail(
                    SLUGS[self._queue],
                    expected=f"what was written after the request was used, {stamp[:4].hex()}...",
                    seen=held[:4].hex() + "...",
                    where=f"{span}, round {number}",
                )

    def _give(self, queue: Queue, readable: Sequence[Span], writable: Sequence[Span]) -> None:
        ring = self._bench.driver.rings[queue]
        ring.add(readable, writable)
        ring.publish()
        if ring.kick_needed():
            self._bench.notify(queue)

    def _take(self, queue: Queue, writable: Sequence[Span]) -> None:
        self._bench.driver.rings[queue].collect()
        if queue is Queue.HINTING:
            self._accepted(self._bench.memory.read(writable[0]))

    def _accepted(self, data: bytes) -> None:
        """Look at an acknowledgement; what refuses is not raced against."""
        try:
            found = hint_ack.parse(data, 1)
        except WireError as error:
            slug = "hint.device.used-length-with-results"
            raise fail(slug, expected=error.expected, seen=str(error.seen)) from error
        if found.status is not Status.OK:
            raise NotApplicable(f"the device answers {found.status.name}")

    def _drafts(self, places: Sequence[Span]) -> list[tuple[Queue, Draft]]:
        """Return what gives places away and takes them back."""
        numbers = [page for place in places for page in place.pages()]
        inflate = (Queue.INFLATE, requests.inflate(numbers))
        match self._queue:
            case Queue.INFLATE:
                return [inflate]
            case Queue.DEFLATE:
                return [inflate, (Queue.DEFLATE, requests.deflate(numbers))]
            case Queue.REPORTING:
                return [(Queue.REPORTING, requests.report(places))]
            case _:
                return [(Queue.HINTING, requests.hint_blocks(7, entries(places), results=0))]

    def _buffers_of(self, draft: Draft) -> tuple[Sequence[Span], Sequence[Span]]:
        driver = self._bench.driver
        if draft.pages_are_buffers:
            return (), draft.blocks
        return driver.place(draft.readable), driver.make_room(draft.room)


def stamp_of(number: int) -> bytes:
    """Return what is written in that round."""
    return number.to_bytes(4, "little") * (STAMP // 4)


def ends(place: Span) -> tuple[int, int]:
    """Return where stamps go: the last is first."""
    return place.end - STAMP, place.start
