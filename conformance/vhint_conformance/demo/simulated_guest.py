"""vhint's own guest, in this process, on our own device over the loopback transport.

It has no kernel and no processes, but its memory is a real memory file that the device really
punches holes into, and it hints in the way of the talk: what is freed is captured in an array,
re-checked, isolated and reported.
"""

from __future__ import annotations

import os
import random
import time
from functools import partial
from typing import ClassVar

import vhint
from vhint.guest import Guest, GuestOptions, RingPort, wish_for
from vhint.guest.hinting import HintSettings
from vhint.guest.memory import (
    Block,
    MemoryOptions,
    PatternContent,
    PerCpuMarks,
    Watermarks,
    ZoneKind,
    ZoneSpec,
)
from vhint.host import ALL_FEATURES, Device, DeviceOptions
from vhint.spans import PAGE, Span
from vhint.transport.execute import perform
from vhint.transport.loopback import Loopback
from vhint.wire.features import Feature, Features
from vhint_conformance.demo.guest import DemoGuest, GuestFailed, GuestFigures
from vhint_conformance.demo.plan import MIB, Mode, Plan

ORDER = 4
"""Applications allocate blocks of 64 KiB: page by page a simulated guest would take minutes."""

STRUCTURES = Span(0x100000, 0x100000)
"""The part of guest memory for rings and requests: its second MiB."""

HEADROOM = 16 * MIB
HINTING, BITMAP = Features.of(Feature.HINTING), Features.of(Feature.HINTING_BITMAP)
BLOCK = PAGE << ORDER


class SimulatedGuest(DemoGuest):
    """A guest object whose clock goes with the real one, when `live` is called."""

    kind: ClassVar[str] = "simulated"

    def __init__(self, plan: Plan, mode: Mode, number: int) -> None:
        self.description = f"vhint {vhint.__version__}'s own guest (simulated)"
        self._order = random.Random(f"{plan.seed}/{number}")  # noqa: S311
        self._began = time.monotonic()
        offered = ALL_FEATURES if mode is Mode.ON else ALL_FEATURES - HINTING - BITMAP
        size = plan.size + plan.kept + STRUCTURES.end + HEADROOM
        options = DeviceOptions(offered=offered)
        self._transport = Loopback(lambda memory: Device(memory, options), size)
        port = RingPort(
            self._transport.memory,
            STRUCTURES,
            wish_for(HINTING),
            partial(perform, self._transport, emit=lambda _: 0),
            lambda _: 0,
        )
        first = STRUCTURES.end // PAGE
        pages = size // PAGE - first
        zone = ZoneSpec(ZoneKind.DMA32, first, pages, Watermarks.scaled(pages // 8))
        self._guest = Guest(
            GuestOptions(
                MemoryOptions((zone,), per_cpu=PerCpuMarks()),
                HintSettings(time_limit=round(plan.period * 1000)),
            ),
            port,
            content=PatternContent(self._transport.memory),
        )
        self._work: list[Block] = []
        self._kept: set[int] = set()
        self._figures = GuestFigures()
        self._guest.start()
        self._look()

    def figures(self) -> GuestFigures:
        """Return what was seen when the guest did something last."""
        return self._figures

    def _look(self) -> None:
        device = self._transport.device
        assert isinstance(device, Device)  # noqa: S101 - we made it
        self._figures = GuestFigures(
            os.fstat(self._transport.memory.fd).st_blocks * 512,
            self._guest.counters.requests,
            device.context.tally.offered // PAGE,
        )

    def keep(self, size: int) -> None:
        """Allocate and write blocks that `free` does not free."""
        self._kept = {block.pfn for block in self._take(size)}

    def allocate(self, size: int) -> None:
        """Allocate and write blocks."""
        self._work += self._take(size)

    def _take(self, size: int) -> list[Block]:
        taken: list[Block] = []
        while len(taken) < size // BLOCK:
            try:
                block = self._guest.applications.allocate(0, ORDER)
            except MemoryError as error:
                raise GuestFailed(f"the simulated guest is out of memory: {error}") from error
            if block is None:
                self.live()
                continue
            self._guest.memory.touch(block)
            taken.append(block)
            if len(taken) % 256 == 0:
                self._look()
        self._look()
        return taken

    def free(self) -> None:
        """Free the blocks in an order that the seed decides."""
        self._order.shuffle(self._work)
        for block in self._work:
            while not self._guest.applications.free(0, block):
                self.live()
            self._capture()
        self._work.clear()
        self.live()

    def intact(self) -> bool:
        """Read every page of what is kept; no other may be relied upon either."""
        return not self._guest.memory.verify()

    def live(self) -> None:
        """Let the guest's clock go on, and guest and device work until nothing is left to do."""
        guest = self._guest
        guest.tick(round((time.monotonic() - self._began) * 1000))
        while self._capture() or self._step() or self._transport.step():
            pass
        self._look()

    def _capture(self) -> bool:
        applications = self._guest.applications
        for cpu, hooks in enumerate(applications.hooks):
            if hooks:
                applications.capture(cpu)
                return True
        return False

    def _step(self) -> bool:
        step = next(self._guest.hinting.steps(), None)
        if step is not None:
            self._guest.hinting.do(step)
        return step is not None

    def close(self) -> None:
        """Give the memory back."""
        self._transport.close()
