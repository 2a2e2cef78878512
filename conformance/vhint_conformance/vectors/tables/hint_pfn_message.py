"""How hinting requests with an array of (pfn, order) are laid out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vhint_conformance.vectors.message import Message
from vhint_conformance.vectors.model import ErrorKind, Expected, Fault, Vector
from vhint_conformance.vectors.tables.common import MALFORMED, accepts, refuses

LIMIT = 1 << 52
COOKIE = 0x0102030405060708
Blks = tuple[tuple[int, int], ...]


def request(blocks: Blks, *, cookie: int = COOKIE, count: int | None = None) -> Message:
    """Lay out a request; its header may lie about the count."""
    number = len(blocks) if count is None else count
    head = (("type", 2, 1), ("flags", 2, 0), ("count", 4, number), ("cookie", 8, cookie))
    entries = [
        field
        for i, (pfn, order) in enumerate(blocks)
        for field in (
            (f"blocks[{i}].pfn", 8, pfn),
            (f"blocks[{i}].order", 4, order),
            (f"blocks[{i}].reserved", 4, 0),
        )
    ]
    return Message.of(*head, *entries)


def valid(
    name: str,
    comment: str,
    blocks: Blks,
    device: Mapping[str, Expected] | None = None,
    *,
    cookie: int = COOKIE,
    **given: Any,
) -> Vector:
    """Make a request whose fields are sound; by default the device takes it, too."""
    decoded = {
        "blocks": [{"order": order, "pfn": str(pfn)} for pfn, order in blocks],
        "cookie": str(cookie),
    }
    expected = {"default": accepts(*blocks)} if device is None else device
    data = request(blocks, cookie=cookie).data
    return Vector(name, comment, data, decoded, device=expected, **given)


def invalid(
    name: str,
    comment: str,
    message: Message,
    kind: ErrorKind,
    path: str,
    slug: str,
    statuses: tuple[str, ...] = MALFORMED,
    **given: Any,
) -> Vector:
    """Make a request with an offence in the field at `path`."""
    fault = Fault(kind, path, message.offset(path))
    device = {"default": refuses(statuses, slug)}
    return Vector(
        name, comment, message.data, fault=fault, requirements=(slug,), device=device, **given
    )


ONE: Blks = ((0x100, 0),)
TWO: Blks = ((0x100, 0), (0x180, 4))
FOUR: Blks = ((0x100, 0), (0x102, 1), (0x104, 2), (0x108, 3))
