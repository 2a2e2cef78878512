"""Playing a program on a device: once, by the same code as `vhint conform TARGET --replay`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vhint.spans import PAGE
from vhint.wire import config
from vhint.wire.features import Feature
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability
from vhint_conformance.fuzz.compiling import Setting, compiled, described
from vhint_conformance.fuzz.moves import UNITS, Move
from vhint_conformance.model.history import HistoryWriter, vector_file
from vhint_conformance.replay import LiveReplay
from vhint_conformance.vectors.steps import Step
from vhint_conformance.verdict import NotApplicable, Violation

EXTRAS = ("answer", "indirect", "pieces", "valid")
"""What a step of a program says and the trace of its run does not."""


def setting_of(bench: Bench) -> Setting:
    """Return what a program has to know of a target; leaves it reset."""
    order, count = 0, 1
    offered = bench.offered
    if Feature.HINTING in offered:
        if Capability.SHOWS_CONFIG in bench.session.capabilities:
            order, count = _number(bench, "hint_min_order"), _number(bench, "hint_max_count")
        else:
            offered -= type(offered).of(Feature.HINTING, Feature.HINTING_BITMAP)
    rings = bench.start().rings
    room = min(ring.layout.size for ring in rings.values())
    bench.reset()
    usable = bench.memory.usable
    size = PAGE << order
    base = -(-usable.start // size) * size
    if base + (UNITS + 1) * size > usable.end - (2 << 20):
        raise NotApplicable(f"the target's memory is too small for {UNITS} blocks of {size} bytes")
    end = max(start + length for start, length in bench.limits.ram)
    return Setting(offered, base, order, end, room, count)


def _number(bench: Bench, field: str) -> int:
    data = bench.transport.read_config(config.field_offset(field), config.field_size(field))
    return int.from_bytes(data, "little")


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
        LiveReplay(self.bench, self.steps).run()

    def history(self) -> list[Step]:
        """Return what both sides did, in steps that can be replayed."""
        said = iter(step for step in self.steps if step["step"] == "offer")
        found: list[Step] = []
        for step in self._writer.steps:
            more: Step = {}
            if step["step"] == "offer":
                more = {key: value for key, value in next(said).items() if key in EXTRAS}
            found.append(step | more)
        return found


def vector_of(
    target: str, history: Sequence[Step], violation: Violation | None, moves: Sequence[Move]
) -> dict[str, Any]:
    """Return the value of a vector file of a history that a program led to."""
    value = vector_file(f"fuzz-{target}", history, violation, described(moves))
    return value | {"source": "vhint, found by random traffic"}
