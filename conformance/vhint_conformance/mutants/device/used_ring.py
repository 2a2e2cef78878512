"""Faults in giving buffers back: the used ring and the life of a queue."""

from __future__ import annotations

from collections.abc import Generator

from vhint.host import Device
from vhint.host.work import Line
from vhint.ring import Chain, GuestMemory, Layout, SplitDeviceQueue
from vhint.spans import PAGE, Span
from vhint.wire import vring
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant, with_ring

EVERY = (
    "reporting.device.use-every-buffer",
    "hint.device.use-every-buffer",
    "balloon.device.inflate-use-every-buffer",
    "balloon.device.deflate-use-every-buffer",
)


class LosesAcknowledgement(Device):
    """Forgets to use every second buffer."""

    _completed = 0

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use a buffer, or not."""
        self._completed += 1
        if self._completed % 2:
            super().complete(name, line, head, length)


class ClaimsToHaveWritten(Device):
    """Uses each buffer with the length of the request, although it wrote nothing like it."""

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Claim the size of the request where nothing was written."""
        while (chain := line.ring.pop()) is not None:
            yield
            length = yield from line.handler.handle(chain)
            if length is not None:
                claimed = length or chain.readable_size + chain.writable_size
                self.complete(name, line, chain.head, claimed)
                yield


class UsesTwice(Device):
    """Puts every third buffer into the used ring twice."""

    _completed = 0

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use it, and perhaps again."""
        super().complete(name, line, head, length)
        self._completed += 1
        if self._completed % 3 == 1:
            super().complete(name, line, head, length)


class KickUsesAgain(Device):
    """Uses the last buffer again when it is notified of nothing."""

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__(memory)
        self._last: dict[Queue, int] = {}

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Serve, or repeat the last answer."""
        if not line.ring.pending and name in self._last:
            line.ring.push(self._last[name], 0)
        return super().serve(name, line)

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Remember which it was."""
        self._last[name] = head
        super().complete(name, line, head, length)

    def _begin(self) -> None:
        super()._begin()
        self._last = {}


class PlaceForHead(SplitDeviceQueue):
    """Gives the place in the ring as the id, which is the head only if nobody reuses heads."""

    def push(self, head: int, length: int) -> None:  # noqa: ARG002
        """Name the place."""
        super().push(self._used_index % self.layout.size, length)


class CountsDescriptors(SplitDeviceQueue):
    """Moves the used index on by the descriptors of a chain."""

    def pop(self) -> Chain | None:
        """Remember how long the chain is."""
        chain = super().pop()
        if chain is not None:
            self.long = len(chain.readable) + len(chain.writable)
        return chain

    long = 1

    def push(self, head: int, length: int) -> None:
        """Use as many."""
        super().push(head, length)
        self._used_index = (self._used_index + self.long - 1) & 0xFFFF
        self.memory.store16(self.layout.used_index_at, self._used_index)


class UsedIndexNarrow(SplitDeviceQueue):
    """Keeps the used index in 15 bits."""

    def push(self, head: int, length: int) -> None:
        """Use a buffer, and lose a bit."""
        super().push(head, length)
        self._used_index &= 0x7FFF
        self.memory.store16(self.layout.used_index_at, self._used_index)


class FixedSlots(SplitDeviceQueue):
    """Takes the place in the used ring modulo the largest size that it offers."""

    def push(self, head: int, length: int) -> None:
        """Write to the wrong place once a smaller ring has gone round."""
        slot = self._used_index % 256
        ring = self.layout.used_entry_at(0)
        data = vring.USED_ELEMENT_STRUCT.pack(head, length)
        at = Span(ring + slot * len(data), len(data))
        if self.memory.contains(at):
            self.memory.write(at.start, data)
        self._used_index = (self._used_index + 1) & 0xFFFF
        self.memory.store16(self.layout.used_index_at, self._used_index)


class SwapsElement(SplitDeviceQueue):
    """Writes the length where the id belongs."""

    def push(self, head: int, length: int) -> None:
        """Swap them."""
        super().push(length, head)


class SetsReservedFlag(SplitDeviceQueue):
    """Sets a flag of the used ring that means nothing."""

    def push(self, head: int, length: int) -> None:
        """Use a buffer and set bit 1."""
        super().push(head, length)
        self.memory.store16(self.layout.used, 2)


class NoNotifyWithEvents(SplitDeviceQueue):
    """Suppresses notifications by the flag although EVENT_IDX was negotiated."""

    def push(self, head: int, length: int) -> None:
        """Use a buffer and set NO_NOTIFY."""
        super().push(head, length)
        if self.event_idx:
            self.memory.store16(self.layout.used, 1)


class SleepsForEver(SplitDeviceQueue):
    """Says that it needs no notification, and then never looks by itself."""

    def pop(self) -> Chain | None:
        """Take a chain; when there is none, ask not to be woken."""
        chain = super().pop()
        if not self.event_idx:
            self.memory.store16(self.layout.used, 1)
        return chain


class StaleAvailEvent(SplitDeviceQueue):
    """Does not renew avail_event, so that a driver takes it for awake."""

    def _ask_for_kick_at(self, index: int) -> None:
        if index <= 1:
            super()._ask_for_kick_at(index)


class WritesPastBuffers(Device):
    """Clears the rest of the page behind an answer."""

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Serve, and pad every answer."""
        while (chain := line.ring.pop()) is not None:
            yield
            length = yield from line.handler.handle(chain)
            if length is None:
                continue
            if length and chain.writable:
                behind = Span(chain.writable[-1].end, 8)
                if self.context.memory.contains(behind):
                    self.context.memory.write(behind.start, bytes(8))
            self.complete(name, line, chain.head, length)
            yield


