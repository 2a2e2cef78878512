"""What is said of the profiles, and the front door."""

from __future__ import annotations

import dataclasses
import re

import pytest

from vhint.wire import ShortInput, WireError
from vhint.wire.bitmap import Bitmap
from vhint.wire.history import PROFILES, Confidence, decode, lal_v8, lal_v9, mst_init_2026

NAMES = [
    "li-bitmap-2016",
    "li-packed-v5",
    "li-range-v6",
    "lal-hypercall",
    "wang-chunks-v9",
    "wang-chunks-v10",
    "wang-chunks-v11",
    "lal-v8",
    "lal-v9",
    "lal-v10",
    "duyck-pa-order",
    "lal-v11",
    "lal-v12",
    "mst-init-2026",
]
FAULTS = {f"N{n}" for n in range(1, 28)} | {f"B{n}" for n in range(1, 6)}


def test_profiles_are_in_order_of_date() -> None:
    assert list(PROFILES) == NAMES
    dates = [profile.date for profile in PROFILES.values()]
    assert dates == sorted(dates)
    assert all(re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", date) for date in dates)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_what_is_said_is_complete(profile: object) -> None:
    assert dataclasses.is_dataclass(profile)
    item = PROFILES[profile.name]  # type: ignore[attr-defined]
    assert item.status == "informative"
    assert item.messages
    assert item.quirks
    for group in (item.messages, item.quirks):
        names = [getattr(entry, "name", None) or entry.id for entry in group]
        assert len(set(names)) == len(names)
    for quirk in item.quirks:
        assert quirk.text == " ".join(quirk.text.split())
        assert quirk.text.endswith(".")
        assert quirk.bug is None or quirk.bug in FAULTS
        assert quirk.confidence in Confidence
    bits = [feature.bit for feature in item.features]
    assert len(set(bits)) == len(bits)
    assert bool(item.features) == bool(item.queues) == (item.name != "lal-hypercall")


def test_only_informative_facts_are_weak() -> None:
    weak = {
        (name, quirk.id)
        for name, profile in PROFILES.items()
        for quirk in profile.quirks
        if quirk.confidence is Confidence.SECONDARY
    }
    assert weak == {("li-packed-v5", "length-in-bytes"), ("wang-chunks-v11", "direction")}


def test_decode_takes_the_first_message_and_the_layout() -> None:
    memory = bytes.fromhex("00000200 00000009")
    blocks = decode("lal-v8", memory, desc_len=1, layout="ilp32-big")
    assert blocks == lal_v8.IsolatedBlocks.of([(0x200, 9)])
    assert decode("lal-v9", bytes(16)) == lal_v9.Request(0, 0)
    array = decode("lal-v9", bytes(32), message="array", count=2)
    assert array == lal_v9.IsolatedBlocks.of([(0, 0), (0, 0)])
    assert decode("mst-init-2026", b"\x01", count=1) == mst_init_2026.InitBitmap(Bitmap(1, b"\1"))


@pytest.mark.parametrize(
    ("profile", "options", "said"),
    [
        ("lal-v7", {}, "no profile 'lal-v7'; there is li-bitmap-2016"),
        ("lal-v9", {"message": "reply"}, "no message 'reply'; there is request, request-as-read"),
        ("lal-v8", {}, "lal-v8 array: needs desc_len besides the bytes, got none"),
        ("lal-v9", {"count": 1}, "needs no number besides the bytes, got count"),
        ("lal-v10", {"layout": "ilp32-big"}, "no layout 'ilp32-big'; there is lp64-little"),
        ("lal-v12", {"layout": "lp64-big"}, "no layout 'lp64-big'; there is none"),
    ],
)
def test_decode_says_what_it_cannot(profile: str, options: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        decode(profile, b"", **options)
    assert not isinstance(caught.value, WireError)


def test_decode_raises_what_parse_raises() -> None:
    with pytest.raises(ShortInput, match="lal-v8"):
        decode("lal-v8", b"", desc_len=1)
    with pytest.raises(WireError):
        decode("lal-v8", b"", desc_len=-1)
