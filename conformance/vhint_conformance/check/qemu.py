"""The log of QEMU's trace events: ``-trace 'virtio_*' -trace 'virtqueue_*' -D FILE``.

Source: the event definitions of QEMU 7.2 (hw/virtio/trace-events), and logs that it wrote. It says
what was taken from which queue and given back, and over virtio-mmio also what the driver wrote to
the registers. It names no address of a buffer, no register that was read, and no queue but by its
number, which follows from features that QEMU offered and does not log: each combination is a state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import BinaryIO, Final

from vhint.spans import Span
from vhint.trace.events import (
    ConfigWritten,
    Event,
    FeaturesAccepted,
    FeaturesOffered,
    Notified,
    Offered,
    QueueReady,
    ResetDone,
    StatusRead,
    StatusWritten,
    Used,
)
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.case import Role
from vhint_conformance.check.result import Doubt
from vhint_conformance.check.states import Guess, Placed
from vhint_conformance.oracle import features as offers
from vhint_conformance.oracle import lifetime

LINE: Final = re.compile(r"(?:\d+@\d+\.\d+:)?(?P<event>\w+) (?P<rest>.*)")
"""A line, with or without process id and time in front."""
_HEX = r"0x([0-9a-fA-F]{1,16})"
PATTERNS: Final = {
    "virtio_set_status": re.compile(rf"vdev {_HEX} val (\d{{1,3}})"),
    "virtio_queue_notify": re.compile(rf"vdev {_HEX} n (\d{{1,4}}) vq {_HEX}"),
    "virtqueue_pop": re.compile(rf"vq {_HEX} elem {_HEX} in_num (\d{{1,6}}) out_num (\d{{1,6}})"),
    "virtqueue_fill": re.compile(rf"vq {_HEX} elem {_HEX} len (\d{{1,10}}) idx (\d{{1,10}})"),
    "virtqueue_flush": re.compile(rf"vq {_HEX} count (\d{{1,6}})"),
    "virtio_mmio_write_offset": re.compile(rf"virtio_mmio_write offset {_HEX} value {_HEX}"),
    "virtio_mmio_read": re.compile(rf"virtio_mmio_read offset {_HEX}"),
    "virtio_mmio_guest_page": re.compile(r".*"),
}
"""The events that are used, and what follows their names."""

OPTIONAL: Final = (Feature.STATS_VQ, Feature.FREE_PAGE_HINT, Feature.PAGE_REPORTING)
"""Features that move the numbers of QEMU's queues."""
ANY_ROOM: Final = Span(0, 1 << 40)
"""Stands for device-writable buffers of which only the number is known."""

DRIVER_FEATURES, DRIVER_FEATURES_SEL, QUEUE_SEL, QUEUE_NUM, QUEUE_READY = (
    0x20, 0x24, 0x30, 0x38, 0x44,
)  # fmt: skip
ADDRESSES: Final = {0x80: 0, 0x84: 32, 0x90: 64, 0x94: 96, 0xA0: 128, 0xA4: 160}
"""Registers of a queue's three addresses, by their place in one number of 192 bits."""
STATUS: Final = 0x70
CONFIG: Final = 0x100

NOT_IN_LOG: Final = (
    Doubt(
        "the log has no address of any buffer, and no page that was discarded: whose memory was "
        "touched is not told",
        tuple(
            sorted(
                {
                    *lifetime.CONTAINMENT.values(),
                    *lifetime.AFTER_USE.values(),
                    *lifetime.AFTER_RESET.values(),
                    *lifetime.POISON.values(),
                    *lifetime.WRITTEN.values(),
                    "hint.device.unaccepted-untouched",
                    "hint.device.refusal-touches-nothing",
                }
            )
        ),
    ),
    Doubt(
        "the log does not say which features QEMU offered, nor what was read from a register",
        (
            *(slug for slug, *_ in offers.OFFER_RULES),
            "virtio.device.offer-stable",
            "virtio.driver.accept-only-offered",
            "virtio.driver.version-1-accepted",
            "virtio.driver.features-ok-checked",
            "virtio.driver.no-continue-after-failure",
            "balloon.driver.accept-must-tell-host",
        ),
    ),
    Doubt(
        "the log says when QEMU took a chain, not when the driver made it available: one that it "
        "never took is not seen",
        ("*.device.*use-every-buffer",),
    ),
)
NO_REGISTERS: Final = Doubt(
    "registers are logged of virtio-mmio only, and not by device: which features were accepted, "
    "and where queues lie, is not told",
    ("balloon.device.unaccepted-queue-idle", "virtio.driver.*", "ring.driver.*"),
)


