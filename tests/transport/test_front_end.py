"""The vhost-user front end: what it says when, and that no answer, or any answer, hurts it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.transport.scripted import OFFERED, Answer, ScriptedBackEnd, reply
from vhint.ring import SplitLayout
from vhint.spans import Span
from vhint.transport.interface import TransportError
from vhint.transport.vhost_user import FrontEnd, FrontEndOptions, create_ram
from vhint.wire.status import DeviceStatus
from vhint.wire.vhost_user import (
    SHAPES,
    BackendRequest,
    ConfigMessage,
    Header,
    Octets,
    ProtocolFeature,
    ProtocolFeatures,
    Request,
    VringState,
    header,
)

LOW, HIGH = Span(0, 1 << 20), Span(1 << 32, 1 << 20)
LAYOUT = SplitLayout.at(HIGH.start + 0x1000, 16)
EVERYTHING = ProtocolFeatures.of(
    ProtocolFeature.MQ,
    ProtocolFeature.REPLY_ACK,
    ProtocolFeature.BACKEND_REQ,
    ProtocolFeature.CONFIG,
    ProtocolFeature.RESET_DEVICE,
    ProtocolFeature.STATUS,
    ProtocolFeature.INBAND_NOTIFICATIONS,
).bits
PLACING = [
    Request.SET_VRING_NUM,
    Request.SET_VRING_BASE,
    Request.SET_VRING_ADDR,
    Request.SET_VRING_ERR,
    Request.SET_VRING_CALL,
]


@contextmanager
def connected(
    back_end: ScriptedBackEnd, patience: float = 2.0, **options: object
) -> Iterator[FrontEnd]:
    front_end = FrontEnd(
        back_end.sock,
        create_ram([LOW, HIGH]),
        FrontEndOptions(patience=patience, **options),  # type: ignore[arg-type]
    )
    try:
        yield front_end
    finally:
        front_end.close()
        back_end.join()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def agree(front_end: FrontEnd) -> None:
    for status in (0, 1, 3):
        front_end.write_status(status)
    front_end.write_features(1 << 32)
    front_end.write_status(11)


def test_the_order_of_a_life_without_protocol_features() -> None:
    back_end = ScriptedBackEnd(offered=OFFERED & ~(1 << 30))
    with connected(back_end) as front_end:
        assert not front_end.enables
        agree(front_end)
        assert front_end.set_up_queue(0, LAYOUT)
        front_end.write_status(15)
        front_end.write_status(0)
        assert front_end.read_status() == 0
    told = [each for each in back_end.said if each is not Request.GET_FEATURES]
    assert told == [
        Request.SET_OWNER,
        Request.SET_FEATURES,
        Request.SET_MEM_TABLE,
        *PLACING,
        Request.SET_VRING_KICK,  # only with DRIVER_OK: the ring is enabled from the start
        Request.GET_VRING_BASE,
    ]


def test_the_order_of_a_life_with_everything() -> None:
    back_end = ScriptedBackEnd(protocol=EVERYTHING)
    with connected(back_end) as front_end:
        agree(front_end)
        assert front_end.set_up_queue(0, LAYOUT)
        front_end.write_status(15)
        front_end.write_status(0)
    assert back_end.said == [
        Request.SET_OWNER,
        Request.GET_FEATURES,
        Request.GET_PROTOCOL_FEATURES,
        Request.SET_PROTOCOL_FEATURES,
        Request.GET_QUEUE_NUM,
        Request.SET_BACKEND_REQ_FD,
        Request.SET_STATUS,
        Request.SET_STATUS,
        Request.SET_STATUS,
        Request.SET_FEATURES,
        Request.SET_MEM_TABLE,
        Request.SET_STATUS,
        *PLACING,
        Request.SET_VRING_KICK,
        Request.SET_VRING_ENABLE,
        Request.SET_STATUS,
        Request.SET_VRING_ENABLE,
        Request.GET_VRING_BASE,
        Request.SET_STATUS,
    ]
    values = dict(back_end.log)
    assert values[Request.SET_FEATURES].value == 1 << 32 | 1 << 30
    assert values[Request.SET_PROTOCOL_FEATURES].value == EVERYTHING & ~(
        1 << ProtocolFeature.INBAND_NOTIFICATIONS
    )
    first, second = values[Request.SET_MEM_TABLE].regions
    assert (first.guest_address, first.mmap_offset) == (LOW.start, 0)
    assert (second.guest_address, second.mmap_offset) == (HIGH.start, LOW.length)
    address = values[Request.SET_VRING_ADDR]
    assert address.descriptors - second.user_address == LAYOUT.descriptors - HIGH.start
    assert address.used - address.descriptors == LAYOUT.used - LAYOUT.descriptors


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (0, []),
        (1 << ProtocolFeature.RESET_DEVICE, [Request.RESET_DEVICE]),
        (
            1 << ProtocolFeature.RESET_DEVICE | 1 << ProtocolFeature.STATUS,
            [Request.SET_STATUS, Request.SET_STATUS],  # FEATURES_OK, and the reset
        ),
    ],
)
def test_a_reset_is_told_by_what_there_is(protocol: int, expected: list[Request]) -> None:
    back_end = ScriptedBackEnd(protocol=protocol)
    with connected(back_end) as front_end:
        agree(front_end)
        front_end.write_status(0)
    # What came is complete only now that both ends have hung up.
    after = back_end.said[back_end.said.index(Request.SET_MEM_TABLE) + 1 :]
    assert [each for each in after if each is not Request.GET_FEATURES] == expected
    if Request.SET_STATUS in expected:
        last = [value for request, value in back_end.log if request is Request.SET_STATUS][-1]
        assert last.value == 0


def test_features_that_are_refused_leave_features_ok_clear() -> None:
    back_end = ScriptedBackEnd(
        protocol=1 << ProtocolFeature.REPLY_ACK, refuses=(Request.SET_FEATURES,)
    )
    with connected(back_end) as front_end:
        agree(front_end)
        assert front_end.read_status() == 3


def test_a_ring_that_is_refused_does_not_become_ready() -> None:
    back_end = ScriptedBackEnd(
        protocol=1 << ProtocolFeature.REPLY_ACK, refuses=(Request.SET_VRING_NUM,)
    )
    with connected(back_end) as front_end:
        agree(front_end)
        assert not front_end.set_up_queue(0, LAYOUT)


def test_an_error_on_a_ring_shows_as_needs_reset() -> None:
    back_end = ScriptedBackEnd()
    with connected(back_end) as front_end:
        agree(front_end)
        front_end.set_up_queue(0, LAYOUT)
        front_end.settle()
        os.eventfd_write(back_end.fds[Request.SET_VRING_ERR][0], 1)
        assert front_end.read_status() & DeviceStatus.NEEDS_RESET
        front_end.write_status(0)
        assert front_end.read_status() == 0


def test_signals_reach_both_sides() -> None:
    back_end = ScriptedBackEnd()
    with connected(back_end) as front_end:
        agree(front_end)
        front_end.set_up_queue(0, LAYOUT)
        front_end.settle()
        front_end.notify(0)
        front_end.notify(1)  # never set up: there is nothing to signal
        kick, call = (
            back_end.fds[each][0] for each in (Request.SET_VRING_KICK, Request.SET_VRING_CALL)
        )
        assert os.eventfd_read(kick) == 1
        assert not front_end.take_interrupts().used
        os.set_blocking(call, True)  # the flag is shared: a read must not wait for ever
        assert not front_end.take_interrupts().used
        os.eventfd_write(call, 1)
        assert front_end.wait(lambda: front_end.take_interrupts().used, 1)
        assert not front_end.take_interrupts().used


def test_in_band_there_are_no_eventfds() -> None:
    back_end = ScriptedBackEnd(protocol=EVERYTHING)
    with connected(back_end, in_band=True) as front_end:
        agree(front_end)
        front_end.set_up_queue(0, LAYOUT)
        front_end.notify(0)
        assert (Request.VRING_KICK, VringState(0, 0)) in back_end.log
        with back_end.channel() as channel:
            body = SHAPES[Request.SET_VRING_NUM].payload.build(VringState(0, 0))
            channel.sendall(header.build(Header.of(BackendRequest.VRING_CALL, len(body))) + body)
            assert front_end.wait(lambda: front_end.take_interrupts().used, 1)
    files = {Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR}
    assert all(not payload.has_fd for request, payload in back_end.log if request in files)


def test_a_config_change_is_heard_and_answered() -> None:
    back_end = ScriptedBackEnd(protocol=EVERYTHING)
    with connected(back_end) as front_end, back_end.channel() as channel:
        before = front_end.config_generation()
        channel.sendall(header.build(Header.of(BackendRequest.CONFIG_CHANGE_MSG, need_reply=True)))
        assert front_end.wait(lambda: front_end.take_interrupts().config, 1)
        assert not front_end.take_interrupts().config
        assert front_end.config_generation() == before + 1
        channel.settimeout(1)
        answer = channel.recv(64)
        assert header.parse(answer[:12]).is_reply
        assert answer[12:] == bytes(8)


def test_a_back_end_that_waits_for_its_own_answer_first_is_not_waited_for() -> None:
    def ask_first(_: object) -> bytes:
        with back_end.channel() as channel:
            message = Header.of(BackendRequest.CONFIG_CHANGE_MSG, need_reply=True)
            channel.sendall(header.build(message))
            channel.settimeout(2)
            assert len(channel.recv(64)) == 20
        return reply(Request.GET_STATUS, bytes(8))

    back_end = ScriptedBackEnd(protocol=EVERYTHING, answers={Request.GET_STATUS: ask_first})
    with connected(back_end) as front_end:
        assert front_end.read_status() == 0
        assert front_end.take_interrupts().config


def test_config_space_is_read_from_its_beginning() -> None:
    back_end = ScriptedBackEnd(protocol=EVERYTHING)
    with connected(back_end) as front_end:
        assert front_end.read_config(4, 4) == bytes([4, 5, 6, 7])
        assert front_end.read_config(250, 10) == bytes(10)  # beyond what can be asked
        front_end.write_config(8, b"abcd")
    assert back_end.log[-1] == (Request.SET_CONFIG, ConfigMessage(8, 0, Octets.of(b"abcd")))


def test_shared_memory_cannot_be_cut_short_by_the_other_side() -> None:
    with create_ram([LOW, HIGH]) as memory:
        with pytest.raises(PermissionError):
            os.ftruncate(memory.fd, 4096)
        memory.discard(Span(HIGH.start, 4096))  # but pages can be given back


def raw(request: int, flags: int, size: int, payload: bytes = b"") -> Answer:
    return lambda _: header.build(Header(request, flags, size)) + payload


HOSTILE: dict[str, tuple[Request, Answer, str]] = {
    "hangs up": (Request.GET_FEATURES, lambda _: b"", "closed the connection"),
    "is silent": (Request.GET_FEATURES, lambda _: None, "did not answer GET_FEATURES within"),
    "half a header": (Request.GET_FEATURES, lambda _: b"\1\0\0", "did not answer GET_FEATURES"),
    "half a payload": (Request.GET_FEATURES, raw(1, 5, 8, b"xx"), "did not answer GET_FEATURES"),
    "another request": (Request.GET_FEATURES, raw(2, 5, 8, bytes(8)), "seen request 2"),
    "no reply flag": (Request.GET_FEATURES, raw(1, 1, 8, bytes(8)), "flags 0x1"),
    "another version": (Request.GET_FEATURES, raw(1, 6, 8, bytes(8)), "flags 0x6"),
    "too short": (Request.GET_FEATURES, raw(1, 5, 4, bytes(4)), "GET_FEATURES: "),
    "too long": (Request.GET_FEATURES, raw(1, 5, 9, bytes(9)), "GET_FEATURES: "),
    "absurd length": (Request.GET_FEATURES, raw(1, 5, 0xFFFFFFFF), "4294967295 bytes"),
    "another ring": (
        Request.GET_VRING_BASE,
        raw(11, 5, 8, (9).to_bytes(4, "little") + bytes(4)),
        "expected ring 0, seen 9",
    ),
    "less config": (
        Request.GET_CONFIG,
        raw(24, 5, 14, b"\0\0\0\0\2\0\0\0\0\0\0\0ab"),
        "expected 4 bytes from 0, or none, seen 2 from 0",
    ),
    "odd acknowledgement": (Request.SET_MEM_TABLE, raw(5, 5, 4, bytes(4)), "SET_MEM_TABLE: "),
    "refused memory": (
        Request.SET_MEM_TABLE,
        raw(5, 5, 8, b"\1" + bytes(7)),
        "refused SET_MEM_TABLE",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_are_errors_in_words_and_in_time(name: str) -> None:
    request, answer, said = HOSTILE[name]
    before = descriptors()
    back_end = ScriptedBackEnd(protocol=EVERYTHING, answers={request: answer})
    begun = time.monotonic()
    with pytest.raises(TransportError, match=said):  # noqa: SIM117, PT012 - a life
        with connected(back_end, patience=0.2) as front_end:
            agree(front_end)
            front_end.set_up_queue(0, LAYOUT)
            front_end.read_config(0, 4)
            front_end.write_status(0)
    assert time.monotonic() - begun < 2
    back_end.join()
    assert descriptors() == before


def test_descriptors_with_a_reply_are_closed_and_refused(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    before = descriptors()
    with tmp_path.joinpath("f").open("wb") as file:
        message = reply(Request.GET_FEATURES, bytes(8))
        socket.send_fds(theirs, [message], [file.fileno()] * 3)
    with pytest.raises(TransportError, match="came with 3 file descriptors"):
        FrontEnd(ours, create_ram([LOW, HIGH]))
    theirs.close()
    assert descriptors() == before - 2


def test_a_back_end_that_stops_reading_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):  # noqa: PT012 - until it is full
        while True:
            ours.send(bytes(4096))
    with pytest.raises(TransportError, match="did not take SET_OWNER off its socket within 0"):
        FrontEnd(ours, create_ram([LOW, HIGH]), FrontEndOptions(patience=0.1))
    theirs.close()


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\2\0\0\0\5\0\0\0\0\0\0\0", "seen flags 0x5"),
        (b"\2\0\0\0\1\0\0\0\xff\xff\xff\xff", "4294967295 bytes"),
        (b"\x63\0\0\0\1\0\0\0\0\0\0\0", "no request 99"),
        (b"\4\0\0\0\1\0\0\0\1\0\0\0x", "VRING_CALL: "),
    ],
)
def test_nonsense_on_the_back_ends_channel_is_an_error(message: bytes, said: str) -> None:
    back_end = ScriptedBackEnd(protocol=EVERYTHING)
    with connected(back_end) as front_end, back_end.channel() as channel:
        channel.sendall(message)
        with pytest.raises(TransportError, match=said):
            front_end.take_interrupts()


def test_a_flood_on_the_channel_is_taken_in_portions() -> None:
    back_end = ScriptedBackEnd(protocol=EVERYTHING)
    with connected(back_end) as front_end, back_end.channel() as channel:
        one = header.build(Header.of(BackendRequest.CONFIG_CHANGE_MSG))
        channel.sendall(one * 1000)
        assert 0 < front_end.config_generation() < 1000
        assert front_end.wait(lambda: front_end.config_generation() == 1000, 1)


def test_a_channel_that_is_closed_is_no_error() -> None:
    back_end = ScriptedBackEnd(protocol=EVERYTHING)
    with connected(back_end) as front_end:
        for fd in back_end.fds.pop(Request.SET_BACKEND_REQ_FD):
            os.close(fd)
        assert not front_end.take_interrupts().config
        front_end.settle()


def death_while_waiting(front_end: FrontEnd) -> None:
    front_end.wait(lambda: False, 5)


def death_while_settling(front_end: FrontEnd) -> None:
    front_end.settle()


@pytest.mark.parametrize("what", [death_while_waiting, death_while_settling])
def test_a_back_end_that_goes_is_noticed_at_once(what: Callable[[FrontEnd], None]) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(reply(Request.GET_FEATURES, (1 << 32).to_bytes(8, "little")))
    front_end = FrontEnd(ours, create_ram([LOW, HIGH]))
    assert not front_end.has_hung_up()
    theirs.close()
    begun = time.monotonic()
    with pytest.raises(TransportError, match="connection"):
        what(front_end)
    assert time.monotonic() - begun < 1
    assert front_end.has_hung_up()
    front_end.close()


def test_a_message_that_nothing_asked_for_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(reply(Request.GET_FEATURES, (1 << 32).to_bytes(8, "little")) * 2)
    front_end = FrontEnd(ours, create_ram([LOW, HIGH]))
    with pytest.raises(TransportError, match="nothing asked for"):
        front_end.wait(lambda: False, 5)
    front_end.close()
    theirs.close()
