"""Faults of rounds that show only when the host does more than begin one and end it."""

from __future__ import annotations

from collections.abc import Iterator

from vhint.guest.hint_round import RoundEvent, RoundState
from vhint.guest.memory import Block, span_of
from vhint.guest.page_life import PageEvent
from vhint.guest.profiles.free_page_hint import ACTOR, FreePageHint, Held
from vhint.guest.requests import Draft
from vhint.guest.step import Step
from vhint.wire.command import DONE, STOP, CommandId
from vhint.wire.queues import Queue
from vhint_conformance.mutants.guest.base import GuestMutant, guest

SHOWN = "free_page_hint_cmd_id"
EARLY = "free-page-hint.driver.initialise-early-release"


class NoStopAfterDone(FreePageHint):
    """Takes it that a round which DONE has cut short needs no STOP any more."""

    def send_stop(self) -> None:
        """Send it only while config space shows something else."""
        if self.port.read_config(SHOWN) == DONE.value:
            self.happen(RoundEvent.SEND_STOP)
        else:
            super().send_stop()


class NextIdCounted(FreePageHint):
    """Takes the id of another round for that of the last one and 1."""

    def send_id(self) -> None:
        """Count, if there was a round whose pages are held still."""
        shown = self.new_id
        if self.round_id is not None and self.held:
            self.new_id = self.round_id + 1
        super().send_id()
        self.round_id = self.new_id = shown


class NoRoomForStop(FreePageHint):
    """Fills the queue with pages to its last place."""

    def _live_steps(self) -> Iterator[Step]:
        yield from super()._live_steps()
        last = self.port.room(Queue.FREE_PAGE) == 1
        if last and self.state is RoundState.SUPPLYING and self._can_search():
            yield Step(ACTOR, "supply")


class IdRemembered(FreePageHint):
    """Remembers over a reset under which id it has hinted."""

    def reset_done(self) -> None:
        """Forget everything else."""
        known = self.round_id
        super().reset_done()
        self.round_id = known


class TwoBlocksAChain(FreePageHint):
    """Puts the first two blocks of a round into one chain."""

    def supply(self) -> None:
        """Supply them, if there are two, and then the others one by one."""
        if self.held or self.port.room(Queue.FREE_PAGE) < 4:
            super().supply()
            return
        found = [self.memory.isolate_any(self.settings.order, ACTOR, self.spare) for _ in "12"]
        blocks = [block for block in found if block is not None]
        if not blocks:
            self.happen(RoundEvent.OUT_OF_PAGES)
            return
        spans = tuple(map(span_of, blocks))
        request = self.port.add(Draft(Queue.FREE_PAGE, blocks=spans, pages_are_buffers=True))
        self._unkicked |= self.port.publish(Queue.FREE_PAGE)
        for block in blocks:
            self.memory.move(block, PageEvent.HINT)
            self.held.append(Held(block, request))
        self.happen(RoundEvent.SUPPLY)


class ReleasesWhenStopped(FreePageHint):
    """Takes STOP in config space, after its own, for leave to release what it holds."""

    def look(self) -> None:
        """Release, as after DONE."""
        shown = CommandId(self.port.read_config(SHOWN))
        if shown == STOP and self.state is RoundState.STOPPED and self.held:
            self.must_look = False
            self.state = RoundState.RELEASING
        else:
            super().look()


class InitialisesFirstPage(FreePageHint):
    """Writes the first page of a block that it takes back early, as if there were one."""

    def initialise(self, block: Block) -> None:
        """Write that."""
        self.memory.fill(Block(block.pfn, 0), self.poison or 0)
        self.memory.move(block, PageEvent.INITIALISE)


def _mutant(
    name: str, summary: str, violates: tuple[str, ...], kind: type[FreePageHint]
) -> GuestMutant:
    return GuestMutant(name, summary, violates[0], "", guest(rounds_kind=kind), also=violates[1:])


MUTANTS = (
    _mutant("no-stop-after-done", "sends no STOP when DONE has cut its round short",
            ("free-page-hint.driver.finish-with-stop",), NoStopAfterDone),
    _mutant("next-id-counted", "takes the next round's id for the last one's and 1",
            ("free-page-hint.driver.current-id-read",), NextIdCounted),
    _mutant("no-room-for-stop", "fills the queue with pages to the last place",
            ("free-page-hint.driver.room-for-stop",), NoRoomForStop),
    _mutant("id-remembered-over-reset", "begins no round under an id of its life before",
            ("free-page-hint.driver.supply-pages",), IdRemembered),
    _mutant("two-blocks-a-chain", "supplies the first two blocks of a round in one chain",
            ("free-page-hint.driver.one-page-block-a-buffer",), TwoBlocksAChain),
    _mutant("released-when-stopped", "releases hinted pages when config space shows STOP",
            (EARLY, "free-page-hint.driver.keep-until-done"), ReleasesWhenStopped),
    _mutant("first-page-initialised", "writes the first page alone of a block taken back early",
            (EARLY,), InitialisesFirstPage),
)  # fmt: skip
"""More guest mutants of free page hinting."""
