"""What a device does: the effects that protocol logic answers with, in the order they happen."""

from __future__ import annotations

from dataclasses import dataclass

from vhint.wire.queues import Queue


@dataclass(frozen=True, slots=True)
class Use:
    """Give a buffer back: `data` is stored from its first writable byte on, then it is used.

    `length` is what the used ring says was written; None: as long as `data` is.
    """

    queue: Queue
    id: int
    data: bytes = b""
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Discard:
    """Give `length` bytes of guest memory from `address` back to the host; they read as zeros."""

    address: int
    length: int


@dataclass(frozen=True, slots=True)
class Write:
    """Store `data` in guest memory at `address`."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """Tell the driver that config space changed; what it holds now is read when it asks."""


@dataclass(frozen=True, slots=True)
class NeedsReset:
    """Stop all work and set DEVICE_NEEDS_RESET."""


Effect = Use | Discard | Write | ConfigChanged | NeedsReset
