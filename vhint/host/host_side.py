"""What a hypervisor or its administrator can ask of the device, and read off it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from vhint.host import hint_round
from vhint.host.context import Context, Tally
from vhint.host.hint_policy import HintPolicy
from vhint.host.rounds import Rounds
from vhint.host.statistics import StatisticsQueue
from vhint.host.work import Work
from vhint.wire.queues import Queue


class HostSide(Work):
    """The device as its host sees it.

    `hints` is the policy for hinted pages; a `RecordHints` tells which pages a migration need
    not send.
    """

    def __init__(self, context: Context, hints: HintPolicy) -> None:
        super().__init__()
        self.context = context
        self.hints = hints
        self._rounds = Rounds(context, hints, self._show_hint_id, context.options.first_hint_id)

    # Balloon and statistics

    def set_balloon_size(self, pages: int) -> None:
        """Ask the driver for a balloon of so many 4 KiB pages."""
        self.context.config = replace(self.context.config, num_pages=pages)
        self._config_changed()

    def poll_statistics(self) -> bool:
        """Ask the driver for new figures; return False if it has given no buffer to ask with."""
        handler, line = self._statistics(), self.lines.get(Queue.STATS)
        if line is None or handler.held is None:
            return False
        chain, handler.held = handler.held, None
        handler.fresh = False
        self.complete(Queue.STATS, line, chain.head, 0)
        return True

    def statistics(self) -> dict[int, int]:
        """Return the last figures, tag to value."""
        return dict(self._statistics().latest)

    @property
    def statistics_fresh(self) -> bool:
        """Whether the driver has sent figures since the host last asked."""
        return self._statistics().fresh

    # Rounds of free page hinting

    @property
    def round(self) -> hint_round.State:
        """How far the round of free page hinting has come."""
        return self._rounds.state

    def start_round(self) -> int | None:
        """Ask the driver for free pages under a new command id and return that.

        A round that is under way is over; of its hints those count on that are known to be
        unwritten.  Returns None, and asks for nothing, while the driver has not set the queue up
        or the host inhibits discards (`free-page-hint.device.environment-inhibits`).
        """
        if not self.takes_rounds or self.inhibited:
            return None
        return self._rounds.start()

    @property
    def takes_rounds(self) -> bool:
        """Whether the driver has set the queue of free page hinting up."""
        return Queue.FREE_PAGE in self.lines

    def stop_round(self) -> None:
        """Take no more hints for now; the driver keeps back the pages that it hinted."""
        self._rounds.stop()

    def finish_round(self) -> None:
        """Give all hinted pages back: what they were for succeeded."""
        self._rounds.finish()

    def cancel_round(self) -> None:
        """Give all hinted pages back: what they were for failed or was cancelled.

        The driver holds them as it does after a success
        (`free-page-hint.device.done-after-failure`).
        """
        self._rounds.finish()

    # Inhibition and reclaim

    @property
    def inhibited(self) -> bool:
        """Whether the host cannot tolerate discards at present, and the switch for it.

        While it is on, hinting answers INHIBITED, reports and inflated pages are used and keep
        their memory, no round starts and one that is under way is stopped.
        """
        return self.context.inhibited

    @inhibited.setter
    def inhibited(self, value: bool) -> None:
        self.context.inhibited = value
        if value:
            self._rounds.inhibit()

    @property
    def tally(self) -> Tally:
        """How much was discarded since the device was made, and what failed."""
        return self.context.tally

    @abstractmethod
    def _config_changed(self) -> None:
        """Let the driver know that config space changed."""

    @abstractmethod
    def _statistics(self) -> StatisticsQueue:
        """Return the handler of the statistics queue."""

    def _show_hint_id(self, value: int) -> None:
        """Show a command id and say so (`free-page-hint.device.id-change-notified`)."""
        self.context.config = replace(self.context.config, free_page_hint_cmd_id=value)
        self._config_changed()
