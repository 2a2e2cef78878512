"""Status, features, config space and queue registers of the reference device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.host.host_tools import RINGS, Host, host
from vhint.host import ALL_FEATURES, Device, DeviceOptions
from vhint.ring import GuestMemory, SplitLayout
from vhint.spans import PAGE
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode

F = Feature
NONE = Features(0)


@pytest.fixture
def device() -> Iterator[Device]:
    with GuestMemory.create(16 * PAGE) as memory:
        yield Device(memory)


STATUS_WRITES: dict[str, tuple[list[int], int]] = {
    "a fresh device": ([], 0),
    "step by step": ([1, 3, 11, 15], 15),
    "all at once": ([15], 15),
    "failed is remembered": ([1, 3, 128 | 3], 131),
    "a bit stays when it is not written again": ([1, 2], 3),
    "needs_reset is not the driver's": ([1 | 64, 3 | 64], 3),
    "reset in between": ([1, 3, 11, 0, 1], 1),
    "unknown bits are kept": ([1, 1 | 16 | 32], 49),
}


@pytest.mark.parametrize(("writes", "seen"), STATUS_WRITES.values(), ids=STATUS_WRITES)
def test_status(device: Device, writes: list[int], seen: int) -> None:
    device.write_features(Features.of(F.VERSION_1).bits)
    for value in writes:
        device.write_status(value)
    assert device.read_status() == seen


OFFERS: dict[str, tuple[Features, Features, bool]] = {
    "nothing": (ALL_FEATURES, NONE, True),
    "everything": (ALL_FEATURES, ALL_FEATURES, True),
    "a bit that is not offered": (ALL_FEATURES, Features.of(F.VERSION_1, F.IN_ORDER), False),
    "an unknown bit": (ALL_FEATURES, Features.of(F.VERSION_1, 63), False),
    "a bit that is not a 64-bit number": (ALL_FEATURES, Features(1 << 64), False),
    "22": (ALL_FEATURES, Features.of(F.HINTING, F.VERSION_1), True),
    "22 and 23": (ALL_FEATURES, Features.of(F.HINTING, F.HINTING_BITMAP, F.VERSION_1), True),
    "23 without 22": (ALL_FEATURES, Features.of(F.HINTING_BITMAP, F.VERSION_1), False),
    "22 without VERSION_1": (ALL_FEATURES, Features.of(F.HINTING), False),
    "22 with ACCESS_PLATFORM": (
        ALL_FEATURES | Features.of(F.ACCESS_PLATFORM),
        Features.of(F.HINTING, F.VERSION_1, F.ACCESS_PLATFORM),
        False,
    ),
    "ACCESS_PLATFORM alone": (
        ALL_FEATURES | Features.of(F.ACCESS_PLATFORM),
        Features.of(F.VERSION_1, F.ACCESS_PLATFORM),
        True,
    ),
}


@pytest.mark.parametrize(("offered", "accepted", "agreed"), OFFERS.values(), ids=OFFERS)
def test_features_ok_is_taken_or_refused(
    offered: Features, accepted: Features, agreed: bool
) -> None:
    with GuestMemory.create(16 * PAGE) as memory:
        device = Device(memory, DeviceOptions(offered))
        assert device.read_features() == offered.bits
        for value in (1, 3):
            device.write_status(value)
        device.write_features(accepted.bits)
        device.write_status(11)
        assert device.read_status() == (11 if agreed else 3)
        assert device.context.accepted == (accepted if agreed else NONE)
        if not agreed:  # the driver may try again with less
            device.write_features(Features.of(F.VERSION_1).bits)
            device.write_status(11)
            assert device.read_status() == 11


def test_features_are_fixed_once_they_are_agreed_on(device: Device) -> None:
    device.write_features(Features.of(F.VERSION_1).bits)
    for value in (1, 3, 11):
        device.write_status(value)
    device.write_features(ALL_FEATURES.bits)
    device.write_status(15)
    assert device.context.accepted == Features.of(F.VERSION_1)
    device.write_status(0)
    assert device.context.accepted == NONE


LENGTHS = {
    (): 8,
    (F.STATS_VQ, F.PAGE_REPORTING): 8,
    (F.FREE_PAGE_HINT,): 12,
    (F.PAGE_POISON,): 16,
    (F.PAGE_POISON, F.FREE_PAGE_HINT): 16,
    (F.HINTING,): 32,
    (F.HINTING, F.PAGE_POISON, F.HINTING_BITMAP): 32,
}


@pytest.mark.parametrize(("features", "length"), LENGTHS.items())
def test_config_space_ends_where_the_offer_does(features: tuple[Feature, ...], length: int) -> None:
    offered = Features.of(F.VERSION_1, *features)
    options = DeviceOptions(offered, hint_max_count=0x01020304, hint_min_order=0x0A)
    with GuestMemory.create(16 * PAGE) as memory:
        device = Device(memory, options)
        assert len(config.build(device.context.config)) == length
        whole = device.read_config(0, 48)
        assert whole[length:] == bytes(48 - length)
        if length == 32:
            assert whole[24:32] == bytes([4, 3, 2, 1, 10, 0, 0, 0])
        for start in range(40):
            assert device.read_config(start, 3) == whole[start : start + 3]
        assert device.read_config(1000, 4) == bytes(4)


@pytest.mark.parametrize("start", range(36))
def test_the_driver_writes_actual_and_nothing_else(start: int) -> None:
    with host() as made:
        before = made.device.read_config(0, 40)
        made.device.write_config(start, b"\xee" * 4)
        after = made.device.read_config(0, 40)
        changed = {at for at in range(40) if before[at] != after[at]}
        assert changed == set(range(start, start + 4)) & set(range(4, 8))


@pytest.mark.parametrize("accepts", [True, False])
def test_poison_val_is_written_before_driver_ok_by_who_accepted_it(accepts: bool) -> None:
    made = Host()
    accepted = ALL_FEATURES if accepts else ALL_FEATURES - Features.of(F.PAGE_POISON)
    made.start(accepted, upto=11)
    made.device.write_config(12, b"\x01\x02")
    made.device.write_config(14, b"\x03\x04\xff\xff")
    assert made.device.read_config(12, 8) == (b"\x01\x02\x03\x04" if accepts else bytes(4)) + bytes(
        4
    )
    before = made.device.read_config(12, 4)
    made.device.write_status(15)
    made.device.write_config(12, b"\xff" * 4)
    assert made.device.read_config(12, 4) == before
    made.device.write_status(0)
    assert made.device.read_config(12, 4) == bytes(4)
    made.close()


def test_the_hosts_wish_changes_config_and_its_generation() -> None:
    with host() as made:
        made.device.write_config(4, b"\x07\0\0\0")
        before = made.device.config_generation()
        made.device.set_balloon_size(0x1234)
        assert made.device.config_generation() != before
        assert made.device.read_config(0, 4) == b"\x34\x12\0\0"
        assert made.device.take_interrupts() == (False, True)
        assert made.device.take_interrupts() == (False, False)
        made.device.write_status(0)
        assert made.device.read_config(0, 8) == b"\x34\x12\0\0" + bytes(4)
        made.device.set_balloon_size(5)
        assert made.device.take_interrupts() == (False, False)  # nobody is there to be told


NUMBERS = [
    (QueueMode.COMPACT_OFFERED, ALL_FEATURES, {0, 1, 2, 3, 4, 5}),
    (QueueMode.COMPACT_OFFERED, Features.of(F.VERSION_1, F.HINTING), {0, 1, 5}),
    (QueueMode.COMPACT_OFFERED, NONE, {0, 1}),
    (QueueMode.COMPACT_ACCEPTED, Features.of(F.VERSION_1, F.HINTING), {0, 1, 2}),
    (QueueMode.SPEC_FIXED, ALL_FEATURES, {0, 1, 2, 3, 4, 5}),
    (QueueMode.SPEC_FIXED, Features.of(F.VERSION_1, F.PAGE_REPORTING), {0, 1, 4}),
    (QueueMode.SPEC_FIXED, NONE, {0, 1}),
]


@pytest.mark.parametrize(("mode", "accepted", "numbers"), NUMBERS)
def test_queues_exist_where_the_mode_puts_them(
    mode: QueueMode, accepted: Features, numbers: set[int]
) -> None:
    made = Host(DeviceOptions(queue_mode=mode, queue_size=64))
    made.start(accepted, upto=11)
    assert {index for index in range(8) if made.device.queue_max(index)} == numbers
    assert {index for index in range(8) if made.device.queue_ready(index)} == numbers
    made.close()


@pytest.mark.parametrize(
    ("index", "layout", "ready"),
    [
        (0, SplitLayout.at(RINGS, 64), True),
        (0, SplitLayout.at(RINGS, 128), False),  # larger than it may be
        (7, SplitLayout.at(RINGS, 64), False),  # no such queue
    ],
)
def test_setting_up_a_queue(index: int, layout: SplitLayout, ready: bool) -> None:
    with GuestMemory.create(16 * PAGE) as memory:
        device = Device(memory, DeviceOptions(queue_size=64))
        for value in (1, 3, 11):
            device.write_status(value)
        assert device.set_up_queue(index, layout) is ready
        device.write_status(0)
        assert not device.queue_ready(index)


def test_a_live_device_does_not_move_its_queues() -> None:
    with host() as made:
        assert made.device.set_up_queue(0, SplitLayout.at(0x9000, 64))
        made.offer(Queue.INFLATE, [b"\0\x01\0\0"])  # in the old place
        made.run()
        assert made.used(Queue.INFLATE) is not None


@pytest.mark.parametrize("host_page", [PAGE * 2, PAGE * 16])
def test_a_minimum_order_below_the_host_page_is_refused(host_page: int) -> None:
    with GuestMemory.create(PAGE) as memory:
        with pytest.raises(ValueError, match="hint_min_order 0"):
            Device(memory, DeviceOptions(host_page=host_page))
        no_hinting = ALL_FEATURES - Features.of(F.HINTING, F.HINTING_BITMAP)
        Device(memory, DeviceOptions(no_hinting, host_page=host_page))
