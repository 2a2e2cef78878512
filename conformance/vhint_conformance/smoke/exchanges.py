"""One exchange for each profile: something valid that every device has to answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from vhint.guest import Draft, requests
from vhint.spans import PAGE
from vhint.wire import command, config
from vhint.wire.bitmap import Bitmap
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench

COOKIE = 0x5EED

PROFILE_FEATURE: Mapping[str, Feature | None] = {
    "balloon": None,
    "reporting": Feature.PAGE_REPORTING,
    "hint-pfn": Feature.HINTING,
    "hint-bitmap": Feature.HINTING_BITMAP,
    "free-page-hint": Feature.FREE_PAGE_HINT,
}
"""The feature that offers a profile; None: every device has it."""


def _balloon(bench: Bench) -> Iterator[Draft]:
    (page,) = bench.blocks(1)
    yield requests.inflate([page.start // PAGE])
    yield requests.deflate([page.start // PAGE])


def _reporting(bench: Bench) -> Iterator[Draft]:
    yield requests.report(bench.blocks(1, _host_order(bench)))


def _hint_pfn(bench: Bench) -> Iterator[Draft]:
    order = _smallest_order(bench)
    (block,) = bench.blocks(1, order)
    yield requests.hint_blocks(COOKIE, [(block.start // PAGE, order)])


def _hint_bitmap(bench: Bench) -> Iterator[Draft]:
    order = _smallest_order(bench)
    (block,) = bench.blocks(1, order)
    yield requests.hint_bitmap(COOKIE, block.start // PAGE, order, Bitmap.from_indices(1, [0]))


def _free_page_hint(bench: Bench) -> Iterator[Draft]:  # noqa: ARG001
    yield Draft(Queue.FREE_PAGE, command.build(command.STOP))


DRAFTS: Mapping[str, Callable[[Bench], Iterator[Draft]]] = {
    "balloon": _balloon,
    "reporting": _reporting,
    "hint-pfn": _hint_pfn,
    "hint-bitmap": _hint_bitmap,
    "free-page-hint": _free_page_hint,
}


def problem_with(bench: Bench, profile: str) -> str | None:
    """Have one exchange of a profile; return what was wrong with it, or None."""
    for draft in DRAFTS[profile](bench):
        request = bench.send(draft)
        queue = draft.queue
        if not bench.waits(queue):
            return f"no answer on the {queue} queue: the buffer was not used"
        answer = bench.driver.collect(queue)
        if answer is None or answer.request is not request:
            return f"a wrong answer on the {queue} queue: another buffer was used"
        if queue is Queue.HINTING and answer.data[:8] != COOKIE.to_bytes(8, "little"):
            seen = answer.data[:8].hex() or "nothing"
            return f"the acknowledgement begins with {seen}, not with the request's cookie"
    return None


def _host_order(bench: Bench) -> int:
    return (bench.limits.host_page // PAGE).bit_length() - 1


def _smallest_order(bench: Bench) -> int:
    at, size = config.field_offset("hint_min_order"), config.field_size("hint_min_order")
    said = int.from_bytes(bench.transport.read_config(at, size), "little")
    return min(max(said, _host_order(bench)), 9)  # what is nonsense is not ours to judge
