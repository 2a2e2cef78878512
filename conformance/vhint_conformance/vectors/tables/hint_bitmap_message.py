"""How a hinting request with a bitmap is laid out, and what its vectors share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vhint_conformance.vectors.message import Message
from vhint_conformance.vectors.model import Expected, Fault, Vector
from vhint_conformance.vectors.tables.common import MALFORMED, accepts, refuses

LIMIT = 1 << 52
COOKIE = 0x1122334455667788
MAX_BITS = 512
"""128 times the hint_max_count of the default setting."""


def request(
    start: int, order: int, bits: str, *, cookie: int = COOKIE, count: int | None = None
) -> Message:
    """Lay out a request; `bits` has a character for each bit, and its header may lie about that."""
    number = len(bits) if count is None else count
    fields = [
        ("type", 2, 2),
        ("flags", 2, 0),
        ("count", 4, number),
        ("cookie", 8, cookie),
        ("start_pfn", 8, start),
        ("order", 4, order),
        ("reserved", 4, 0),
    ]
    if bits:
        fields.append(("bits", (len(bits) + 7) // 8, int(bits[::-1], 2)))
    return Message.of(*fields)


def named(start: int, order: int, bits: str) -> tuple[tuple[int, int], ...]:
    """Give the (pfn, order) blocks that set bits stand for."""
    return tuple((start + (n << order), order) for n, bit in enumerate(bits) if bit == "1")


def valid(
    name: str,
    comment: str,
    start: int,
    order: int,
    bits: str,
    device: Mapping[str, Expected] | None = None,
    **given: Any,
) -> Vector:
    """Make a request whose fields are sound; by default the device takes it, too."""
    decoded = {"bits": bits, "cookie": str(COOKIE), "order": order, "start_pfn": str(start)}
    data = request(start, order, bits).data
    # A count above 0 with no bit set names nothing, but INHIBITED is allowed all the same.
    taken = Expected(
        statuses=("INHIBITED", "OK", "PARTIAL") if "1" in bits else ("INHIBITED", "OK"),
        may_discard=accepts(*named(start, order, bits)).may_discard,
    )
    expected = {"default": taken if bits else accepts()} if device is None else device
    return Vector(name, comment, data, decoded, device=expected, **given)


def invalid(
    name: str,
    comment: str,
    message: Message,
    fault: Fault,
    slug: str,
    statuses: tuple[str, ...] = MALFORMED,
    **given: Any,
) -> Vector:
    """Make a request with an offence."""
    device = {"default": refuses(statuses, slug)}
    return Vector(
        name, comment, message.data, fault=fault, requirements=(slug,), device=device, **given
    )


RAM, PAST = "hint.device.refuse-outside-ram", "hint.device.refuse-past-address-limit"
MISALIGNED = "hint-bitmap.device.refuse-misaligned"
PADDING = "hint-bitmap.device.refuse-nonzero-padding"
INEXACT = "hint.device.refuse-inexact-length"
UNDER = "hint.device.refuse-order-under-minimum"
LIMITED = "hint-bitmap.device.refuse-count-over-limit"
NOT_JUDGED = "hint-bitmap.device.clear-bits-not-judged"
CLEAR = "hint-bitmap.device.clear-bit-untouched"
ORDER_OF_BITS = "hint-bitmap.device.request-order"
ZERO = "hint.device.count-zero-ok"
NO_CAUSE = "hint.device.no-refusal-without-cause"
