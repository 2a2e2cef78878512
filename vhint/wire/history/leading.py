"""Reading the leading bytes of a buffer, as hosts did that never looked at its length."""

from __future__ import annotations

from vhint.wire.codec import Data
from vhint.wire.errors import ShortInput, WrongType


def leading_bytes(data: Data, size: int, name: str) -> bytes:
    """Give the first `size` bytes; raises `ShortInput` or `WrongType` in the format's `name`."""
    try:
        head = bytes(memoryview(data).cast("B")[:size])
    except TypeError:
        raise WrongType("", 0, "bytes", data, format=name) from None
    if len(head) < size:
        raise ShortInput("", 0, f"{size} bytes", len(head), format=name)
    return head
