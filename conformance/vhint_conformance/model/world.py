"""A guest on a device, every step of which is somebody's choice, with all judges looking on.

The memory and the rings are real.  The world plays the applications: it allocates, writes and
frees, so that a live page that loses its content is seen whoever is to blame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from vhint.guest.memory import PatternContent
from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span, block, subtract
from vhint.trace import Recorder
from vhint.trace.events import (
    Changed,
    Discarded,
    Offered,
    Touched,
)
from vhint.transport.interface import Transport
from vhint.transport.loopback import Loopback
from vhint.wire import config
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.model.driver_rules import KickRules, OwnershipRules, RequestRules, RoundRules
from vhint_conformance.model.history import HistoryWriter
from vhint_conformance.model.hosts import HOSTS
from vhint_conformance.model.reference_guest import ReferenceGuest
from vhint_conformance.model.setup import Setup
from vhint_conformance.oracle import device_monitors
from vhint_conformance.oracle.packed import PackedRules, Side
from vhint_conformance.verdict import Failed, Violation

MakeGuest = Callable[[Setup, Transport, Recorder], Any]
MakeDevice = Callable[[GuestMemory], Any]
COMMAND_ID = "free_page_hint_cmd_id"
TURNS = 100
"""Turns of a settling world after which it is taken never to come to rest."""


class World:
    """One guest on one device, from start to close.

    `scenario` holds a sentence for everything that happened.  `honest` is False for a device that
    lies on purpose, which is then not judged.
    """

    def __init__(
        self,
        setup: Setup,
        make_guest: MakeGuest = ReferenceGuest,
        make_device: MakeDevice | None = None,
        *,
        honest: bool = True,
    ) -> None:
        def usual(memory: GuestMemory) -> Any:
            return HOSTS[setup.host](memory, setup.host_options)

        self.setup = setup
        self.scenario: list[str] = []
        self.live: list[tuple[int, int, int]] = []
        self.now = 0
        self.transport = Loopback(make_device or usual, setup.end * PAGE)
        self.device = self.transport.device
        self.memory = self.transport.memory
        self.recorder = Recorder()
        self.rounds = RoundRules(self.memory)
        self.monitors = [OwnershipRules(self.memory), RequestRules(self.memory), self.rounds]
        self.monitors.append(KickRules(self.memory))
        self.packed = PackedRules(self.memory, set(Side) if honest else {Side.DRIVER}, hears=True)
        self.monitors.append(self.packed)
        self.memory.before_store = partial(self.packed.stored, Side.DRIVER)
        self.transport.device_memory.before_store = partial(self.packed.stored, Side.DEVICE)
        self.monitors += device_monitors() if honest else []
        for monitor in self.monitors:
            self.recorder.listen(monitor.see)
        self.history = HistoryWriter(self.memory)
        self.recorder.listen(self.history.see)
        self.guest = make_guest(setup, self.transport, self.recorder)
        self._content = PatternContent(self.memory)
        self._expected: dict[int, int] = {}
        self._written = 0
        self._shown = -1
        self.busiest = ""
        self.crash: Exception | None = None
        self._refused: list[Violation] = []

    def start(self) -> None:
        """Let the guest initialise the device, and both get over what that brings."""
        self._guarded(self.guest.start)
        self.step_device(64)
        if Feature.FREE_PAGE_HINT not in self.setup.features and self.crash is None:
            self.kernel("balloon", 1)
        self._look_at_config()
        self.scenario.clear()

    def _guarded(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call the guest; what it raises is kept, because a broken guest may well crash."""
        if self.crash is not None:
            return None
        try:
            made = call(*arguments)
            self.packed.look(Side.DRIVER)
            return made
        except Exception as error:  # noqa: BLE001 - whatever a foreign guest raises
            self.crash = error
            self.say("guest", f"crashes: {type(error).__name__}: {error}")
            return None

    def close(self) -> None:
        """Free the memory."""
        self.transport.close()

    # Applications

    def allocate(self, cpu: int, order: int) -> int | None:
        """Let an application allocate a block and write it."""
        pfn: int | None = self._guarded(self.guest.allocate, cpu, order)
        size = f"{1 << order} pages" if order else "a page"
        if pfn is None:
            self.say(f"cpu{cpu}", f"wants {size} and has to wait")
            return None
        self.live.append((pfn, order, cpu))
        self.say(f"cpu{cpu}", f"allocates {_name(pfn, order)} and writes it")
        self._write(pfn, order)
        return pfn

    def _write(self, pfn: int, order: int) -> None:
        self.recorder.emit(Touched((block(pfn, order),)))
        for page in range(pfn, pfn + (1 << order)):
            self._written += 1
            self._content.write(page, self._written)
            self._expected[page] = self._written

    def free(self, which: int) -> bool:
        """Let an application free one of the live blocks, counted from the newest."""
        number = len(self.live) - 1 - which % len(self.live)
        pfn, order, cpu = self.live[number]
        expected = {page: self._expected.pop(page) for page in range(pfn, pfn + (1 << order))}
        if not self._guarded(self.guest.free, cpu, pfn):
            self._expected |= expected
            self.say(f"cpu{cpu}", f"wants to free {_name(pfn, order)} and has to wait")
            return False
        del self.live[number]
        self.say(f"cpu{cpu}", f"frees {_name(pfn, order)}")
        return True

    # Kernel and device

    def actors(self) -> list[str]:
        """Return who in the kernel has something to do, always in the same order."""
        return list(dict.fromkeys(actor for actor, _ in self.guest.steps()))

    def kernel(self, actor: str, steps: int, pick: int = 0) -> int:
        """Let an actor of the kernel take some steps; return how many it took."""
        taken = 0
        while taken < steps:
            possible = [action for name, action in self.guest.steps() if name == actor]
            if not possible:
                break
            action = possible[pick % len(possible)]
            text = self._guarded(self.guest.do, actor, action)
            self.say(actor, text or action)
            taken += 1
            if self.crash or self.violations():
                break
        return taken

    def step_device(self, steps: int = 1) -> int:
        """Let the device take some steps, and look what it did; return how many it took."""
        taken = 0
        lost: list[Span] = []
        while taken < steps:
            before, since = self.memory.holes(), self.recorder.last
            try:
                if not self.device.step():
                    self.packed.rests(Side.DEVICE)
                    break
            except Failed as failed:  # it did what cannot be carried out
                self._refused += failed.violations
                break
            taken += 1
            self.packed.look(Side.DEVICE)
            gone = subtract(self.memory.holes(), before)
            if gone:
                self.recorder.emit(Discarded(gone, since))
                lost += gone
            if hasattr(self.guest, "device_moved"):
                self._guarded(self.guest.device_moved)
        if taken:
            what = f"takes {taken} steps" if taken > 1 else "takes a step"
            names = ", ".join(_range(span) for span in lost)
            self.say("host", what + (f" and discards {names}" if lost else ""))
            self._look_at_config()
        return taken

    def interrupt(self) -> None:
        """Let the guest take the device's interrupts."""
        interrupts = self.transport.take_interrupts()
        config_changed = interrupts.config
        if interrupts.used:
            self.packed.interrupted()
        self._guarded(lambda: self.guest.interrupted(config=config_changed))
        if config_changed:
            self.say("guest", "takes a configuration interrupt")

    def tick(self, by: int) -> None:
        """Let time pass."""
        self.now += by
        self._guarded(self.guest.tick, self.now)
        self.say("clock", f"{by} units of time pass")

    def reset(self) -> None:
        """Let the guest reset the device."""
        if self._guarded(self.guest.begin_reset):
            self.say("guest", "writes 0 to the status")

    def host(self, what: str, *arguments: int | str) -> None:
        """Let the host's administrator do something: a method of the device, if it has it."""
        if not hasattr(self.device, what):
            return
        getattr(self.device, what)(*arguments)
        self.packed.look(Side.DEVICE)
        words = " ".join([what.replace("_", " "), *map(str, arguments)])
        self.say("host", f"is told to {words}")
        self._look_at_config()

    def _look_at_config(self) -> None:
        if Feature.FREE_PAGE_HINT in self.setup.features:
            at, size = config.field_offset(COMMAND_ID), config.field_size(COMMAND_ID)
            value = int.from_bytes(self.transport.read_config(at, size), "little")
            if value != self._shown:
                self._shown = value
                self.rounds.shown(value)

    def say(self, actor: str, text: str) -> None:
        """Add to the scenario; what one actor does in a row is one sentence."""
        begin = f"{actor}: "
        if self.scenario and self.scenario[-1].startswith(begin):
            self.scenario[-1] += f", {text}"
        else:
            self.scenario.append(begin + text)

    # Judging

    def violations(self) -> list[Violation]:
        """Return what the monitors and the guest itself have found; cheap."""
        found = [each for monitor in self.monitors for each in monitor.violations]
        found += self._refused
        return found or [
            Violation(breach.slug, "no such move", str(breach), f"page {breach.pfn:#x}")
            for breach in getattr(self.guest, "breaches", ())
        ]

    def judge(self) -> list[Violation]:
        """Return everything that is wrong now, content included."""
        found = self.violations()
        if found:
            return found
        if self.crash is not None:
            raise self.crash
        lost = [page for page, tag in self._expected.items() if self._content.read(page) != tag]
        if lost:
            self.recorder.emit(Changed((block(lost[0]),), self.recorder.last))
            found = self.violations() or [self._lost(lost[0])]
        if not found and hasattr(self.guest, "problems"):
            found = self.guest.problems()
        return found

    def _lost(self, page: int) -> Violation:
        """Say that a live page lost its content, by the queue over which it was last named."""
        queue = Queue.HINTING
        for event in reversed(self.recorder.events):
            if isinstance(event, Offered) and any(page in s.pages() for s in event.blocks):
                queue = Queue(event.queue)
                break
        slug = {
            Queue.REPORTING: "reporting.driver.never-report-in-use",
            Queue.INFLATE: "balloon.driver.wait-for-deflate",
            Queue.FREE_PAGE: "free-page-hint.device.guest-write-wins",
        }.get(queue, "hint.driver.never-report-reallocated")
        return Violation(slug, "the content that was written", "other content", f"page {page:#x}")

    def missing(self) -> list[Violation]:
        """Return what a guest that can be asked for all of its pages does not have."""
        found: list[Violation] = self._guarded(self.guest.missing)
        return found

    # Coming to rest

    def settle(self, turns: int = TURNS) -> bool:
        """Let guest and host work until neither has anything to do; return whether they end.

        `busiest` is then who took most steps.
        """
        took: Counter[str] = Counter()
        for _ in range(turns):
            busy = self.step_device(64)
            self.interrupt()
            for actor in dict.fromkeys(who for who, what in self.guest.steps() if what != "start"):
                if actor.startswith("memory"):
                    continue
                steps = self.kernel(actor, 8)
                took[actor] += steps
                busy += steps
            self.busiest = max(took, key=lambda actor: took[actor], default="host")
            if not busy:
                return True
            if self.crash or self.violations():
                return True
        return False

    def offers(self) -> int:
        """Return how many requests that name pages were made so far, statistics apart."""
        return sum(isinstance(e, Offered) and bool(e.blocks) for e in self.recorder.events)

    def race(self, order: int, steps: int) -> None:
        """From rest, let blocks be freed and captured, some steps be taken, and one be allocated.

        The application that comes then is another CPU's, if there is one.
        """
        self.settle()
        self._free_and_capture(self.setup.first_threshold, order)
        self.kernel("worker0", steps)
        self.allocate(self.setup.cpus - 1, order)

    def exchange(self, actor: str, steps: int) -> None:
        """Let the device answer within some steps, an actor take the pages, and one be used."""
        self.step_device(steps)
        self.kernel(actor, 8)
        self.allocate(0, self.setup.orders[0])

    def hint_some(self, count: int, cpu: int = 0) -> None:
        """Let an application free some blocks, and the kernel hint them all, step by step."""
        self._free_and_capture(count, None, cpu)
        self.kernel(f"worker{cpu}", 60)

    def _free_and_capture(self, count: int, order: int | None, cpu: int = 0) -> None:
        """Free blocks of an order, or of all orders by turns."""
        orders = self.setup.orders if order is None else (order,)
        turns = [orders[number % len(orders)] for number in range(count)]
        made = sum(self.allocate(cpu, each) is not None for each in turns)
        # Where memory is used up, what is live already is freed instead.
        for _ in range(max(made, min(count, len(self.live)))):
            owner = self.live[-1][2]
            if self.free(0):
                self.kernel(f"hook{owner}", 1)


def _name(pfn: int, order: int) -> str:
    return f"block {pfn:#x} of order {order}" if order else f"page {pfn:#x}"


def _range(span: Span) -> str:
    first, last = span.start // PAGE, span.end // PAGE - 1
    return f"page {first:#x}" if first == last else f"pages {first:#x} to {last:#x}"
