"""Reference devices with one fault each in rounds of free page hints."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from vhint.host import (
    Device,
    DiscardHints,
    HintPolicy,
    NotedWrites,
    NothingKnown,
    RecordHints,
    WriteLog,
)
from vhint.host.command_ids import LAST_ID, CommandIds
from vhint.host.context import Context, Handler
from vhint.host.free_page_hint import FreePageHint
from vhint.host.hint_round import Event, State
from vhint.host.rounds import Rounds
from vhint.ring import Chain, GuestMemory
from vhint.spans import PAGE, Span
from vhint.wire import command, config
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant


class Hinted(Device):
    """A reference device whose rounds, policy, log or handler can be exchanged."""

    rounds: type[Rounds] = Rounds
    policy: type[HintPolicy] = RecordHints
    log: type[WriteLog] = NotedWrites
    handler: type[FreePageHint] = FreePageHint

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__(memory, hints=self.policy(self.log()))

    def _fresh_handlers(self) -> dict[Queue, Handler]:
        if type(self._rounds) is not self.rounds:
            self._rounds = self.rounds(self.context, self.hints, self._show_hint_id)
        handlers = super()._fresh_handlers()
        handlers[Queue.FREE_PAGE] = self.handler(self.context, self._rounds)
        return handlers


# Which pages count


class _AnyId(Rounds):
    def take_command(self, value: int | None) -> None:
        super().take_command(value and self._id)


class AnyId(Hinted):
    """Takes every id for the one that is shown."""

    rounds = _AnyId


class _DeafToStop(Rounds):
    def take_command(self, value: int | None) -> None:
        if value != command.STOP.value:
            super().take_command(value)


class DeafToStop(Hinted):
    """Goes on after the driver's STOP."""

    rounds = _DeafToStop


class _Hasty(Rounds):
    def take_pages(self, spans: Sequence[Span]) -> None:
        if self.state is State.REQUESTED:
            self._policy.accept(spans, self._context)
        super().take_pages(spans)


class Hasty(Hinted):
    """Takes pages as soon as it has shown an id."""

    rounds = _Hasty


# What becomes of them


class _ForgetsWrites(RecordHints):
    @property
    def skippable(self) -> tuple[Span, ...]:
        return self.hinted


class DropsWritten(Hinted):
    """Leaves out what was hinted, whatever was written to it since."""

    policy = _ForgetsWrites


class _Trusting(NothingKnown):
    @contextmanager
    def unwritten(self, spans: Sequence[Span]) -> Iterator[tuple[Span, ...]]:
        yield tuple(spans)


class DiscardsBlindly(Hinted):
    """Discards what is hinted without a look at what the guest writes."""

    policy = DiscardHints
    log = _Trusting


class _Neighbourly(RecordHints):
    def accept(self, spans: Sequence[Span], context: Context) -> None:
        super().accept([Span(span.start, span.length + PAGE) for span in spans], context)


class TakesNeighbour(Hinted):
    """Computes the end of a hinted range one page too far."""

    policy = _Neighbourly


class _Outward(RecordHints):
    def accept(self, spans: Sequence[Span], context: Context) -> None:
        pages = [list(span.pages()) for span in spans]
        super().accept([Span(p[0] * PAGE, len(p) * PAGE) for p in pages if p], context)


class RoundsOutward(Hinted):
    """Leaves out every page that a hint touches."""

    policy = _Outward


class ClampsToRam(Hinted):
    """Takes a range that is not RAM for RAM's last page, before it finds fault with it."""

    def fail(self, reason: str) -> None:
        """Take the last page for hinted."""
        end = max(region.start + region.length for region in self.context.memory.regions)
        self.hints.accept([Span(end - PAGE, PAGE)], self.context)
        super().fail(reason)


class _Remembers(RecordHints):
    def end(self) -> None:
        pass


class RemembersHints(Hinted):
    """Leaves out in a later round what was hinted in an earlier one."""

    policy = _Remembers


class DiscardsLate(Hinted):
    """Discards what was hinted after it has shown DONE."""

    _late: tuple[Span, ...] = ()

    def finish_round(self) -> None:
        """Say DONE and note what is to be discarded."""
        assert isinstance(self.hints, RecordHints)  # noqa: S101 - as it was made
        late = self.hints.hinted
        super().finish_round()
        self._late = late

    def step(self, queue: Queue | None = None) -> bool:
        """Discard first."""
        late, self._late = self._late, ()
        if late:
            self.context.discard(late)
        return super().step(queue) or bool(late)


class _OutlivesReset(Rounds):
    def reset(self) -> None:
        self._ids.forget()


class OutlivesReset(Hinted):
    """Keeps its round over a reset, hints and all."""

    rounds = _OutlivesReset


# What config space says


class _SameId(Rounds):
    def start(self) -> int:
        self._ids = CommandIds()
        return super().start()


class ReusesId(Hinted):
    """Shows the same id again and again."""

    rounds = _SameId


class _AtTheTop(Rounds):
    def start(self) -> int:
        reserved = self._id == LAST_ID
        self._ids = CommandIds(LAST_ID)
        super().start()
        if reserved:
            self._id = command.DONE.value
        return self._id


class WrapsToDone(Hinted):
    """Counts ids on over the largest one, to those that are reserved."""

    rounds = _AtTheTop


class _SecondIdEnds(Rounds):
    def take_command(self, value: int | None) -> None:
        if value == self._id and self.state is State.RUNNING:
            self.finish()
        else:
            super().take_command(value)


class SecondIdEnds(Hinted):
    """Takes an id that it is sent again for the end of the round."""

    rounds = _SecondIdEnds


class _ReservedId(Rounds):
    def start(self) -> int:
        super().start()
        self._id = command.DONE.value
        return self._id


