"""Opening the bench for a case, and closing it with a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from vhint.trace.events import Found
from vhint.transport.interface import TransportError
from vhint.wire.features import Features
from vhint.wire.queues import QueueMode
from vhint_conformance.bench.exchange import Bench
from vhint_conformance.bench.numbering import PREFERENCE, find_mode, probe_mode
from vhint_conformance.bench.watched import check_capability, check_features, check_supplied
from vhint_conformance.case import Capability, Case
from vhint_conformance.targets.base import Session, Target
from vhint_conformance.tracing import write_trace
from vhint_conformance.verdict import (
    Failed,
    Inconclusive,
    NotApplicable,
    Skipped,
    TargetDied,
    TargetError,
    TargetNotStarted,
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a target offered and could do when it was last started."""

    offered: Features
    capabilities: frozenset[Capability]
    reasons: Mapping[Capability, str]
    supplied: frozenset[str]


_offers: dict[str, _Shown] = {}
"""What each target showed when it was last started in this process; by the target's key."""

_modes: dict[str, QueueMode] = {}
"""How each target numbers its queues, as it says or as was found; by the target's key."""


@contextmanager
def open_bench(target: Target, info: Case, seed: int, trace: Path | None) -> Iterator[Bench]:
    """Start a target for a case; leaving the context judges what happened.

    Raises `NotApplicable` or `TargetError` on entry; on exit `Failed` with what the case found
    and what the monitors found, or `TargetDied`.  The trace is written to the file `trace`.
    """
    if (shown := _offers.get(target.key)) is not None:  # spares starting it
        check_features(info, shown.offered)
        check_supplied(info, shown.supplied)
        for capability in info.capabilities:
            check_capability(capability, shown.capabilities, shown.reasons)
    mode = mode_of(target)
    with _started(target) as session:
        bench: Bench | None = None
        try:
            offered = Features(session.transport.read_features())
            _offers[target.key] = _Shown(
                offered, session.capabilities, session.reasons, session.supplied
            )
            bench = Bench(session, info, seed, queue_mode=mode)
            try:
                yield bench
            except Skipped:
                raise
            except (Failed, Inconclusive, NotApplicable) as verdict:
                _add_monitors(bench, verdict)
            else:
                bench.finish()
        except TransportError as error:
            died = _death(session, error)
            died.stake = bench.stake if bench is not None else ""
            raise died from error
        finally:
            if bench is not None:
                write_trace(bench.recorder, trace, bench.observations)
                bench.memory.close()


def _death(session: Session, error: TransportError) -> TargetDied:
    """Return what is known of a target that has stopped answering."""
    session.await_end()
    try:
        session.check_alive()
    except TargetDied as died:
        return died
    said = session.last_words()
    what = f"the target stopped answering: {error}{said}"
    return TargetDied(what, hangs=session.runs_on())


def _started(target: Target) -> Session:
    """Start the target; one that has started before and does not now is as good as dead."""
    try:
        return target.start()
    except TargetNotStarted as error:
        if target.key not in _offers:
            raise
        raise TargetDied(f"the target did not start again: {error}", error.hint) from error


def mode_of(target: Target) -> QueueMode:
    """Return how the target numbers its queues, found out once, before any case has its turn."""
    mode = _modes.get(target.key)
    if mode is None:
        try:
            with target.start() as session:
                mode = session.limits.queue_mode
                offered = Features(session.transport.read_features())
                if mode is None and Capability.SHOWS_QUEUE_SIZES in session.capabilities:
                    mode = find_mode(session.transport)
            mode = mode or probe_mode(offered, target.start)
        except (TransportError, TargetError):
            pass  # the case itself will show what is wrong with the target
        if mode is None:
            return PREFERENCE[0]
        _modes[target.key] = mode
    return mode


def _add_monitors(bench: Bench, verdict: Failed | Inconclusive | NotApplicable) -> NoReturn:
    """Raise the case's own verdict together with what the monitors say of the same trace."""
    own = verdict.violations if isinstance(verdict, Failed) else ()
    for each in own:
        bench.recorder.emit(Found(each.requirement, each.expected, each.seen, each.where))
    try:
        bench.finish()
    except Failed as more:
        extra = [each for each in more.violations if each not in own]
        raise Failed([*own, *extra]) from verdict
    except TransportError:
        if not own:
            raise
    raise verdict
