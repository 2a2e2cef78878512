"""Guest memory as a whole: zones, per-CPU lists, page cache; allocating and freeing.

There is no time and no thread here.  Every method is one step of the guest, done by an actor
("cpu0", "worker1"); `WouldWaitError` means that the actor would spin on a lock or sleep for memory
that is on its way, and that what it wanted has not happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from vhint.guest.memory.accounts import Account, account_of
from vhint.guest.memory.content import Content, TagContent
from vhint.guest.memory.expectations import Corruption, Expectations, span_of
from vhint.guest.memory.ledger import Breach, refuse
from vhint.guest.memory.lock import WouldWaitError, ZoneLock
from vhint.guest.memory.page_cache import NoCache, PageCache
from vhint.guest.memory.per_cpu import PerCpuList, PerCpuMarks
from vhint.guest.memory.zone import Zone, ZoneKind, ZoneSpec
from vhint.guest.page_life import PageEvent, PageState
from vhint.trace.events import Allocated, Event, Freed, Isolated, Returned, Touched
from vhint.wire.blocks import Block


class OutOfMemoryError(MemoryError):
    """No zone has the pages, and nobody can give any back."""


class Relief(Enum):
    """What asking somebody for memory came to."""

    NONE = auto()
    """There is nothing to be had."""
    NOW = auto()
    """Pages went back to the allocator: try again."""
    LATER = auto()
    """Pages are on their way: wait."""


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """How guest memory is made; `zones` in ascending order, without overlap."""

    zones: tuple[ZoneSpec, ...]
    cpus: int = 1
    per_cpu: PerCpuMarks = field(default_factory=PerCpuMarks)


class Memory:
    """The allocator.

    `cache` is the page cache's policy; `content` where tags are stored; `emit` gets the events;
    `on_breach` what the zones' ledgers do with a step that is not sound.  `relief` are those who
    may have memory to give back under pressure, asked in order with the number of pages that are
    wanted.  `freed` hears of every block that is freed, with the CPU (the free hook); `listed` of
    every free block that came to the buddy lists without the reported mark.  Whoever holds `stop`
    keeps everybody else from the free lists of every zone (the blocking design).
    """

    def __init__(
        self,
        options: MemoryOptions,
        content: Content | None = None,
        *,
        cache: PageCache | None = None,
        emit: Callable[[Event], object] | None = None,
        on_breach: Callable[[Breach], None] = refuse,
    ) -> None:
        self.zones = tuple(Zone(spec, on_breach) for spec in options.zones)
        self.cpus = options.cpus
        self.cache = cache or NoCache()
        self.expectations = Expectations(content or TagContent())
        self.stop = ZoneLock("the sequence lock")
        self.relief: list[Callable[[int], Relief]] = []
        self.freed: list[Callable[[int, Block], None]] = []
        self.listed: list[Callable[[Block], None]] = []
        self._emit = emit
        self._parks = options.per_cpu.high > 0
        self._parked = [
            {zone.kind: PerCpuList(options.per_cpu) for zone in self.zones}
            for _ in range(options.cpus)
        ]

    # Looking

    def zone_of(self, pfn: int) -> Zone:
        """Return the zone of a page; raise `ValueError` for a page that is in none."""
        for zone in self.zones:
            if pfn in zone:
                return zone
        raise ValueError(f"page {pfn:#x} is in no zone")

    def state(self, pfn: int) -> PageState:
        """Return the state of a page."""
        return self.zone_of(pfn).ledger.state(pfn)

    def open_to(self, zone: Zone, actor: str) -> bool:
        """Whether an actor can use a zone's free lists now: nobody else holds a lock on them."""
        return self.stop.free_for(actor) and zone.lock.free_for(actor)

    def parked(self, cpu: int, kind: ZoneKind) -> PerCpuList:
        """Return a CPU's list of a zone's pages."""
        return self._parked[cpu][kind]

    def account(self) -> Account:
        """Return where all pages are; `balanced` says whether none is lost."""
        first, *rest = map(self.account_of_zone, self.zones)
        return sum(rest, start=first)

    def account_of_zone(self, zone: Zone) -> Account:
        """Return where the pages of one zone are."""
        return account_of(zone, sum(len(lists[zone.kind]) for lists in self._parked))

    def verify(self) -> tuple[Corruption, ...]:
        """Return every page that somebody relies on and that has lost its content."""
        return tuple(self.expectations.verify())

    # Allocating

    def allocate(self, cpu: int, order: int = 0, kind: ZoneKind = ZoneKind.NORMAL) -> Block:
        """Take a block from the zone of that kind, or from a lower one if it is short.

        In turn: zones above their low watermark; then, with the cache dropped and the per-CPU
        lists drained, above their min; then, with whatever others can give back, down to nothing.
        Raises `OutOfMemoryError` after that, or `WouldWaitError` if a lock is held by another actor
        or somebody's memory is on its way.
        """
        self.stop.need(cpu_name(cpu))
        zones = [zone for zone in reversed(self.zones) if zone.kind <= kind]
        block = self._from_zones(zones, cpu, order, [zone.watermarks.low for zone in zones])
        if block is None:
            self.reclaim(cpu, 1 << order)
            block = self._from_zones(zones, cpu, order, [zone.watermarks.min for zone in zones])
        if block is None:
            block = self._last_resort(zones, cpu, order)
        self._tell(Allocated((span_of(block),)))
        return block

    def _from_zones(
        self, zones: list[Zone], cpu: int, order: int, marks: list[int]
    ) -> Block | None:
        for zone, mark in zip(zones, marks, strict=True):
            if order == 0 and (block := self._from_list(zone, cpu, mark)) is not None:
                return block
            if zone.allows(order, mark):
                return zone.take(order, PageEvent.ALLOCATE, cpu_name(cpu))
        return None

    def _from_list(self, zone: Zone, cpu: int, mark: int) -> Block | None:
        if not self._parks:
            return None
        parked = self._parked[cpu][zone.kind]
        if not parked:
            self._refill(zone, parked, mark, cpu_name(cpu))
        pfn = parked.pop()
        if pfn is None:
            return None
        zone.ledger.move(pfn, 0, PageEvent.ALLOCATE)
        return Block(pfn, 0)

    def _refill(self, zone: Zone, parked: PerCpuList, mark: int, actor: str) -> None:
        taken: list[int] = []
        while len(taken) < parked.marks.batch and zone.allows(0, mark):
            block = zone.take(0, PageEvent.PARK, actor)
            if block is None:
                break
            taken.append(block.pfn)
        for pfn in reversed(taken):
            parked.pages.append(pfn)

    def _last_resort(self, zones: list[Zone], cpu: int, order: int) -> Block:
        later = False
        for ask in self.relief:
            answer = ask(1 << order)
            later |= answer is Relief.LATER
            if answer is Relief.NOW:
                block = self._from_zones(zones, cpu, order, [0] * len(zones))
                if block is not None:
                    return block
        block = self._from_zones(zones, cpu, order, [0] * len(zones))
        if block is not None:
            return block
        if later:
            raise WouldWaitError(f"cpu{cpu} waits for memory that is on its way back")
        free = ", ".join(f"{zone.kind.name} {zone.buddy.free_pages}" for zone in zones)
        raise OutOfMemoryError(f"no block of order {order}; pages free: {free}")

    # Freeing

    def free(self, cpu: int, block: Block, *, may_keep: bool = True) -> None:
        """Free a block: to the page cache, a per-CPU list or the buddy lists."""
        if may_keep and self.cache.keeps(block):
            self.zone_of(block.pfn).ledger.move(block.pfn, block.order, PageEvent.KEEP)
            self.cache.hold(block)
            return
        self._release(cpu, block)

    def reuse(self, block: Block) -> None:
        """Use a block that the page cache keeps again; its content is as it was."""
        self.zone_of(block.pfn).ledger.move(block.pfn, block.order, PageEvent.REUSE)
        self.cache.let_go(block)

    def drop(self, cpu: int, pages: int) -> int:
        """Drop cached blocks, the oldest first, until so many pages are free; return how many."""
        dropped = 0
        while dropped < pages and (block := self.cache.oldest()) is not None:
            self._release(cpu, block, park=False)  # or it waits, and stays in the cache
            self.cache.let_go(block)
            dropped += 1 << block.order
        return dropped

    def drain(self, cpu: int, actor: str | None = None) -> int:
        """Give all pages of a CPU's lists to the buddy lists; return how many."""
        self.stop.need(actor or cpu_name(cpu))
        drained = 0
        for zone in self.zones:
            parked = self._parked[cpu][zone.kind]
            if parked:
                zone.lock.need(actor or cpu_name(cpu))
                drained += self._give_to_buddy(zone, parked.cold(len(parked)), actor, cpu)
        return drained

    def reclaim(self, cpu: int, pages: int) -> int:
        """Drop cache up to the zones' high watermarks, and drain every CPU's lists."""
        short = sum(
            max(0, zone.watermarks.high + pages - zone.buddy.free_pages) for zone in self.zones
        )
        drained = sum(self.drain(each, cpu_name(cpu)) for each in range(self.cpus))
        return drained + self.drop(cpu, short - drained)

    def _release(self, cpu: int, block: Block, *, park: bool = True) -> None:
        self.stop.need(cpu_name(cpu))
        zone = self.zone_of(block.pfn)
        parks = park and self._parks and block.order == 0
        parked = self._parked[cpu][zone.kind]
        if not parks or len(parked) + 1 >= parked.marks.high:
            zone.lock.need(cpu_name(cpu))
        self._tell(Freed((span_of(block),)))
        self.expectations.give_up(block)
        if parks:
            zone.ledger.move(block.pfn, 0, PageEvent.PARK)
            self._give_to_buddy(zone, parked.push(block.pfn), None, cpu)
        else:
            self._list(zone, zone.put(block, PageEvent.FREE, cpu_name(cpu)))
        for hear in self.freed:
            hear(cpu, block)

    def _give_to_buddy(self, zone: Zone, pfns: list[int], actor: str | None, cpu: int) -> int:
        for pfn in pfns:
            self._list(zone, zone.put(Block(pfn, 0), PageEvent.DRAIN, actor or cpu_name(cpu)))
        return len(pfns)

    def _list(self, zone: Zone, free: Block) -> None:
        if not zone.buddy.is_reported(free):
            for hear in self.listed:
                hear(free)

    # Taking blocks away from the allocator, and bringing them back

    def isolate(self, block: Block, actor: str) -> None:
        """Take a free block off the buddy lists: from now on nobody allocates it.

        A block that is not free is a breach (hint.driver.never-report-reallocated).
        """
        self.stop.need(actor)
        self.zone_of(block.pfn).take_block(block, PageEvent.ISOLATE, actor)
        self._tell(Isolated((span_of(block),)))

    def isolate_any(self, order: int, actor: str, spare: Callable[[Zone], int]) -> Block | None:
        """Isolate the newest block of an order in the highest zone that can spare it.

        A larger block is split.  `spare` says how many pages a zone keeps; zones whose lock
        somebody else holds are passed over.
        """
        for zone in reversed(self.zones):
            if self.open_to(zone, actor) and zone.allows(order, spare(zone)):
                block = zone.take(order, PageEvent.ISOLATE, actor)
                if block is not None:
                    self._tell(Isolated((span_of(block),)))
                    return block
        return None

    def expose(self, block: Block) -> None:
        """Name a free block to the device where it lies; only sound if nobody can allocate."""
        self.expectations.give_up(block)
        self.zone_of(block.pfn).ledger.move(block.pfn, block.order, PageEvent.EXPOSE)

    def cover(self, block: Block, *, reported: bool) -> None:
        """End what `expose` began."""
        zone = self.zone_of(block.pfn)
        known = reported and zone.buddy.block_at(block.pfn) == block
        event = PageEvent.RETURN_REPORTED if known else PageEvent.RETURN
        zone.ledger.move(block.pfn, block.order, event)
        if known:
            zone.buddy.mark(block)

    def move(self, block: Block, event: PageEvent, *, keeps_content: bool = False) -> None:
        """Let an event happen to a block that is not in the free lists.

        When it is named to the device nobody relies on what it holds any more, unless the device
        has promised to keep it (PAGE_POISON, for hinting and reporting).
        """
        self.zone_of(block.pfn).ledger.move(block.pfn, block.order, event)
        if event in _LOSES_CONTENT and not keeps_content:
            self.expectations.give_up(block)

    def give_back(
        self, block: Block, actor: str, *, reported: bool = False, quiet: bool = False
    ) -> None:
        """Put an isolated or acknowledged block back into the buddy lists, with its order.

        `reported` says that the host knows it to be free; it is then handed out last.  `quiet`
        keeps it from `listed`: whoever tried to report it will not be asked to again at once.
        """
        zone = self.zone_of(block.pfn)
        event = PageEvent.RETURN_REPORTED if reported else PageEvent.RETURN
        free = zone.put(block, event, actor, oldest=reported)
        self._tell(Returned((span_of(block),)))
        if not quiet:
            self._list(zone, free)

    # Content

    def touch(self, block: Block) -> None:
        """Write every page of a block; its user relies on the content from now on."""
        self.expectations.write(block)
        self._tell(Touched((span_of(block),)))

    def fill(self, block: Block, value: int) -> None:
        """Fill a block with a poison value; it is relied upon too."""
        self.expectations.fill(block, value)
        self._tell(Touched((span_of(block),)))

    def _tell(self, event: Event) -> None:
        if self._emit is not None:
            self._emit(event)


_LOSES_CONTENT = frozenset({PageEvent.OFFER, PageEvent.HINT, PageEvent.INFLATE})


def cpu_name(cpu: int) -> str:
    """Return the actor's name of a CPU.

    >>> cpu_name(0)
    'cpu0'
    """
    return f"cpu{cpu}"
