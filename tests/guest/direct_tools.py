"""A guest on a device without rings: the test plays the device and chooses every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vhint.guest.direct_port import DirectPort
from vhint.guest.driver import Request
from vhint.guest.guest import Guest, GuestOptions
from vhint.guest.hinting import HintSettings
from vhint.guest.memory import (
    Block,
    MemoryOptions,
    PerCpuMarks,
    TagContent,
    Watermarks,
    ZoneKind,
    ZoneSpec,
)
from vhint.guest.profiles.free_page_hint import RoundSettings
from vhint.guest.profiles.reporting import ReportingSettings
from vhint.spans import PAGE
from vhint.wire import hint_ack
from vhint.wire.bitmap import Bitmap
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.queues import Queue

HINTING = (Feature.HINTING, Feature.HINTING_BITMAP, Feature.VERSION_1)
ZONES = (
    ZoneSpec(ZoneKind.DMA32, 0, 64, Watermarks(2, 4, 6), max_order=4),
    ZoneSpec(ZoneKind.NORMAL, 64, 64, Watermarks(2, 4, 6), max_order=4),
)
NO_LISTS = PerCpuMarks(batch=0, high=0)


class DirectGuest:
    """A guest and its device."""

    def __init__(
        self,
        settings: HintSettings | None = None,
        *,
        features: Sequence[Feature] = HINTING,
        zones: tuple[ZoneSpec, ...] = ZONES,
        cpus: int = 1,
        per_cpu: PerCpuMarks = NO_LISTS,
        guest_kind: type[Guest] = Guest,
        options: dict[str, Any] | None = None,
        size: int = 64,
        config: dict[str, int] | None = None,
        **parts: Any,
    ) -> None:
        self.port = DirectPort(features, size)
        self.port.config |= config or {}
        self.content = TagContent()
        values: dict[str, Any] = {
            "memory": MemoryOptions(zones, cpus, per_cpu),
            "hinting": settings or HintSettings(8, 2, 2, time_limit=100),
            "reporting": ReportingSettings(capacity=4, min_order=2, delay=20),
            "rounds": RoundSettings(order=3),
        }
        self.guest = guest_kind(
            GuestOptions(**(values | (options or {}))), self.port, content=self.content, **parts
        )
        self.guest.start()
        self.hinting = self.guest.hinting
        self.memory = self.guest.memory
        self.apps = self.guest.applications

    @property
    def missed(self) -> dict[Any, int]:
        return dict(self.guest.counters.missed)

    def take(self, count: int, order: int = 0) -> list[Block]:
        """Allocate blocks that lie apart, so that they do not merge when they are freed."""
        got = [self.allocate(order) for _ in range(2 * count)]
        return got[::2]

    def allocate(self, order: int = 0, cpu: int = 0) -> Block:
        block = self.apps.allocate(cpu, order)
        assert block is not None
        self.memory.touch(block)
        return block

    def free(self, *blocks: Block, cpu: int = 0) -> None:
        """Free blocks and let the hook store them."""
        for block in blocks:
            assert self.apps.free(cpu, block)
            self.apps.capture(cpu)

    def run(self, worker: int = 0) -> list[str]:
        """Let a worker go on until it waits or sleeps; return what it did."""
        done = []
        while (event := self.hinting.workers[worker].step()) is not None:
            done.append(event.name)
        return done

    @property
    def asked(self) -> list[Request]:
        return list(self.port.available[Queue.HINTING])

    def discard(self, request: Request) -> None:
        for span in request.draft.blocks:
            self.content.discard(span.start // PAGE, span.length // PAGE)

    def answer(
        self,
        request: Request,
        status: Status | int = Status.OK,
        refuse: Sequence[int] = (),
        *,
        cookie: int | None = None,
        cut: int | None = None,
    ) -> None:
        """Use a hinting request; blocks at the positions `refuse` are left alone."""
        draft = request.draft
        done = [each for each in draft.positions if each not in refuse]
        results = Bitmap.from_indices(draft.count, done) if status in (0, 1) else None
        ack = Acknowledgement(draft.cookie if cookie is None else cookie, Status.OK, 0, results)
        data = bytearray(hint_ack.build(ack, draft.count))
        data[8:12] = int(status).to_bytes(4, "little")
        if status in (0, 1):
            data[12:16] = len(done).to_bytes(4, "little")
        self.port.use(request, bytes(data[: min(draft.room, cut or len(data))]))

    def sound(self) -> None:
        for zone in self.memory.zones:
            assert self.memory.account_of_zone(zone).balanced
        assert not self.memory.verify()
