"""Traces of our own recorder: sound devices never violate, mutants never pass unseen."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.check.plays import PLAYS, judged, record, traces
from vhint.spans import Span
from vhint.trace.events import (
    Event,
    FeaturesAccepted,
    Offered,
    Settled,
    StatusRead,
    StatusWritten,
)
from vhint.trace.recorder import Recorder, to_json
from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint_conformance.case import Role
from vhint_conformance.check.judge import NoTrace
from vhint_conformance.check.result import TraceVerdict
from vhint_conformance.kill_matrix.subjects import SUBJECTS
from vhint_conformance.mutants import MUTANTS, SOUND

HOLDS, VIOLATED, UNDETERMINED = TraceVerdict
SOUND_DEVICES = [sound.target for sound in SOUND.values() if sound.role == Role.DEVICE]
SEEN = {
    "descriptor-table-written": "reporting",
    "request-scribbled": "balloon",
    "wrong-used-length": "balloon",
    "used-twice": "reporting",
    "used-id-is-place": "reporting",
    "used-index-counts-descriptors": "reporting",
    "bitmap-without-hinting": "reporting",
    "discard-neighbour": "reporting",
    "pfn-counts-from-one": "balloon",
    "deflate-never-used": "balloon",
    "ack-before-discard": "reporting",
    "hint-rounded-outward": "hinting",
    "bitmap-inverted": "hinting",
    "round-keeps-ignored": "free_page_hint",
}
"""Mutants with an exchange whose trace shows what they do."""


@pytest.fixture(scope="module")
def trace() -> bytes:
    made = record("reference", "hinting")
    assert made is not None
    return made


@pytest.mark.parametrize("play", PLAYS)
def test_the_reference_holds(play: str) -> None:
    made = record("reference", play)
    assert made is not None
    found = judged(made)
    assert (found.verdict, found.findings, found.doubts) == (HOLDS, (), ())


@pytest.mark.parametrize("target", SOUND_DEVICES[1::4])
def test_sound_devices_hold(target: str) -> None:
    for play, made in traces(target):
        assert judged(made).verdict is HOLDS, play


@pytest.mark.long
@pytest.mark.parametrize("target", SOUND_DEVICES)
def test_every_sound_device_holds(target: str) -> None:
    for play, made in traces(target):
        assert judged(made).verdict is HOLDS, play


@pytest.mark.parametrize(("mutant", "play"), SEEN.items())
def test_a_fault_that_the_trace_shows_is_named(mutant: str, play: str) -> None:
    made = record(f"mutant:{mutant}", play)
    assert made is not None
    found = judged(made)
    assert found.verdict is VIOLATED
    first = found.findings[0]
    assert {each.violation.requirement for each in found.findings} & {*MUTANTS[mutant].violates}
    line = json.loads(made.splitlines()[first.line - 1])
    assert first.event.startswith(f"{line['event']}(") or first.event == "the end of the trace"


@pytest.mark.long
@pytest.mark.parametrize("mutant", [m for m in MUTANTS if SUBJECTS[m].role == Role.DEVICE])
def test_no_mutant_is_blamed_for_what_live_judging_does_not_see(mutant: str) -> None:
    for _, made in traces(f"mutant:{mutant}"):
        found = judged(made)
        told = any(json.loads(line)["event"] == "Found" for line in made.splitlines())
        assert not (told and found.verdict is HOLDS)


def test_what_the_recorder_found_beside_the_trace_is_a_doubt(trace: bytes) -> None:
    *lines, last = trace.splitlines(keepends=True)
    number = json.loads(last)["n"]
    says = {"requirement": "hint.device.cookie-echoed", "expected": "7", "seen": "8", "where": ""}
    lines.append(json.dumps({"n": number, "event": "Found", **says}).encode() + b"\n")
    lines.append(json.dumps({"n": number + 1, "event": "Settled"}).encode() + b"\n")
    found = judged(b"".join(lines))
    assert found.verdict is UNDETERMINED
    assert "hint.device.cookie-echoed" in found.doubts[0].reason
    assert judged(b"".join(lines), select=["ring.device.*"]).verdict is HOLDS


def test_a_device_may_ask_for_a_reset_after_a_malformed_chain() -> None:
    """Whether it did is not told if the driver never looked; either way it may."""
    recorder = Recorder()
    bits = Features.of(Feature.VERSION_1, Feature.PAGE_REPORTING).bits
    for event in (FeaturesAccepted(bits), StatusWritten(DeviceStatus.LIVE)):
        recorder.emit(event)
    page = (Span(0x5000, 4096),)
    recorder.emit(Offered("reporting", 0, 0, (), (), (), valid=False))
    recorder.emit(Offered("reporting", 1, 1, (), page, page))
    assert judged(written(recorder, Settled())).verdict is HOLDS
    found = judged(written(recorder, StatusRead(DeviceStatus.LIVE), Settled()))
    assert found.verdict is VIOLATED
    assert found.findings[0].violation.requirement == "reporting.device.use-every-buffer"


def written(recorder: Recorder, *more: Event) -> bytes:
    events = [*recorder.events, *more]
    return "".join(f"{to_json(n, event)}\n" for n, event in enumerate(events)).encode()


# Traces that are not whole


def test_a_trace_without_its_end_is_undetermined(trace: bytes) -> None:
    lines = trace.splitlines(keepends=True)
    for kept in range(1, len(lines)):
        found = judged(b"".join(lines[:kept]))
        assert found.verdict is UNDETERMINED, kept


def test_a_trace_cut_in_a_line_says_which(trace: bytes) -> None:
    found = judged(trace[:-3])
    assert found.verdict is UNDETERMINED
    assert "cut off in the middle of a line" in found.doubts[0].reason
    assert found.doubts[0].line == len(trace.splitlines())


@pytest.mark.parametrize("play", PLAYS)
def test_a_trace_without_its_beginning_is_never_violated(play: str) -> None:
    lines = (record("reference", play) or b"").splitlines(keepends=True)
    for lost in range(1, len(lines), 7):
        found = judged(b"".join(lines[lost:]))
        assert found.verdict is UNDETERMINED, lost
        assert "it begins with event" in found.doubts[0].reason


def test_what_is_wrong_whatever_came_before_is_wrong() -> None:
    lines = (record("mutant:used-twice", "reporting") or b"").splitlines(keepends=True)
    live = next(i for i, line in enumerate(lines) if b'"Offered"' in line)
    found = judged(b"".join(lines[live:]))
    assert found.verdict is VIOLATED
    assert {each.violation.requirement for each in found.findings} & {
        "ring.device.use-chain-once",
        "ring.device.packed-use-once",
    }


# Traces that nobody recorded


def used(ticket: int | None, since: int) -> str:
    values = {"queue": "stats", "head": 0, "ticket": ticket, "length": 0, "since": since}
    return json.dumps({"n": 1, "event": "Used"} | values)


EVENT = '{"n": 0, "event": "StatusWritten", "value": 0}\n'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[]", "not an event"),
        ('{"n": 1}', "not an event"),
        ('{"n": 1, "event": "Notified", "queue": 7}', "not an event"),
        ('{"n": 3, "event": "Notified", "queue": "stats"}', "event 3 where event 1 should be"),
        ('{"n": 1, "event": "StatusWritten", "value": 999}', "value 999: out of range"),
        (
            used(7, -1),
            "request 7 is used and not outstanding",
        ),
        (
            used(None, 1),
            "since 1: not a place before event 1",
        ),
        (
            json.dumps(
                {"n": 1, "event": "Offered", "queue": "x", "ticket": 0, "head": 0}
                | {"readable": [], "writable": []}
            ),
            "no queue is called 'x'",
        ),
        (
            '{"n": 1, "event": "Discarded", "spans": [[0, 1152921504606846976]], "since": -1}',
            "more than 2097152 pages in one event",
        ),
        ('{"n": 1, "event": "Touched", "spans": [[-1, 4096]]}', "no guest physical memory"),
        ("[" * 9999, "not an event"),
        ("\udcff", "no UTF-8"),
    ],
)
def test_a_line_that_no_recorder_writes(line: str, reason: str) -> None:
    found = judged((EVENT + line + "\n").encode("utf-8", "surrogateescape"))
    assert found.verdict is UNDETERMINED
    (doubt, *_) = found.doubts
    assert reason in doubt.reason
    assert doubt.reason.startswith("line 2: ")
    assert doubt.line == 2


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"hello\n", b"{", b'{"n": -4, "event": "ResetDone"}\n']
)
def test_no_trace_at_all(data: bytes) -> None:
    with pytest.raises(NoTrace):
        judged(data)


@settings(max_examples=25)
@given(st.data())
def test_no_damage_makes_it_fall_over(trace, data) -> None:
    lines = trace.splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap", "cut", "number"])):
            case "drop":
                lines[at] = b""
            case "double":
                lines[at] *= 2
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
            case "number":
                lines[at] = lines[at].replace(b"0", b"%d" % data.draw(st.integers(-1, 2**70)))
    with suppress(NoTrace):
        assert judged(b"".join(lines)).verdict in TraceVerdict
