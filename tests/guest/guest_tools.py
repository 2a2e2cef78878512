"""A whole guest on the reference device: real rings, real memory, and the oracles looking on."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from vhint.guest.guest import Guest, GuestOptions
from vhint.guest.hinting import HintSettings
from vhint.guest.memory import (
    MemoryOptions,
    PatternContent,
    PerCpuMarks,
    Watermarks,
    ZoneKind,
    ZoneSpec,
)
from vhint.guest.port import RingPort
from vhint.guest.profiles.free_page_hint import RoundSettings
from vhint.guest.profiles.reporting import ReportingSettings
from vhint.guest.step import Step
from vhint.guest.wishes import wish_for
from vhint.host import ALL_FEATURES, Device, DeviceOptions
from vhint.spans import PAGE, Span
from vhint.trace import Recorder
from vhint.transport.execute import perform
from vhint.transport.loopback import Loopback
from vhint.wire.features import Feature, Features
from vhint_conformance.oracle.lifetime import LifetimeMonitor

STRUCTURES = Span(0, 256 * PAGE)
SMALL_ZONES = (
    ZoneSpec(ZoneKind.DMA, 256, 64, max_order=4),
    ZoneSpec(ZoneKind.NORMAL, 320, 128, Watermarks(4, 6, 8), max_order=4),
)
SMALL_SETTINGS = HintSettings(array_size=16, first_threshold=4, second_threshold=3, time_limit=50)


def small_options(**changes: Any) -> GuestOptions:
    values: dict[str, Any] = {
        "memory": MemoryOptions(SMALL_ZONES, cpus=2, per_cpu=PerCpuMarks(batch=2, high=4)),
        "hinting": SMALL_SETTINGS,
        "reporting": ReportingSettings(capacity=4, min_order=2, delay=20),
        "rounds": RoundSettings(order=3),
        "orders": (0, 1, 3),
    }
    return GuestOptions(**(values | changes))


class RealGuest:
    """The guest, its device behind a loopback, and what they did as a trace."""

    def __init__(
        self,
        options: GuestOptions | None = None,
        device: DeviceOptions | None = None,
        features: Features = ALL_FEATURES,
        guest_kind: type[Guest] = Guest,
        make_device: Callable[..., Device] = Device,
        **parts: Any,
    ) -> None:
        options = options or small_options()
        end = max(zone.first + zone.pages for zone in options.memory.zones)
        self.transport = Loopback(
            lambda memory: make_device(memory, device or DeviceOptions()), end * PAGE
        )
        self.device = self.transport.device
        self.recorder = Recorder()
        self.monitor = LifetimeMonitor()
        self.recorder.listen(self.monitor.see)
        # A guest hints over one of the queues or over another; over all at once if it likes.
        self.port = RingPort(
            self.transport.memory,
            STRUCTURES,
            wish_for(features, options.poison, queue_size=32),
            partial(perform, self.transport, emit=self.recorder.emit),
            self.recorder.emit,
        )
        self.guest = guest_kind(
            options,
            self.port,
            content=PatternContent(self.transport.memory),
            emit=self.recorder.emit,
            **parts,
        )

    def host(self) -> None:
        """Let the device do everything that it can, and take its interrupts."""
        self.transport.settle()
        self.guest.interrupted(config=self.transport.take_interrupts().config)

    def settle(self, limit: int = 200) -> None:
        """Let guest and host work until neither has anything to do."""
        for _ in range(limit):
            self.host()
            if not self.guest.settle():
                return
        raise AssertionError(f"still busy after {limit} turns")

    def check(self) -> None:
        """Fail unless memory is conserved and all content is as it was."""
        check(self.guest)
        assert not self.monitor.violations, self.monitor.violations

    def close(self) -> None:
        self.transport.close()


def check(guest: Guest) -> None:
    """Fail unless memory is conserved and all content is as it was."""
    for zone in guest.memory.zones:
        account = guest.memory.account_of_zone(zone)
        assert account.balanced, account
    assert guest.memory.cache.pages == guest.memory.account().cached
    lost = guest.memory.verify()
    assert not lost, "; ".join(map(str, lost[:5]))


def choose(steps: list[Step], random: random.Random) -> Step:
    """Choose a step: first who, then what, so that no actor starves."""
    actor = random.choice(sorted({step.actor for step in steps}))
    return random.choice([step for step in steps if step.actor == actor])


WITHOUT_ROUNDS = ALL_FEATURES - Features.of(Feature.FREE_PAGE_HINT)