class ReservedId(Hinted):
    """Counts its rounds from 1."""

    rounds = _ReservedId


class _NeverDone(Rounds):
    def finish(self) -> None:
        self._policy.end()
        self._step(Event.HOST_STOPS)


class NeverDone(Hinted):
    """Shows STOP when it is done with the pages."""

    rounds = _NeverDone


class SilentFailure(Hinted):
    """Leaves everything as it is when what hints were for is cancelled."""

    def cancel_round(self) -> None:
        """Do nothing."""


class SilentIds(Hinted):
    """Changes the command id without a notification."""

    def _show_hint_id(self, value: int) -> None:
        self.context.config = replace(self.context.config, free_page_hint_cmd_id=value)


class WritableId(Hinted):
    """Lets the driver write the command id."""

    def write_config(self, offset: int, data: bytes) -> None:
        """Store what is written there."""
        super().write_config(offset, data)
        if offset == config.field_offset("free_page_hint_cmd_id"):
            value = int.from_bytes(data, "little")
            self.context.config = replace(self.context.config, free_page_hint_cmd_id=value)


class _DoneAtId(Rounds):
    def take_command(self, value: int | None) -> None:
        super().take_command(value)
        if value == self._id:
            self.finish()


class DoneAtId(Hinted):
    """Takes the driver's id for the end of the round."""

    rounds = _DoneAtId


# How chains are read


class _OnePiece(FreePageHint):
    def handle(self, chain: Chain) -> Generator[None, None, int]:
        whole = replace(chain, readable=chain.readable[:1]) if chain.readable else chain
        return (yield from super().handle(whole))


class OnePiece(Hinted):
    """Looks for the command id in the first descriptor only."""

    handler = _OnePiece


class _BigEndian(Rounds):
    def take_command(self, value: int | None) -> None:
        turned = None if value is None else int.from_bytes(value.to_bytes(4, "little"), "big")
        super().take_command(turned)


class BigEndian(Hinted):
    """Reads command ids from the wrong end."""

    rounds = _BigEndian


class _Keeps(FreePageHint):
    def handle(self, chain: Chain) -> Generator[None, None, int | None]:  # type: ignore[override]
        yield from super().handle(chain)
        return 0 if chain.readable or self._rounds.state is State.RUNNING else None


class KeepsIgnored(Hinted):
    """Does not use the buffers of pages that it ignores."""

    handler = _Keeps


class _StopUnsaid(Rounds):
    def _step(self, event: Event) -> None:
        said = self._show
        if event is Event.GUEST_SENDS_STOP:
            self._show = self._keep
        super()._step(event)
        self._show = said

    def _keep(self, value: int) -> None:
        self._context.config = replace(self._context.config, free_page_hint_cmd_id=value)


class StopUnsaid(Hinted):
    """Shows STOP after the driver's without a notification."""

    rounds = _StopUnsaid


MUTANTS = tuple(
    Mutant(name, summary, (f"free-page-hint.device.{requirement}",), make)
    for name, summary, requirement, make in (
        ("round-any-id", "takes pages under any id", "stale-id-ignored", AnyId),
        ("round-no-stop", "takes pages after STOP", "pages-after-stop-ignored", DeafToStop),
        ("round-hasty", "takes pages before the id", "pages-before-id-ignored", Hasty),
        (
            "round-drops-written",
            "does not send a hinted page although it was written",
            "skipped-page-resent-when-written",
            DropsWritten,
        ),
        (
            "round-discards-blindly",
            "discards hinted pages that the guest has written by then",
            "guest-write-wins",
            DiscardsBlindly,
        ),
        ("round-neighbour", "leaves out one page more than hinted", "containment", TakesNeighbour),
        (
            "round-outward",
            "leaves out pages of which a part was hinted",
            "skip-covers-whole-pages",
            RoundsOutward,
        ),
        ("round-clamps", "takes the last page for what lies behind it", "ram-only", ClampsToRam),
        (
            "round-remembers",
            "leaves out what was hinted in an earlier round",
            "no-effect-after-done",
            RemembersHints,
        ),
        (
            "round-discards-late",
            "discards hinted pages after DONE",
            "no-effect-after-done",
            DiscardsLate,
        ),
        ("round-over-reset", "keeps its hints over a reset", "reset-ends-round", OutlivesReset),
        ("round-same-id", "shows the same id for every round", "no-id-reuse", ReusesId),
        (
            "round-id-1",
            "counts its rounds from 1, which is DONE",
            "round-id-not-reserved",
            ReservedId,
        ),
        (
            "round-id-counts-over",
            "counts ids on over the largest, to those that are reserved",
            "round-id-not-reserved",
            WrapsToDone,
        ),
        (
            "round-done-at-second-id",
            "is done when it gets its id again",
            "completion-by-field",
            SecondIdEnds,
        ),
        ("round-never-done", "never shows DONE", "publish-done", NeverDone),
        (
            "round-silent-failure",
            "does not show DONE when the migration is cancelled",
            "done-after-failure",
            SilentFailure,
        ),
        ("round-silent-id", "changes the id unnotified", "id-change-notified", SilentIds),
        ("round-silent-stop", "answers STOP by STOP unnotified", "id-change-notified", StopUnsaid),
        ("round-writable-id", "lets the driver write the id", "config-read-only", WritableId),
        ("round-done-at-id", "is done when it gets its id", "completion-by-field", DoneAtId),
        (
            "round-one-piece",
            "reads an id in one descriptor only",
            "id-any-fragmentation",
            OnePiece,
        ),
        ("round-big-endian", "reads ids from the wrong end", "id-little-endian", BigEndian),
        ("round-keeps-ignored", "does not use what it ignores", "use-every-buffer", KeepsIgnored),
    )
)
"""Mutants whose rounds are wrong."""
