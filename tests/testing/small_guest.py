"""A guest that somebody might write: a list of free pages, and a driver that reports what is freed.

It knows nothing of vhint's guest.  `Careless` and the others are wrong in one place each.
"""

from __future__ import annotations

from vhint.guest.arena import Arena
from vhint.guest.initialise import Wish, initialise
from vhint.ring import SplitDriverQueue, SplitLayout
from vhint.spans import PAGE, Span
from vhint.transport.execute import execute
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.testing import GuestPlace

WANTED = Features.of(Feature.PAGE_REPORTING, Feature.VERSION_1)


class SmallGuest:
    """Single pages only; every page that is freed is reported before it is free again."""

    def __init__(self, place: GuestPlace) -> None:
        self.place = place
        self.free_pages = [pfn for zone in place.zones for pfn in zone.pages()]
        self.freed: list[int] = []
        self.reported: dict[int, int] = {}
        self.ring: SplitDriverQueue | None = None
        self.index = -1
        self.resetting = False

    def start(self) -> None:
        arena = Arena(self.place.structures)

        def lay_out(size: int) -> SplitLayout:
            return SplitLayout.at(arena.take(SplitLayout.at(0, size).end, PAGE).start, size)

        wish = Wish(WANTED, queue_size=self.place.setup.queue_size)
        made = execute(self.place.transport, initialise(wish, lay_out, live=False), lambda _: 0)
        if Queue.REPORTING in made.queues:
            self.index = made.queues[Queue.REPORTING].index
            layout = made.queues[Queue.REPORTING].layout
            self.ring = SplitDriverQueue(self.place.memory, layout, event_idx=False)
        status = self.place.transport.read_status()
        self.place.transport.write_status(status | DeviceStatus.DRIVER_OK)

    def allocate(self, cpu: int, order: int) -> int | None:
        return self.free_pages.pop() if self.free_pages and not order else None

    def free(self, cpu: int, pfn: int) -> bool:
        (self.freed if self.ring else self.free_pages).append(pfn)
        return True

    def steps(self) -> list[tuple[str, str]]:
        steps = []
        if self.ring and self.freed and self.ring.free:
            steps.append(("reporter", "report"))
        if self.ring and self.ring.pending:
            steps.append(("reporter", "collect"))
        if self.resetting and self.place.transport.read_status() == 0:
            steps.append(("reporter", "see that the reset is done"))
        return steps

    def do(self, actor: str, action: str) -> None:
        if action == "report":
            self.report(self.freed.pop())
        elif action == "collect":
            self.collect()
        else:
            self.resetting = False
            self.take_all_back()

    def report(self, pfn: int) -> None:
        assert self.ring
        self.reported[self.ring.add((), (Span(pfn * PAGE, PAGE),))] = pfn
        self.ring.publish()
        if self.ring.kick_needed():
            self.place.transport.notify(self.index)

    def collect(self) -> None:
        assert self.ring
        completion = self.ring.collect()
        if completion:
            self.free_pages.append(self.reported.pop(completion.head))

    def take_all_back(self) -> None:
        self.free_pages += [*self.reported.values(), *self.freed]
        self.reported.clear()
        self.freed.clear()

    def interrupted(self, *, config: bool) -> None:
        if config and self.place.transport.read_status() & DeviceStatus.NEEDS_RESET:
            self.begin_reset()

    def tick(self, now: int) -> None:
        pass

    def begin_reset(self) -> bool:
        if self.ring is None:
            return False
        self.ring = None
        self.resetting = True
        self.place.transport.write_status(0)
        return True


class Careless(SmallGuest):
    """A reported page is free at once."""

    def report(self, pfn: int) -> None:
        super().report(pfn)
        self.free_pages.append(pfn)
        self.reported = {head: page for head, page in self.reported.items() if page != pfn}

    def collect(self) -> None:
        assert self.ring
        self.ring.collect()


class Leaky(SmallGuest):
    """A page that was reported is forgotten."""

    def collect(self) -> None:
        assert self.ring
        self.ring.collect()


class Silent(SmallGuest):
    """The device is never notified."""

    def report(self, pfn: int) -> None:
        assert self.ring
        self.reported[self.ring.add((), (Span(pfn * PAGE, PAGE),))] = pfn
        self.ring.publish()


class Crashing(SmallGuest):
    """It cannot free."""

    def free(self, cpu: int, pfn: int) -> bool:
        raise KeyError(pfn)
