"""A scenario as a stateful vector: what went over the wire, for replaying on any target.

The file says what driver and device did and nothing of why; the sentences of the scenario stand in
the comment.  `violates` is what the replay's monitors see, which judge devices: the history of a
broken *driver* therefore has the result `ok` and names what was broken under `requirements`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vhint.ring import GuestMemory
from vhint.trace.events import (
    Changed,
    ConfigWritten,
    Discarded,
    Event,
    FeaturesAccepted,
    FeaturesOffered,
    Offered,
    ResetDone,
    StatusRead,
    StatusWritten,
    Touched,
    Used,
)
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint_conformance.vectors import steps
from vhint_conformance.vectors.model import FORMAT
from vhint_conformance.vectors.render import canonical
from vhint_conformance.vectors.replay import replay
from vhint_conformance.verdict import Violation

SOURCE = "vhint, found by a state machine"


class HistoryWriter:
    """Listens to a recorder and writes down steps, with the bytes as they are at that moment."""

    def __init__(self, memory: GuestMemory) -> None:
        self._memory = memory
        self._offered = Features(0)
        self._accepted = Features(0)
        self._offers: dict[int, Offered] = {}
        self.steps: list[steps.Step] = []

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Write a step for an event, if it is one."""
        match event:
            case ResetDone():
                if not self.steps or self.steps[-1]["step"] != "reset":
                    self.steps.append(steps.reset())
            case FeaturesOffered(bits):
                self._offered = Features(bits)
            case FeaturesAccepted(bits):
                self._accepted = Features(bits)
                self.steps.append(steps.negotiate(_numbers(self._offered), _numbers(bits)))
            case ConfigWritten(offset, _, value) if offset == config.field_offset("poison_val"):
                if Feature.PAGE_POISON in self._accepted:
                    self.steps.append(steps.set_poison(value))
            case StatusWritten(value) if value & DeviceStatus.DRIVER_OK:
                self.steps.append(steps.driver_ok())
            case StatusRead(value) if value & DeviceStatus.NEEDS_RESET:
                self.steps.append(steps.needs_reset())
            case Offered():
                self._offer(event)
            case Used(ticket=None):
                self.steps.append(steps.use_unknown(str(event.queue), max(0, event.head)))
            case Used():
                self._use(event)
            case Touched(spans):
                self.steps.append(steps.write(*spans))
            case Discarded(spans):
                self.steps.append(steps.discard(*spans))
            case Changed(spans):
                self.steps.append(steps.change(*spans))
            case _:
                pass

    def _offer(self, event: Offered) -> None:
        self._offers[event.ticket] = event
        data = b"".join(map(self._memory.read, event.readable))
        room = 0 if event.writable == event.blocks else sum(s.length for s in event.writable)
        self.steps.append(
            steps.offer(f"r{event.ticket}", str(event.queue), data, room, event.blocks)
        )

    def _use(self, event: Used) -> None:
        offer = self._offers[event.ticket or 0]
        data = b""
        if offer.writable != offer.blocks:
            data = b"".join(map(self._memory.read, offer.writable))[: event.length]
        self.steps.append(steps.use(f"r{event.ticket}", event.length, data))


def _numbers(bits: int | Features) -> list[int]:
    value = bits.bits if isinstance(bits, Features) else bits
    return [number for number in range(64) if value >> number & 1]


def vector_file(
    name: str, taken: Iterable[steps.Step], violation: Violation | None, scenario: Sequence[str]
) -> dict[str, Any]:
    """Return the value of a file with one vector: the steps, judged by the replay itself."""
    made = [dict(step) for step in taken]
    made = [*made, steps.end()]
    judged = [steps.violating(step, *found) if found else step for step, found in replay(made)]
    broken = {slug for step in judged for slug in step.get("violates", ())}
    slugs = broken | ({violation.requirement} if violation else set())
    word = "-".join(re.findall(r"[a-z0-9]+", re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()))
    comment = " ".join(f"({n}) {text}." for n, text in enumerate(scenario, 1)) or "Nothing happens."
    return {
        "count": 1,
        "format": FORMAT,
        "id": f"found-{word}",
        "kind": "stateful",
        "notes": {},
        "source": SOURCE,
        "title": str(violation) if violation else "A run in which nothing was broken",
        "vectors": [
            {
                "comment": " ".join(comment.split()),
                "id": f"found-{word}.shrunk",
                "notes": [],
                "requirements": sorted(slugs),
                "result": "violation" if broken else "ok",
                "steps": judged,
            }
        ],
    }


def write_vector(path: Path, value: dict[str, Any]) -> None:
    """Write a vector file in the form that the linter wants."""
    path.write_text(canonical(value), encoding="utf-8")
