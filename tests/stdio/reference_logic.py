"""The reference device without its rings, as protocol logic and, run as a program, as a harness.

It has everything that the protocol can carry: statistics, rounds, poison, bitmaps, queue resets.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator
from typing import Any

from vhint.host import EVERY_FEATURE, Device, DeviceOptions
from vhint.host.reclaim import Discarded, Reclaimer
from vhint.host.work import Line
from vhint.ring import GuestMemory
from vhint.spans import Span, merge
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.logic import (
    CAN,
    Buffer,
    ConfigChanged,
    Discard,
    Effect,
    ProtocolLogic,
    Use,
)

OF_RINGS = Features.of(Feature.RING_PACKED, Feature.INDIRECT_DESC, Feature.EVENT_IDX)
OFFER = (EVERY_FEATURE | Features.of(Feature.RING_RESET)) - OF_RINGS
DRIVER = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER
AGREED = DRIVER | DeviceStatus.FEATURES_OK


class Collect(Reclaimer):
    """Makes effects of discards."""

    def __init__(self, memory: GuestMemory, effects: list[Effect]) -> None:
        super().__init__(memory)
        self.effects = effects

    def discard(self, spans: Any) -> Discarded:
        gone = merge(spans)
        self.effects += [Discard(*span) for span in gone]
        return Discarded(gone)


class Shown:
    """A chain whose bytes came in a message."""

    def __init__(self, buffer: Buffer) -> None:
        self.head = buffer.id
        self.data = buffer.data
        self.readable_size = buffer.readable_length
        self.writable = buffer.writable
        self.writable_size = buffer.room
        self.written = b""

    def read(self, _memory: GuestMemory, limit: int) -> bytes:
        return self.data[:limit]

    def write(self, _memory: GuestMemory, data: bytes) -> int:
        self.written = data[: self.writable_size]
        return len(self.written)


class NoRing:
    """What stands where the device has a ring: using a buffer is an effect."""

    def __init__(self, queue: Queue, effects: list[Effect]) -> None:
        self.queue = queue
        self.effects = effects
        self.pending = 0

    def push(self, head: int, length: int) -> None:
        self.effects.append(Use(self.queue, head, b"", length))

    def interrupt_needed(self) -> bool:
        return False


class ReferenceLogic(ProtocolLogic):
    """Drives the registers and the handlers of a reference device."""

    version = "reference"
    can = CAN

    def __init__(self, ram: int) -> None:
        self.effects: list[Effect] = []
        self.memory = GuestMemory.create(ram)
        options = DeviceOptions(offered=OFFER)
        self.device = Device(self.memory, options, Collect(self.memory, self.effects))
        self.generation = 0

    def offered(self) -> Features:
        return OFFER

    def accept(self, features: Features) -> bool:
        self.device.write_status(DRIVER)
        self.device.write_features(features.bits)
        self.device.write_status(AGREED)
        return bool(self.device.read_status() & DeviceStatus.FEATURES_OK)

    def start(self, queues: Collection[Queue]) -> list[Effect]:
        self.device.write_status(AGREED | DeviceStatus.DRIVER_OK)
        for queue in queues:
            self.connect(Queue(queue))
        return self.done()

    def connect(self, queue: Queue) -> None:
        handler = self.device._handlers[queue]
        self.device.lines[queue] = Line(NoRing(queue, self.effects), handler)

    def take(self, buffer: Buffer) -> list[Effect]:
        chain = Shown(buffer)
        length = self.run(self.device.lines[buffer.queue].handler.handle(chain))
        if length is not None:
            self.effects.append(Use(buffer.queue, buffer.id, chain.written, length))
        return self.done()

    @staticmethod
    def run(work: Iterator[None]) -> int | None:
        while True:
            try:
                next(work)
            except StopIteration as end:
                return end.value

    def done(self) -> list[Effect]:
        """Return the effects so far."""
        if self.device.config_generation() != self.generation:
            self.generation = self.device.config_generation()
            self.effects.append(ConfigChanged())
        found, self.effects[:] = list(self.effects), []
        return found

    def read_config(self, offset: int, length: int) -> bytes:
        return self.device.read_config(offset, length)

    def write_config(self, offset: int, data: bytes) -> list[Effect]:
        self.device.write_config(offset, data)
        return self.done()

    def reset(self) -> None:
        self.device.write_status(0)
        self.done()

    def reset_queue(self, queue: Queue) -> list[Effect]:
        index = self.device._indices()[queue]
        self.device.reset_queue(index)
        self.connect(queue)
        return self.done()

    def set_balloon_size(self, pages: int) -> list[Effect]:
        self.device.set_balloon_size(pages)
        return self.done()

    def balloon_size(self) -> int:
        return self.device.context.config.actual

    def poll_statistics(self) -> list[Effect]:
        self.device.poll_statistics()
        return self.done()

    def statistics(self) -> dict[int, int]:
        return self.device.statistics()

    def start_round(self) -> list[Effect]:
        self.device.start_round()
        return self.done()

    def stop_round(self) -> list[Effect]:
        self.device.stop_round()
        return self.done()

    def finish_round(self) -> list[Effect]:
        self.device.finish_round()
        return self.done()

    def cancel_round(self) -> list[Effect]:
        self.device.cancel_round()
        return self.done()

    def inhibit(self, on: bool) -> list[Effect]:
        self.device.inhibited = on
        return self.done()


# The same, as a harness


def as_json(effect: Effect) -> dict[str, Any]:
    match effect:
        case Use(queue, number, data, length):
            made = {"do": "use", "queue": queue, "id": number, "data": data.hex()}
            return made if length is None else {**made, "length": length}
        case Discard(address, length):
            return {"do": "discard", "address": address, "length": length}
        case _:
            return {"do": "config_changed"}


def step(logic: ReferenceLogic, request: dict[str, Any]) -> dict[str, Any]:
    event = request["event"]
    if event == "features":
        return {"accepted": logic.accept(Features.of(*request["features"]))}
    if event == "buffer":
        readable = tuple(map(bytes.fromhex, request["readable"]))
        writable = tuple(Span(*each) for each in request["writable"])
        length = request["readable_length"]
        buffer = Buffer(Queue(request["queue"]), request["id"], readable, length, writable)
        effects = logic.take(buffer)
    elif event == "driver_ok":
        effects = logic.start(request["queues"])
    elif event == "write_config":
        effects = logic.write_config(request["offset"], bytes.fromhex(request["data"]))
    elif event == "reset_queue":
        effects = logic.reset_queue(Queue(request["queue"]))
    else:
        arguments = [request[name] for name in ("pages", "on") if name in request]
        effects = getattr(logic, event)(*arguments)
    return {"effects": list(map(as_json, effects))}


def observe(logic: ReferenceLogic, request: dict[str, Any]) -> dict[str, Any]:
    match request["what"]:
        case "config":
            return {"data": logic.read_config(request["offset"], request["length"]).hex()}
        case "statistics":
            return {"statistics": [[tag, str(each)] for tag, each in logic.statistics().items()]}
        case _:
            return {"pages": logic.balloon_size()}


def answer(logic: ReferenceLogic, request: dict[str, Any]) -> dict[str, Any]:
    match request["cmd"]:
        case "start":
            return {
                "protocol": "vhint-harness/1", "name": "reference", "version": "1",
                "language": "Python", "roles": ["device"],
                "profiles": ["balloon", "reporting", "free-page-hint", "hint-pfn", "hint-bitmap"],
                "features": [feature.value for feature in OFFER], "can": sorted(CAN),
            }  # fmt: skip
        case "step":
            return step(logic, request)
        case "observe":
            return observe(logic, request)
        case "reset":
            logic.reset()
    return {}


def main() -> None:
    logic = ReferenceLogic(1 << 20)
    for line in sys.stdin:
        request = json.loads(line)
        if request["cmd"] == "configure":
            logic.memory.close()
            ((_, size),) = request["ram"]
            logic = ReferenceLogic(size)
        said = {"seq": request["seq"], **answer(logic, request)}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        if request["cmd"] == "stop":
            break


if __name__ == "__main__":
    main()
