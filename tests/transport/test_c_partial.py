"""The sample device in C where the host refuses to discard: what it took is what it says."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tests.transport.c_peer import compiled
from tests.transport.c_process import running
from vhint.guest.requests import hint_blocks
from vhint.ring import FilePart
from vhint.spans import PAGE, Span
from vhint.wire import hint_ack
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import Status
from vhint.wire.vhost_user import ProtocolFeature

MIB = 1 << 20
HINTING = 3  # compact over REPORTING and HINTING
FEATURES = Features.of(Feature.HINTING, Feature.VERSION_1)
F_SEAL_FUTURE_WRITE = 0x10
REQUEST, ROOM = 0x3000, Span(0x4000, 17)
OPEN, SEALED = Span(1 * MIB, PAGE), Span(5 * MIB, PAGE)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("c-partial"))


@pytest.mark.parametrize(
    ("blocks", "status", "taken"),
    [
        ([OPEN], Status.OK, [0]),
        ([OPEN, SEALED], Status.PARTIAL, [0]),
        ([SEALED, OPEN], Status.PARTIAL, [1]),
        ([SEALED], Status.PARTIAL, []),
    ],
)
def test_a_block_that_cannot_be_discarded_is_not_accepted(
    program: Path, tmp_path: Path, blocks: list[Span], status: Status, taken: list[int]
) -> None:
    with running(program, tmp_path) as away, away.connect() as front:
        front.negotiate(FEATURES, protocol=(ProtocolFeature.REPLY_ACK, ProtocolFeature.CONFIG))
        files = front.file(4 * MIB), front.file(4 * MIB)
        front.share(FilePart(0, 4 * MIB, files[0], 0), FilePart(4 * MIB, 4 * MIB, files[1], 0))
        queue = front.start(HINTING)
        front.config(0, 32)  # answered, so the memory is mapped
        fcntl.fcntl(files[1], fcntl.F_ADD_SEALS, F_SEAL_FUTURE_WRITE)
        assert front.memory is not None
        for block in (OPEN, SEALED):
            front.memory.write(block.start, b"\xa5" * PAGE)
        draft = hint_blocks(7, [(block.start // PAGE, 0) for block in blocks])
        front.memory.write(REQUEST, draft.readable)
        queue.add([Span(REQUEST, len(draft.readable))], [ROOM])
        queue.publish()
        front.kick(HINTING)
        while (done := queue.collect()) is None:
            assert away.process.poll() is None
        written = bytes(front.memory.read(Span(ROOM.start, done.length)))
        answer = hint_ack.parse(written, len(blocks))
        assert answer.status is status
        assert answer.cookie == 7
        assert answer.processed == len(taken)
        assert written[16:] == bytes([sum(1 << n for n in taken)])
        assert bytes(front.memory.read(SEALED)) == b"\xa5" * PAGE
        assert (bytes(front.memory.read(OPEN)) == bytes(PAGE)) == (OPEN in blocks)
