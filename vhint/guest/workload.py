"""The talk's test application: allocate memory, touch it, free it; under each generation.

The actors take turns, one step each a round: the application of every CPU, every worker, the
driver's answers, and a host that takes some rounds for a request.  So a figure of "steps" is in
rounds of work, not in time; what can be compared is the generations with each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from vhint.guest.direct_port import DirectPort
from vhint.guest.driver import Request
from vhint.guest.guest import Guest, GuestOptions
from vhint.guest.hinting import GENERATIONS, Counters, Generation, HintSettings
from vhint.guest.memory import (
    Block,
    MemoryOptions,
    PerCpuMarks,
    TagContent,
    Watermarks,
    ZoneKind,
    ZoneSpec,
)
from vhint.spans import PAGE
from vhint.wire import hint_ack
from vhint.wire.bitmap import Bitmap
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.queues import Queue

ZONES = (
    ZoneSpec(ZoneKind.DMA, 0, 256, Watermarks(16, 20, 24)),
    ZoneSpec(ZoneKind.DMA32, 256, 1792, Watermarks(16, 20, 24)),
    ZoneSpec(ZoneKind.NORMAL, 2048, 2048, Watermarks(16, 20, 24)),
)


@dataclass(frozen=True, slots=True)
class TestApplication:
    """On each of `cpus` CPUs, `cycles` times: allocate `pages` pages, touch them, free them.

    CPU n begins n * `stagger` rounds later, so that one allocates while another frees.  The host
    takes `host_rounds` for a request.
    """

    __test__ = False  # not a test class, whatever its name says

    cpus: int = 2
    pages: int = 1500
    cycles: int = 2
    stagger: int = 2000
    host_rounds: int = 50
    settings: HintSettings = field(default_factory=HintSettings)
    per_cpu: PerCpuMarks = field(default_factory=PerCpuMarks)
    zones: tuple[ZoneSpec, ...] = ZONES


class SimulatedHost:
    """Answers every hinting request OK, some rounds after it saw it, and discards the pages."""

    def __init__(self, port: DirectPort, content: TagContent, rounds: int) -> None:
        self.port = port
        self.content = content
        self.rounds = rounds
        self._seen: deque[tuple[int, Request]] = deque()
        self._round = 0

    def step(self) -> None:
        """Let a round pass."""
        self._round += 1
        known = {request.ticket for _, request in self._seen}
        for request in self.port.available[Queue.HINTING]:
            if request.ticket not in known:
                self._seen.append((self._round + self.rounds, request))
        while self._seen and self._seen[0][0] <= self._round:
            self.answer(self._seen.popleft()[1])

    def answer(self, request: Request) -> None:
        """Discard what a request names, then use it."""
        draft = request.draft
        for span in draft.blocks:
            self.content.discard(span.start // PAGE, span.length // PAGE)
        results = Bitmap.from_indices(draft.count, draft.positions)
        ack = Acknowledgement(draft.cookie, Status.OK, len(draft.blocks), results)
        self.port.use(request, hint_ack.build(ack, draft.count)[: draft.room])


def run(generation: Generation, application: TestApplication | None = None) -> Counters:
    """Run the test application on a guest of that generation, to the end of the last answer.

    Raises `RuntimeError` if a page is lost or has lost its content: then the figures mean nothing.
    """
    what = application or TestApplication()
    content = TagContent()
    port = DirectPort((Feature.HINTING, Feature.HINTING_BITMAP, Feature.VERSION_1))
    memory = MemoryOptions(what.zones, what.cpus, what.per_cpu)
    guest = Guest(GuestOptions(memory, what.settings), port, content=content, generation=generation)
    guest.start()
    host = SimulatedHost(port, content, what.host_rounds)
    programs = [_program(guest, cpu, what) for cpu in range(what.cpus)]
    while programs or not _quiet(guest):
        programs = [program for program in programs if next(program, True) is None]
        if not programs:
            guest.tick(guest.now + 1)
        _kernel_round(guest)
        host.step()
    problems = guest.memory.verify()
    if problems or not guest.memory.account().balanced:
        raise RuntimeError(f"{generation.name}: memory is not sound: {problems[:3]}")
    return guest.counters


def compare(application: TestApplication | None = None) -> dict[str, Counters]:
    """Run the test application under every generation, and return name to figures."""
    return {name: run(kind(), application) for name, kind in GENERATIONS.items()}


def _program(guest: Guest, cpu: int, what: TestApplication) -> Iterator[None]:
    """Yield after every step of an application; a step that has to wait is tried again."""
    for _ in range(cpu * what.stagger):
        yield
    for _ in range(what.cycles):
        blocks: list[Block] = []
        while len(blocks) < what.pages:
            block = guest.applications.allocate(cpu)
            if block is not None:
                blocks.append(block)
            yield
        for block in blocks:
            guest.memory.touch(block)
            yield
        for block in blocks:
            while not guest.applications.free(cpu, block):
                yield
            yield


def _kernel_round(guest: Guest) -> None:
    """Let every actor of the kernel that can take a step take one."""
    hinting = guest.hinting
    for cpu, hooks in enumerate(guest.applications.hooks):
        if hooks:
            guest.applications.capture(cpu)
    held = hinting.memory.stop.holder or any(zone.lock.holder for zone in guest.memory.zones)
    guest.counters.lock_held_steps += bool(held)
    for worker in hinting.workers:
        worker.step()
    hinting.collect()
    if hinting.can_return():
        hinting.return_one()


def _quiet(guest: Guest) -> bool:
    """Whether nothing is on its way any more."""
    hinting = guest.hinting
    return not (
        any(guest.applications.hooks)
        or any(map(len, hinting.arrays))
        or any(worker.waiting or worker.next_event() for worker in hinting.workers)
        or hinting.requests
    )
