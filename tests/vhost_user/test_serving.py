"""A front end that keeps to the protocol, and what it gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.vhost_user.front import (
    ENABLES_RINGS,
    RAM,
    REPORTING,
    USER,
    USUAL,
    Front,
    Served,
    address,
    ready,
    simulated,
    table,
)
from vhint.ring import FilePart, SplitDriverQueue, SplitLayout
from vhint.spans import PAGE, Span
from vhint.wire import config, hint_request, pfn_array, statistics
from vhint.wire.blocks import Blocks
from vhint.wire.features import Feature, Features
from vhint.wire.hint_request import PfnRequest
from vhint.wire.pfn_array import PfnArray
from vhint.wire.queues import Queue, QueueMode
from vhint.wire.vhost_user import (
    U64,
    BackendRequest,
    ConfigMessage,
    ConfigPurpose,
    Header,
    MemoryRegion,
    Octets,
    ProtocolFeature,
    ProtocolFeatures,
    Request,
    VringFile,
    VringState,
    memory,
    vring,
)

BLOCK = Span(4 << 20, 1 << 20)


@pytest.fixture
def served(tmp_path: Path):
    with Served(tmp_path) as made:
        yield made


def fill(front: Front, span: Span) -> None:
    assert front.memory is not None
    front.memory.write(span.start, b"\xa5" * span.length)


def test_features_are_offered_with_the_protocols_own_bit(served: Served) -> None:
    with Front(served) as front:
        offered = front.ask(Request.GET_FEATURES).value
        assert offered == served.server.options.features.bits | ENABLES_RINGS
        protocol = ProtocolFeatures(front.ask(Request.GET_PROTOCOL_FEATURES).value)
        assert {*USUAL} <= {*protocol}
        assert ProtocolFeature.LOG_SHMFD not in protocol


def test_reported_pages_are_really_given_back_before_they_are_used(served: Served) -> None:
    with ready(served) as front:
        queue = front.start(2)
        fill(front, BLOCK)
        fill(front, Span(BLOCK.end, PAGE))
        assert front.report(queue, BLOCK) == 0
        assert front.called(2)
        assert front.memory is not None
        assert BLOCK in front.memory.holes() or any(
            hole.covers(BLOCK) for hole in front.memory.holes()
        )
        assert front.memory.read(Span(BLOCK.end, PAGE)) == b"\xa5" * PAGE
        figures = served.server.figures()
        assert (figures.requests, figures.pages) == (1, 256)
        assert figures.discarded_bytes == BLOCK.length
        assert figures.queues[2].queue is Queue.REPORTING
        assert figures.queues[2].state == "running"
        assert figures.resident_bytes < 1 << 20


def test_the_region_may_lie_anywhere_in_its_file_and_there_may_be_several(served: Served) -> None:
    with Front(served) as front:
        front.negotiate()
        low, high = front.file(4 << 20), front.file(8 << 20)
        front.share(
            FilePart(0, 1 << 20, low, 2 << 20),
            FilePart(1 << 20, 1 << 20, low, 0),
            FilePart(1 << 32, 6 << 20, high, 1 << 20),
        )
        assert front.memory is not None
        queue = front.start(2, at=1 << 32)
        for fd, size in ((low, 4 << 20), (high, 8 << 20)):
            data = front.memory.read(Span(1 << 32, 1 << 20)) if fd == high else b""
            os.pwrite(fd, b"\x5a" * size, 0)
            if data:
                front.memory.write(1 << 32, data)
        # One report over both parts of the first file, which are neighbours for the guest only.
        assert front.report(queue, Span(0xFF000, 0x2000), Span((1 << 32) + 0x500000, PAGE)) == 0
        assert front.memory.holes() == (
            Span(0xFF000, 0x2000),
            Span((1 << 32) + 0x500000, PAGE),
        )
        assert os.pread(low, PAGE, (2 << 20) + 0xFF000) == bytes(PAGE)
        assert os.pread(low, PAGE, 0) == bytes(PAGE)
        assert os.pread(low, PAGE, PAGE) == b"\x5a" * PAGE
        assert os.pread(high, PAGE, (1 << 20) + 0x500000) == bytes(PAGE)


def test_indirect_descriptors_and_event_idx(served: Served) -> None:
    features = REPORTING | Features.of(Feature.INDIRECT_DESC, Feature.EVENT_IDX)
    with ready(served, features) as front:
        front.start(2)
        assert front.memory is not None
        queue = SplitDriverQueue(front.memory, SplitLayout.at(0x1000, 64), event_idx=True)
        spans = [Span(BLOCK.start + number * 0x8000, 0x4000) for number in range(32)]
        for _ in range(3):
            queue.add((), spans, indirect_at=0x20000)
        queue.put_used_event(2)
        queue.publish()
        assert queue.kick_needed()
        front.kick(2)
        assert [queue.collect() is not None for _ in range(4)] == [True, True, True, False]
        assert front.called(2)
        queue.put_used_event(9)  # not of the next one
        queue.add((), spans, indirect_at=0x20000)
        queue.publish()
        assert queue.kick_needed()  # the device has asked to hear of the very next
        front.kick(2)
        assert queue.collect()
        assert not front.called(2)
        assert served.server.figures().pages == 4 * 32 * 4


def test_nothing_is_processed_before_a_ring_is_enabled(served: Served) -> None:
    with ready(served) as front:
        queue = front.start(2, enable=False)
        queue.add((), [BLOCK])
        queue.publish()
        front.kick(2)
        assert queue.collect() is None
        front.post(Request.SET_VRING_ENABLE, VringState(2, 1))
        assert queue.collect() is not None
        front.post(Request.SET_VRING_ENABLE, VringState(2, 0))
        queue.add((), [BLOCK])
        queue.publish()
        front.kick(2)
        assert queue.collect() is None
        front.post(Request.SET_VRING_ENABLE, VringState(2, 1))
        assert queue.collect() is not None


def test_nothing_is_processed_before_the_first_kick(served: Served) -> None:
    with ready(served) as front:
        queue = front.start(2)
        queue.add((), [BLOCK])
        queue.publish()
        served.pump()
        assert queue.collect() is None
        front.kick(2)
        assert queue.collect() is not None


def test_without_bit_30_rings_are_enabled_from_the_start(served: Served) -> None:
    with ready(served, bits=0) as front:
        queue = front.start(2, enable=False)
        assert front.report(queue, BLOCK) == 0


def test_get_vring_base_stops_a_ring_and_says_where_it_goes_on(served: Served) -> None:
    with ready(served) as front:
        queue = front.start(2)
        for _ in range(3):
            front.report(queue, BLOCK)
        assert front.ask(Request.GET_VRING_BASE, VringState(2, 0)) == VringState(2, 3)
        queue.add((), [BLOCK])
        queue.publish()
        served.pump()
        assert queue.collect() is None
        # It goes on where it was, in both rings, and looks without being kicked: whoever served
        # it before may have taken the kick.
        front.place(2, SplitLayout.at(0x1000, 64), base=3)
        front.post(Request.SET_VRING_KICK, VringFile.of(2), [front.kicks[2]])
        assert queue.collect() is not None
        assert queue.collect() is None


def test_a_kick_that_comes_after_the_stop_starts_nothing(served: Served) -> None:
    with ready(served) as front:
        queue = front.start(2)
        assert front.report(queue, BLOCK) == 0
        front.ask(Request.GET_VRING_BASE, VringState(2, 0))  # the ring stays enabled
        queue.add((), [BLOCK])
        queue.publish()
        front.kick(2)
        assert queue.collect() is None


def test_a_buffer_that_is_held_comes_back_when_the_ring_is_stopped(served: Served) -> None:
    features = REPORTING | Features.of(Feature.STATS_VQ)
    with ready(served, features) as front:
        queue = front.start(2)
        assert front.memory is not None
        front.memory.write(0x30000, statistics.build(statistics.Statistics.of([(4, 77)])))
        queue.add([Span(0x30000, 10)], ())
        queue.publish()
        front.kick(2)
        assert queue.collect() is None  # the device holds it
        assert served.server.figures().statistics == {"memfree": 77}
        assert front.ask(Request.GET_VRING_BASE, VringState(2, 0)).num == 0
        assert served.server.peer is not None
        assert not served.server.peer.device.poll_statistics()
        front.place(2, SplitLayout.at(0x1000, 64), base=0)
        front.post(Request.SET_VRING_KICK, VringFile.of(2), [front.kicks[2]])
        front.kick(2)
        assert served.server.peer.device.poll_statistics()
        served.server.tell()
        assert queue.collect() is not None


def test_replies_are_given_when_asked_for_and_only_then(served: Served) -> None:
    with Front(served) as front:
        front.negotiate()
        assert front.receive() is None
        assert front.check(Request.SET_OWNER) == 0
        front.post(Request.SET_OWNER)
        assert front.receive() is None
    with Front(served) as front:
        front.negotiate(protocol=())
        front.post(Request.SET_OWNER, need_reply=True)
        assert front.receive() is None


def test_config_space_is_read_and_written_as_the_driver_may(served: Served) -> None:
    with ready(served) as front:
        assert front.config(0, 32) == config.build(config.parse(front.config(0, 32)))
        for purpose, value in ((ConfigPurpose.WRITABLE, 5), (ConfigPurpose.MIGRATION, 6)):
            data = Octets.of(value.to_bytes(4, "little"))
            front.post(Request.SET_CONFIG, ConfigMessage(4, purpose, data))
            assert config.parse(front.config(0, 32)).actual == value
        front.post(Request.SET_CONFIG, ConfigMessage(0, 0, Octets.of(b"\xff" * 4)))
        assert config.parse(front.config(0, 32)).num_pages == 0


def test_poison_is_taken_before_and_after_the_features(served: Served) -> None:
    """A front end may hand the driver's write over before it hands its features over."""
    features = REPORTING | Features.of(Feature.PAGE_POISON)
    with Front(served) as front:
        front.post(
            Request.SET_PROTOCOL_FEATURES, U64(ProtocolFeatures.of(ProtocolFeature.CONFIG).bits)
        )
        front.post(Request.SET_CONFIG, ConfigMessage(12, 0, Octets.of(b"\xaa" * 4)))
        front.post(Request.SET_FEATURES, U64(features.bits))
        front.share()
        queue = front.start(2)
        fill(front, BLOCK)
        assert front.report(queue, BLOCK) == 0
        assert served.server.figures().discarded_bytes == 0
        front.post(Request.SET_CONFIG, ConfigMessage(12, 0, Octets.of(bytes(4))))
        front.report(queue, BLOCK)
        assert served.server.figures().discarded_bytes == BLOCK.length


