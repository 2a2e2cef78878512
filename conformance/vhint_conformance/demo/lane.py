"""One host: starts guests, has each allocate, touch and free, and notes what it has come to.

A lane works in a thread of its own; `sample` is called from another one, at a steady pace.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

from vhint_conformance.demo.guest import DemoGuest, GuestFailed, StartGuest
from vhint_conformance.demo.plan import Plan, Scene
from vhint_conformance.demo.run import Ending, Note, Run, Sample, Stage

BREATH = 0.02
"""Seconds between two looks at whether what is waited for has happened."""


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """Somebody has asked for the end."""


class Lane:
    """Fills `run` with what happens; `clock` gives the seconds since the scene began."""

    def __init__(
        self,
        run: Run,
        plan: Plan,
        start_guest: StartGuest,
        clock: Callable[[], float],
        stop: threading.Event,
    ) -> None:
        self.run = run
        self.description = ""
        self._plan = plan
        self._start_guest = start_guest
        self._clock = clock
        self._stop = stop
        self._guests: dict[int, DemoGuest] = {}
        self._gone: list[DemoGuest] = []
        self._stack = ExitStack()

    def sample(self) -> None:
        """Look at the host's memory, and at what the guests have said."""
        guests = [guest.figures() for guest in list(self._guests.values())]
        gone = [guest.figures() for guest in list(self._gone)]
        self.run.samples.append(
            Sample(
                self._clock(),
                sum(figures.resident for figures in guests),
                sum(figures.requests for figures in guests + gone),
                sum(figures.pages for figures in guests + gone),
                len(guests),
            )
        )

    def play(self) -> None:
        """Play the scene to its end; the guests stay until `close`."""
        try:
            if self.run.scene is Scene.ONE_GUEST:
                self._play_one_guest()
            else:
                self._play_budget()
            self._look_at_what_was_kept()
        except Interrupted:
            self.run.ending = Ending.INTERRUPTED
        except GuestFailed as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - a thread must not end without a word
            self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        self.run.ending, self.run.error = Ending.FAILED, reason

    def close(self) -> None:
        """End all guests."""
        self._stack.close()

    # The scenes

    def _play_one_guest(self) -> None:
        guest = self._start(1)
        guest.keep(self._plan.kept)
        for _ in range(self._plan.cycles):
            self._wait(lambda: False, self._plan.rest)
            self._work(1, lambda _: False)
            self._note(1, Stage.SETTLED)
        self.run.ending = Ending.DONE

    def _play_budget(self) -> None:
        for number in range(1, self._plan.guests + 1):
            began = self._clock()
            guest = self._start(number)
            guest.keep(self._plan.kept)
            self._see()
            if not self.run.exceeded_since(began):
                self._work(number, self.run.is_reclaimed_since)
            if self.run.exceeded_since(began):
                self._turn_away(number)
                self.run.ending = Ending.FULL
                return
            self._note(number, Stage.SETTLED)
        self.run.ending = Ending.DONE

    def _start(self, number: int) -> DemoGuest:
        self._check()
        guest = self._start_guest(self._plan, self.run.mode, number)
        self._stack.callback(guest.close)
        self._guests[number] = guest
        self.description = guest.description
        self._note(number, Stage.STARTED)
        return guest

    def _work(self, number: int, is_enough: Callable[[float], bool]) -> None:
        """Allocate, touch, free, and wait until it is enough; not on if the budget is exceeded."""
        guest = self._guests[number]
        began = self._clock()
        self._check()
        guest.allocate(self._plan.size)
        self._note(number, Stage.ALLOCATED)
        self._wait(lambda: False, self._plan.hold)
        self._see()
        if self.run.exceeded_since(began):
            return
        freed_at = self._note(number, Stage.FREED)
        guest.free()
        self._wait(lambda: is_enough(freed_at), self._plan.patience)
        self._see()

    def _turn_away(self, number: int) -> None:
        """End the guest that was one too many."""
        guest = self._guests.pop(number)
        self._gone.append(guest)
        guest.close()
        self._note(number, Stage.TURNED_AWAY)

    def _look_at_what_was_kept(self) -> None:
        for number, guest in self._guests.items():
            self._check()
            self._note(number, Stage.INTACT if guest.intact() else Stage.CORRUPT)

    # Time

    def _wait(self, is_over: Callable[[], bool], seconds: float) -> None:
        until = self._clock() + seconds
        while True:
            self._check()
            for guest in self._guests.values():
                guest.live()
            if is_over() or self._clock() >= until:
                return
            self._stop.wait(BREATH)

    def _see(self) -> None:
        """Wait until the memory as it is now has been looked at twice."""
        for _ in range(2):
            now = self._clock()
            while self.run.last.at <= now:
                self._wait(lambda: False, BREATH)

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted

    def _note(self, guest: int, stage: Stage) -> float:
        note = Note(self._clock(), guest, stage)
        self.run.notes.append(note)
        return note.at
