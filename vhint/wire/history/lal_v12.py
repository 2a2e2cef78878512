"""The format of Lal's RFC v12 (August 2019): no payload, the buffers are the pages.

What was merged later as free page reporting (`vhint.wire.reporting`) has this form. A report is a
chain of up to 16 device-writable buffers, each a free block; its message is therefore its
descriptors, in the order of the chain, as a trace or an indirect table has them.

>>> report = Descriptors.of([(0x200000, 0x200000, 3, 1), (0x800000, 0x200000, 2, 0)])
>>> [hex(buffer.addr) for buffer in buffers(parse(build(report)))]
['0x200000', '0x800000']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from construct import Struct

from vhint.wire import reporting
from vhint.wire.codec import Codec, Data
from vhint.wire.history.descriptors import Descriptors
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.reporting import USED_LENGTH, Buffer
from vhint.wire.schema import End, Masked, RepeatToEnd, le16
from vhint.wire.source import Face
from vhint.wire.vring import DESCRIPTOR, DescriptorFlag

__all__ = [
    "BUFFER",
    "CAPACITY",
    "FORMAT",
    "PROFILE",
    "USED_LENGTH",
    "Buffer",
    "Descriptors",
    "buffers",
    "build",
    "check",
    "parse",
]

CAPACITY: Final = 16
"""The most buffers of a report, and the size of QEMU's queue."""

_FLAGS: Final = "flags" / Masked(
    le16,
    DescriptorFlag.WRITE | DescriptorFlag.INDIRECT,
    DescriptorFlag.WRITE,
    "device-writable",
)
BUFFER: Final = Struct(
    *(_FLAGS if field.name == "flags" else field for field in DESCRIPTOR.subcons)
)
"""The declaration of a descriptor: device-writable, and not indirect."""

FORMAT: Final = Struct("descriptors" / RepeatToEnd(BUFFER), "end" / End)
"""The declaration of a report's descriptors, in the order of the chain."""

CODEC: Final = Codec[Descriptors]("lal-v12", FORMAT, Face(Descriptors, whole="descriptors"))

parse: Final[Callable[[Data], Descriptors]] = CODEC.parse
"""Parse the descriptors of a report, 16 bytes each.

Raises `ShortInput`, or `UnknownValue` for one that is not device-writable, or indirect.
"""
build: Final[Callable[[Descriptors], bytes]] = CODEC.build
"""Build a table of descriptors. Raises `WireError` for what `parse` would refuse."""


def buffers(descriptors: Descriptors) -> tuple[Buffer, ...]:
    """Give the free memory that descriptors name."""
    return tuple(Buffer(descriptor.addr, descriptor.len) for descriptor in descriptors)


def check(report: Sequence[Buffer], page_size: int) -> tuple[str, ...]:
    """Say in words what is unusual about a report, as `reporting.check` does, but for 16 buffers.

    >>> check([Buffer(i << 21, 1 << 21) for i in range(17)], 4096)
    ('17 buffers, more than 16',)
    """
    found = reporting.check(report, page_size)
    if CAPACITY < len(report) <= reporting.CAPACITY:
        found = (f"{len(report)} buffers, more than {CAPACITY}", *found)
    return found


PROFILE: Final = Profile(
    name="lal-v12",
    date="2019-08-12",
    summary="device-writable buffers that are the pages; no payload",
    confidence=Confidence.POSTED,
    features=(FeatureBit("VIRTIO_BALLOON_F_REPORTING", 5),),
    queues=(QueueIndex("reporting", None, "QEMU and the driver: the next free one"),),
    messages=(Message("report", "the chain's descriptors", FORMAT, parse, build),),
    quirks=(
        Quirk(
            "no-payload",
            "Nothing is written or read: what a report says is where its buffers are.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "unaligned-skipped",
            "QEMU skipped a buffer whose address or length is no multiple of the host's page.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "no-block",
            "QEMU did not ask whether there is RAM at an address, nor where it ends.",
            "N26",
            Confidence.POSTED,
        ),
        Quirk(
            "lost-bit",
            "The driver cleared a block's bit after it had let go of the lock: a free in between "
            "is not reported.",
            "N25",
            Confidence.POSTED,
        ),
    ),
)
"""What is known of the profile ``lal-v12``."""
