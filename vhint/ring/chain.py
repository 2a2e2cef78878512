"""A descriptor chain as a device sees it: two lists of buffers, gathered and scattered."""

from __future__ import annotations

from dataclasses import dataclass

from vhint.ring.errors import Fault, RingError
from vhint.ring.memory import GuestMemory
from vhint.spans import Span

MAX_CHAIN_BYTES = 1 << 32


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain, copied out of the descriptor table once.

    `head` is what the used ring will say; `readable` come before `writable` (VIRTIO 1.4, Message
    Framing: how bytes are spread over the buffers of each list means nothing).
    """

    head: int
    readable: tuple[Span, ...]
    writable: tuple[Span, ...]

    @property
    def readable_size(self) -> int:
        """Bytes that the device may read."""
        return sum(span.length for span in self.readable)

    @property
    def writable_size(self) -> int:
        """Bytes that the device may write."""
        return sum(span.length for span in self.writable)

    def read(self, memory: GuestMemory, limit: int) -> bytes:
        """Return a copy of the first `limit` readable bytes, or of all if there are fewer."""
        parts: list[bytes] = []
        for span in self.readable:
            if limit <= 0:
                break
            if not span.length:  # an empty buffer may point anywhere
                continue
            part = memory.read(Span(span.start, min(span.length, limit)))
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)

    def write(self, memory: GuestMemory, data: bytes) -> int:
        """Store `data` from the first writable byte on; return how many bytes found room."""
        done = 0
        for span in self.writable:
            part = data[done : done + span.length]
            if part:  # an empty buffer may point anywhere
                memory.write(span.start, part)
            done += len(part)
        return done


def check_buffer(
    memory: GuestMemory, buffer: Span, total: int, *, is_late: bool, index: int
) -> None:
    """Raise `RingError` for a buffer that no sound driver puts into a chain.

    `total` is the bytes of the chain up to its end; `is_late` says that it is device-readable and
    comes after a device-writable one.
    """
    if is_late:
        raise RingError(Fault.ORDER, f"descriptor {index}")
    if total > MAX_CHAIN_BYTES:
        raise RingError(Fault.TOO_LONG, f"{total} bytes at descriptor {index}")
    if buffer.length and not memory.contains(buffer):
        raise RingError(Fault.ADDRESS, f"descriptor {index}: {buffer}")
