"""The reference guest, walked at random, with the model's view of every state that it is in."""

from __future__ import annotations

import random
from collections.abc import Iterator

from vhint.guest.device_life import DeviceState
from vhint.guest.direct_port import DirectPort
from vhint.guest.driver import Request
from vhint.guest.guest import Guest, GuestOptions
from vhint.guest.hinting import Batching, HintSettings, Isolating
from vhint.guest.memory import MemoryOptions, PerCpuMarks, ZoneKind, ZoneSpec
from vhint.guest.step import Step
from vhint.guest.worker import WorkerState
from vhint.spans import PAGE
from vhint.wire import hint_ack
from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import Block as WireBlock
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.queues import Queue
from vhint_conformance.model.explore.systems import tables
from vhint_conformance.model.explore.systems.bounds import Bounds
from vhint_conformance.model.explore.systems.buddy import Block, Zones
from vhint_conformance.model.explore.systems.hint import state as model

FIRST = 64
HOLDING = (WorkerState.CHECKED, WorkerState.HOLDING)


class Shadow:
    """A guest and a host that plays by hand; `view` is what the model makes of them."""

    def __init__(self, bounds: Bounds, seed: int, *, follow_merges: bool) -> None:
        self.bounds, self.rng = bounds, random.Random(seed)
        self.zones = Zones(bounds.pages, bounds.zones, bounds.max_order)
        size = bounds.pages // bounds.zones
        specs = tuple(
            ZoneSpec(kind, FIRST + size * i, size, max_order=bounds.max_order)
            for i, kind in enumerate(list(ZoneKind)[-bounds.zones :])
        )
        self.port = DirectPort([Feature.HINTING], size=2 * bounds.requests)
        self.port.resets_at_once = False
        marks = self.rng.choice((PerCpuMarks(0, 0), PerCpuMarks(1, 2), PerCpuMarks(2, 3)))
        options = GuestOptions(
            MemoryOptions(specs, cpus=bounds.cpus, per_cpu=marks),
            HintSettings(
                array_size=bounds.entries,
                first_threshold=1,
                second_threshold=self.rng.randint(1, 2),
                follow_merges=follow_merges,
                time_limit=3,
            ),
            orders=tuple(range(bounds.max_order + 1)),
        )
        generation = self.rng.choice((Isolating, Batching))()
        self.guest = Guest(options, self.port, generation=generation)
        self.guest.start()
        self.slots: list[Request | None] = [None] * bounds.requests
        self.taken: set[Request] = set()
        self.used: set[Request] = set()
        self.discarded: dict[Request, set[int]] = {}
        self.scanned = [0] * bounds.cpus
        self.resets = 0

    # Stepping

    def steps(self) -> list[Step]:
        """What can happen next, the guest's steps and the host's."""
        pending = [bool(hooks) for hooks in self.guest.applications.hooks]
        steps = [
            step
            for step in self.guest.enabled()
            # A CPU frees one block at a time: the hook runs before the next.
            if not (step.action == "free" and pending[int(step.actor[3:])])
        ]
        return [*steps, *self._host_steps()]

    def _host_steps(self) -> Iterator[Step]:
        live = self.guest.state is DeviceState.LIVE and self.resets < self.bounds.resets
        if live and self.rng.random() < (0.2 if any(self.slots) else 0.002):
            yield Step("device", "begin_reset")
        if self.guest.state is DeviceState.RESETTING and not self.port.reset_done():
            yield Step("host", "stop")
        for number, request in enumerate(self.slots):
            if request is None or request not in self.port.available[Queue.HINTING]:
                continue
            if request not in self.taken:
                yield Step("host", "take", number)
                continue
            left = self.named(request) - self.discarded[request]
            if left:
                yield Step("host", "discard", number)
            else:
                yield Step("host", "use", number)

    def choose(self) -> Step:
        """Choose one of `steps`, applications less often than those that they wait for."""
        steps = self.steps()
        others = [step for step in steps if not step.actor.startswith("cpu")]
        return self.rng.choice(others if others and self.rng.random() < 0.4 else steps)

    def do(self, step: Step) -> None:
        """Let one of `steps` happen, and a little time go by."""
        if step.actor == "host":
            self._host(step)
        elif step == ("device", "begin_reset", 0):
            self.resets += 1
            self.guest.do(step)
        else:
            self.guest.do(step)
        for worker in self.guest.hinting.workers:
            if step == (worker.name, "wake", 0):
                self.scanned[worker.cpu] = len(worker.entries)
        self._follow_requests()
        if self.rng.random() < 0.3:
            self.guest.tick(self.guest.now + 1)

    def _host(self, step: Step) -> None:
        if step.action == "stop":
            self.port.finish_reset()
            return
        request = self.slots[step.argument]
        assert request is not None
        match step.action:
            case "take":
                self.taken.add(request)
                self.discarded[request] = set()
            case "discard":
                left = self.named(request) - self.discarded[request]
                self.discarded[request].add(self.rng.choice(sorted(left)))
            case "use":
                count = request.draft.count
                results = Bitmap.from_indices(count, range(count))
                answer = Acknowledgement(request.draft.cookie, Status.OK, count, results)
                self.port.use(request, hint_ack.build(answer))
                self.used.add(request)

    def _follow_requests(self) -> None:
        outstanding = {each.request for each in self.guest.hinting.outstanding}
        for number, request in enumerate(self.slots):
            if request is not None and request not in outstanding:
                self.slots[number] = None
        for request in outstanding - set(self.slots):
            self.slots[self.slots.index(None)] = request

    # Looking

    def named(self, request: Request) -> set[int]:
        return {span_page for span in request.draft.blocks for span_page in _pages(span)}

    def block(self, found: WireBlock) -> Block:
        page = found.pfn - FIRST
        return Block(self.zones.zone_of(page), page, found.order)

    def view(self) -> dict[str, int]:
        """The state as the model has it, field by field."""
        value = {block: i + 1 for i, block in enumerate(self.zones.blocks)}
        memory, hinting = self.guest.memory, self.guest.hinting
        fields: dict[str, int] = {"reset": self._reset(), "resets": self.resets}
        for page in range(self.bounds.pages):
            place = tables.collapse(memory.state(FIRST + page))
            fields[f"page {page}"] = tables.PLACES.index(place)
        for number, zone in enumerate(memory.zones):
            holder = zone.lock.holder
            fields[f"lock {number}"] = 1 + int(holder[len("worker") :]) if holder else 0
        for cpu, worker in enumerate(hinting.workers):
            fields[f"worker {cpu}"] = model.WORKER_PLACES.index(worker.state)
            fields[f"worked {cpu}"] = int(worker.held is not None and worker._looked > 0)
            pending = self.guest.applications.hooks[cpu]
            fields[f"freed {cpu}"] = value[self.block(pending[0])] if pending else 0
            holds = worker.found is not None and worker.state in HOLDING
            fields[f"found {cpu}"] = value[self.block(worker.found)] if holds else 0
            for i, entry in enumerate(hinting.arrays[cpu].entries):
                fields[f"captured {cpu}.{i}"] = value[self.block(entry)]
            start = self.scanned[cpu] - len(worker.entries)
            for i, entry in enumerate(worker.entries, start):
                fields[f"scanned {cpu}.{i}"] = value[self.block(entry)]
            for waiting in worker.waiting:
                for page in self.block(waiting).pages:
                    fields[f"isolated {cpu}.{page}"] = 1
        for number, request in enumerate(self.slots):
            fields |= self._request(number, request)
        return fields

    def _reset(self) -> int:
        if self.guest.state is DeviceState.LIVE:
            return model.NO_RESET
        asked = self.guest.state is DeviceState.RESETTING and not self.port.reset_done()
        return model.RESET_ASKED if asked else model.RESET_DONE

    def _request(self, number: int, request: Request | None) -> dict[str, int]:
        if request is None:
            return {}
        place = model.SLOT_TAKEN if request in self.taken else model.SLOT_AVAILABLE
        fields = {f"request {number}": model.SLOT_USED if request in self.used else place}
        for page in self.named(request):
            fields[f"named {number}.{page}"] = 1
        for page in self.discarded.get(request, ()):
            fields[f"discarded {number}.{page}"] = 1
        return fields


def _pages(span: object) -> range:
    start = span.start // PAGE - FIRST  # type: ignore[attr-defined]
    return range(start, start + span.length // PAGE)  # type: ignore[attr-defined]
