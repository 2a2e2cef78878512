"""Which kind of trace a file is, and the verdict on it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import BinaryIO, Final

from vhint_conformance.case import Role
from vhint_conformance.check import ftrace, qemu
from vhint_conformance.check.ftrace import Ftrace
from vhint_conformance.check.monitors import OF_MEMORY, monitors
from vhint_conformance.check.native import NativeTrace, before, meaning
from vhint_conformance.check.qemu import QemuLog
from vhint_conformance.check.result import Doubt, Finding, Result, TraceVerdict
from vhint_conformance.check.states import Guess, State, StateSet, Told
from vhint_conformance.oracle import Monitor
from vhint_conformance.selection import HasLevel, Level, level_of, matches

START: Final = 1 << 16
"""Bytes by which a trace is recognised."""


EARLY: Final = "it ends before the device had come to rest: what else it did is not told"
"""Why a trace that is not settled cannot hold."""


class Kind(StrEnum):
    """Who wrote a trace."""

    VHINT = "vhint"
    QEMU = "qemu"
    FTRACE = "ftrace"


class NoTrace(ValueError):  # noqa: N818 - what is wrong
    """A file that is no trace: the message says why."""


def recognise(start: bytes) -> Kind:
    """Say which kind of trace begins like this; raises `NoTrace`."""
    text = start.decode("utf-8", "replace")
    if not text.strip():
        raise NoTrace("it is empty")
    if text.lstrip().startswith("{"):
        return Kind.VHINT
    for line in text.splitlines():
        found = qemu.LINE.match(line)
        if found and found["event"] in qemu.PATTERNS:
            return Kind.QEMU
        if line.startswith("# tracer:") or ftrace.LINE.match(line):
            return Kind.FTRACE
    raise NoTrace(
        "neither a trace of vhint, nor a log of QEMU's trace events, nor the output of ftrace"
    )


def judge(
    stream: BinaryIO,
    registry: Mapping[str, HasLevel],
    *,
    kind: Kind | None = None,
    role: Role = Role.DEVICE,
    select: Sequence[str] = (),
    legacy: bool | None = None,
    vdev: int | None = None,
) -> Result:
    """Judge a trace.

    `select` are globs of the requirements that count; all without any. `legacy` says which
    interface was used, None that nobody knows; `vdev` which device of a QEMU log is meant.

    Raises `NoTrace`.
    """
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(stream, START)  # type: ignore[type-var]
    kind = kind or recognise(buffered.peek(START))

    def counts(slug: str) -> bool:
        return not select or any(matches(glob, slug) for glob in select)

    match kind:
        case Kind.VHINT:
            return _native(NativeTrace(buffered), registry, role, counts, legacy)
        case Kind.QEMU:
            return _qemu(QemuLog(buffered, role, vdev), registry, role, counts, legacy)
        case Kind.FTRACE:
            read = Ftrace(buffered)
            read.read()
            doubts = _doubts(read.doubts, read.problem, read.line)
            return Result(TraceVerdict.UNDETERMINED, kind, role, 0, doubts=tuple(doubts))


def _native(
    trace: NativeTrace,
    registry: Mapping[str, HasLevel],
    role: Role,
    counts: Callable[[str], bool],
    legacy: bool | None,
) -> Result:
    states: StateSet | None = None
    number = 0
    for line, place, event in trace.events():
        if states is None:
            states = _states(trace.guesses(legacy=legacy), role, counts, names_pages=True)
            states.step(line, before)
        number += 1
        states.step(line, partial(meaning, place=place, event=event))
    if states is None:
        raise NoTrace(trace.problem or "it holds no event")
    settled = trace.settled and not trace.problem
    if not settled and not trace.problem:
        trace.doubts.append(Doubt(EARLY, line=trace.line))
    return _result(Kind.VHINT, role, registry, states, number, trace, counts, settled=settled)


def _qemu(
    log: QemuLog,
    registry: Mapping[str, HasLevel],
    role: Role,
    counts: Callable[[str], bool],
    legacy: bool | None,
) -> Result:
    states = _states(log.guesses(legacy=legacy), role, counts, names_pages=False)
    number = 0
    for line, events in log.steps():
        states.step(line, events)
        number += 1
    if role is Role.DRIVER and not log.has_registers:
        states = _states(
            log.guesses(legacy=legacy), role, counts, names_pages=False
        )  # nothing of it can be judged
    return _result(Kind.QEMU, role, registry, states, number, log, counts, settled=False)


def _states(
    guesses: Sequence[Guess], role: Role, counts: Callable[[str], bool], *, names_pages: bool
) -> StateSet:
    def fresh(guess: Guess) -> Sequence[Monitor]:
        return monitors(role, legacy=guess["interface"] == "legacy", names_pages=names_pages)

    return StateSet(guesses, fresh, counts)


def _result(
    kind: Kind,
    role: Role,
    registry: Mapping[str, HasLevel],
    states: StateSet,
    number: int,
    trace: NativeTrace | QemuLog,
    counts: Callable[[str], bool],
    *,
    settled: bool,
) -> Result:
    doubts = _doubts(trace.doubts, trace.problem, trace.line)
    if role is Role.DRIVER:
        doubts.append(OF_MEMORY)
    doubts += states.finish(trace.line, settled=settled)
    remarks = _set_aside(states.states, registry)
    dead, alive = _by_life(states)
    findings = tuple(_first(dead)) if dead else ()
    if not alive:
        verdict = TraceVerdict.VIOLATED
    else:
        doubts += [
            Doubt(f"whether {_told(facts)} is not told: {found[0].findings[0].violation}",
                  (found[0].findings[0].violation.requirement,), found[0].findings[0].line)
            for facts, found in dead[:3]
        ]  # fmt: skip
        doubts = [each for each in doubts if _matters(each, registry, counts)]
        verdict = TraceVerdict.UNDETERMINED if doubts else TraceVerdict.HOLDS
    return Result(verdict, kind, role, number, findings, remarks, tuple(doubts))


def _doubts(known: Sequence[Doubt], problem: str, line: int) -> list[Doubt]:
    doubts = list(known)
    if problem:
        doubts.append(Doubt(f"{problem}; judged up to there", line=line))
    return doubts


def _set_aside(states: Sequence[State], registry: Mapping[str, HasLevel]) -> tuple[Finding, ...]:
    """Take what only should not be out of the findings; return what every state has of it."""
    remarks: list[list[Finding]] = []
    for state in states:
        by_level: dict[bool, list[Finding]] = {True: [], False: []}
        for finding in state.findings:
            is_must = level_of([finding.violation.requirement], registry) is Level.MUST
            by_level[is_must].append(finding)
        state.findings = by_level[True]
        remarks.append(by_level[False])
    return tuple(each for each in remarks[0] if all(each in others for others in remarks))


def _by_life(
    states: StateSet,
) -> tuple[list[tuple[Told, list[State]]], list[tuple[Told, list[State]]]]:
    """Return the possibilities of the facts in which something is broken, and the others."""
    dead: list[tuple[Told, list[State]]] = []
    alive: list[tuple[Told, list[State]]] = []
    for facts, found in states.by_fact():
        (dead if all(state.findings for state in found) else alive).append((facts, found))
    return dead, alive


def _first(dead: Sequence[tuple[Told, list[State]]]) -> Iterator[Finding]:
    """Yield the findings of the state that lived longest: the least that is wrong."""
    states = [state for _, found in dead for state in found]
    yield from max(states, key=lambda state: state.findings[0].line).findings


def _told(facts: Told) -> str:
    return "the facts are " + ", ".join(f"{name} {value}" for name, value in facts)


def _matters(doubt: Doubt, registry: Mapping[str, HasLevel], counts: Callable[[str], bool]) -> bool:
    """Whether a doubt is about a requirement that counts; one that nobody knows may be."""
    named = [[slug for slug in registry if matches(glob, slug)] or [glob] for glob in doubt.about]
    return any(counts(slug) for slugs in named for slug in slugs)