class EagerStart(Device):
    """Processes a queue as soon as it is set up and notified."""

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Set it up, and start."""
        done = super().set_up_queue(index, layout)
        if done:
            self._start(index)
        return done


class WorksOnAfterReset(Device):
    """Finishes the chains that wait when the device is reset."""

    def write_status(self, value: int) -> None:
        """Finish before everything is forgotten."""
        before = dict(self.lines) if value == 0 else {}
        super().write_status(value)
        self.old = before or self.old

    old: dict[Queue, Line] = {}  # noqa: RUF012 - replaced, never changed

    def step(self, queue: Queue | None = None) -> bool:
        """Serve also what was served before the reset."""
        for name, line in self.old.items():
            if not self.lines and line.ring.pending:
                for _ in self.serve(name, line):
                    pass
        return super().step(queue)


class KeepsIndices(Device):
    """Goes on, after a reset, where a queue stood before."""

    def write_status(self, value: int) -> None:
        """Remember where the queues stand."""
        if value == 0:
            self.stood |= {
                name: (line.ring._next_available, line.ring._used_index)
                for name, line in self.lines.items()
                if isinstance(line.ring, SplitDeviceQueue)
            }
        super().write_status(value)

    def __init__(self, memory: GuestMemory) -> None:
        self.stood: dict[Queue, tuple[int, int]] = {}
        super().__init__(memory)

    def _start(self, only: int | None = None) -> None:
        super()._start(only)
        for name, line in self.lines.items():
            if name in self.stood and isinstance(line.ring, SplitDeviceQueue):
                line.ring._next_available, line.ring._used_index = self.stood[name]


class IndexFirst(Device):
    """Moves the used index on, and writes a part of what it shows a step later."""

    def late(self, ring: SplitDeviceQueue, chain: Chain) -> list[Span]:
        """Return the memory that is written late."""
        raise NotImplementedError

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Put what was there before back until the next step."""
        ring, memory = line.ring, self.context.memory
        while (chain := ring.pop()) is not None:
            yield
            places = self.late(ring, chain) if isinstance(ring, SplitDeviceQueue) else []
            before = [memory.read(place) for place in places]
            length = yield from line.handler.handle(chain)
            if length is None:
                continue
            self.complete(name, line, chain.head, length)
            written = [memory.read(place) for place in places]
            for content in (before, written):
                for place, data in zip(places, content, strict=True):
                    memory.write(place.start, data)
                yield


class LengthLate(IndexFirst):
    """Writes the length of a used entry too late."""

    def late(self, ring: SplitDeviceQueue, chain: Chain) -> list[Span]:  # noqa: ARG002
        """Return where the length stands."""
        return [Span(ring.layout.used_entry_at(ring._used_index) + 4, 4)]


class IdLate(IndexFirst):
    """Writes the id of a used entry too late."""

    def late(self, ring: SplitDeviceQueue, chain: Chain) -> list[Span]:  # noqa: ARG002
        """Return where the id stands."""
        return [Span(ring.layout.used_entry_at(ring._used_index), 4)]


class AnswerLate(IndexFirst):
    """Writes the answer too late."""

    def late(self, ring: SplitDeviceQueue, chain: Chain) -> list[Span]:  # noqa: ARG002
        """Return the room for an answer: no page is as small."""
        return [span for span in chain.writable if span.length < PAGE]


class OneQueueGoesOn(Device):
    """Begins every queue anew after a reset but the one for reports."""

    _stood = 0

    def _reset(self) -> None:
        line = self.lines.get(Queue.REPORTING)
        if line is not None and isinstance(line.ring, SplitDeviceQueue):
            self._stood = line.ring.base
        super()._reset()

    def _start(self, only: int | None = None) -> None:
        super()._start(only)
        line = self.lines.get(Queue.REPORTING)
        if line is not None and isinstance(line.ring, SplitDeviceQueue):
            line.ring._next_available = self._stood


