"""Which command id comes next."""

from __future__ import annotations

import pytest

from vhint.host.command_ids import FIRST_ID, LAST_ID, CommandIds


@pytest.mark.parametrize("first", [-1, 0, 1, 2**32])
def test_reserved_ids_are_refused(first: int) -> None:
    with pytest.raises(ValueError, match="id is 2 to 4294967295"):
        CommandIds(first)


def test_an_id_is_not_issued_again_before_its_stop() -> None:
    ids = CommandIds(LAST_ID - 1)
    assert [ids.issue() for _ in range(3)] == [LAST_ID - 1, LAST_ID, FIRST_ID]
    ids.stopped()  # belongs to none of them
    ids.sent(LAST_ID)
    ids._next = LAST_ID - 1
    assert ids.issue() == 3
    ids.stopped()
    ids._next = LAST_ID - 1
    assert [ids.issue() for _ in range(3)] == [LAST_ID - 1, LAST_ID, 4]  # 2 and 3 are open


def test_ids_go_on_after_a_reset() -> None:
    ids = CommandIds()
    first = ids.issue()
    ids.forget()
    assert ids.issue() == first + 1