@dataclass(slots=True)
class QemuLog:
    """A log that is being read."""

    stream: BinaryIO
    role: Role = Role.DEVICE
    vdev: int | None = None
    doubts: list[Doubt] = field(default_factory=lambda: list(NOT_IN_LOG))
    problem: str = ""
    line: int = 0
    has_registers: bool = False
    _place: int = -1
    _indices: dict[int, int] = field(default_factory=dict)
    _taken: dict[int, tuple[int, int]] = field(default_factory=dict)
    _filled: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _tickets: int = 0
    _accepted: int = 0
    _written: int = 0
    _select: int = 0
    _queue: dict[int, tuple[int, int]] = field(default_factory=dict)
    _queue_select: int = 0
    _from_reset: bool = False
    _devices: set[int] = field(default_factory=set)

    def guesses(self, *, legacy: bool | None) -> list[Guess]:
        """Return the combinations of what the log does not tell."""
        interfaces = ["modern", "legacy"] if legacy is None else ["legacy" if legacy else "modern"]
        each = [[(feature.name, "offered"), (feature.name, "not")] for feature in OPTIONAL]
        interface = [("interface", word) for word in interfaces]
        return [Guess(facts=tuple(facts)) for facts in product(interface, *each)]

    def steps(self) -> Iterator[tuple[int, Callable[[Guess], list[Placed] | None]]]:
        """Yield (line, what it means under a guess); the meaning None refutes the guess."""
        while raw := self.stream.readline(1 << 16):
            self.line += 1
            match = LINE.match(raw.decode("utf-8", "replace"))
            if match is None or match["event"] not in PATTERNS:
                continue
            found = PATTERNS[match["event"]].fullmatch(match["rest"].strip())
            if found is None:
                self.problem = f"line {self.line}: {match['event']} in a form that is not known"
                return
            numbers = [int(text, 16 if _is_hex(found, i) else 10) for i, text in _groups(found)]
            meaning = self._meaning(match["event"], numbers)
            if self.problem:
                return
            if meaning:
                self._place += 1
                yield self.line, self._placed(meaning)
        if not self.has_registers:
            self.doubts.append(NO_REGISTERS)
        if not self._from_reset:
            self.doubts.append(Doubt("the log does not begin with a reset of the device"))

    def _placed(
        self, meaning: Callable[[Guess], list[Event] | None]
    ) -> Callable[[Guess], list[Placed] | None]:
        place = self._place

        def events(guess: Guess) -> list[Placed] | None:
            made = meaning(guess)
            return None if made is None else [(place, event) for event in made]

        return events

    def _meaning(self, event: str, n: list[int]) -> Callable[[Guess], list[Event] | None] | None:
        match event:
            case "virtio_set_status" | "virtio_queue_notify" if not self._is_ours(n[0]):
                return None
            case "virtio_set_status":
                return self._status(n[1])
            case "virtio_queue_notify":
                self._indices[n[2]] = n[1]
                return lambda guess: [Notified(_name(guess, n[1]))]
            case "virtqueue_pop":
                return self._pop(*n)
            case "virtqueue_fill":
                self._filled.setdefault(n[0], []).append((n[1], n[2]))
            case "virtqueue_flush":
                return self._flush(*n)
            case "virtio_mmio_guest_page":
                return lambda guess: [] if guess["interface"] == "legacy" else None
            case "virtio_mmio_write_offset":
                return self._register(*n)
            case "virtio_mmio_read" if n[0] == STATUS:
                status = self._written  # the log does not say what was read
                return lambda _: [StatusRead(status)]
        return None

    def _is_ours(self, vdev: int) -> bool:
        self._devices.add(vdev)
        if self.vdev is None and len(self._devices) > 1:
            self.problem = (
                f"line {self.line}: a second virtio device, {vdev:#x}: name the balloon with --vdev"
            )
        return self.vdev is None or vdev == self.vdev

    def _status(self, value: int) -> Callable[[Guess], list[Event] | None]:
        self._written = value
        if not value:
            self._taken.clear()
            self._filled.clear()
            self._from_reset = self._from_reset or not self._tickets
            self._accepted = 0
            return lambda _: [StatusWritten(0), ResetDone()]
        accepted, known = Features(self._accepted), self.has_registers
        wants = value & (DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK)

        def events(guess: Guess) -> list[Event] | None:
            offered = _offered(guess)
            if known and accepted & Features.of(*OPTIONAL) - offered:
                return None  # nobody accepts what is not offered, and QEMU would cut it off
            if guess["interface"] == "legacy" and Feature.VERSION_1 in accepted:
                return None
            bits = (accepted if known else offered).bits
            told: list[Event] = [FeaturesAccepted(bits)]
            if self.role is Role.DRIVER:  # what it has accepted is taken to have been offered
                told.insert(0, FeaturesOffered(bits | 1 << Feature.PAGE_POISON))
            return [*(told if wants else ()), StatusWritten(value)]

        return events

    def _pop(
        self, vq: int, element: int, writable: int, _readable: int
    ) -> Callable[[Guess], list[Event]] | None:
        if vq not in self._indices:
            return None
        index, ticket = self._indices[vq], self._tickets
        self._tickets += 1
        self._taken[element] = (vq, ticket)
        room = (ANY_ROOM,) if writable else ()
        return lambda guess: [Offered(_name(guess, index), ticket, element, (), room)]

    def _flush(self, vq: int, count: int) -> Callable[[Guess], list[Event]] | None:
        filled = self._filled.pop(vq, [])
        index = self._indices.get(vq)
        if index is None:
            return None
        del filled[count:]
        used: list[tuple[int, int | None, int]] = []
        for element, length in filled:
            ticket = self._taken.pop(element, (vq, None))[1]
            if ticket is not None or self._from_reset:
                used.append((element, ticket, length))
        return lambda guess: [
            Used(_name(guess, index), element, ticket, length, since=-1)
            for element, ticket, length in used
        ]

    def _register(self, offset: int, value: int) -> Callable[[Guess], list[Event]] | None:
        if len(self._devices) > 1:  # the log does not say whose register it is
            self.has_registers = False
            return None
        self.has_registers = True
        match offset:
            case _ if offset >= CONFIG:
                size = min(4, max(1, (value.bit_length() + 7) // 8))
                return lambda _: [ConfigWritten(offset - CONFIG, size, value)]
            case _ if offset == DRIVER_FEATURES_SEL:
                self._select = value
            case _ if offset == DRIVER_FEATURES and self._select < 2:
                shift = 32 * self._select
                self._accepted &= ~(0xFFFFFFFF << shift)
                self._accepted |= (value & 0xFFFFFFFF) << shift
            case _ if offset == QUEUE_SEL:
                self._queue_select = value
            case _ if offset == QUEUE_NUM:
                self._queue[self._queue_select] = (value & 0xFFFF, 0)
            case _ if offset in ADDRESSES and self._queue_select in self._queue:
                size, places = self._queue[self._queue_select]
                places |= (value & 0xFFFFFFFF) << ADDRESSES[offset]
                self._queue[self._queue_select] = (size, places)
            case _ if offset == QUEUE_READY and value == 1 and self._queue_select in self._queue:
                return _ready(self._queue_select, *self._queue[self._queue_select])
        return None


def _ready(index: int, size: int, places: int) -> Callable[[Guess], list[Event]]:
    table, available, used = (places >> shift & (1 << 64) - 1 for shift in (0, 64, 128))
    spans = (Span(table, 16 * size), Span(available, 6 + 2 * size), Span(used, 6 + 8 * size))
    return lambda guess: [QueueReady(_name(guess, index), index, size, *spans)]


def _offered(guess: Guess) -> Features:
    facts = dict(guess.facts)
    return Features.of(*(feature for feature in OPTIONAL if facts[feature.name] == "offered"))


def _name(guess: Guess, index: int) -> str:
    """Return what QEMU's queue of a number is, if it offered this."""
    offered = _offered(guess)
    there = [q for q, feature in QUEUE_FEATURE.items() if feature is None or feature in offered]
    # A queue that cannot be is judged as the last that can: nothing of it is accepted then.
    return str(there[index] if index < len(there) else Queue.HINTING)


def _groups(found: re.Match[str]) -> Iterable[tuple[int, str]]:
    return [(i, text) for i, text in enumerate(found.groups(), 1)]


def _is_hex(found: re.Match[str], group: int) -> bool:
    return found.string[found.start(group) - 2 : found.start(group)] == "0x"
