"""The proposal of device initialisation (2026): a bitmap that says which inflated pages are zero.

With DEVICE_INIT_ON_INFLATE a chain of the inflate queue is an array of PFNs
(`vhint.wire.pfn_array`) and then a device-writable bitmap of ``ceil(count / 8)`` bytes. Bit N,
least significant first, set: the device has initialised page N, to zero or, with PAGE_POISON, to
`poison_val`.

Only the bits of the first *used length* bytes count, so `parse` takes just those; what is not
covered was not initialised. A guest page larger than 4 KiB counts only if all its parts do. The
proposal says nothing of the padding bits of the last byte; here they are zero, as in the rest of
this library, and anything else is refused.

With DEVICE_INIT_REPORTED each reported page is a chain of its own, and its used length says it:
`is_reported_initialised`.

>>> bitmap = parse(bytes([0b00001111]), 12)
>>> bitmap.is_initialised(3), bitmap.is_initialised(4), bitmap.is_initialised(8)
(True, False, False)
>>> bitmap.is_initialised(0, parts=4), bitmap.is_initialised(1, parts=4)
(True, False)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from construct import Struct

from vhint.wire import pfn_array
from vhint.wire.bitmap import Bitmap, byte_length
from vhint.wire.codec import Codec, Data
from vhint.wire.errors import OutOfRange
from vhint.wire.history.leading import leading_bytes
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.schema import End, LeadingBits, parameter
from vhint.wire.source import Face

CAPACITY: Final = 256
"""The most PFNs that Linux puts into an array; their bitmap has 32 bytes."""

FORMAT: Final = Struct("bits" / LeadingBits(parameter("count")), "end" / End)
"""The declaration of the written part of a bitmap; its parameter is the number of PFNs."""


@dataclass(frozen=True, slots=True)
class InitBitmap:
    """What the device wrote: the bits of the leading PFNs, or None if it wrote no byte."""

    bits: Bitmap | None

    def is_initialised(self, page: int, *, parts: int = 1) -> bool:
        """Say whether a guest page is initialised.

        `page` counts guest pages of `parts` PFNs each, in the order of the array. Bits that are not
        covered are clear. Raises `ValueError` for numbers that no page has.
        """
        if page < 0 or parts < 1:
            raise ValueError(f"no page {page} of {parts} parts")
        end = (page + 1) * parts
        if self.bits is None or end > self.bits.count:
            return False
        return all(self.bits[i] for i in range(page * parts, end))


CODEC: Final = Codec[InitBitmap]("mst-init-2026", FORMAT, Face(InitBitmap), ("count",))

parse: Final[Callable[[Data, int], InitBitmap]] = CODEC.parse
"""Parse the first *used length* bytes of a bitmap for `count` PFNs. Raises `WireError`."""
build: Final[Callable[[InitBitmap], bytes]] = CODEC.build
"""Build the bytes that the device writes; the used length is their number. Raises `WireError`."""


def parse_buffer(data: Data, count: int, used_length: int) -> InitBitmap:
    """Parse a whole bitmap buffer for `count` PFNs, of which `used_length` bytes were written.

    Raises `WireError`, also for a used length larger than the buffer or than the bitmap.
    """
    limit = byte_length(count)
    if not 0 <= used_length <= limit:
        raise OutOfRange("used_length", 0, f"0..{limit}", used_length, format=CODEC.name)
    return CODEC.parse(leading_bytes(data, used_length, CODEC.name), count)


def is_reported_initialised(length: int, used_length: int) -> bool:
    """Say whether a reported page of `length` bytes is initialised, by its used length.

    The proposal knows the length itself (initialised) and 0 (not); anything else counts as not.

    >>> is_reported_initialised(4096, 4096), is_reported_initialised(4096, 4095)
    (True, False)
    """
    return 0 < length == used_length


PROFILE: Final = Profile(
    name="mst-init-2026",
    date="2026-04-22",
    summary="device-writable bitmap of the inflated pages that the device has initialised",
    confidence=Confidence.POSTED,
    features=(
        FeatureBit("VIRTIO_BALLOON_F_DEVICE_INIT_REPORTED", 6),
        FeatureBit("VIRTIO_BALLOON_F_DEVICE_INIT_ON_INFLATE", 7),
    ),
    queues=(
        QueueIndex("inflate", 0, "the driver and the device"),
        QueueIndex("reporting", None, "the device: the next free one"),
    ),
    messages=(
        Message(
            "bitmap",
            "the written part of the device-writable buffer",
            FORMAT,
            parse,
            build,
            ("count",),
        ),
        Message(
            "pfns",
            "the device-readable buffer",
            pfn_array.FORMAT,
            pfn_array.parse,
            pfn_array.build,
        ),
    ),
    quirks=(
        Quirk(
            "used-length-limits",
            "Bits beyond the used length count as clear, whatever is in the buffer.",
            "B5",
            Confidence.THREAD,
        ),
        Quirk(
            "all-parts",
            "A guest page larger than 4 KiB is initialised only if all its bits are set.",
            "B5",
            Confidence.POSTED,
        ),
        Quirk(
            "padding-unspecified",
            "Nothing is said of the bits behind the last PFN.",
            "B5",
            Confidence.INFERRED,
        ),
        Quirk(
            "bit-moved",
            "DEVICE_INIT_ON_INFLATE was proposed as bit 6 and moved to 7 when "
            "DEVICE_INIT_REPORTED took 6.",
            None,
            Confidence.THREAD,
        ),
    ),
)
"""What is known of the profile ``mst-init-2026``."""
