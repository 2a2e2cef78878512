"""Device-level vectors on the reference device, over a loopback transport."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vhint.host import Device, DeviceOptions
from vhint.ring import GuestMemory, Region, SplitDriverQueue, SplitLayout
from vhint.spans import PAGE, Span, merge, subtract
from vhint.transport.loopback import Loopback
from vhint.wire import hint_ack, vring
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, queue_map
from vhint.wire.status import DeviceStatus

Json = dict[str, Any]
FILL = b"\x5a"


def spans(value: list[Json]) -> list[Span]:
    return [Span(int(each["start"]), int(each["length"])) for each in value]


class SeveralRegions(Loopback):
    """A loopback whose memory has the regions of a setting."""

    def __init__(self, setting: Json) -> None:
        regions, size = [], 0
        for span in spans(setting["ram"]):
            regions.append(Region(span.start, span.length, size))
            size += span.length
        fd = os.memfd_create("vectors")
        os.ftruncate(fd, size)
        memory = GuestMemory(fd, regions)
        os.close(fd)
        self.options = DeviceOptions(
            offered=Features.of(*setting["accepted"]) | Features.of(Feature.PAGE_POISON),
            host_page=setting["host_page"],
            hint_max_count=setting["hint_max_count"],
            hint_min_order=setting["hint_min_order"],
        )
        super().__init__(lambda view: Device(view, self.options), size, memory)
        memory.close()


class Guest:
    """A driver that puts bytes into a queue of one setting."""

    def __init__(self, setting: Json, queue: Queue) -> None:
        self.transport = SeveralRegions(setting)
        self.memory = self.transport.memory
        self.structures = spans([setting["structures"]])[0]
        accepted = Features.of(*setting["accepted"])
        transport = self.transport
        transport.write_status(0)
        transport.write_status(1)
        transport.write_status(3)
        transport.write_features(accepted.bits)
        transport.write_status(11)
        assert transport.read_status() == 11
        options = transport.options
        self.index = queue_map(options.queue_mode, options.offered, accepted)[queue]
        layout = SplitLayout.at(self.structures.start, 64)
        self.ring = SplitDriverQueue(self.memory, layout, event_idx=False)
        assert transport.set_up_queue(self.index, layout)
        if setting["poison_val"] is not None:
            transport.write_config(12, setting["poison_val"].to_bytes(4, "little"))
        transport.write_status(15)
        self.free = subtract(spans(setting["ram"]), [self.structures])
        for span in self.free:
            self.memory.write(span.start, FILL * span.length)
        self.request_at = self.structures.start + 0x10000
        self.answer_at = self.structures.start + 0x20000

    def send(self, data: bytes, room: int) -> None:
        self.memory.write(self.request_at, data)
        readable = [Span(self.request_at, len(data))] if data else []
        self.ring.add(readable, [Span(self.answer_at, room)] if room else [])
        self.go()

    def send_chain(self, table: bytes) -> None:
        self.memory.write(self.ring.layout.descriptors, table)
        count = len(table) // vring.DESCRIPTOR_STRUCT.size
        self.ring.put_available(self.ring.claim(*range(count)))
        self.go()

    def go(self) -> None:
        self.ring.publish()
        self.transport.notify(self.index)
        self.transport.settle()

    def discarded(self) -> tuple[Span, ...]:
        return subtract(self.memory.holes(), subtract(self.memory.holes(), self.free))

    def intact(self, spared: tuple[Span, ...]) -> bool:
        return all(
            self.memory.peek(span) == FILL * span.length for span in subtract(self.free, spared)
        )


@contextmanager
def guest(setting: Json, queue: Queue) -> Iterator[Guest]:
    made = Guest(setting, queue)
    try:
        yield made
    finally:
        made.transport.close()


def device_problem(file: Json, vector: Json, name: str) -> str | None:
    """How the reference device departs from what the vector expects; None if it does not.

    The reference discards all that it may: an expectation that is too generous shows as well.
    """
    expected = vector["device"][name]
    data, queue = bytes.fromhex(vector["hex"]), Queue(file["queue"])
    with guest(file["settings"][name], queue) as made:
        if queue is Queue.REPORTING:
            made.send_chain(data)
        else:
            made.send(data, 16 + PAGE if queue is Queue.HINTING else 0)
        outcome = _outcome(made, queue)
        if outcome not in expected["outcomes"]:
            return f"outcome {outcome}"
        gone = made.discarded()
        allowed = merge(spans(expected.get("may_discard", [])))
        if subtract(gone, allowed):
            return f"discarded {gone}"
        if not made.intact(gone):
            return "memory was changed"
        if "figures" in expected:
            wanted = {each["tag"]: int(each["value"]) for each in expected["figures"]}
            known = made.transport.device.statistics()
            return None if wanted.items() <= known.items() else f"figures {known}"
        complete = outcome == "used"
        if queue is Queue.HINTING:
            if problem := _answer_problem(made, data, expected["statuses"]):
                return problem
            complete = _status(made) is hint_ack.Status.OK
        if complete and gone != allowed and "may_discard" in expected:
            return f"discarded {gone} only"
    return None


def _outcome(made: Guest, queue: Queue) -> str:
    if made.transport.read_status() & DeviceStatus.NEEDS_RESET:
        return "needs-reset"
    if queue is Queue.STATS and not made.ring.pending:
        assert made.transport.device.poll_statistics()
        return "used-when-asked" if made.ring.pending else "silence"
    return "used" if made.ring.pending == 1 else "silence"


def _status(made: Guest) -> hint_ack.Status:
    raw = made.memory.read(Span(made.answer_at + 8, 4))
    return hint_ack.Status(int.from_bytes(raw, "little"))


def _answer_problem(made: Guest, data: bytes, statuses: list[str]) -> str | None:
    used = made.ring.collect()
    assert used is not None
    raw = made.memory.read(Span(made.answer_at, used.length))
    count = int.from_bytes(data[4:8], "little") if len(data) >= 16 else 0
    found = hint_ack.parse(raw, count)
    if found.cookie != (int.from_bytes(data[8:16], "little") if len(data) >= 16 else 0):
        return f"cookie {found.cookie}"
    if found.status.name not in statuses:
        return f"status {found.status.name}"
    if found.status >= 2 and (used.length, found.processed) != (16, 0):
        return f"length {used.length}, processed {found.processed}"
    return None
