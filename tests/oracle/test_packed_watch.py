"""The watch of packed rings: every wrong store has its name, and odd but sound ones have none."""

from __future__ import annotations

import random

import pytest

from tests.oracle.packed_tools import ROOM, pair
from vhint.ring import Position
from vhint.wire import packed_vring as packed
from vhint.wire.packed_vring import EventFlag, PackedFlag
from vhint_conformance.oracle.packed import Side

BOTH = int(PackedFlag.AVAIL | PackedFlag.USED)


@pytest.mark.parametrize("event_idx", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_random_sound_traffic_raises_nothing(size: int, event_idx: bool) -> None:
    draw = random.Random(f"{size} {event_idx}")
    with pair(size, event_idx=event_idx) as made:
        taken: list[int] = []
        for _ in range(400):
            match draw.randrange(4):
                case 0 if made.driver.free:
                    made.send(draw.randint(1, made.driver.free), indirect=draw.random() < 0.3)
                case 1 if made.device.pending:
                    taken.append(made.take())
                case 2 if taken:  # in any order
                    made.device.push(taken.pop(draw.randrange(len(taken))), draw.randrange(2))
                case _:
                    made.driver.collect()
        assert made.rest() == []
        assert not made.watch.blind


@pytest.mark.parametrize("side", list(Side))
def test_looking_sees_what_being_told_does(side: Side) -> None:
    """Stores of one side are found by looking only."""
    with pair(5) as made:
        hidden = made.memory if side is Side.DRIVER else made.device_memory
        hidden.before_store = None
        for turn in range(30):
            made.send(1 + turn % 3)
            made.watch.look(Side.DRIVER)
            head = made.take()
            made.watch.look(Side.DEVICE)
            made.device.push(head, 0)
            made.watch.look(Side.DEVICE)
            assert made.driver.collect() is not None
        assert made.rest() == []
        assert made.watch.outstanding == {}


def test_a_leftover_of_the_round_before_is_no_wrong_counter() -> None:
    """Slots in the middle of a list keep its flags, which look available with the other counter."""
    with pair(5) as made:
        made.exchange(3)
        made.exchange(1)
        made.exchange(3)  # from the last slot over the end: the next is slot 2, a leftover
        assert made.driver.position == Position(2, False)
        made.watch.notified(Side.DRIVER)
        assert made.rest() == []


def test_a_driver_may_write_what_is_not_available_as_often_as_it_likes() -> None:
    with pair() as made:
        made.driver.add([], [ROOM, ROOM])
        slot = made.driver.position.slot
        made.memory.write(made.layout.descriptor_at(0), bytes(12))
        made.memory.write(made.layout.descriptor_at(0), ROOM.start.to_bytes(8, "little"))
        made.memory.write(made.layout.descriptor_at(slot), bytes(14))
        made.driver.publish()
        assert made.rest() == []


def test_a_device_may_write_used_descriptors_backwards() -> None:
    """As long as the first comes last, all are complete when the driver can see them."""
    with pair() as made:
        first, second = made.send(), made.send()
        assert [made.take(), made.take()] == [first, second]
        for slot, name in ((1, second), (0, first)):
            part = packed.USED_STRUCT.pack(0, name)
            made.device_memory.write(made.layout.used_part_at(slot), part)
            made.device_memory.store16(made.flags_at(slot), BOTH)
        assert made.rest() == []
        assert made.watch.outstanding == {}


def test_notifications_are_owed_until_they_come() -> None:
    with pair(event_idx=False) as made:
        made.driver.add([], [ROOM])
        made.driver.publish()
        assert made.watch.owes(Side.DRIVER) == "ring.driver.packed-kick-when-enabled"
        made.watch.notified(Side.DRIVER)
        assert made.watch.owes(Side.DRIVER) is None
        made.device.push(made.take(), 0)
        assert made.watch.owes(Side.DEVICE) == "ring.device.packed-notifies-when-enabled"
    with pair() as made:
        made.driver.ask_interrupt_at(Position(1, True))
        made.exchange()
        assert made.watch.owes(Side.DEVICE) is None
        made.exchange()
        assert made.watch.owes(Side.DEVICE) == "ring.device.packed-notifies-at-event"
    with pair(event_idx=False) as made:
        made.device.suppress_kicks(True)
        made.driver.add([], [ROOM])
        made.driver.publish()
        assert made.watch.owes(Side.DRIVER) is None


# The driver


def test_an_available_descriptor_is_left_alone() -> None:
    with pair() as made:
        made.driver.add([], [ROOM, ROOM])
        made.driver.publish()
        made.memory.write(made.layout.descriptor_at(1), bytes(8))
        assert made.found == ["driver.no-change-after-available"]
    with pair() as made:
        made.send(2)
        made.memory.write(made.layout.descriptor_at(1), bytes(8))
        assert made.found == ["driver.no-change-before-used"]


def test_the_head_comes_last() -> None:
    with pair() as made:
        made.driver.add([], [ROOM, ROOM])
        made.memory.store16(made.flags_at(1), int(PackedFlag.WRITE))
        made.driver.publish()
        assert made.found == ["driver.head-last"]


def test_an_id_is_of_its_own() -> None:
    with pair() as made:
        name = made.send()
        made.driver._ids.append(name)
        made.send()
        assert made.found == ["driver.id-unique"]


@pytest.mark.parametrize(("turns", "slug"), [(0, "wrap-counter-start"), (1, "wrap-counter")])
def test_the_drivers_counter(turns: int, slug: str) -> None:
    with pair() as made:
        for _ in range(turns):
            made.exchange()
        slot, wrap = made.driver.position
        made.driver.position = Position(slot, not wrap)
        made.send()
        assert made.found == [f"driver.{slug}"]


def test_a_list_has_room() -> None:
    with pair(3) as made:
        made.send(2)
        made.driver._room = 3
        made.send(2)
        assert made.found == ["driver.no-change-before-used"]


def test_event_areas_hold_what_can_be_asked_for() -> None:
    with pair(event_idx=False) as made:
        made.driver.ask_interrupt_at(Position(0, True))
        assert made.found == ["driver.event-valid"]
    with pair() as made:
        made.driver.ask_interrupt_at(Position(3, True))
        made.driver.suppress_interrupts(True)
        assert made.found == []
        made.driver.ask_interrupt_at(Position(4, True))
        assert made.found == ["driver.event-valid"]
    with pair() as made:
        made.device_memory.store16(made.layout.device_flags_at, 3)
        assert made.found == ["device.event-valid"]


# The device


def test_the_drivers_area_is_the_drivers() -> None:
    with pair() as made:
        made.device_memory.store16(made.layout.driver_flags_at, EventFlag.DISABLE)
        assert made.found == ["device.driver-area-never-written"]


def test_what_is_not_available_is_not_used() -> None:
    with pair() as made:
        name = made.driver.add([], [ROOM])
        made.device_memory.store16(made.flags_at(0), BOTH)
        assert made.found == ["device.use-only-available"]
        assert name not in made.watch.outstanding
    with pair() as made:
        made.send()
        made.device_memory.write(made.layout.used_part_at(2), b"\1\0\0\0")
        assert made.found == []  # the flags may tell what it is
        assert made.rest() == ["device.use-only-available"]


def test_a_list_is_used_once_and_under_its_id() -> None:
    with pair() as made:
        made.exchange()
        made.send()
        made.take()
        made.device.push(3, 0)
        assert made.found == ["device.used-id"]
    with pair() as made:
        first, second = made.send(), made.send()
        assert [made.take(), made.take()] == [first, second]
        made.device.push(first, 0)
        made.device.push(first, 0)
        assert made.found == ["device.use-once"]


def test_a_used_list_is_skipped_as_a_whole() -> None:
    with pair(8) as made:
        first, second = made.send(3), made.send()
        assert [made.take(), made.take()] == [first, second]
        made.device._taken[first][0] = 1
        made.device.push(first, 0)
        made.device.push(second, 0)
        assert made.found == ["device.list-skipped"]
    with pair(8) as made:
        first = made.send(3)
        made.take()
        made.device._taken[first][0] = 1
        made.device.push(first, 0)
        made.device.push(first, 0)
        assert made.found == ["device.one-used-per-list"]


def test_a_used_descriptor_in_the_wrong_place_is_seen_at_rest() -> None:
    with pair(8) as made:
        first = made.send()
        made.send(2)
        made.take()
        made.device._used = Position(1, True)
        made.device.push(first, 0)
        assert made.found == []  # something may come before it yet
        assert made.rest() == ["device.list-skipped"]


def test_the_devices_counter() -> None:
    with pair() as made:
        made.send()
        made.take()
        made.device._used = Position(0, False)
        made.device.push(0, 0)
        assert made.rest() == ["device.wrap-counter"]


def test_fields_are_there_before_the_flags() -> None:
    with pair() as made:
        made.send()
        head = made.take()
        made.device_memory.store16(made.flags_at(0), BOTH)
        part = packed.USED_STRUCT.pack(0, head)
        made.device_memory.write(made.layout.used_part_at(0), part)
        assert made.found == ["device.fields-before-flags"]


def test_a_used_descriptor_stays_as_it_is() -> None:
    with pair() as made:
        made.exchange()
        made.send()
        made.device_memory.write(made.layout.used_part_at(0), b"\1\0\0\0")
        assert made.rest() == ["device.no-change-after-used"]
