"""Plays the scenes: every lane in a thread of its own, and one loop that measures and shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from vhint_conformance.demo.guest import StartGuest
from vhint_conformance.demo.lane import Lane
from vhint_conformance.demo.plan import Plan, Scene
from vhint_conformance.demo.run import Ending, Run

PERIOD = 0.1
"""Seconds between two samples."""


class Watcher(Protocol):
    """Who is shown what happens, while it happens."""

    def show(self, runs: Sequence[Run]) -> None:
        """Take note that there may be new samples and notes."""

    def finished(self, runs: Sequence[Run]) -> None:
        """Take note that a scene is over."""


class Performance:
    """All scenes of a plan; `runs` are those that were played, or begun."""

    def __init__(
        self, plan: Plan, start_guest: StartGuest, watcher: Watcher, stop: threading.Event
    ) -> None:
        self.plan = plan
        self.runs: list[Run] = []
        self.description = ""
        self._start_guest = start_guest
        self._watcher = watcher
        self._stop = stop

    def play(self) -> None:
        """Play one scene after the other, until there is none or `stop` is set."""
        for scene in self.plan.scenes:
            if self._stop.is_set() or any(run.ending is Ending.FAILED for run in self.runs):
                return
            self._play(scene)

    def _play(self, scene: Scene) -> None:
        plan = self.plan
        budget = plan.budget if scene is Scene.BUDGET else None
        began = time.monotonic()
        lanes = [
            Lane(
                Run(scene, mode, plan.size, budget),
                plan,
                self._start_guest,
                lambda: time.monotonic() - began,
                self._stop,
            )
            for mode in plan.modes
        ]
        runs = [lane.run for lane in lanes]
        self.runs += runs
        with ExitStack() as stack:
            for lane in lanes:
                stack.callback(lane.close)
            threads = [
                threading.Thread(target=lane.play, name=f"vhint-demo-{lane.run.mode}", daemon=True)
                for lane in lanes
            ]
            with _joined(threads, self._stop):
                while any(thread.is_alive() for thread in threads):
                    for lane, thread in zip(lanes, threads, strict=True):
                        if thread.is_alive() or scene is Scene.BUDGET:
                            lane.sample()
                    self._watcher.show(runs)
                    time.sleep(PERIOD)
            for lane in lanes:
                lane.sample()
            self._watcher.show(runs)
            self.description = next((lane.description for lane in lanes if lane.description), "")
        self._watcher.finished(runs)


@contextmanager
def _joined(threads: Sequence[threading.Thread], stop: threading.Event) -> Iterator[None]:
    """Start threads, and leave none of them behind, whatever happens in between."""
    try:
        for thread in threads:
            thread.start()
        yield
    except BaseException:
        stop.set()
        raise
    finally:
        for thread in threads:
            if thread.ident is not None:
                thread.join()
