"""Nothing that a guest sends makes the device fall over, go silent or touch what is not named."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.host.hostile import (
    AREA,
    NEXT,
    RAM,
    RINGS,
    SIZE,
    WRITE,
    Draft,
    drafts,
)
from tests.host.hostile_driver import OPTIONAL, STEPS_A_CHAIN, Hostile
from vhint.ring import SplitLayout
from vhint.spans import Span
from vhint.wire.features import Feature
from vhint.wire.queues import Queue

HOST = ["start", "stop", "finish", "inhibit", "allow", "poll", "balloon", "restart", "echo"]
actions = st.tuples(drafts() | drafts() | drafts() | st.sampled_from(HOST), st.integers(0, 10))
worlds = st.tuples(
    st.sampled_from([0, 0, 4]),
    st.frozensets(st.sampled_from(OPTIONAL), max_size=3),
    st.sampled_from([0, 0, 0, 0xAAAAAAAA]),
)


def act(made: Hostile, action: Draft | str) -> None:
    device = made.loop.device
    match action:
        case Draft():
            made.offer(action)
        case "start":
            device.start_round()
        case "stop":
            device.stop_round()
        case "finish":
            device.finish_round()
        case "inhibit":
            device.inhibited = True
        case "allow":
            device.inhibited = False
        case "poll":
            device.poll_statistics()
        case "balloon":
            device.set_balloon_size(2**32 - 1)
        case "echo":
            made.offer(Draft(Queue.FREE_PAGE, made.loop.read_config(8, 4)))
        case "restart":
            made.start()


@given(worlds, st.lists(actions, min_size=1, max_size=10))
@settings(max_examples=250)
def test_every_chain_is_used_once_or_the_device_says_that_it_needs_a_reset(
    world: tuple[int, frozenset[Feature], int], history: list[tuple[Draft | str, int]]
) -> None:
    made = Hostile(*world)
    for action, steps in history:
        act(made, action)
        for _ in range(steps):
            made.loop.step()
    made.run()
    event(f"needs reset: {made.needs_reset}")
    event(f"discarded: {bool(made.loop.memory.holes())}")
    made.check()
    event(f"tangled: {made.allowed.tangled}")
    made.start()  # and it works again
    made.offer(Draft(Queue.REPORTING, b"", writable=(Span(AREA.start, 0x10000),)))
    made.run()
    made.check()
    inhibited = made.loop.device.inhibited or made.poison
    assert made.loop.memory.holes() == (() if inhibited else (Span(AREA.start, 0x10000),))
    made.loop.close()


anywhere = st.integers(0, 2**64 - 1) | st.integers(0, RAM) | st.just(RINGS)
wild_descriptors = st.tuples(
    st.sampled_from(Queue),
    st.integers(0, SIZE - 1),
    st.tuples(anywhere, st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1), st.integers(0, SIZE)),
)
wild_stores = st.tuples(st.integers(0, RAM - 8), st.binary(min_size=1, max_size=8))
layouts = st.builds(SplitLayout, st.integers(0, 65536), anywhere, anywhere, anywhere)
registers = st.one_of(
    st.tuples(st.just("write_status"), st.integers(0, 255)),
    st.tuples(st.just("write_features"), st.integers(0, 2**64 - 1)),
    st.tuples(st.just("write_config"), st.integers(0, 2**16), st.binary(max_size=40)),
    st.tuples(st.just("read_config"), st.integers(0, 2**16), st.integers(0, 64)),
    st.tuples(st.just("set_up_queue"), st.integers(-1, 9), layouts),
    st.tuples(st.just("notify"), st.integers(-1, 2**16)),
    st.tuples(st.just("queue_max"), st.integers(-1, 2**16)),
    st.tuples(st.just("queue_ready"), st.integers(-1, 2**16)),
)
wild_actions = st.one_of(
    drafts(),
    wild_descriptors.map(lambda found: ("descriptor", *found)),
    wild_stores.map(lambda found: ("store", *found)),
    st.tuples(st.just("publish"), st.sampled_from(Queue), st.integers(0, 2**16 - 1)),
    registers,
    st.sampled_from(HOST),
)


def act_wildly(made: Hostile, action: Draft | str | tuple[object, ...]) -> None:
    match action:
        case Draft() | str():
            act(made, action)
        case ("descriptor", queue, index, fields) if queue in made.layouts:
            made.put(made.layouts[queue].descriptor_at(index), struct.pack("<QIHH", *fields))
        case ("store", address, data):
            made.put(address, data)
        case ("publish", queue, value) if queue in made.layouts:
            made.put(made.layouts[queue].available_index_at, struct.pack("<H", value))
            made.loop.notify(made.indices[queue])
        case ("descriptor" | "publish", *_):
            pass
        case (name, *arguments):
            getattr(made.loop, name)(*arguments)


@given(worlds, st.lists(st.tuples(wild_actions, st.integers(0, 6)), max_size=12))
@settings(max_examples=250)
def test_no_store_and_no_register_write_brings_the_device_down(
    world: tuple[int, frozenset[Feature], int], history: list[tuple[object, int]]
) -> None:
    """Whatever lies in the rings: no exception, no endless work, and a reset recovers."""
    made = Hostile(*world)
    for action, steps in history:
        act_wildly(made, action)
        for _ in range(steps):
            made.loop.step()
    for _ in range(STEPS_A_CHAIN * 2 * SIZE * len(Queue)):
        if not made.loop.step():
            break
    else:
        raise AssertionError("the device does not come to rest")
    made.loop.device.inhibited = False
    made.poison = 0
    made.start()
    made.offer(Draft(Queue.REPORTING, b"", writable=(Span(AREA.start, 0x10000),)))
    made.run()
    made.check()
    assert made.loop.memory.holes() == (Span(AREA.start, 0x10000),)
    made.loop.close()


@pytest.mark.parametrize("queue", list(Queue))
@pytest.mark.parametrize("flags", [0, WRITE])
def test_a_chain_of_gigabytes_costs_little(queue: Queue, flags: int) -> None:
    """63 buffers that are all of RAM, of which only so much is read as a request can have."""
    made = Hostile(0, frozenset(), 0)
    layout = made.layouts[queue]
    buffers = SIZE - 1
    for number in range(buffers):
        more = NEXT if number < buffers - 1 else 0
        made.put(
            layout.descriptor_at(number),
            struct.pack("<QIHH", AREA.start, AREA.length, flags | more, number + 1),
        )
    made.publish(queue, 0, [AREA])
    tracemalloc.start()
    made.run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    made.check()
    made.loop.close()
