"""The driver: what comes back, by an answer or by a reset."""

from __future__ import annotations

from vhint.guest.page_life import PageEvent, PageState
from vhint.guest.page_life import PageState as P
from vhint_conformance.model.explore.rules import Act, Deed
from vhint_conformance.model.explore.systems import tables
from vhint_conformance.model.explore.systems.bounds import TakeBack
from vhint_conformance.model.explore.systems.builder import Values
from vhint_conformance.model.explore.systems.hint.state import (
    NO_RESET,
    RESET_ASKED,
    RESET_DONE,
    SLOT_AVAILABLE,
    SLOT_FREE,
    SLOT_TAKEN,
    SLOT_USED,
    HintingSystem,
)


def returns(system: HintingSystem) -> None:
    """Let the driver collect used requests; pages go back to the allocator one by one."""
    used = tables.page_moves(PageEvent.USE)[P.OFFERED]
    for slot, field in enumerate(system.slot):
        for page, named in enumerate(system.named[slot]):
            _take_back(system, slot, page, {field: SLOT_USED, named: 1}, used, "used")
        system.build.step(
            "driver",
            f"request {slot} is finished",
            {field: SLOT_USED, **dict.fromkeys(system.named[slot], 0)},
            {field: SLOT_FREE, **dict.fromkeys(system.done[slot], 0)},
        )
    back = tables.page_moves(PageEvent.RETURN)[P.ACKNOWLEDGED]
    for page in range(system.bounds.pages):
        lock = system.lock[system.zones.zone_of(page)]
        here = range(page, page + 1)
        system.build.step(
            "driver",
            f"page {page} goes back to the buddy lists",
            {**system.at(here, P.ACKNOWLEDGED), lock: 0},
            system.at(here, back),
        )


def _take_back(
    system: HintingSystem, slot: int, page: int, when: Values, after: PageState, why: str
) -> None:
    here = range(page, page + 1)
    named = system.named[slot][page]
    system.build.step(
        "driver",
        f"the driver takes page {page} of the {why} request {slot} back",
        {**when, **system.at(here, P.OFFERED)},
        {named: 0, **system.at(here, after)},
    )
    # A page that an unsound guest has named although it was not isolated.
    system.build.step(
        "driver",
        f"the driver takes note that request {slot} is {why}",
        when,
        {named: 0},
        unless=[system.at(here, P.OFFERED)],
    )


def resets(system: HintingSystem) -> None:
    """Let the driver reset the device at any time; what is outstanding comes back."""
    step = system.build.step
    for count in range(system.bounds.resets):
        step(
            "driver",
            "the driver writes 0 to the device status",
            {system.reset: NO_RESET, system.resets: count},
            {system.reset: RESET_ASKED, system.resets: count + 1},
            environment=True,
        )
    step(
        "host",
        "the host stops all work; the status reads 0",
        {system.reset: RESET_ASKED},
        {system.reset: RESET_DONE},
        act=Act(Deed.RESET),
    )
    reset = tables.page_moves(PageEvent.RESET)[P.OFFERED]
    early = system.design.take_back is TakeBack.RESET_ASKED
    for slot, field in enumerate(system.slot):
        for moment in (RESET_ASKED, RESET_DONE) if early else (RESET_DONE,):
            for status in (SLOT_AVAILABLE, SLOT_TAKEN):
                when = {system.reset: moment, field: status}
                for page, named in enumerate(system.named[slot]):
                    _take_reset(system, slot, page, {**when, named: 1}, reset)
        for status in (SLOT_AVAILABLE, SLOT_TAKEN):
            step(
                "driver",
                f"request {slot} is finished by the reset",
                {system.reset: RESET_DONE, field: status, **dict.fromkeys(system.named[slot], 0)},
                {field: SLOT_FREE, **dict.fromkeys(system.done[slot], 0)},
            )
    step(
        "driver",
        "the driver initialises the device again",
        {system.reset: RESET_DONE},
        {system.reset: NO_RESET},
        unless=[
            {field: status} for field in system.slot for status in (SLOT_AVAILABLE, SLOT_TAKEN)
        ],
    )


def _take_reset(
    system: HintingSystem,
    slot: int,
    page: int,
    when: Values,
    after: PageState,
) -> None:
    if when[system.reset] == RESET_DONE:
        _take_back(system, slot, page, when, after, "reset")
        return
    here = range(page, page + 1)
    system.build.step(
        "driver",
        f"the driver takes page {page} of request {slot} back before the reset is done",
        {**when, **system.at(here, P.OFFERED)},
        system.at(here, after),
    )
