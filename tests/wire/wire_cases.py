"""Every format with a strategy for its faces, for the tests that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from vhint.wire import (
    command,
    config,
    features,
    hint_ack,
    hint_request,
    packed_vring,
    pfn_array,
    statistics,
    vhost_user,
    vring,
)
from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import WireError

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
pfns = st.integers(0, hint_request.PFN_LIMIT - 1)
orders = st.integers(0, hint_request.MAX_ORDER)
ODD = [-1, 2**64, 2**70, 1.5, "1", None, True, [], b"", 41, 2**52]
"""What users might give instead of a number."""


@dataclass(frozen=True)
class Case:
    name: str
    codec: Any
    faces: st.SearchStrategy[Any]
    parameters: Callable[[Any], st.SearchStrategy[tuple[int, ...]]] = lambda _: st.just(())
    has_padding: bool = False
    """Whether bytes of the message mean nothing, so that they are not kept."""


@st.composite
def bitmaps(draw: st.DrawFn, at_least: int = 0) -> Bitmap:
    count = draw(st.integers(at_least, 70))
    return Bitmap.from_indices(
        count, draw(st.sets(st.integers(0, max(0, count - 1)))) if count else []
    )


def blocks() -> st.SearchStrategy[hint_request.Blocks]:
    return st.lists(st.tuples(pfns, orders), max_size=6).map(hint_request.Blocks.of)


def config_of(values: list[int]) -> config.BalloonConfig:
    return config.BalloonConfig(*values)


def ack_counts(ack: hint_ack.Acknowledgement) -> st.SearchStrategy[tuple[int, ...]]:
    """Counts that fit the results: exact, or larger if whole bytes are there."""
    if ack.results is None:
        return st.tuples(st.integers(0, 100))
    count = ack.results.count
    return st.tuples(st.just(count) if count % 8 else st.integers(count, count + 20))


CASES = [
    Case(
        "pfn request",
        hint_request.CODEC,
        st.builds(hint_request.PfnRequest, cookie=u64, blocks=blocks()),
    ),
    Case(
        "bitmap request",
        hint_request.CODEC,
        st.builds(
            hint_request.BitmapRequest, cookie=u64, start_pfn=pfns, order=orders, bits=bitmaps()
        ),
    ),
    Case(
        "acknowledgement",
        hint_ack.CODEC,
        st.builds(
            hint_ack.Acknowledgement,
            cookie=u64,
            status=st.sampled_from(hint_ack.Status),
            processed=u32,
            results=st.none() | bitmaps(at_least=1),
        ),
        ack_counts,
    ),
    Case("pfn array", pfn_array.CODEC, st.lists(u32, max_size=6).map(pfn_array.PfnArray.of)),
    Case(
        "statistics",
        statistics.CODEC,
        st.lists(st.tuples(u16, u64), max_size=5).map(statistics.Statistics.of),
    ),
    Case("config", config.CODEC, st.lists(u32, min_size=2, max_size=8).map(config_of)),
    Case("command", command.CODEC, st.builds(command.CommandId, u32)),
    Case("features", features.CODEC, st.builds(features.Features, u64)),
    Case(
        "descriptor",
        vring.DESCRIPTOR_CODEC,
        st.builds(vring.Descriptor, addr=u64, len=u32, flags=u16, next=u16),
    ),
    Case("used element", vring.USED_ELEMENT_CODEC, st.builds(vring.UsedElement, id=u32, len=u32)),
    Case(
        "packed descriptor",
        packed_vring.DESCRIPTOR_CODEC,
        st.builds(packed_vring.PackedDescriptor, addr=u64, len=u32, id=u16, flags=u16),
    ),
    Case(
        "event suppression",
        packed_vring.EVENT_CODEC,
        st.builds(packed_vring.EventSuppression, desc=u16, flags=u16),
    ),
    Case("vhost-user header", vhost_user.header.CODEC, st.builds(vhost_user.Header, u32, u32, u32)),
    Case("vhost-user u64", vhost_user.u64.CODEC, st.builds(vhost_user.U64, u64)),
    Case("vring state", vhost_user.vring.STATE_CODEC, st.builds(vhost_user.VringState, u32, u32)),
    Case(
        "vring address",
        vhost_user.vring.ADDRESS_CODEC,
        st.builds(vhost_user.VringAddress, u32, u32, u64, u64, u64, u64),
    ),
    Case("vring file", vhost_user.vring.FILE_CODEC, st.builds(vhost_user.VringFile, u64)),
    Case(
        "memory table",
        vhost_user.memory.CODEC,
        st.lists(st.tuples(u64, u64, u64, u64), max_size=4)
        .map(vhost_user.MemoryRegions.of)
        .map(vhost_user.MemoryTable),
        has_padding=True,
    ),
    Case(
        "memory region",
        vhost_user.memory.SINGLE_CODEC,
        st.builds(vhost_user.MemoryRegion, u64, u64, u64, u64),
        has_padding=True,
    ),
    Case(
        "vhost-user config",
        vhost_user.config.CODEC,
        st.builds(
            vhost_user.ConfigMessage,
            offset=u32,
            flags=u32,
            region=st.binary(max_size=9).map(vhost_user.Octets.of),
        ),
    ),
]


def outcome(function: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
    """The value, or everything that identifies the error."""
    try:
        return "value", function(*arguments)
    except WireError as error:
        # By representation, so that two NaN or two lists of the same content are the same.
        return "error", (*error.details[:-1], repr(error.details[-1]), str(error))


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes near `data`: bits flipped, fields overwritten, cut off, extended."""
    damage = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.sampled_from(["flip", "field", "cut", "extend"])):
            case "flip" if damage:
                damage[draw(st.integers(0, len(damage) - 1))] ^= 1 << draw(st.integers(0, 7))
            case "field" if len(damage) >= 4:
                at = draw(st.integers(0, len(damage) // 4 - 1)) * 4
                value = draw(st.sampled_from([0, 1, 2, 3, 8, 40, 41, 2**20, 2**31, 2**32 - 1]))
                damage[at : at + 4] = value.to_bytes(4, "little")
            case "cut":
                del damage[draw(st.integers(0, len(damage))) :]
            case "extend":
                damage += draw(st.binary(min_size=1, max_size=20))
    return bytes(damage)
