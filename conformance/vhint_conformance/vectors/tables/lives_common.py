"""What histories are made of: initialisation, requests, acknowledgements."""

from __future__ import annotations

from collections.abc import Sequence

from vhint.spans import Span, block
from vhint_conformance.vectors.model import History
from vhint_conformance.vectors.steps import (
    Step,
    answer,
    driver_ok,
    end,
    negotiate,
    offer,
    reset,
    set_poison,
)
from vhint_conformance.vectors.tables import hint_ack, hint_bitmap_message, hint_pfn_message

FEATURES = (0, 1, 5, 22, 23, 32)
START = (reset(), negotiate(FEATURES, FEATURES), driver_ok())
POISONED = (
    reset(),
    negotiate((*FEATURES, 4), (*FEATURES, 4)),
    set_poison(0xAAAAAAAA),
    driver_ok(),
)

A, B, C = block(0x100, 4), block(0x180), block(0x190, 1)
BLOCKS = {A: (0x100, 4), B: (0x180, 0), C: (0x190, 1)}
OK, PARTIAL, MALFORMED, INHIBITED = 0, 1, 2, 4
COOKIES = {"a": 0xA1, "b": 0xB2}


def hint(request: str, *blocks: Span, room: int | None = None) -> Step:
    """Offer a request with a PFN array, by default with room for all results."""
    entries = tuple(BLOCKS[each] for each in blocks)
    size = 16 + (len(blocks) + 7) // 8 if room is None else room
    data = hint_pfn_message.request(entries, cookie=COOKIES[request]).data
    return offer(request, "hinting", data, size, blocks)


def bitmap(request: str, start: int, order: int, bits: str) -> Step:
    """Offer a request with a bitmap."""
    data = hint_bitmap_message.request(start, order, bits, cookie=COOKIES[request]).data
    blocks = [block(*each) for each in hint_bitmap_message.named(start, order, bits)]
    return offer(request, "hinting", data, 16 + (len(bits) + 7) // 8, blocks)


def ack(
    request: str, status: int, processed: int, results: str = "", *, cookie: int | None = None
) -> Step:
    """Use a request with an acknowledgement."""
    message = hint_ack.ack(
        status, processed, results, COOKIES[request] if cookie is None else cookie
    )
    return answer(request, message.data)


def history(name: str, comment: str, *steps: Step, notes: tuple[str, ...] = (),
            slugs: tuple[str, ...] = (), start: Sequence[Step] = START) -> History:  # fmt: skip
    """Make a history that begins with initialisation and ends with `end`."""
    last = () if steps and steps[-1]["step"] == "end" else (end(),)
    return History(name, comment, [*start, *steps, *last], slugs, notes)