def test_a_balloon_is_asked_for_through_the_channel(served: Served) -> None:
    with ready(served) as front:
        channel = front.open_channel()
        served.server.set_balloon_target(256)
        served.server.tell()
        message = channel.receive()
        assert message is not None
        assert message.header == Header.of(BackendRequest.CONFIG_CHANGE_MSG)
        assert config.parse(front.config(0, 32)).num_pages == 256
        queue = front.start(0, at=0x8000)
        assert front.memory is not None
        fill(front, BLOCK)
        front.memory.write(0x40000, pfn_array.build(PfnArray.of(range(1024, 1280))))
        queue.add([Span(0x40000, 1024)], ())
        queue.publish()
        front.kick(0)
        assert queue.collect() is not None
        assert any(hole.covers(BLOCK) for hole in front.memory.holes())
    with Front(served) as front:  # the next one is asked as well
        front.negotiate()
        assert config.parse(front.config(0, 32)).num_pages == 256


def test_kicks_and_calls_in_band(served: Served) -> None:
    with ready(served) as front:
        channel = front.open_channel()
        assert front.memory is not None
        layout = SplitLayout.at(0x1000, 64)
        queue = SplitDriverQueue(front.memory, layout, event_idx=False)
        front.place(2, layout)
        front.post(Request.SET_VRING_KICK, VringFile.of(2, has_fd=False))
        front.post(Request.SET_VRING_ENABLE, VringState(2, 1))
        queue.add((), [BLOCK])
        queue.publish()
        assert front.check(Request.VRING_KICK, VringState(2, 0)) == 0
        assert queue.collect() is not None
        message = channel.receive()
        assert message is not None
        assert message.header == Header.of(BackendRequest.VRING_CALL, 8)
        assert vring.parse_state(message.payload) == VringState(2, 0)