MUTANTS = (
    Mutant(
        "lost-acknowledgement",
        "processes every request but uses only every second buffer",
        EVERY,
        LosesAcknowledgement,
        bugs=("H7", "F15"),
        machine="HintPages",
    ),
    Mutant(
        "wrong-used-length",
        "says that it wrote as many bytes as the request has",
        ("ring.device.len-truthful",),
        ClaimsToHaveWritten,
        bugs=("N6", "H6"),
        machine="BalloonPages",
    ),
    Mutant(
        "used-twice",
        "puts every third buffer into the used ring twice",
        ("ring.device.use-chain-once", "reporting.device.use-once", "hint.device.use-once"),
        UsesTwice,
    ),
    Mutant(
        "kick-uses-again",
        "uses the last buffer again when it is notified of nothing new",
        ("ring.device.spurious-kick", "ring.device.use-chain-once"),
        KickUsesAgain,
    ),
    Mutant(
        "used-id-is-place",
        "names the place in the used ring instead of the head of the chain",
        ("ring.device.used-id-is-head", "ring.device.use-only-available"),
        with_ring(PlaceForHead),
    ),
    Mutant(
        "used-element-swapped",
        "writes the length where the id belongs and the id as the length",
        ("ring.device.used-id-is-head", "ring.device.use-only-available"),
        with_ring(SwapsElement),
    ),
    Mutant(
        "used-index-counts-descriptors",
        "moves the used index on by the descriptors of a chain, not by one",
        ("ring.device.used-idx-counts-chains", "ring.device.use-chain-once"),
        with_ring(CountsDescriptors),
    ),
    Mutant(
        "used-index-15-bit",
        "keeps the used index in 15 bits",
        ("ring.device.idx-wrap",),
        with_ring(UsedIndexNarrow),
    ),
    Mutant(
        "used-slots-of-largest-queue",
        "takes the place in the used ring modulo the largest size that it offers",
        ("ring.device.slot-modulo-queue-size", "virtio.device.smaller-queue-size-honoured",
         "ring.device.writes-within-buffers"),
        with_ring(FixedSlots),
    ),
    Mutant(
        "used-flags-reserved-bit",
        "sets a flag of the used ring that means nothing",
        ("ring.device.used-flags-valid",),
        with_ring(SetsReservedFlag),
    ),
    Mutant(
        "no-notify-with-event-idx",
        "sets NO_NOTIFY although EVENT_IDX was negotiated",
        ("ring.device.event-idx-used-flags-zero",),
        with_ring(NoNotifyWithEvents),
    ),
    Mutant(
        "asleep-without-wish",
        "sets NO_NOTIFY and never looks at the ring by itself",
        ("ring.device.drains-available",),
        with_ring(SleepsForEver),
        bugs=("N13",),
    ),
    Mutant(
        "avail-event-stale",
        "does not renew avail_event, so that the driver does not notify it",
        ("ring.device.drains-available", "balloon.device.inflate-use-every-buffer"),
        with_ring(StaleAvailEvent),
    ),
    Mutant(
        "writes-past-answer",
        "clears 8 bytes behind the buffer of an answer",
        ("ring.device.writes-within-buffers", "hint.device.containment"),
        WritesPastBuffers,
    ),
    Mutant(
        "serves-before-driver-ok",
        "serves a queue as soon as it is set up",
        ("ring.device.no-processing-before-driver-ok",
         "ring.device.no-notification-before-driver-ok"),
        EagerStart,
    ),
    Mutant(
        "serves-after-reset",
        "goes on taking chains from the rings of a device that was reset",
        ("ring.device.no-processing-after-reset", "ring.device.no-notification-after-reset"),
        WorksOnAfterReset,
    ),
    Mutant(
        "ring-indices-survive-reset",
        "goes on after a reset where its queues stood before",
        ("ring.device.reset-clears-indices",),
        KeepsIndices,
        bugs=("F11",),
    ),
    Mutant(
        "used-length-late",
        "moves the used index on before it has written the length",
        ("ring.device.len-before-idx",),
        lambda memory: LengthLate(memory),
    ),
    Mutant(
        "used-id-late",
        "moves the used index on before it has written the id",
        ("ring.device.id-before-idx", "ring.device.used-id-is-head"),
        lambda memory: IdLate(memory),
    ),
    Mutant(
        "answer-after-index",
        "uses a request before it has written the answer",
        ("ring.device.writes-before-idx",),
        lambda memory: AnswerLate(memory),
    ),
    Mutant(
        "reports-go-on-after-reset",
        "goes on after a reset where the reporting queue stood before",
        ("ring.device.reset-clears-indices",),
        lambda memory: OneQueueGoesOn(memory),
    ),
)  # fmt: skip
"""Mutants that give buffers back wrongly."""
