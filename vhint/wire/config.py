"""The config space of the balloon device, at every length that it is found with.

Source: VIRTIO 1.4, 5.5.4 Device configuration layout, for the first 16 bytes; vhint, The hinting
virtqueue, for the fields at 24 and 28. Offset 16 is crosvm's working set reporting (informative),
offset 20 is nobody's; both are kept as they are.

A length is 8 to 32 bytes in steps of 4: a device ends its config space after any field from
`actual` on. That includes 28, which no sound device has (the hinting fields come together) but
which can be read all the same; see `BalloonConfig.has_hinting`. Longer ones are `TrailingBytes`:
a driver reads fields by `field_offset` and never sees what it does not ask for. Little-endian also
on a legacy device.

>>> config = parse(bytes([2, 0, 0, 0, 1, 0, 0, 0]))
>>> config.num_pages, config.actual, config.poison_val
(2, 1, None)
>>> field_offset("hint_max_count"), field_size("hint_max_count"), SIZES
(24, 4, (8, 12, 16, 20, 24, 28, 32))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vhint.wire.codec import Data
from vhint.wire.derive import offsets
from vhint.wire.leading_codec import LeadingCodec
from vhint.wire.schema import LeadingStruct, le32
from vhint.wire.source import Face

FORMAT: Final = LeadingStruct(
    2,
    "num_pages" / le32.doc("pages of 4 KiB"),
    "actual" / le32.doc("pages of 4 KiB"),
    "free_page_hint_cmd_id" / le32.doc("command id"),
    "poison_val" / le32.doc("pattern"),
    "ws_num_bins" / le32,
    "unassigned" / le32,
    "hint_max_count" / le32.doc("PFN entries of a request"),
    "hint_min_order" / le32.doc("order of 4 KiB pages"),
)
"""The declaration of the config space."""

BITMAP_COUNT_FACTOR: Final = 128
"""A bitmap may carry this many times `hint_max_count` bits: as many bytes as the PFN entries."""


@dataclass(frozen=True, slots=True)
class BalloonConfig:
    """The config space; fields that it is too short for are None, and so are all after them.

    Units: `num_pages` and `actual` count pages of 4 KiB, `hint_max_count` PFN entries of a request;
    `hint_min_order` is an order of 4 KiB pages. Ranges: 0 to 2^32 - 1 each.
    """

    num_pages: int
    actual: int
    free_page_hint_cmd_id: int | None = None
    poison_val: int | None = None
    ws_num_bins: int | None = None
    unassigned: int | None = None
    hint_max_count: int | None = None
    hint_min_order: int | None = None

    @property
    def has_hinting(self) -> bool:
        """Whether both fields of the hinting virtqueue are there."""
        return self.hint_min_order is not None

    @property
    def max_bitmap_bits(self) -> int | None:
        """The largest count of a bitmap request, or None without `hint_max_count`."""
        return None if self.hint_max_count is None else self.hint_max_count * BITMAP_COUNT_FACTOR


CODEC: Final = LeadingCodec[BalloonConfig]("balloon config", FORMAT, Face(BalloonConfig))
SIZES: Final = CODEC.sizes
"""The lengths in bytes that are parsed."""

_PLACES: Final = offsets(FORMAT)

parse: Final[Callable[[Data], BalloonConfig]] = CODEC.parse
"""Parse the whole config space. Raises `ShortInput` or `TrailingBytes`."""
build: Final[Callable[[BalloonConfig], bytes]] = CODEC.build
"""Build it, as long as its last field that is not None. Raises `WireError`."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""


def field_offset(name: str) -> int:
    """Give the offset of a field in bytes; raises `KeyError` for an unknown name."""
    return _PLACES[name][0]


def field_size(name: str) -> int:
    """Give the size of a field in bytes; raises `KeyError` for an unknown name."""
    return _PLACES[name][1]