def test_an_in_band_kick_is_answered_before_it_is_worked_on(served: Served) -> None:
    """User-Mode Linux waits for the answer with its processor stopped."""
    with ready(served) as front:
        layout = SplitLayout.at(0x1000, 64)
        assert front.memory is not None
        queue = SplitDriverQueue(front.memory, layout, event_idx=False)
        front.place(2, layout)
        front.post(Request.SET_VRING_KICK, VringFile.of(2, has_fd=False))
        front.post(Request.SET_VRING_ENABLE, VringState(2, 1))
        queue.add((), [BLOCK])
        queue.publish()
        payload = vring.build_state(VringState(2, 0))
        head = Header.of(Request.VRING_KICK, len(payload), need_reply=True)
        from vhint.wire.vhost_user import header

        front.send(header.build(head) + payload)
        served.server.turn()
        assert front.receive() is not None
        assert queue.collect() is None
        served.pump()
        assert queue.collect() is not None


def test_memory_is_exchanged_under_running_rings(served: Served) -> None:
    with ready(served) as front:
        queue = front.start(2)
        front.report(queue, BLOCK)
        old = front.memory
        assert old is not None
        fd = front.file(RAM)
        copy = FilePart(0, RAM, fd, 0)
        os.pwrite(fd, old.peek(Span(0, 1 << 20)), 0)
        more = FilePart(1 << 30, RAM, front.file(RAM), 0)
        front.post(Request.SET_MEM_TABLE, table([copy, more]), [copy.fd, more.fd])
        front.use([copy, more])
        queue.memory = front.memory  # the ring is where it was, in another file
        assert front.report(queue, Span((1 << 30) + PAGE, PAGE)) == 0
        assert served.server.figures().memory_bytes == 2 * RAM


