"""A hostile message costs no more than an honest one: the declaration looks at one record of it."""

from __future__ import annotations

import numpy as np
import pytest

from vhint.wire import OutOfRange, ShortInput, WireError, hint_request
from vhint.wire.blocks import RECORD, Blocks
from vhint.wire.hint_request import PfnRequest

COUNT = 100_000


class Counter:
    def __init__(self) -> None:
        self.records = 0


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Counts the records that construct parses or builds one by one."""
    counter = Counter()
    for name in ("_parse", "_build"):
        original = getattr(RECORD, name)

        def counting(*arguments: object, original: object = original) -> object:
            counter.records += 1
            assert callable(original)
            return original(*arguments)

        monkeypatch.setitem(RECORD.__dict__, name, counting)
    return counter


@pytest.fixture
def message() -> bytes:
    blocks = Blocks.from_columns(np.arange(COUNT), np.full(COUNT, 40))
    return hint_request.build(PfnRequest(1, blocks))


def test_the_last_of_many_is_bad(interpreted: Counter, message: bytes) -> None:
    with pytest.raises(OutOfRange) as caught:
        hint_request.parse(message[:-8] + b"\x29" + bytes(7))
    assert caught.value.path == f"blocks[{COUNT - 1}].order"
    assert caught.value.offset == len(message) - 8
    assert interpreted.records == 1


@pytest.mark.parametrize("at", [0, 1, COUNT // 2])
def test_the_first_bad_one_is_named(interpreted: Counter, message: bytes, at: int) -> None:
    data = bytearray(message)
    for i in (at, COUNT - 1):
        data[16 + 16 * i + 12] = 1
    with pytest.raises(WireError) as caught:
        hint_request.parse(bytes(data))
    assert caught.value.path == f"blocks[{at}].reserved"
    assert interpreted.records == 1


def test_a_cut_message(interpreted: Counter, message: bytes) -> None:
    with pytest.raises(ShortInput) as caught:
        hint_request.parse(message[:-1])
    assert caught.value.path == f"blocks[{COUNT - 1}].reserved"
    assert interpreted.records == 1


def test_a_good_message_with_something_after_it(interpreted: Counter, message: bytes) -> None:
    with pytest.raises(WireError):
        hint_request.parse(message + b"\0")
    assert interpreted.records == 0


def test_build(interpreted: Counter) -> None:
    orders = np.full(COUNT, 40)
    orders[-1] = 41
    with pytest.raises(OutOfRange) as caught:
        hint_request.build(PfnRequest(1, Blocks.from_columns(np.arange(COUNT), orders)))
    assert caught.value.path == f"blocks[{COUNT - 1}].order"
    assert interpreted.records == 1


def test_good_messages_are_not_interpreted_at_all(interpreted: Counter, message: bytes) -> None:
    assert hint_request.build(hint_request.parse(message)) == message
    assert interpreted.records == 0
