"""The host: it takes a request whole, discards page by page, and uses it."""

from __future__ import annotations

from itertools import product

from vhint.guest.page_life import PageState as P
from vhint.host import request_life
from vhint_conformance.model.explore.layout import Field
from vhint_conformance.model.explore.rules import Act, Deed
from vhint_conformance.model.explore.systems import tables
from vhint_conformance.model.explore.systems.bounds import Discard
from vhint_conformance.model.explore.systems.builder import Values
from vhint_conformance.model.explore.systems.hint.state import (
    NO_RESET,
    RESET_ASKED,
    SLOT_AVAILABLE,
    SLOT_TAKEN,
    SLOT_USED,
    HintingSystem,
)

H = request_life.State
_TAKE = (request_life.Event.COPY, request_life.Event.ACCEPT, request_life.Event.DISCARD)
_USE = (request_life.Event.FINISH, request_life.Event.USE)


def host(system: HintingSystem) -> None:
    """Let the host take each request whole, discard page by page, and use it."""
    discarding = tables.fused(request_life.STEPS, H.POPPED, _TAKE)
    if tables.fused(request_life.STEPS, discarding, _USE) is not H.USED:
        raise ValueError("the device's table does not end a request with its use")
    serving: Values = {} if system.bounds.resets == 0 else {system.reset: NO_RESET}
    asked: Values = {system.reset: RESET_ASKED}
    for slot, field in enumerate(system.slot):
        for live in [serving] if not system.bounds.resets else [serving, asked]:
            _serve(system, slot, field, live)


def _serve(system: HintingSystem, slot: int, field: Field, live: Values) -> None:
    step, named, done = system.build.step, system.named[slot], system.done[slot]
    step(
        "host",
        f"the host copies and validates request {slot}",
        {field: SLOT_AVAILABLE, **live},
        {field: SLOT_TAKEN},
    )
    if system.design.discard is Discard.AFTER_USE:
        for members in product((0, 1), repeat=system.bounds.pages):
            step(
                "host",
                f"the host uses request {slot} before it has discarded anything",
                {
                    field: SLOT_TAKEN,
                    **live,
                    **dict(zip(named, members, strict=True)),
                    **dict.fromkeys(system.late[slot], 0),
                },
                {field: SLOT_USED, **dict(zip(system.late[slot], members, strict=True))},
                act=Act(Deed.USE, slot),
            )
        for page in range(system.bounds.pages):
            _discard(system, slot, page, {system.late[slot][page]: 1}, {system.late[slot][page]: 0})
        return
    step(
        "host",
        f"the host uses request {slot}",
        {field: SLOT_TAKEN, **live},
        {field: SLOT_USED},
        unless=[{named[p]: 1, done[p]: 0} for p in range(system.bounds.pages)],
        act=Act(Deed.USE, slot),
    )
    for page in range(system.bounds.pages):
        when: Values = {field: SLOT_TAKEN, named[page]: 1, done[page]: 0, **live}
        _discard(system, slot, page, when, {done[page]: 1})


def _discard(system: HintingSystem, slot: int, page: int, when: Values, then: Values) -> None:
    in_use = system.at(range(page, page + 1), P.ALLOCATED)
    system.build.step(
        "host",
        f"the host discards page {page} of request {slot}",
        when,
        then,
        unless=[in_use],
        act=Act(Deed.DISCARD, slot, (page,)),
    )
    system.build.step(
        "host",
        f"the host discards page {page}, which is in use: its content is lost",
        {**when, **in_use},
        then,
        breaks=system.design.breaks,
        act=Act(Deed.DISCARD, slot, (page,)),
    )