def test_regions_come_and_go_one_by_one(served: Served) -> None:
    slots = (*USUAL, ProtocolFeature.CONFIGURE_MEM_SLOTS)
    with Front(served) as front:
        front.negotiate(protocol=slots)
        assert front.ask(Request.GET_MAX_MEM_SLOTS).value == 32
        fds = [front.file(RAM), front.file(RAM)]
        regions = [MemoryRegion(start, RAM, USER + start, 0) for start in (0, 1 << 30)]
        for region, fd in zip(regions, fds, strict=True):
            assert front.check(Request.ADD_MEM_REG, region, [fd]) == 0
        front.use([FilePart(0, RAM, fds[0], 0), FilePart(1 << 30, RAM, fds[1], 0)])
        queue = front.start(2)
        assert front.report(queue, Span(1 << 30, PAGE)) == 0
        assert front.check(Request.REM_MEM_REG, regions[1]) == 0
        assert front.report(queue, Span(0x100000, PAGE)) == 0
        assert served.server.figures().memory_bytes == RAM
        front.post(Request.REM_MEM_REG, regions[1])
        assert "not known" in front.refused


def test_status_is_kept_if_the_front_end_knows_of_it(served: Served) -> None:
    with ready(served, protocol=(*USUAL, ProtocolFeature.STATUS)) as front:
        front.post(Request.SET_STATUS, U64(11))
        assert front.ask(Request.GET_STATUS).value == 11
        queue = front.start(2)
        queue.add((), [BLOCK])
        queue.publish()
        front.kick(2)
        assert queue.collect() is None  # not before DRIVER_OK
        front.post(Request.SET_STATUS, U64(15))
        assert queue.collect() is not None
        front.post(Request.SET_STATUS, U64(0))
        assert front.ask(Request.GET_STATUS).value == 0
        assert served.server.figures().queues[2].state == "stopped_disabled"


def test_a_device_that_is_reset_forgets_its_driver(served: Served) -> None:
    with ready(served, protocol=(*USUAL, ProtocolFeature.RESET_DEVICE)) as front:
        queue = front.start(2)
        front.report(queue, BLOCK)
        front.post(Request.SET_CONFIG, ConfigMessage(4, 0, Octets.of(b"\1\0\0\0")))
        assert front.check(Request.RESET_DEVICE) == 0
        assert config.parse(front.config(0, 32)).actual == 0
        queue.add((), [BLOCK])
        queue.publish()
        front.kick(2)
        assert queue.collect() is None


@pytest.mark.parametrize(
    ("mode", "index"),
    [
        (QueueMode.COMPACT_ACCEPTED, 2),
        (QueueMode.COMPACT_OFFERED, 4),
        (QueueMode.SPEC_FIXED, 4),
    ],
)
def test_queue_maps(tmp_path: Path, mode: QueueMode, index: int) -> None:
    with Served(tmp_path, **simulated(queue_mode=mode)) as served, ready(served) as front:
        queue = front.start(index)
        assert front.report(queue, BLOCK, index=index) == 0


def test_a_ring_that_is_no_queue_is_left_alone(served: Served) -> None:
    with ready(served) as front:
        queue = front.start(5)
        queue.add((), [BLOCK])
        queue.publish()
        front.kick(5)
        assert queue.collect() is None
        assert served.server.figures().queues[5].queue is None


