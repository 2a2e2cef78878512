"""Reading acknowledgements of the hinting queue, and everything that must hold of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from vhint.guest import Answer
from vhint.spans import Span, subtract
from vhint.trace import Recorder
from vhint.trace.events import Answered
from vhint.wire import hint_ack, hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import PaddingNotZero, UnknownValue, WireError
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint_conformance.verdict import Failed, Violation, fail

REFUSALS = (Status.MALFORMED, Status.UNSUPPORTED, Status.INHIBITED)


class Memory(Protocol):
    """Where refused blocks are expected to keep their content."""

    def hold(self, spans: Iterable[Span]) -> None:
        """Expect what was last written to these bytes once more."""


class Judge(Protocol):
    """What reading an acknowledgement needs of a bench, or of a replayed vector."""

    @property
    def recorder(self) -> Recorder:
        """Where the trace is recorded."""

    @property
    def memory(self) -> Memory:
        """The suite's picture of guest memory."""

    def require(
        self, condition: bool, requirement: str, *, expected: str, seen: str, where: str = ""
    ) -> None:
        """Fail by `requirement` unless the condition holds."""


def acknowledge(bench: Judge, answer: Answer) -> Acknowledgement:
    """Return the acknowledgement; fail if it breaks a rule that holds whatever was asked.

    The trace learns which blocks were accepted and which refused.
    """
    draft = answer.request.draft
    found = _parse(answer)
    short = len(draft.readable) < hint_request.HEADER_SIZE
    bench.require(
        found.cookie == draft.cookie,
        "hint.device.short-header-malformed" if short else "hint.device.cookie-echo",
        expected=f"cookie {draft.cookie:#x}",
        seen=f"{found.cookie:#x}",
    )
    if found.status in REFUSALS:
        _check_refusal(bench, answer, found)
    elif draft.blocks or draft.count:
        _check_results(bench, answer, found)
    accepted, refused = split(answer, found)
    bench.recorder.emit(Answered(answer.request.ticket, accepted, refused))
    bench.memory.hold(refused)
    return found


def _parse(answer: Answer) -> Acknowledgement:
    room = sum(span.length for span in answer.request.writable)
    if answer.length > room:  # the ring monitor says the same of every queue
        raise fail(
            "ring.device.len-truthful",
            expected=f"a used length of at most {room}",
            seen=str(answer.length),
        )
    try:
        return hint_ack.parse(answer.data, answer.request.draft.count)
    except UnknownValue as error:
        slug = "hint.device.status-known"
        raise fail(slug, expected=error.expected, seen=str(error.seen)) from error
    except PaddingNotZero as error:
        found = [
            Violation("hint.device.result-padding-zero", error.expected, str(error.seen)),
            *_turned(answer),
        ]
        raise Failed(found) from error
    except WireError as error:
        slug = "hint.device.used-length-with-results"
        raise fail(slug, expected=error.expected, seen=str(error.seen), where=error.path) from error


def _turned(answer: Answer) -> list[Violation]:
    """Return a violation of the order of result bits if they make sense when they are turned."""
    draft = answer.request.draft
    data = bytes(answer.data[: answer.length])
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data[hint_ack.HEADER_SIZE :])
    try:
        found = hint_ack.parse(data[: hint_ack.HEADER_SIZE] + turned, draft.count)
    except WireError:
        return []
    if found.results is None or found.results.popcount() != found.processed:
        return []
    kind = "hint-bitmap" if draft.positions != tuple(range(draft.count)) else "hint-pfn"
    return [
        Violation(
            f"{kind}.device.result-order",
            "result bits from the least significant one on",
            "bits that make sense from the most significant one on",
        )
    ]


def _check_refusal(bench: Judge, answer: Answer, found: Acknowledgement) -> None:
    bench.require(
        found.processed == 0,
        "hint.device.refusal-processed-zero",
        expected=f"processed 0 with {found.status.name}",
        seen=str(found.processed),
    )
    bench.require(
        answer.length == hint_ack.HEADER_SIZE,
        "hint.device.refusal-length-16",
        expected=f"a used length of 16 with {found.status.name}",
        seen=str(answer.length),
    )


def _check_results(bench: Judge, answer: Answer, found: Acknowledgement) -> None:
    named = len(answer.request.draft.blocks)
    everything = found.processed == named
    bench.require(
        found.processed <= named,
        "hint.device.processed-counts-accepted",
        expected=f"processed at most {named}, the number of named blocks",
        seen=str(found.processed),
    )
    results = found.results
    if results is not None:
        _check_bits(bench, answer, found, results)
    if results is not None and results.count == answer.request.draft.count:
        bench.require(
            results.popcount() == found.processed,
            "hint.device.processed-counts-accepted",
            expected=f"processed {results.popcount()}, the number of set result bits",
            seen=str(found.processed),
        )
    if found.status is Status.OK:
        bench.require(
            everything,
            "hint.device.ok-means-all",
            expected=f"processed {named} with OK",
            seen=str(found.processed),
        )
    else:
        bench.require(
            not everything,
            "hint.device.partial-not-all",
            expected=f"processed under {named} with PARTIAL",
            seen=str(found.processed),
        )


def _check_bits(bench: Judge, answer: Answer, found: Acknowledgement, results: Bitmap) -> None:
    """Hold the result bits against the blocks that they can stand for."""
    named = set(answer.request.draft.positions)
    shown = set(results.indices().tolist())
    stray = sorted(shown - named)
    bench.require(
        not stray or shown != {bit ^ 7 for bit in named},
        "hint-bitmap.device.request-order",
        expected="bits taken from the least significant one on",
        seen="those from the most significant one on answered",
    )
    bench.require(
        not stray,
        "hint-bitmap.device.result-only-named",
        expected="result bits only where the request has them",
        seen=f"also {stray[:5]}",
    )
    covered = {number for number in named if number < results.count}
    # All bits that fitted say accepted, and so does OK: then it is the number that is wrong.
    bench.require(
        found.status is not Status.OK or shown != covered or found.processed == len(named),
        "hint.device.processed-counts-accepted",
        expected=f"processed {len(named)}, with the blocks whose bits did not fit",
        seen=str(found.processed),
    )


def split(answer: Answer, found: Acknowledgement) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Return the accepted and the refused blocks; result bits not covered count as set."""
    draft = answer.request.draft
    if found.status in REFUSALS:
        return (), draft.blocks
    if found.results is None:
        return draft.blocks, ()
    accepted: list[Span] = []
    refused: list[Span] = []
    for number, block in zip(draft.positions, draft.blocks, strict=True):
        covered = number < found.results.count
        (accepted if not covered or found.results[number] else refused).append(block)
    # Of what overlaps, the union is accepted (rule 6).
    return tuple(accepted), subtract(refused, accepted)
