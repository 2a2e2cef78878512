"""Bitmaps as they are on the wire: bit N is bit ``N % 8`` of byte ``N // 8``; padding is zero.

Source: vhint, The hinting virtqueue ("least significant first"). The methods work on 64-bit words
and expand only those that hold something, so that sparse and clustered maps of gigabytes of memory
cost little more than reading them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vhint.wire.errors import OutOfRange, PaddingNotZero, WrongLength, WrongType

Octets = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

WORD_BITS: Final = 64
_WORD: Final = np.dtype("<u8")


def byte_length(count: int) -> int:
    """Give the number of bytes that `count` bits take: ``ceil(count / 8)``."""
    return (count + 7) >> 3


def padding_mask(count: int) -> int:
    """Give the mask of the last byte's bits that are padding; 0 if there are none."""
    return 0xFF & ~((1 << (count & 7)) - 1) if count & 7 else 0


class Bitmap:
    """An immutable sequence of bits, kept as the bytes that are on the wire.

    Args:
        count: the number of bits, at least 0.
        data: exactly ``ceil(count / 8)`` bytes, with zero padding; copied unless it is `bytes`.

    Raises:
        WrongLength, PaddingNotZero, OutOfRange or WrongType, all of them `WireError`.

    >>> bitmap = Bitmap(11, bytes([0b10000001, 0b00000110]))
    >>> bitmap[7], bitmap[8], bitmap.popcount()
    (True, False, 4)
    >>> bitmap.indices().tolist()
    [0, 7, 9, 10]
    >>> starts, lengths = bitmap.runs()
    >>> starts.tolist(), lengths.tolist()
    ([0, 7, 9], [1, 1, 2])

    """

    __slots__ = ("count", "octets")

    count: int
    """The number of bits."""
    octets: Octets
    """The bytes, as a read-only array of shape ``(ceil(count / 8),)``."""

    def __init__(self, count: int, data: bytes | bytearray | memoryview) -> None:
        _check_count(count)
        try:
            octets = np.frombuffer(
                data if type(data) is bytes else memoryview(data).tobytes(), "u1"
            )
        except TypeError:
            raise WrongType("data", 0, "bytes", data) from None
        if len(octets) != byte_length(count):
            raise WrongLength("data", 0, f"{byte_length(count)} bytes", len(octets))
        if (mask := padding_mask(count)) and octets[-1] & mask:
            last = int(octets[-1])
            raise PaddingNotZero("data", len(octets) - 1, f"no bit of {mask:#04x}", last)
        self.count = count
        self.octets = octets

    @classmethod
    def over(cls, count: int, octets: Octets) -> Bitmap:
        """Make a bitmap of an array that is known to be read-only, long enough and padded."""
        bitmap = cls.__new__(cls)
        bitmap.count = count
        bitmap.octets = octets
        return bitmap

    @classmethod
    def from_indices(cls, count: int, indices: Iterable[int] | npt.NDArray[Any]) -> Bitmap:
        """Make a bitmap of `count` bits of which those in `indices` (0 to count - 1) are set.

        >>> Bitmap.from_indices(10, [9, 0]).data.hex()
        '0102'
        """
        _check_count(count)
        wanted = np.asarray(indices if isinstance(indices, np.ndarray) else list(indices))
        bits = np.zeros(byte_length(count) * 8, np.bool_)
        if wanted.size:
            if wanted.dtype.kind not in "iu":
                raise WrongType("indices", 0, "integers", wanted.dtype.name)
            low, high = int(wanted.min()), int(wanted.max())
            if low < 0 or high >= count:
                bad = low if low < 0 else high
                raise OutOfRange("indices", 0, f"0..{count - 1}", bad)
            bits[wanted] = True
        return cls(count, np.packbits(bits, bitorder="little").tobytes())

    @property
    def data(self) -> bytes:
        """The bytes of the bitmap, as a copy."""
        return self.octets.tobytes()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> bool:
        if index < 0:
            index += self.count
        if not 0 <= index < self.count:
            raise IndexError(f"bit {index} of {self.count}")
        return bool(self.octets[index >> 3] >> (index & 7) & 1)

    def __iter__(self) -> Iterator[bool]:
        bits = np.unpackbits(self.octets, count=self.count, bitorder="little")
        return iter(bits.astype(np.bool_).tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bitmap):
            return NotImplemented
        return self.count == other.count and np.array_equal(self.octets, other.octets)

    def __hash__(self) -> int:
        return hash((self.count, self.octets.tobytes()))

    def __repr__(self) -> str:
        return f"<Bitmap: {self.popcount()} of {self.count} bits set>"

    def popcount(self) -> int:
        """Count the bits that are set."""
        return int(np.bitwise_count(self._words()).sum()) if _HAS_BITWISE_COUNT else self._count()

    def indices(self) -> Indices:
        """Give the positions of the set bits, ascending, as an int64 array."""
        return _positions(self._words())

    def runs(self) -> tuple[Indices, Indices]:
        """Give the maximal runs of set bits, ascending: their first positions and their lengths.

        A run begins and ends where a bit differs from the one below it. Those transitions are
        ``w ^ (w << 1 | carry)`` for 64 bits at a time, so a long run costs two positions.
        """
        words = self._words()
        shifted = words << np.uint64(1)
        shifted[1:] |= words[:-1] >> np.uint64(WORD_BITS - 1)
        edges = _positions(words ^ shifted)
        # A set bit at the very end of the last word has no word above it to end in.
        if len(edges) % 2:
            edges = np.append(edges, len(words) * WORD_BITS)
        return edges[0::2], edges[1::2] - edges[0::2]

    def _words(self) -> npt.NDArray[np.uint64]:
        """View the bitmap as little-endian 64-bit words, filled up with zero bytes."""
        whole = len(self.octets) & ~7
        words = np.zeros(-(-len(self.octets) // 8), _WORD)
        words[: whole // 8] = np.frombuffer(self.octets, _WORD, whole // 8)
        if whole < len(self.octets):
            words[-1] = int.from_bytes(self.octets[whole:].tobytes(), "little")
        return words

    def _count(self) -> int:
        return int(np.unpackbits(self.octets).sum())


_HAS_BITWISE_COUNT: Final = hasattr(np, "bitwise_count")  # numpy 2


def _check_count(count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int):
        raise WrongType("count", 0, "an integer", count)
    if count < 0:
        raise OutOfRange("count", 0, "0 or more", count)


def _positions(words: npt.NDArray[np.uint64]) -> Indices:
    """Give the positions of the set bits, looking only into words that are not zero."""
    filled = np.flatnonzero(words)
    if 2 * len(filled) > len(words):
        found: Indices = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
        return found
    bits = np.unpackbits(words[filled].view(np.uint8), bitorder="little")
    inner = np.flatnonzero(bits)
    positions: Indices = filled[inner >> 6] * WORD_BITS + (inner & (WORD_BITS - 1))
    return positions