def test_a_driver_that_was_unloaded_is_not_written_to(served: Served) -> None:
    """Without bit 30 User-Mode Linux says so by GET_FEATURES, and then uses the rings' pages."""
    features = REPORTING | Features.of(Feature.STATS_VQ)
    with ready(served, features, bits=0) as front:
        queue = front.start(2, enable=False)
        queue.add([Span(0x30000, 10)], ())
        queue.publish()
        front.kick(2)
        front.ask(Request.GET_FEATURES)
        assert front.memory is not None
        before = front.memory.read(Span(0x1000, 0x3000))
        assert served.server.peer is not None
        assert not served.server.peer.device.poll_statistics()
        served.server.tell()
        assert front.memory.read(Span(0x1000, 0x3000)) == before
        front.kick(2)  # but a driver that kicks is there
        assert served.server.peer.device.poll_statistics()


def test_a_round_of_hints_is_asked_for_before_its_queue_is_kicked(served: Served) -> None:
    features = REPORTING | Features.of(Feature.FREE_PAGE_HINT)
    with ready(served, features) as front:
        channel = front.open_channel()
        queue = front.start(2)
        assert served.server.peer is not None
        device = served.server.peer.device
        number = device.start_round()
        assert number is not None
        served.server.tell()
        assert channel.receive() is not None
        assert config.parse(front.config(0, 32)).free_page_hint_cmd_id == number
        assert front.memory is not None
        front.memory.write(0x30000, number.to_bytes(4, "little"))
        queue.add([Span(0x30000, 4)], [BLOCK])
        queue.publish()
        front.kick(2)
        assert served.server.figures().hinted_bytes == BLOCK.length
        device.finish_round()
        assert served.server.figures().hinting == "done"


def test_inhibited_nothing_is_given_back(tmp_path: Path) -> None:
    with Served(tmp_path, inhibit=True) as served, ready(served) as front:
        queue = front.start(2)
        fill(front, BLOCK)
        assert front.report(queue, BLOCK) == 0
        assert front.memory is not None
        assert front.memory.read(BLOCK) == b"\xa5" * BLOCK.length
        served.server.set_inhibited(False)
        front.report(queue, BLOCK)
        assert front.memory.read(Span(BLOCK.start, PAGE)) == bytes(PAGE)


def test_several_front_ends_one_after_another_and_never_two(served: Served) -> None:
    for _ in range(3):
        with ready(served) as front:
            queue = front.start(2)
            front.report(queue, BLOCK)
            second = Front(served)
            assert served.lines[-1] == (
                "a second front end was turned away: one is connected already"
            )
            second.close()
            front.report(queue, BLOCK)
    assert served.server.figures().front_ends == 3
    assert served.server.figures().requests == 6


def test_padding_after_the_regions_is_tolerated(served: Served) -> None:
    from vhint.wire.vhost_user import header

    with Front(served) as front:
        front.negotiate()
        part = FilePart(0, RAM, front.file(RAM), 0)
        payload = memory.build(table([part])) + bytes(32)
        head = Header.of(Request.SET_MEM_TABLE, len(payload), need_reply=True)
        front.send(header.build(head) + payload, [part.fd])
        served.pump()
        message = front.receive()
        assert message is not None
        assert message.payload == bytes(8)


def test_a_ring_is_moved_while_it_runs(served: Served) -> None:
    with ready(served) as front:
        front.report(front.start(2), BLOCK)
        assert front.memory is not None
        layout = SplitLayout.at(0x20000, 64)
        queue = SplitDriverQueue(front.memory, layout, event_idx=False)
        front.post(Request.SET_VRING_BASE, VringState(2, 0))
        front.post(Request.SET_VRING_ADDR, address(2, layout))
        front.report(queue, BLOCK)


def test_a_request_in_hand_has_no_effect_once_its_ring_is_stopped(served: Served) -> None:
    """hint.device.no-effect-after-backend-stop"""
    features = Features.of(Feature.HINTING, Feature.VERSION_1)
    with ready(served, features) as front:
        queue = front.start(2)
        assert front.memory is not None
        fill(front, BLOCK)
        request = PfnRequest(7, Blocks.of([(BLOCK.start // PAGE, 8)]))
        data = hint_request.build(request)
        front.memory.write(0x30000, data)
        queue.add([Span(0x30000, len(data))], [Span(0x40000, 64)])
        queue.publish()
        peer = served.server.peer
        assert peer is not None
        peer.kicked(2)
        for _ in range(3):  # taken, copied, validated
            assert peer.device.step()
        assert peer._stop(2) == 0  # in the middle of it, as a turn of the server never does
        served.pump()
        assert queue.collect() is None
        assert front.memory.read(BLOCK) == b"\xa5" * BLOCK.length
        assert front.memory.read(Span(0x40000, 64)) == bytes(64)
