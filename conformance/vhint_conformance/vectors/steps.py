"""The steps of stateful vectors: functions that make them, as plain JSON objects.

What each step means stands in the README of the vector files.  Whoever has a history to save (a
Hypothesis machine with a shrunk failure, say) calls these in order and hands the list to
`vhint_conformance.vectors.replay`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vhint.guest.requests import Draft
from vhint.spans import Span
from vhint_conformance.vectors.values import spans_to_json

Step = dict[str, Any]

DRIVER_STEPS = frozenset(
    {"reset", "negotiate", "set-poison", "driver-ok", "offer", "notify", "write"}
)
"""What the driver does: the script of a replay on a live device."""
DEVICE_STEPS = frozenset({"use", "use-unknown", "discard", "change", "needs-reset"})
"""What the device does: to be held against a live device."""
HOST_STEPS = frozenset({"host"})
"""What somebody does who has both: the script of a replay, where a target lets it be done."""
BOTH = frozenset({"check", "end"})
EVERY = DRIVER_STEPS | DEVICE_STEPS | HOST_STEPS | BOTH


def reset() -> Step:
    """Reset the device, up to the moment at which status reads 0."""
    return {"step": "reset"}


def negotiate(offered: Iterable[int], accepted: Iterable[int]) -> Step:
    """Initialise as far as FEATURES_OK."""
    return {"accepted": sorted(accepted), "offered": sorted(offered), "step": "negotiate"}


def set_poison(value: int) -> Step:
    """Write poison_val."""
    return {"step": "set-poison", "value": value}


def driver_ok() -> Step:
    """Write DRIVER_OK."""
    return {"step": "driver-ok"}


def offer(
    request: str, queue: str, data: bytes = b"", room: int = 0, blocks: Sequence[Span] = ()
) -> Step:
    """Make a request available and notify the device."""
    return {
        "blocks": spans_to_json(blocks),
        "hex": data.hex(),
        "queue": queue,
        "request": request,
        "room": room,
        "step": "offer",
    }


def offer_draft(request: str, draft: Draft) -> Step:
    """Make the request that a draft stands for available."""
    return offer(request, str(draft.queue), draft.readable, draft.room, draft.blocks)


def notify(queue: str) -> Step:
    """Notify the device of a queue."""
    return {"queue": queue, "step": "notify"}


def host(does: str, value: int = 0) -> Step:
    """Have the host do something: begin a round of hints, say."""
    return {"does": does, "step": "host", "value": value}


def write(*spans: Span) -> Step:
    """Write to memory and rely on the content from now on, as after an allocation."""
    return {"spans": spans_to_json(spans), "step": "write"}


def use(request: str, length: int = 0, data: bytes = b"") -> Step:
    """Use a request's buffer with a length, after writing `data` into its room."""
    return {"hex": data.hex(), "length": length, "request": request, "step": "use"}


def answer(request: str, data: bytes) -> Step:
    """Use a hinting request with this acknowledgement."""
    return use(request, len(data), data)


def use_unknown(queue: str, head: int) -> Step:
    """Use an id that no request has."""
    return {"head": head, "queue": queue, "step": "use-unknown"}


def discard(*spans: Span, not_before: str | None = None) -> Step:
    """Discard pages now, or at an unknown moment since the step with that label."""
    made: Step = {"spans": spans_to_json(spans), "step": "discard"}
    return made if not_before is None else made | {"not_before": not_before}


def change(*spans: Span) -> Step:
    """Change bytes."""
    return {"spans": spans_to_json(spans), "step": "change"}


def needs_reset() -> Step:
    """Set DEVICE_NEEDS_RESET, which the driver reads."""
    return {"step": "needs-reset"}


def check(
    *,
    device_owns: Sequence[Span] | None = None,
    driver_owns: Sequence[Span] | None = None,
    may_discard: Sequence[Span] | None = None,
    must_not_discard: Sequence[Span] | None = None,
    outstanding: Sequence[str] | None = None,
) -> Step:
    """State what holds between two steps."""
    spans = {
        "device_owns": device_owns,
        "driver_owns": driver_owns,
        "may_discard": may_discard,
        "must_not_discard": must_not_discard,
    }
    made: Step = {name: spans_to_json(each) for name, each in spans.items() if each is not None}
    if outstanding is not None:
        made["outstanding"] = sorted(outstanding)
    return made | {"step": "check"}


def end() -> Step:
    """Let nothing more happen."""
    return {"step": "end"}


def violating(step: Step, *slugs: str) -> Step:
    """Say that these requirements are seen broken at this step, and no others."""
    return step | {"violates": sorted(slugs)}


def labelled(label: str, step: Step) -> Step:
    """Give a step a label for `not_before`."""
    return step | {"label": label}
