"""Playing a program on a device: once, by the same code as `vhint conform TARGET --replay`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vhint_conformance.bench import Bench
from vhint_conformance.fuzz.compiling import compiled, described
from vhint_conformance.fuzz.moves import Move
from vhint_conformance.fuzz.setting import Setting
from vhint_conformance.live_replay import LiveReplay
from vhint_conformance.model.history import HistoryWriter, vector_file
from vhint_conformance.vectors.steps import Step
from vhint_conformance.verdict import Violation

EXTRAS = {
    "offer": ("answer", "chain", "command", "ignored", "indirect", "pieces", "quiet", "valid"),
    "negotiate": ("queue_size",),
}
"""What a step of a program says and the trace of its run does not."""

UNSEEN = frozenset({"host", "notify"})
"""Steps that leave nothing in a trace by which a history could be played again."""


def play(bench: Bench, moves: Sequence[Move], setting: Setting) -> None:
    """Play a program; raises what a case raises that fails."""
    LiveReplay(bench, compiled(moves, setting)).run()


class Recorded:
    """A run that is written down as it happens."""

    def __init__(self, bench: Bench, steps: list[Step]) -> None:
        self.bench = bench
        self.steps = steps
        self._writer = HistoryWriter(bench.memory)
        bench.recorder.listen(self._writer.see)

    def run(self) -> None:
        """Play the steps."""
        replay = LiveReplay(self.bench, self.steps, before=self._before)
        replay.run()

    def _before(self, step: Step) -> None:
        if step["step"] in UNSEEN:
            self._writer.steps.append(step)

    def history(self) -> list[Step]:
        """Return what both sides did, in steps that can be replayed."""
        said = {
            kind: iter([step for step in self.steps if step["step"] == kind]) for kind in EXTRAS
        }
        found: list[Step] = []
        for step in self._writer.steps:
            kind = step["step"]
            if kind in EXTRAS:
                script = next(said[kind])
                step = step | {key: script[key] for key in EXTRAS[kind] if key in script}
            found.append(step)
        return found


def vector_of(
    target: str, history: Sequence[Step], violation: Violation | None, moves: Sequence[Move]
) -> dict[str, Any]:
    """Return the value of a vector file of a history that a program led to."""
    value = vector_file(f"fuzz-{target}", history, violation, described(moves))
    return value | {"source": "vhint, found by random traffic"}
