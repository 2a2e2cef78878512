"""A strategy for the faces of every historical message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.wire.wire_cases import bitmaps, u16, u32, u64
from vhint.wire.bitmap import Bitmap
from vhint.wire.history import (
    PROFILES,
    duyck_pa_order,
    lal_hypercall,
    lal_v8,
    lal_v9,
    lal_v10,
    lal_v11,
    li_bitmap_2016,
    li_packed_v5,
    li_range_v6,
    li_response,
    mst_init_2026,
    wang_chunks_v9,
    wang_chunks_v10,
    wang_chunks_v11,
)
from vhint.wire.history.descriptors import Descriptors
from vhint.wire.history.layout import Layout
from vhint.wire.history.profile import Message
from vhint.wire.pfn_array import PfnArray

Faces = Callable[[Layout | None], st.SearchStrategy[Any]]
u8 = st.integers(0, 255)
pfns = st.integers(0, 2**52 - 1)


def ulong(layout: Layout | None) -> st.SearchStrategy[int]:
    return u64 if layout is None or layout.is_lp64 else u32


def rows(cls: Any, *fields: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    return st.lists(st.tuples(*fields), max_size=6).map(cls.of)


def always(strategy: st.SearchStrategy[Any]) -> Faces:
    return lambda _: strategy


def whole_bytes(bits: Bitmap) -> Bitmap:
    return Bitmap(8 * len(bits.octets), bits.data)


def init_counts(face: mst_init_2026.InitBitmap) -> st.SearchStrategy[tuple[int, ...]]:
    if face.bits is None:
        return st.tuples(st.integers(0, 100))
    count = face.bits.count
    return st.tuples(st.just(count) if count % 8 else st.integers(count, count + 20))


blocks: Faces = lambda layout: rows(lal_v8.IsolatedBlocks, ulong(layout), u32)  # noqa: E731
chunks = rows(wang_chunks_v9.Chunks, u64, u64)
records = st.builds(
    li_packed_v5.Record,
    start_pfn=pfns,
    page_shift=st.integers(0, 63),
    bits=bitmaps().map(whole_bytes),
)
page_ranges = st.builds(
    li_range_v6.PageRange, pfn=pfns, pages=u64 | st.sampled_from([0, 1, 4095, 4096, 4097])
)
host_requests = always(st.builds(li_response.Request, u16, u64, u16, u16, u16))
writable = rows(Descriptors, u64, u32, st.sampled_from([2, 3]), u16)

FACES: dict[tuple[str, str], Faces] = {
    ("lal-hypercall", "pages"): lambda layout: rows(lal_hypercall.PageRuns, ulong(layout), u32),
    ("lal-hypercall", "pages-order"): lambda layout: rows(
        lal_hypercall.PageRunOrders, ulong(layout), u32, u32
    ),
    ("lal-hypercall", "order"): lambda layout: rows(lal_hypercall.FreedBlocks, ulong(layout), u32),
    ("lal-v8", "array"): blocks,
    ("lal-v9", "request"): always(st.builds(lal_v9.Request, u64, u32)),
    ("lal-v9", "request-as-read"): always(st.builds(lal_v9.Request, u64, u32)),
    ("lal-v9", "array"): blocks,
    ("lal-v10", "request"): always(st.builds(lal_v10.Request, u64, u32)),
    ("lal-v10", "request-as-read"): always(st.builds(lal_v10.Request, u64, u32)),
    ("lal-v10", "array"): always(rows(lal_v10.HintedRanges, u64, u32)),
    ("lal-v11", "buffer"): always(rows(lal_v11.IsolatedMemory, u64, u64)),
    ("lal-v12", "report"): always(writable),
    ("duyck-pa-order", "hints"): always(
        rows(duyck_pa_order.PaOrders, st.integers(0, 2**56 - 1).map(lambda n: n << 8), u8)
    ),
    ("li-bitmap-2016", "report"): always(
        st.builds(
            li_bitmap_2016.BitmapReport,
            cmd=u16,
            page_shift=u16,
            flag=u16,
            req_id=u64,
            start_pfn=u64,
            bitmap=st.binary(max_size=20).map(li_bitmap_2016.Octets.of),
            reserved=u16,
        )
    ),
    ("li-bitmap-2016", "request"): always(
        st.builds(li_bitmap_2016.Request, u16, u64, u16, u16, u16)
    ),
    ("li-packed-v5", "response"): always(
        st.builds(li_packed_v5.Response, u8, u8, u16, st.lists(records, max_size=4).map(tuple))
    ),
    ("li-packed-v5", "request"): host_requests,
    ("li-range-v6", "response"): always(
        st.builds(li_range_v6.Response, u8, u8, u16, st.lists(page_ranges, max_size=5).map(tuple))
    ),
    ("li-range-v6", "request"): host_requests,
    ("wang-chunks-v9", "chunks"): always(chunks),
    ("wang-chunks-v9", "unused-pages"): always(
        st.builds(wang_chunks_v9.UnusedPages, u16, u16, chunks)
    ),
    ("wang-chunks-v9", "request"): always(st.builds(wang_chunks_v9.Request, u16, u16)),
    ("wang-chunks-v10", "chunks"): always(chunks),
    ("wang-chunks-v10", "misc"): always(st.builds(wang_chunks_v10.MiscMessage, u32, u32, chunks)),
    ("wang-chunks-v11", "table"): always(rows(Descriptors, u64, u32, u16, u16)),
    ("wang-chunks-v11", "command"): always(st.builds(wang_chunks_v11.CommandHeader, u32, u32)),
    ("mst-init-2026", "bitmap"): always(
        st.builds(mst_init_2026.InitBitmap, st.none() | bitmaps(at_least=1))
    ),
    ("mst-init-2026", "pfns"): always(st.lists(u32, max_size=6).map(PfnArray.of)),
}


@dataclass(frozen=True)
class Case:
    profile: str
    message: Message
    layout: Layout | None
    faces: st.SearchStrategy[Any]

    @property
    def options(self) -> dict[str, Layout]:
        return {} if self.layout is None else {"layout": self.layout}

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.profile, self.message.name, self.layout)))

    def parameters(self, face: Any) -> st.SearchStrategy[tuple[int, ...]]:
        """Numbers that fit a face: its length, unless the format says something else."""
        if not self.message.parameters:
            return st.just(())
        if isinstance(face, mst_init_2026.InitBitmap):
            return init_counts(face)
        return st.just((len(face),))

    def parse(self, data: Any, *parameters: Any) -> Any:
        return self.message.parse(data, *parameters, **self.options)

    def build(self, face: Any) -> bytes:
        return self.message.build(face, **self.options)


CASES = [
    Case(profile.name, message, layout, FACES[profile.name, message.name](layout))
    for profile in PROFILES.values()
    for message in profile.messages
    for layout in message.layouts or (None,)
]
