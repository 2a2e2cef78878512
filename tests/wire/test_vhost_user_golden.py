"""The messages of vhost-user, byte by byte as the protocol's text lays them out."""

from __future__ import annotations

from typing import Any

import pytest

from vhint.wire import ShortInput, TrailingBytes, WireError
from vhint.wire.vhost_user import (
    BACKEND_SHAPES,
    SHAPES,
    U64,
    BackendRequest,
    ConfigMessage,
    Header,
    MemoryRegion,
    MemoryRegions,
    MemoryTable,
    Octets,
    ProtocolFeature,
    ProtocolFeatures,
    Request,
    VringAddress,
    VringFile,
    VringState,
    config,
    header,
    memory,
    u64,
    vring,
)

REGIONS = (
    "0000000000000000 0000001000000000 000000f0ff7f0000 0010000000000000"
    "0000000001000000 0000000002000000 0000000000800000 0000000000000000"
)
TABLE = MemoryTable(
    MemoryRegions.of(
        [
            MemoryRegion(0, 0x10000000, 0x7FFFF0000000, 0x1000),
            (0x100000000, 0x200000000, 0x800000000000, 0),
        ]
    )
)

VECTORS: list[tuple[Any, str, Any]] = [
    (header.CODEC, "05000000 09000000 48000000", Header(5, 9, 72)),
    (u64.CODEC, "0000004001000000", U64(0x140000000)),
    (memory.CODEC, f"02000000 00000000 {REGIONS}", TABLE),
    (memory.CODEC, "00000000 00000000", MemoryTable(MemoryRegions.of([]))),
    (
        memory.SINGLE_CODEC,
        f"0000000000000000 {REGIONS[:67]}",
        MemoryRegion(0, 0x10000000, 0x7FFFF0000000, 0x1000),
    ),
    (vring.STATE_CODEC, "04000000 00010000", VringState(4, 256)),
    (
        vring.ADDRESS_CODEC,
        "01000000 00000000 0010000000000000 0030000000000000 0020000000000000 0000000000000000",
        VringAddress(1, 0, descriptors=0x1000, used=0x3000, available=0x2000),
    ),
    (vring.FILE_CODEC, "0301000000000000", VringFile.of(3, has_fd=False)),
    (
        config.CODEC,
        "08000000 04000000 01000000 01020304",
        ConfigMessage(8, 1, Octets.of(b"\1\2\3\4")),
    ),
    (config.CODEC, "00000000 00000000 00000000", ConfigMessage(0, 0, Octets.of(b""))),
]


@pytest.mark.parametrize(("codec", "text", "face"), VECTORS)
@pytest.mark.parametrize("kind", ["", "_interpreted"])
def test_vector(codec: Any, text: str, face: Any, kind: str) -> None:
    data = bytes.fromhex(text)
    assert getattr(codec, f"parse{kind}")(data) == face
    assert getattr(codec, f"build{kind}")(face) == data


@pytest.mark.parametrize(("codec", "text", "face"), VECTORS)
def test_one_byte_less_or_more_is_refused(codec: Any, text: str, face: Any) -> None:
    data = bytes.fromhex(text)
    with pytest.raises(ShortInput):
        codec.parse(data[:-1])
    with pytest.raises(TrailingBytes):
        codec.parse(data + b"\0")


def test_headers_say_what_they_are() -> None:
    made = Header.of(Request.GET_CONFIG, 28, need_reply=True)
    assert header.build(made) == bytes.fromhex("18000000 09000000 1c000000")
    assert (made.version, made.is_reply, made.needs_reply) == (1, False, True)
    assert Header.of(BackendRequest.CONFIG_CHANGE_MSG).request == 2
    assert Header(1, 6, 0).version == 2
    assert header.FORMAT.sizeof() == header.SIZE


def test_a_counted_region_that_is_missing_is_named() -> None:
    data = bytes.fromhex(f"03000000 00000000 {REGIONS}")
    with pytest.raises(ShortInput) as caught:
        memory.parse(data)
    assert caught.value.path == "regions[2].guest_address"


def test_an_absurd_number_of_regions_costs_nothing() -> None:
    with pytest.raises(WireError):
        memory.parse(bytes.fromhex("ffffffff 00000000"))


def test_room_after_the_regions_is_cut_off() -> None:
    exact = memory.build(MemoryTable(TABLE.regions[:1]))
    padded = exact + bytes(32)
    assert len(padded) == 72  # as User-Mode Linux sends it
    assert memory.without_room(padded) == exact
    assert memory.without_room(b"\1") == b"\1"


def test_padding_of_the_table_means_nothing() -> None:
    data = bytearray(memory.build(TABLE))
    data[4] = 7
    assert memory.parse(bytes(data)) == TABLE


def test_a_ring_without_a_descriptor() -> None:
    assert VringFile.of(2) == VringFile(2)
    parsed = vring.parse_file(bytes.fromhex("0203000000000000"))
    assert (parsed.index, parsed.has_fd, parsed.unknown) == (2, False, 0x200)


def test_protocol_features_keep_unknown_bits() -> None:
    features = ProtocolFeatures(1 << 3 | 1 << 14 | 1 << 50)
    assert list(features) == [ProtocolFeature.REPLY_ACK, ProtocolFeature.INBAND_NOTIFICATIONS]
    assert repr(features) == "ProtocolFeatures(REPLY_ACK | INBAND_NOTIFICATIONS | bit 50)"
    assert features - ProtocolFeatures.of(*features) == ProtocolFeatures(1 << 50)


def test_every_shape_has_a_payload_of_its_size() -> None:
    sizes = {
        Request.GET_FEATURES: 0,
        Request.SET_FEATURES: 8,
        Request.SET_VRING_ADDR: 40,
        Request.GET_VRING_BASE: 8,
        Request.SET_VRING_KICK: 8,
        Request.ADD_MEM_REG: 40,
    }
    for request, size in sizes.items():
        payload = SHAPES[request].payload
        assert (payload.declaration.sizeof() if payload else 0) == size
    assert BACKEND_SHAPES[BackendRequest.CONFIG_CHANGE_MSG].payload is None
