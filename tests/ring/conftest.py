from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ring.ring_tools import RAM, Rig, WatchedMemory, make_rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A ring of four entries, indirect tables allowed, EVENT_IDX off."""
    with WatchedMemory.create(RAM) as memory:
        yield make_rig(memory)
