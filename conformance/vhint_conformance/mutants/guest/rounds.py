"""Faults of free page hinting, the driver's half."""

from __future__ import annotations

from vhint.guest.hint_round import RoundEvent, RoundState
from vhint.guest.memory import Block, span_of
from vhint.guest.page_life import PageEvent
from vhint.guest.profiles.free_page_hint import ACTOR, FreePageHint, Held
from vhint.guest.requests import Draft
from vhint.wire import command
from vhint.wire.command import CommandId
from vhint.wire.queues import Queue
from vhint_conformance.mutants.guest.base import GuestMutant, guest

EARLY = "free-page-hint.driver.initialise-early-release"
STOP = "free-page-hint.driver.finish-with-stop"
RELEASE = "free-page-hint.driver.release-on-done"
EVERY = "hint.driver.return-every-acknowledged"


class PagesBeforeId(FreePageHint):
    """Supplies a page, and then says under which id."""

    def send_id(self) -> None:
        """Send a page first."""
        room = self.port.room(Queue.FREE_PAGE) > 2
        block = room and self.memory.isolate_any(self.settings.order, ACTOR, self.spare)
        if block:
            pages = Draft(Queue.FREE_PAGE, blocks=(span_of(block),), pages_are_buffers=True)
            request = self.port.add(pages)
            self.memory.move(block, PageEvent.HINT)
            self.held.append(Held(block, request))
        super().send_id()


class SendsNoStop(FreePageHint):
    """Ends a round without a word."""

    def send_stop(self) -> None:
        """Take STOP for sent."""
        self.happen(RoundEvent.SEND_STOP)


class SendsIdTwice(FreePageHint):
    """Sends the id with its first page once more."""

    def send_id(self) -> None:
        """Send it twice."""
        if self.port.room(Queue.FREE_PAGE) > 2:
            self._send(CommandId(self.new_id))
        super().send_id()


class ReleasesOnStop(FreePageHint):
    """Releases the pages when it has sent STOP, without waiting for DONE."""

    def happen(self, event: RoundEvent) -> None:
        """Go on to releasing."""
        super().happen(event)
        if event is RoundEvent.SEND_STOP and self.held:
            self.state = RoundState.RELEASING


class InitialisesNothing(FreePageHint):
    """Takes pages back under pressure and leaves them as they are."""

    def initialise(self, block: Block) -> None:
        """Write nothing."""
        self.memory.move(block, PageEvent.INITIALISE)


class LongCommand(FreePageHint):
    """Sends command ids as 8 bytes."""

    def _send(self, what: CommandId) -> None:
        self.port.add(Draft(Queue.FREE_PAGE, command.build(what) + bytes(4)))
        self._unkicked |= self.port.publish(Queue.FREE_PAGE)


class ForgetsHeld(FreePageHint):
    """Forgets what it holds when the device is removed or reset."""

    def reset_done(self) -> None:
        """Forget it all."""
        self.held.clear()
        super().reset_done()


class ForgetsOldRound(FreePageHint):
    """Forgets the pages of a round when the next begins before DONE."""

    def send_id(self) -> None:
        """Begin afresh."""
        self.held.clear()
        super().send_id()


MUTANTS = (
    GuestMutant(
        "pages-before-id",
        "supplies pages before the command id of their round",
        "free-page-hint.driver.id-first",
        "HintRounds",
        guest(rounds_kind=PagesBeforeId),
        also=(STOP,),
    ),
    GuestMutant(
        "no-stop",
        "ends a round without sending STOP",
        STOP,
        "HintRounds",
        guest(rounds_kind=SendsNoStop),
    ),
    GuestMutant(
        "second-id",
        "sends the command id of a round twice",
        "free-page-hint.driver.id-once",
        "HintRounds",
        guest(rounds_kind=SendsIdTwice),
    ),
    GuestMutant(
        "release-on-stop",
        "releases hinted pages after STOP, before the device shows DONE",
        EARLY,
        "HintRounds",
        guest(rounds_kind=ReleasesOnStop),
    ),
    GuestMutant(
        "release-without-initialising",
        "takes hinted pages back under pressure without writing them",
        EARLY,
        "HintRounds",
        guest(rounds_kind=InitialisesNothing),
    ),
    GuestMutant(
        "command-of-8-bytes",
        "sends command ids in buffers of 8 bytes",
        "free-page-hint.driver.command-size",
        "HintRounds",
        guest(rounds_kind=LongCommand),
    ),
    GuestMutant(
        "held-pages-leaked-on-removal",
        "forgets the pages that it holds when the device is reset",
        "free-page-hint.driver.release-on-remove",
        "HintRounds",
        guest(rounds_kind=ForgetsHeld),
        also=(
            EVERY,
            RELEASE,
            "hint.driver.return-outstanding-after-reset",
        ),
    ),
    GuestMutant(
        "old-round-forgotten",
        "forgets the pages of a round when the next begins before DONE",
        RELEASE,
        "HintRounds",
        guest(rounds_kind=ForgetsOldRound),
    ),
)
"""Guest mutants of free page hinting."""
