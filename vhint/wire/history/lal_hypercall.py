"""Records of the prototypes before v8 (2017 to 2018): what was to go with a hypercall.

The hypercall was a dummy, so these records never left the guest; they are found in dumps of its
memory. The guest collected up to 1000 of them (`CAPACITY`) and handed them over from 500 on. Each
revision of ``struct hypervisor_pages`` has its own message: ``pages``, ``pages-order`` (where
both a count and an order were stored) and ``order``.

Numbers are in the guest's own order, `pfn` is an ``unsigned long``: 16 or 8 bytes a record, 16 or
12 with both count and order.

>>> parse(bytes.fromhex("0300000002000000"), layout=Layout.ILP32_LITTLE)
PageRuns([PageRun(pfn=3, pages=2)])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from construct import Struct

from vhint.wire.history.entries import Entries, LayoutCodec
from vhint.wire.history.layout import Layout
from vhint.wire.history.profile import Confidence, Message, Profile, Quirk
from vhint.wire.schema import End, Padding, RepeatToEnd
from vhint.wire.source import Face

CAPACITY: Final = 1000
"""The most records that the guest collected, for each CPU."""
PAGE_SHIFT: Final = 12


_UNITS: Final = {"pages": "pages of 4 KiB", "order": "order of 4 KiB pages"}


def _record(layout: Layout, *names: str) -> Any:
    fields = [
        "pfn" / layout.ulong.doc("pages of 4 KiB"),
        *(name / layout.native.u32.doc(_UNITS[name]) for name in names),
    ]
    if layout.is_lp64 and len(names) % 2:
        fields.append("padding" / Padding(layout.native.u32))
    return Struct(*fields)


PAGES_RECORDS: Final = {layout: _record(layout, "pages") for layout in Layout}
PAGES_ORDER_RECORDS: Final = {layout: _record(layout, "pages", "order") for layout in Layout}
ORDER_RECORDS: Final = {layout: _record(layout, "order") for layout in Layout}


@dataclass(frozen=True, slots=True)
class PageRun:
    """`pages` pages of 4 KiB from `pfn` on: 0 to 2^32 - 1 of them, of any number."""

    pfn: int
    pages: int

    @property
    def addr(self) -> int:
        """The guest physical address in bytes."""
        return self.pfn << PAGE_SHIFT

    @property
    def length(self) -> int:
        """The length in bytes."""
        return self.pages << PAGE_SHIFT


@dataclass(frozen=True, slots=True)
class PageRunOrder:
    """As `PageRun`, with the order of the freed block besides; neither was checked."""

    pfn: int
    pages: int
    order: int


@dataclass(frozen=True, slots=True)
class FreedBlock:
    """The 2^order pages of 4 KiB from `pfn` on; `order` is 0 to 2^32 - 1, unchecked."""

    pfn: int
    order: int

    @property
    def addr(self) -> int:
        """The guest physical address in bytes."""
        return self.pfn << PAGE_SHIFT


class PageRuns(Entries[PageRun]):
    """The records of the first revision."""

    __slots__ = ()
    ELEMENT = PageRun
    RECORDS = PAGES_RECORDS


class PageRunOrders(Entries[PageRunOrder]):
    """The records of the second revision."""

    __slots__ = ()
    ELEMENT = PageRunOrder
    RECORDS = PAGES_ORDER_RECORDS


class FreedBlocks(Entries[FreedBlock]):
    """The records of the third revision."""

    __slots__ = ()
    ELEMENT = FreedBlock
    RECORDS = ORDER_RECORDS


def _formats(records: dict[Layout, Any]) -> dict[Layout, Any]:
    return {
        layout: Struct("entries" / RepeatToEnd(record), "end" / End)
        for layout, record in records.items()
    }


FORMATS: Final = _formats(PAGES_RECORDS)
"""The declaration of the first revision, by layout."""
PAGES_ORDER_FORMATS: Final = _formats(PAGES_ORDER_RECORDS)
"""The declaration of the second revision, by layout."""
ORDER_FORMATS: Final = _formats(ORDER_RECORDS)
"""The declaration of the third revision, by layout."""

_PAGES: Final = LayoutCodec[PageRuns](
    "lal-hypercall pages", FORMATS, Face(PageRuns, whole="entries")
)
_PAGES_ORDER: Final = LayoutCodec[PageRunOrders](
    "lal-hypercall pages-order", PAGES_ORDER_FORMATS, Face(PageRunOrders, whole="entries")
)
_ORDER: Final = LayoutCodec[FreedBlocks](
    "lal-hypercall order", ORDER_FORMATS, Face(FreedBlocks, whole="entries")
)

parse: Final[Callable[..., PageRuns]] = _PAGES.parse
"""Parse records of the first revision. Raises `WireError`."""
build: Final[Callable[..., bytes]] = _PAGES.build
"""Build records of the first revision. Raises `WireError`."""
parse_pages_order: Final[Callable[..., PageRunOrders]] = _PAGES_ORDER.parse
"""Parse records of the second revision. Raises `WireError`."""
build_pages_order: Final[Callable[..., bytes]] = _PAGES_ORDER.build
"""Build records of the second revision. Raises `WireError`."""
parse_order: Final[Callable[..., FreedBlocks]] = _ORDER.parse
"""Parse records of the third revision. Raises `WireError`."""
build_order: Final[Callable[..., bytes]] = _ORDER.build
"""Build records of the third revision. Raises `WireError`."""

PROFILE: Final = Profile(
    name="lal-hypercall",
    date="2017",
    summary="records for a hypercall that did nothing; no device, no queue",
    confidence=Confidence.POSTED,
    features=(),
    queues=(),
    messages=(
        Message("pages", "first revision: (pfn, pages)", FORMATS, parse, build),
        Message(
            "pages-order",
            "second revision: (pfn, pages, order)",
            PAGES_ORDER_FORMATS,
            parse_pages_order,
            build_pages_order,
        ),
        Message("order", "third revision: (pfn, order)", ORDER_FORMATS, parse_order, build_order),
    ),
    quirks=(
        Quirk(
            "no-revision",
            "Nothing in a record says of which revision it is: 16 bytes of an LP64 guest are a "
            "record of any of the three.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "native-long",
            "The size of a record and the place of its fields depend on the guest's long.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "blocking",
            "The first prototype stopped every allocation of the guest while it scanned.",
            "N27",
            Confidence.POSTED,
        ),
    ),
)
"""What is known of the profile ``lal-hypercall``."""
