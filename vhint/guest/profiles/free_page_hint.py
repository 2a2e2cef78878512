"""Free page hinting (feature FREE_PAGE_HINT), the driver's half: rounds of pages that are held.

The table of a round is `vhint.guest.hint_round`.  The driver holds what it supplied until DONE; it
may take pages back before, which the standard allows even while the device has their buffer.  That
is sound only with a device that never changes a page which the driver has written since (a device
that discards cannot know; `take_back_used_only` is for a driver that does not rely on it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vhint.guest.driver import Request
from vhint.guest.hint_round import RoundEvent, RoundState, advance
from vhint.guest.memory import MAX_ORDER, Block, Memory, Relief, Zone, span_of
from vhint.guest.page_life import PageEvent, PageState
from vhint.guest.port import Port
from vhint.guest.requests import Draft
from vhint.guest.step import Step
from vhint.ring import RingError
from vhint.wire import command
from vhint.wire.command import STOP, CommandId
from vhint.wire.queues import Queue

ACTOR = "free_page_hint"
STOP_SLOTS = 1
"""Descriptors that are kept for STOP, so that a round can always be ended."""


@dataclass(frozen=True, slots=True)
class RoundSettings:
    """`order` of the blocks that are supplied; whether only *used* pages are taken back."""

    order: int = MAX_ORDER
    take_back_used_only: bool = False


@dataclass(slots=True)
class Held:
    """A block that was supplied: its buffer, and whether the device has used that."""

    block: Block
    request: Request
    used: bool = False


class FreePageHint:
    """The rounds of one guest."""

    def __init__(self, memory: Memory, port: Port, settings: RoundSettings | None = None) -> None:
        self.memory = memory
        self.port = port
        self.settings = settings or RoundSettings()
        self.state = RoundState.IDLE
        self.poison: int | None = None
        self.round_id: int | None = None
        self.new_id = 0
        self.held: list[Held] = []
        self.must_look = False
        self.trusted = True
        self.kicks = 0
        self.supplied_pages = 0
        self.taken_back_pages = 0
        self._unkicked = False

    @property
    def live(self) -> bool:
        """Whether there is a device to hint to."""
        return self.trusted and self.port.has(Queue.FREE_PAGE)

    @property
    def wants_reset(self) -> bool:
        """Whether the queue makes no sense any more."""
        return not self.trusted

    def started(self) -> None:
        """Take note that the device was initialised."""
        self.trusted = True
        self.must_look = self.live

    def config_changed(self) -> None:
        """Take note that config space may show another id."""
        self.must_look = self.live

    # The round

    def look(self) -> None:
        """Read the command id and see what it means now."""
        self.must_look = False
        shown = CommandId(self.port.read_config("free_page_hint_cmd_id"))
        if shown.is_stop:
            self.happen(RoundEvent.COMMAND_STOP)
            if self.state is RoundState.STOPPED:
                self.round_id = None
        elif shown.is_done:
            self.happen(RoundEvent.COMMAND_DONE)
        elif shown.value != self.round_id and self.state is not RoundState.RELEASING:
            self.new_id = shown.value
            self.happen(RoundEvent.NEW_ID)

    def happen(self, event: RoundEvent) -> None:
        """Move along the table; where the round has come to rest, look again."""
        before, self.state = self.state, advance(self.state, event)
        if self.state is not before and self.state in (RoundState.STOPPED, RoundState.IDLE):
            self.must_look = self.live

    def send_id(self) -> None:
        """Begin the round: the current id, once (free-page-hint.driver.id-first, id-once)."""
        self._send(CommandId(self.new_id))
        self.round_id = self.new_id
        self.happen(RoundEvent.SEND_ID)

    def supply(self) -> None:
        """Supply one block, or find that there is none to spare."""
        block = self.memory.isolate_any(self.settings.order, ACTOR, self.spare)
        if block is None:
            self.happen(RoundEvent.OUT_OF_PAGES)
            return
        draft = Draft(Queue.FREE_PAGE, blocks=(span_of(block),), pages_are_buffers=True)
        request = self.port.add(draft)
        self._unkicked |= self.port.publish(Queue.FREE_PAGE)
        self.memory.move(block, PageEvent.HINT)
        self.held.append(Held(block, request))
        self.supplied_pages += 1 << block.order
        self.happen(RoundEvent.SUPPLY)

    def spare(self, zone: Zone) -> int:
        """Return how many pages a zone keeps: a hint is not worth any pressure."""
        return zone.watermarks.high

    def send_stop(self) -> None:
        """End the round, in the slot kept for it (free-page-hint.driver.finish-with-stop)."""
        self._send(STOP)
        self.happen(RoundEvent.SEND_STOP)

    def _send(self, what: CommandId) -> None:
        # free-page-hint.driver.command-size: exactly 4 bytes
        self.port.add(Draft(Queue.FREE_PAGE, command.build(what)))
        self._unkicked |= self.port.publish(Queue.FREE_PAGE)

    def kick(self) -> None:
        """Notify the device."""
        self._unkicked = False
        if self.port.has(Queue.FREE_PAGE):
            self.port.notify(Queue.FREE_PAGE)
            self.kicks += 1

    def collect(self) -> None:
        """Take a used buffer: a page stays held all the same until DONE."""
        try:
            answer = self.port.collect(Queue.FREE_PAGE)
        except RingError:
            self.trusted = False
            return
        for each in self.held:
            if answer is not None and each.request is answer.request:
                each.used = True

    # The way back

    def release_one(self) -> None:
        """Put a held block back after DONE or reset (free-page-hint.driver.release-on-done)."""
        if self.held:
            each = self.held.pop(0)
            if self.memory.state(each.block.pfn) is PageState.HINTED:
                self.memory.move(each.block, PageEvent.RELEASE)
            self.memory.give_back(each.block, ACTOR)
        if not self.held:
            self.happen(RoundEvent.RELEASED)

    def take_back(self, each: Held) -> None:
        """Take a held block back before DONE (free-page-hint.driver.may-release-early)."""
        self.held.remove(each)
        self.memory.move(each.block, PageEvent.TAKE_BACK)
        self.initialise(each.block)
        self.memory.give_back(each.block, ACTOR)
        self.taken_back_pages += 1 << each.block.order

    def initialise(self, block: Block) -> None:
        """Write the block: a host that copies memory must copy it again.

        free-page-hint.driver.initialise-early-release
        """
        self.memory.fill(block, self.poison or 0)
        self.memory.move(block, PageEvent.INITIALISE)

    def may_take_back(self, each: Held) -> bool:
        """Whether a held block may be taken back before DONE."""
        free = self.memory.open_to(self.memory.zone_of(each.block.pfn), ACTOR)
        return free and (each.used or not self.settings.take_back_used_only)

    def relieve(self, pages: int) -> Relief:
        """Stop supplying, and take held blocks back, the last supplied first."""
        if self.state is RoundState.IDLE and not self.held:
            return Relief.NONE
        if self.state is RoundState.RELEASING:
            return self._release_all()
        self.happen(RoundEvent.PRESSURE)
        before = self.taken_back_pages
        for each in reversed(tuple(self.held)):
            if self.taken_back_pages - before >= pages:
                break
            if self.may_take_back(each):
                self.take_back(each)
        if self.taken_back_pages > before:
            return Relief.NOW
        return Relief.LATER if self.held else Relief.NONE

    def _release_all(self) -> Relief:
        before = len(self.held)
        while self.state is RoundState.RELEASING and self._can_release():
            self.release_one()
        if len(self.held) < before:
            return Relief.NOW
        return Relief.LATER if self.held else Relief.NONE

    def reset_done(self) -> None:
        """Take everything back from the device."""
        self.round_id = None
        self.must_look = False
        self._unkicked = False
        for each in self.held:
            if self.memory.state(each.block.pfn) is PageState.HINTED:  # not from a reset before
                self.memory.move(each.block, PageEvent.RESET)
        self.happen(RoundEvent.RESET)

    # Steps

    def steps(self) -> Iterator[Step]:
        """Yield what can be done next."""
        if self.live:
            yield from self._live_steps()
        if self.state is RoundState.RELEASING and self._can_release():
            yield Step(ACTOR, "release")

    def _live_steps(self) -> Iterator[Step]:
        room = self.port.room(Queue.FREE_PAGE)
        if self.must_look:
            yield Step(ACTOR, "look")
        if self.state is RoundState.ANNOUNCED and room > STOP_SLOTS:
            yield Step(ACTOR, "send_id")
        if self.state is RoundState.SUPPLYING and room > STOP_SLOTS and self._can_search():
            yield Step(ACTOR, "supply")
        if self.state is RoundState.ENDING and room:
            yield Step(ACTOR, "send_stop")
        if self._unkicked:
            yield Step(ACTOR, "kick")
        if self.port.pending(Queue.FREE_PAGE):
            yield Step(ACTOR, "collect")

    def _can_search(self) -> bool:
        return all(self.memory.open_to(zone, ACTOR) for zone in self.memory.zones)

    def _can_release(self) -> bool:
        zones = [self.memory.zone_of(each.block.pfn) for each in self.held[:1]]
        return all(self.memory.open_to(zone, ACTOR) for zone in zones)

    def do(self, step: Step) -> None:
        """Do one of `steps`."""
        match step.action:
            case "look":
                self.look()
            case "send_id":
                self.send_id()
            case "supply":
                self.supply()
            case "send_stop":
                self.send_stop()
            case "kick":
                self.kick()
            case "collect":
                self.collect()
            case "release":
                self.release_one()
            case _:
                raise ValueError(f"no such step: {step}")

    def key(self) -> tuple[object, ...]:
        """Return the state as a value, for hashing and comparing."""
        held = tuple((each.block, each.used) for each in self.held)
        return (self.state, self.round_id, self.new_id, held, self.must_look, self._unkicked)
