"""The format of Lal's RFC v8 (February 2019): a descriptor whose length counts entries.

The driver queued one device-readable descriptor. Its address is that of an array, its **length is
the number of entries, not of bytes**; the host took it from the raw descriptor and read the array
from the guest's memory itself. So a trace needs both: the descriptor, and as many bytes of memory
at its address as `span` says.

An entry is ``{unsigned long pfn; unsigned int order}`` in the guest's own order: 16 bytes on an
LP64 guest, of which the last 4 are padding, and 8 on an ILP32 guest.

>>> memory = bytes.fromhex("0002000000000000 09000000 00000000")
>>> span(1), parse(memory, 1)
(16, IsolatedBlocks([IsolatedBlock(pfn=512, order=9)]))
>>> parse(memory, 16)  # taking the length for bytes goes wrong  # doctest: +ELLIPSIS
Traceback (most recent call last):
vhint.wire.errors.ShortInput: lal-v8: entries[1].pfn at byte 16: ...: expected 8 bytes, seen 0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from construct import Struct

from vhint.wire.history.entries import Entries, LayoutCodec
from vhint.wire.history.layout import Layout, known_layout
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.schema import End, Padding, Repeat, parameter
from vhint.wire.source import Face

CAPACITY: Final = 1000
"""The most entries of an array."""
USED_LENGTH: Final = 0
"""The used length of a request."""
PAGE_SHIFT: Final = 12
_INT_BITS: Final = 31


def _record(layout: Layout) -> Any:
    padding = ["padding" / Padding(layout.native.u32)] if layout.is_lp64 else []
    return Struct(
        "pfn" / layout.ulong.doc("pages of 4 KiB"),
        "order" / layout.native.u32.doc("order of 4 KiB pages"),
        *padding,
    )


RECORDS: Final = {layout: _record(layout) for layout in Layout}
"""The declaration of an entry, by layout."""

FORMATS: Final = {
    layout: Struct("entries" / Repeat(parameter("desc_len"), record), "end" / End)
    for layout, record in RECORDS.items()
}
"""The declaration of an array, by layout; its parameter is the descriptor's length."""


@dataclass(frozen=True, slots=True)
class IsolatedBlock:
    """The 2^order pages of 4 KiB from `pfn` on.

    Ranges: `pfn` 0 to 2^64 - 1 (2^32 - 1 in ILP32), `order` 0 to 2^32 - 1. The host checked
    neither.
    """

    pfn: int
    order: int

    @property
    def addr(self) -> int:
        """The guest physical address in bytes."""
        return self.pfn << PAGE_SHIFT

    @property
    def coded_pages(self) -> int | None:
        """The number of pages that the host's ``1 << order`` gives, or None if C leaves it open.

        It was computed as a signed int, so it is 2^order only up to order 30.
        """
        return 1 << self.order if self.order < _INT_BITS else None


class IsolatedBlocks(Entries[IsolatedBlock]):
    """An immutable sequence of `IsolatedBlock`."""

    __slots__ = ()
    ELEMENT = IsolatedBlock
    RECORDS = RECORDS


CODEC: Final = LayoutCodec[IsolatedBlocks](
    "lal-v8", FORMATS, Face(IsolatedBlocks, whole="entries"), ("desc_len",)
)

parse: Final[Callable[..., IsolatedBlocks]] = CODEC.parse
"""Parse the memory at a descriptor's address, given the descriptor's length. Raises `WireError`."""
build: Final[Callable[..., bytes]] = CODEC.build
"""Build the array; the descriptor's length is then ``len(blocks)``. Raises `WireError`."""


def span(desc_len: int, layout: Layout = Layout.LP64_LITTLE) -> int:
    """Give the number of bytes that a descriptor of this length stands for."""
    return desc_len * int(RECORDS[known_layout(layout, RECORDS, CODEC.name)].sizeof())


PROFILE: Final = Profile(
    name="lal-v8",
    date="2019-02-04",
    summary="descriptor that points to an array of (pfn, order), its length counting entries",
    confidence=Confidence.GIT,
    features=(FeatureBit("VIRTIO_BALLOON_F_HINTING", 5),),
    queues=(QueueIndex("hinting", 3, "QEMU"),),
    messages=(
        Message(
            "array",
            "the memory at the descriptor's address",
            FORMATS,
            parse,
            build,
            ("desc_len",),
        ),
    ),
    quirks=(
        Quirk(
            "length-counts-entries",
            "The descriptor's length is the number of entries. No other part of virtio can handle "
            "such a buffer: neither message framing nor an IOMMU nor a bounce buffer.",
            "N1",
            Confidence.GIT,
        ),
        Quirk(
            "native-long",
            "An entry has 16 bytes on an LP64 guest and 8 on an ILP32 guest; an LP64 host read "
            "both in steps of 16.",
            "N3",
            Confidence.GIT,
        ),
        Quirk(
            "native-order",
            "All numbers are in the guest's own order, whatever the interface.",
            None,
            Confidence.GIT,
        ),
        Quirk(
            "int-shift",
            "The host computed 1 << order as a signed int: not defined from order 31 on.",
            "N12",
            Confidence.GIT,
        ),
        Quirk(
            "abort",
            "The first entry that could not be discarded ended the request; the rest was skipped, "
            "and the request acknowledged all the same.",
            "N11",
            Confidence.GIT,
        ),
        Quirk(
            "used-head-zero",
            "The used element was a zeroed one: head 0, length 0. It named the request only "
            "because the driver never used another descriptor.",
            None,
            Confidence.GIT,
        ),
        Quirk(
            "one-pop",
            "One request was taken for each notification, so merged notifications left some lying.",
            "N7",
            Confidence.GIT,
        ),
        Quirk(
            "no-inhibit",
            "Discarding went on when it was inhibited, as with an assigned device.",
            "N21",
            Confidence.GIT,
        ),
        Quirk("always-offered", "The feature was always offered.", "N20", Confidence.GIT),
    ),
)
"""What is known of the profile ``lal-v8``."""
