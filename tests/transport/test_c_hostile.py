"""The sample device in C under front ends that send anything, built with the sanitizers."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transport.c_peer import SANITIZED, compiled
from tests.transport.c_process import Away, running
from tests.vhost_user.front import REPORTING, USUAL
from tests.vhost_user.test_hostile import made, messages
from vhint.wire.features import Feature, Features
from vhint.wire.vhost_user import ProtocolFeature

PROTOCOL = (
    *(feature for feature in USUAL if feature is not ProtocolFeature.INBAND_NOTIFICATIONS),
    ProtocolFeature.MQ,
)


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Away]:
    folder = tmp_path_factory.mktemp("c-hostile")
    program = compiled(folder, "sanitized", flags=SANITIZED)
    with running(program, folder) as away:
        yield away


@pytest.mark.long
@given(
    chosen=st.lists(messages(), max_size=14),
    start=st.integers(0, 3),
    ring=st.binary(max_size=200),
)
def test_any_sequence_of_messages_is_survived(
    away: Away, chosen: list[tuple[bytes, list[str]]], start: int, ring: bytes
) -> None:
    with away.connect() as front:
        if start > 0:
            front.negotiate(REPORTING | Features.of(Feature.INDIRECT_DESC), protocol=PROTOCOL)
        if start > 1:
            front.share()
        if start > 2:
            front.start(2)
            assert front.memory is not None
            front.memory.write(0x1000, ring)  # the rings hold anything
            front.memory.write(0x1402, b"\5\0")
            os.eventfd_write(front.kicks[2], 1)
        for data, kinds in chosen:
            # Our own socket is left out: who holds both ends never sees a connection end.
            fds = [made(front, kind) for kind in kinds if kind != "itself"]
            try:
                front.send(data, fds)
            except OSError:
                break
        for fd in front.kicks.values():
            os.eventfd_write(fd, 1)
        front.socket.shutdown(socket.SHUT_WR)
    away.works()
