"""A round of free page hints as the driver plays it; `hint_ledger` says what may be lost by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vhint.guest import Answer, Draft
from vhint.spans import Span
from vhint.wire import command
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import Capability, F, case
from vhint_conformance.cases.hint_ledger import (
    CONTAINMENT,
    DONE,
    PREFIX,
    PUBLISHED,
    RESERVED,
    STOP,
    WRITTEN,
    HintLedger,
    shown,
)
from vhint_conformance.variants import Rings

__all__ = [
    "ACCEPT",
    "CONTAINMENT",
    "DONE",
    "NEEDS",
    "PREFIX",
    "PUBLISHED",
    "RESERVED",
    "ROUNDS",
    "STOP",
    "USED",
    "WRITTEN",
    "Round",
    "other_than",
    "round_case",
    "shown",
]

NEEDS = [Feature.FREE_PAGE_HINT]
ROUNDS = [Capability.STARTS_ROUNDS, Capability.SHOWS_CONFIG]
ACCEPT = DEFAULT | Features.of(Feature.FREE_PAGE_HINT)

USED = f"{PREFIX}use-every-buffer"


def round_case(
    *requirements: str, rings: Iterable[Rings] = (Rings.SPLIT,), buses: bool = False, **more: Any
) -> Callable[[F], F]:
    """Mark a case of rounds: with one ring format, on one bus, as neither has a part in most."""
    return case(*requirements, rings=rings, buses=buses, **more)


def other_than(number: int) -> int:
    """Return a command id of no round that begins soon."""
    return number ^ 0x00400000


class Round(HintLedger):
    """The driver's side of rounds: ids and pages, beside the ledger of what may be lost.

    It starts the device.
    """

    def __init__(self, bench: Bench, *, poison: int | None = None) -> None:
        super().__init__(bench)
        self.start(poison=poison)

    def start(self, *, poison: int | None = None) -> None:
        """Initialise the device, for the first time or after a reset."""
        poisoned = Features.of(Feature.PAGE_POISON) if poison is not None else Features(0)
        self.bench.start(accept=ACCEPT | poisoned, poison=poison)

    # The driver

    def command(self, value: int | bytes, **placing: Any) -> Answer:
        """Send a command id, or other bytes as one, and wait until they are used."""
        data = value if isinstance(value, bytes) else value.to_bytes(command.SIZE, "little")
        self._send(Draft(Queue.FREE_PAGE, data), **placing)
        return self.bench.answer(Queue.FREE_PAGE, USED)

    def hint(self, spans: Sequence[Span], *, against: str = "", wait: bool = True) -> None:
        """Hint ranges, each in a chain of its own.

        `against` is the requirement by which the device must ignore them.  If there is none, their
        whole pages may be lost from now on, until they are written.
        """
        for span in spans:
            self.supply(span, against=against, notify=True)
        for _ in spans if wait else ():
            self.bench.answer(Queue.FREE_PAGE, USED)

    def supply(self, span: Span, *, against: str = "", notify: bool = False) -> None:
        """Make a range available, by default without a notification."""
        self._send(Draft(Queue.FREE_PAGE, blocks=(span,), pages_are_buffers=True), notify=notify)
        if against:
            self.owe(against, [span])
        else:
            self.lend([span])

    def _send(self, draft: Draft, *, notify: bool = True, **placing: Any) -> None:
        """Make a chain available; the device is notified even if it does not want that.

        QEMU 7.2 stops looking at the queue before it asks for notifications again and does not
        look once more, so that now and then a driver that keeps to what it asks for waits.
        """
        self.bench.send(draft, notify=False, **placing)
        if notify:
            self.bench.notify(draft.queue)
