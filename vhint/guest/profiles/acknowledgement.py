"""What the driver makes of an answer to a hinting request (vhint, The hinting virtqueue, rule 5).

Which request an answer is for was settled by the used id before it comes here
(hint.driver.used-id-selects).
"""

from __future__ import annotations

from dataclasses import dataclass

from vhint.guest.driver import Answer
from vhint.spans import Span
from vhint.wire import hint_ack
from vhint.wire.bitmap import Bitmap, byte_length
from vhint.wire.errors import PaddingNotZero, WireError
from vhint.wire.hint_ack import Acknowledgement, Status

REFUSALS = frozenset({Status.MALFORMED, Status.UNSUPPORTED, Status.INHIBITED})
"""Statuses with which nothing was touched."""


@dataclass(frozen=True, slots=True)
class GoodAnswer:
    """The blocks are the driver's again: of `accepted` ones the content may be gone."""

    status: Status
    accepted: tuple[Span, ...]
    untouched: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """The answer cannot be: every outstanding block stays isolated and the device is reset.

    hint.driver.keep-isolated-on-bad-acknowledgement, hint.driver.reset-on-bad-acknowledgement.
    """

    expected: str
    seen: str

    def __str__(self) -> str:
        return f"expected {self.expected}; seen {self.seen}"


def judge(answer: Answer) -> GoodAnswer | BadAnswer:
    """Say what an answer means for the blocks of its request."""
    draft = answer.request.draft
    longest = hint_ack.HEADER_SIZE + byte_length(draft.count)
    longest = min(longest, max(draft.room, hint_ack.HEADER_SIZE))
    if not hint_ack.HEADER_SIZE <= answer.length <= longest:
        return BadAnswer(f"a used length of 16 to {longest}", str(answer.length))
    try:
        found = _parse(answer.data, draft.count)
    except WireError as error:
        return BadAnswer(error.expected, f"{error.seen} in {error.path or 'the answer'}")
    if found.cookie != draft.cookie:
        return BadAnswer(f"cookie {draft.cookie:#x}", f"{found.cookie:#x}")
    if found.status in REFUSALS:
        # hint.driver.refusal-with-results-detected
        if answer.length != hint_ack.HEADER_SIZE:
            return BadAnswer(f"a used length of 16 with {found.status.name}", str(answer.length))
        return _count(found, 0, 0) or GoodAnswer(found.status, (), draft.blocks)
    good = _split(draft.blocks, draft.positions, found)
    uncovered = (
        len(draft.blocks)
        if found.results is None
        else sum(position >= found.results.count for position in draft.positions)
    )
    most = len(good.accepted)
    if found.status is Status.OK and good.untouched:
        return BadAnswer("every result bit set with OK", f"{len(good.untouched)} clear")
    least = most if found.status is Status.OK else most - uncovered
    if found.status is Status.PARTIAL:
        most = min(most, len(draft.blocks) - 1)
    return _count(found, least, most) or good


def _count(found: Acknowledgement, least: int, most: int) -> BadAnswer | None:
    """Judge `processed` (hint.driver.processed-contradiction-detected)."""
    if least <= found.processed <= most:
        return None
    expected = str(least) if least == most else f"{least} to {most}"
    return BadAnswer(f"processed {expected} with {found.status.name}", str(found.processed))


def _parse(data: bytes, count: int) -> Acknowledgement:
    """Parse; results whose padding is not zero are no results, so that all count as accepted."""
    try:
        return hint_ack.parse(data, count)
    except PaddingNotZero:
        return hint_ack.parse(data[: hint_ack.HEADER_SIZE], count)


def _split(
    blocks: tuple[Span, ...], positions: tuple[int, ...], found: Acknowledgement
) -> GoodAnswer:
    """Tell accepted blocks from others; not covered is accepted (uncovered-results-lost)."""
    results = found.results or Bitmap(0, b"")
    accepted: list[Span] = []
    untouched: list[Span] = []
    for position, block in zip(positions, blocks, strict=True):
        covered = position < results.count
        (accepted if not covered or results[position] else untouched).append(block)
    return GoodAnswer(found.status, tuple(accepted), tuple(untouched))
