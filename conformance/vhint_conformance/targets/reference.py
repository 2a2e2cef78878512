"""The reference device in this process, and its sound variants."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import vhint
from vhint.host import (
    EVERY_FEATURE,
    Device,
    DeviceFactory,
    DeviceOptions,
    DiscardHints,
    HintPolicy,
    KeepEverything,
    NotedWrites,
    RecordHints,
    WriteLog,
)
from vhint.host.context import Context
from vhint.ring import GuestMemory
from vhint.spans import Span
from vhint.transport.interface import TransportError
from vhint.transport.loopback import DEVICE_FAULTS, Loopback
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QueueMode
from vhint_conformance.case import PECULIAR, Capability
from vhint_conformance.oracle.memory import Left
from vhint_conformance.targets.base import Control, Limits, Session, Target
from vhint_conformance.targets.migration.arrived import AllBut, Arrived
from vhint_conformance.variants import RING_VARIANTS, SPLIT, Variant
from vhint_conformance.verdict import TargetNotStarted

RAM = 20 << 20
"""Bytes of guest memory: enough for two blocks of 4 MiB, and little to look through."""

LARGE_PAGES_RAM = 32 << 20
"""The same where the host's pages are large."""

EDGE = 1 << 20
"""Bytes at either end of memory that the suite leaves alone."""

USABLE = (EDGE, RAM - EDGE)


class DeviceControl(Control):
    """The host's side of a device object."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._arrived: Arrived | None = None

    def set_balloon_size(self, pages: int) -> None:
        """Change num_pages."""
        with DEVICE_FAULTS:
            self._device.set_balloon_size(pages)

    def balloon_size(self) -> int:
        """Return what the driver wrote to `actual`."""
        with DEVICE_FAULTS:
            return self._device.context.config.actual

    def poll_statistics(self) -> None:
        """Use the statistics buffer."""
        with DEVICE_FAULTS:
            self._device.poll_statistics()

    def start_round(self) -> int | None:
        """Ask for hints."""
        with DEVICE_FAULTS:
            return self._device.start_round()

    def stop_round(self) -> None:
        """Want no more."""
        with DEVICE_FAULTS:
            self._device.stop_round()

    def finish_round(self) -> None:
        """Migrate: of guest memory everything is sent but what the device says can be left out."""
        with DEVICE_FAULTS:
            hints = self._device.hints
            self._arrived = AllBut(hints.skippable if isinstance(hints, RecordHints) else ())
            self._device.finish_round()

    def cancel_round(self, *, broken: bool = False) -> None:  # noqa: ARG002 - it is all the same
        """Give up what hints were for."""
        with DEVICE_FAULTS:
            self._device.cancel_round()

    def inhibit(self, on: bool) -> None:
        """Inhibit discards, or allow them."""
        with DEVICE_FAULTS:
            self._device.inhibited = on

    def guest_wrote(self, spans: Iterable[Span]) -> None:
        """Note the writes, as a host does that watches its guest."""
        log = self._device.hints.log
        if isinstance(log, NotedWrites):
            for span in spans:
                log.note(span)

    def arrived(self) -> Arrived:
        """Return what was sent."""
        if self._arrived is None:
            raise RuntimeError("no round was finished")
        return self._arrived

    def statistics(self) -> dict[int, int]:
        """Return what the device read last."""
        with DEVICE_FAULTS:
            return self._device.statistics()


_idle: dict[int, list[tuple[GuestMemory, Left | None]]] = defaultdict(list)
"""Memory that no session uses now, by size: to allocate it would take most of a case's time.

