"""The per-CPU hinting worker of the talk, as a table.

The free hook fills a per-CPU array; at the first threshold the worker wakes.  It goes through the
entries: under the zone lock it re-checks each (`hint.driver.never-report-reallocated`) and
isolates the block (`hint.driver.no-allocate-while-outstanding`), then puts it into a second array.
At the second threshold it makes a request of that array, offers it and notifies the device.  Every
step that another CPU, the allocator or the device can come between is a step of its own.

The three generations walk this table in different ways.  *Isolating* locks and unlocks for every
entry and reports what it has at the end of a scan.  *Batching* locks once a zone and reports full
batches only.  *Blocking*, the first prototype, neither locks a zone nor isolates: it stops every
allocation and every free from WAKE to DONE, exposes the blocks where they lie, and waits for the
answer.
"""

from __future__ import annotations

from enum import Enum, auto

from vhint.guest.tables import follow


class WorkerState(Enum):
    """What a worker is about to do."""

    IDLE = auto()
    """Asleep: its array is below the first threshold."""
    SCANNING = auto()
    """Between two entries, with no lock held."""
    LOCKED = auto()
    """Holding the zone lock (blocking: the sequence lock), between two entries."""
    CHECKED = auto()
    """Holding the lock; the entry's block was found free and may be isolated."""
    HOLDING = auto()
    """Holding the lock; the block is off the free list and in no array yet."""
    REPORTING = auto()
    """The second array is to be reported."""
    KICKING = auto()
    """The request is available; the device has not been notified."""
    WAITING = auto()
    """Blocking only: waiting for the answer, with every allocation stopped."""


class WorkerEvent(Enum):
    """What a worker does."""

    WAKE = auto()
    """The first threshold was reached: take the entries over."""
    LOCK = auto()
    """Take the zone lock of the next entry."""
    PASS_OVER = auto()
    """The re-check says that the entry's block is not to be reported; the reason is counted."""
    FIND = auto()
    """The re-check says that the entry's block is free and can be spared."""
    ISOLATE = auto()
    """Take the block off the free list (blocking: expose it where it lies)."""
    APPEND = auto()
    """Put the block into the second array."""
    UNLOCK = auto()
    """Release the zone lock."""
    REPORT = auto()
    """The second threshold is reached, or what there is has to go: make a request."""
    OFFER = auto()
    """Make the request available."""
    KICK = auto()
    """Notify the device, or see that it does not want to be."""
    AWAIT = auto()
    """Blocking: wait for the answer before anything else happens in the guest."""
    ANSWERED = auto()
    """Blocking: everything that was offered has come back."""
    DONE = auto()
    """No entry is left."""


S, E = WorkerState, WorkerEvent

STEPS: dict[tuple[WorkerState, WorkerEvent], WorkerState] = {
    (S.IDLE, E.WAKE): S.SCANNING,
    (S.SCANNING, E.LOCK): S.LOCKED,
    (S.LOCKED, E.PASS_OVER): S.LOCKED,
    (S.LOCKED, E.FIND): S.CHECKED,
    (S.CHECKED, E.ISOLATE): S.HOLDING,
    (S.HOLDING, E.APPEND): S.LOCKED,
    (S.LOCKED, E.UNLOCK): S.SCANNING,
    (S.SCANNING, E.REPORT): S.REPORTING,
    (S.IDLE, E.REPORT): S.REPORTING,
    (S.REPORTING, E.OFFER): S.KICKING,
    (S.KICKING, E.KICK): S.SCANNING,
    (S.SCANNING, E.AWAIT): S.WAITING,
    (S.WAITING, E.ANSWERED): S.SCANNING,
    (S.SCANNING, E.DONE): S.IDLE,
}
"""(what the worker is about to do, what it does) to what it is about to do then.

A report from IDLE is one that pressure or a time limit asks for
(`hint.driver.no-stranded-isolation`).
"""


def advance(state: WorkerState, event: WorkerEvent) -> WorkerState:
    """Return the state that follows; raise `UndefinedStepError` for what is no step.

    >>> advance(WorkerState.LOCKED, WorkerEvent.FIND)
    <WorkerState.CHECKED: 4>
    """
    return follow(STEPS, state, event)
