"""The applications of a guest: who allocates, writes and frees, and who has to wait for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from vhint.guest.hinting import Counters, Hinting
from vhint.guest.memory import (
    Block,
    Memory,
    OutOfMemoryError,
    WouldWaitError,
    ZoneKind,
    cpu_name,
)
from vhint.guest.step import Step


class Applications:
    """One application a CPU; `live` are their blocks by PFN, with the CPU that has each.

    Freeing is two steps: the block goes to the lists, and the free hook stores it in the capture
    array.  `hooks` are the blocks between the two, which can be allocated again by then.
    """

    def __init__(
        self, memory: Memory, hinting: Hinting, counters: Counters, orders: tuple[int, ...]
    ) -> None:
        self.memory = memory
        self.hinting = hinting
        self.counters = counters
        self.orders = orders
        self.live: dict[int, tuple[int, Block]] = {}
        self.hooks: list[deque[Block]] = [deque() for _ in range(memory.cpus)]
        self._stalled: set[tuple[int, str]] = set()
        self._waiting: set[tuple[int, str]] = set()
        memory.freed.append(self._freed)

    def allocate(self, cpu: int, order: int = 0, kind: ZoneKind = ZoneKind.NORMAL) -> Block | None:
        """Allocate a block, or return None if that has to wait; raises `OutOfMemoryError`."""
        if not self.memory.stop.free_for(cpu_name(cpu)):
            self.counters.allocations_stalled += (cpu, "allocate") not in self._stalled
            self.counters.stall_steps += 1
            self._stalled.add((cpu, "allocate"))
            return None
        try:
            block = self.memory.allocate(cpu, order, kind)
        except WouldWaitError:
            self._wait(cpu, "allocate")
            return None
        self._go_on(cpu, "allocate")
        self.counters.allocations += 1
        self.live[block.pfn] = (cpu, block)
        return block

    def free(self, cpu: int, block: Block, *, may_keep: bool = True) -> bool:
        """Free a block; return False if that has to wait."""
        if not self.memory.stop.free_for(cpu_name(cpu)):
            self.counters.frees_stalled += (cpu, "free") not in self._stalled
            self._stalled.add((cpu, "free"))
            return False
        try:
            self.memory.free(cpu, block, may_keep=may_keep)
        except WouldWaitError:
            self._wait(cpu, "free")
            return False
        self._go_on(cpu, "free")
        self.counters.frees += 1
        self.live.pop(block.pfn, None)
        return True

    def capture(self, cpu: int) -> None:
        """Let the free hook store the oldest block that waits for it."""
        self.hinting.capture(cpu, self.hooks[cpu].popleft())

    def _freed(self, cpu: int, block: Block) -> None:
        if self.hinting.live:
            self.hooks[cpu].append(block)

    def _wait(self, cpu: int, what: str) -> None:
        self.counters.lock_waits += (cpu, what) not in self._waiting
        self.counters.lock_wait_steps += 1
        self._waiting.add((cpu, what))

    def _go_on(self, cpu: int, what: str) -> None:
        self._stalled.discard((cpu, what))
        self._waiting.discard((cpu, what))

    # Steps

    def steps(self) -> Iterator[Step]:
        """Yield what the applications can do next, and what the kernel does on their CPUs."""
        for cpu in range(self.memory.cpus):
            yield from self._steps_of(cpu)

    def captures(self) -> Iterator[Step]:
        """Yield those of the steps that nobody decides on: frees that are to be noted."""
        for cpu in range(self.memory.cpus):
            if self.hooks[cpu]:
                yield Step(cpu_name(cpu), "capture")

    def _steps_of(self, cpu: int) -> Iterator[Step]:
        name = cpu_name(cpu)
        if self.hooks[cpu]:
            yield Step(name, "capture")
        mine = [block for owner, block in self.live.values() if owner == cpu]
        for block in mine:
            yield Step(name, "touch", block.pfn)
        if not self.memory.stop.free_for(name):
            return
        for order in self.orders:
            yield Step(name, "allocate", order)
        for block in mine:
            yield Step(name, "free", block.pfn)
        zones = self.memory.zones
        if all(zone.lock.free_for(name) for zone in zones):
            if any(self.memory.parked(cpu, zone.kind) for zone in zones):
                yield Step(name, "drain")
            if self.memory.cache.blocks:
                yield Step(name, "drop")

    def do(self, step: Step) -> None:
        """Do one of `steps`; an allocation or a free that has to wait, waits."""
        cpu = int(step.actor.removeprefix("cpu"))
        match step.action:
            case "capture":
                self.capture(cpu)
            case "allocate":
                try:
                    self.allocate(cpu, step.argument)
                except OutOfMemoryError:
                    self.counters.allocations_failed += 1
            case "free":
                self.free(cpu, self.live[step.argument][1])
            case "touch":
                self.memory.touch(self.live[step.argument][1])
            case "drain":
                self.memory.drain(cpu)
            case "drop":
                self.memory.drop(cpu, 1)
            case _:
                raise ValueError(f"no such step: {step}")

    def key(self) -> tuple[object, ...]:
        """Return the state as a value, for hashing and comparing."""
        return (tuple(sorted(self.live.items())), tuple(map(tuple, self.hooks)))