With it comes what it holds, as to fill it would take the rest.
"""

# The memory of a process that forks stays its own: both would write to the same pages.
os.register_at_fork(after_in_child=_idle.clear)


@dataclass
class LoopbackSession(Session):
    """A device object behind a loopback transport."""

    memory: GuestMemory | None = None

    def check_alive(self) -> None:
        """Do nothing: an object does not die."""

    def close(self) -> None:
        """Unmap the memory and keep it for the next session."""
        self.transport.close()
        if self.memory is not None:
            _idle[self.limits.ram[0][1]].append((self.memory, self.left))
            self.memory = None


@dataclass(frozen=True)
class LoopbackTarget(Target):
    """Any device object that a factory makes over guest memory."""

    name: str
    make_device: DeviceFactory
    summary: str = ""
    queue_mode: QueueMode | None = None
    host_page: int = 4096
    variants: tuple[Variant, ...] = (SPLIT,)
    concurrent: ClassVar[bool] = True

    def start(self) -> Session:
        """Make a fresh device, over memory whose content means nothing yet."""
        ram = RAM if self.host_page < EDGE else LARGE_PAGES_RAM
        memory, left = _idle[ram].pop() if _idle[ram] else (GuestMemory.create(ram), None)
        try:
            transport = Loopback(self.make_device, ram, memory)
        except TransportError as error:
            _idle[ram].append((memory, None))
            raise TargetNotStarted(str(error)) from error
        return LoopbackSession(
            transport=transport,
            limits=Limits(
                ram=((0, ram),),
                usable=(EDGE, ram - EDGE),
                host_page=self.host_page,
                queue_mode=self.queue_mode,
            ),
            control=DeviceControl(transport.device),
            capabilities=frozenset(Capability) - PECULIAR.keys()
            | {Capability.RESETS_QUEUES, Capability.BEGINS_ANYWHERE},
            reasons=PECULIAR,
            memory=memory,
            found=left,
        )

    def versions(self) -> dict[str, str]:
        """Return vhint's own version."""
        return {"vhint": vhint.__version__}


def _without(*features: Feature) -> Features:
    return EVERY_FEATURE - Features.of(*features)


def _made(**options: object) -> Callable[..., Device]:
    made = DeviceOptions(**options)  # type: ignore[arg-type]
    return lambda memory: Device(memory, made, hints=RecordHints(NotedWrites()))


def hinted(policy: type[HintPolicy], log: type[WriteLog] = NotedWrites) -> DeviceFactory:
    """Return what makes reference devices with a policy for hints, and a log of guest writes."""
    return lambda memory: Device(memory, hints=policy(log()))


class IgnoreHints(HintPolicy):
    """Makes no use of hints, which is sound."""

    def accept(self, spans: Sequence[Span], context: Context) -> None:
        """Leave them all alone."""


class NeverAsks(Device):
    """Has no use for hints and never asks for any."""

    def start_round(self) -> None:
        """Do nothing."""


REFERENCES: Mapping[str, LoopbackTarget] = {
    target.name: target
    for target in (
        LoopbackTarget(
            "reference",
            hinted(RecordHints),
            "the reference device, everything offered",
            variants=RING_VARIANTS,
        ),
        LoopbackTarget(
            "reference:discards-hints",
            hinted(DiscardHints),
            "discards what is hinted for a round, unless it was written, and sends everything",
        ),
        LoopbackTarget(
            "reference:ignores-hints",
            hinted(IgnoreHints),
            "asks for hints and makes no use of them, which is sound",
        ),
        LoopbackTarget(
            "reference:never-asks", NeverAsks, "begins no round of hints, which is sound"
        ),
        LoopbackTarget(
            "reference:discards-nothing",
            lambda memory: Device(memory, reclaim=KeepEverything(memory)),
            "acknowledges every hint and keeps all memory, which is sound",
        ),
        LoopbackTarget(
            "reference:plain",
            _made(offered=Features.of(Feature.VERSION_1)),
            "inflate and deflate only, no optional feature",
        ),
        LoopbackTarget(
            "reference:spec-fixed",
            _made(
                offered=_without(Feature.STATS_VQ, Feature.PAGE_POISON),
                queue_mode=QueueMode.SPEC_FIXED,
            ),
            "queue numbers as the standard lists them",
        ),
        LoopbackTarget(
            "reference:compact-accepted",
            _made(
                offered=_without(Feature.STATS_VQ),
                queue_mode=QueueMode.COMPACT_ACCEPTED,
            ),
            "queues numbered over the accepted features",
        ),
        LoopbackTarget(
            "reference:host-page-16k",
            _made(host_page=1 << 14, hint_min_order=2),
            "a host whose pages are 16 KiB",
            host_page=1 << 14,
        ),
        LoopbackTarget(
            "reference:host-page-2m",
            _made(host_page=1 << 21, hint_min_order=9),
            "a host whose pages are 2 MiB",
            host_page=1 << 21,
        ),
        LoopbackTarget(
            "reference:host-page-64k",
            _made(host_page=1 << 16, hint_min_order=4),
            "a host whose pages are 64 KiB",
            host_page=1 << 16,
        ),
    )
}
"""The reference device by target name."""
