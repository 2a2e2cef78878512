"""The host's side of free page hinting: rounds, where a hypervisor has migrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vhint.host.command_ids import FIRST_ID, CommandIds
from vhint.host.context import Context
from vhint.host.hint_policy import HintPolicy
from vhint.host.hint_round import SHOWN, Event, Shown, State, advance
from vhint.spans import Span
from vhint.wire import command


class Rounds:
    """Walks the table of `hint_round` and keeps the config field to it.

    `show` is called with every new value of `free_page_hint_cmd_id`.  Lives as long as the
    device: ids go on counting over resets.
    """

    def __init__(
        self,
        context: Context,
        policy: HintPolicy,
        show: Callable[[int], None],
        first_id: int = FIRST_ID,
    ) -> None:
        self.state = State.NO_ROUND
        self._context = context
        self._policy = policy
        self._show = show
        self._shown = command.STOP.value
        self._ids = CommandIds(first_id)
        self._id = 0

    # The host's events

    def start(self) -> int:
        """Ask for hints under a new id and return it."""
        self._policy.begin(self._context)
        self._id = self._ids.issue()
        self._step(Event.HOST_STARTS)
        return self._id

    def stop(self) -> None:
        """Take no more hints; those that there are stay in force."""
        self._step(Event.HOST_STOPS)

    def finish(self) -> None:
        """Rely on no hint any more and say DONE; also for what failed or was cancelled."""
        self._policy.end()
        self._step(Event.HOST_IS_DONE)

    def inhibit(self) -> None:
        """Take no more hints because the host cannot honour them."""
        self._step(Event.INHIBIT)

    def reset(self) -> None:
        """Forget every hint: what it said was said by a driver that is gone."""
        self._policy.end()
        self._ids.forget()
        self._step(Event.RESET)

    # The guest's events

    def take_command(self, value: int | None) -> None:
        """Take a command of the driver; None is one that was not 4 bytes.

        An unreadable command might have been STOP or any id, so no pages count after it.
        """
        if value == command.STOP.value:
            self._ids.stopped()
            self._step(Event.GUEST_SENDS_STOP)
        elif value == self._id and SHOWN[self.state] is Shown.ID:
            self._ids.sent(value)
            self._step(Event.GUEST_SENDS_ID)
        else:
            if value is not None:
                self._ids.sent(value)
            self._step(Event.GUEST_SENDS_STALE_ID)

    def take_pages(self, spans: Sequence[Span]) -> None:
        """Take hinted pages: they count only while the round is running."""
        if self.state is State.RUNNING:
            self._policy.accept(spans, self._context)

    def _step(self, event: Event) -> None:
        self.state = advance(self.state, event)
        values = {
            Shown.STOP: command.STOP.value,
            Shown.ID: self._id,
            Shown.DONE: command.DONE.value,
        }
        value = values[SHOWN[self.state]]
        if value != self._shown:
            self._shown = value
            self._show(value)
