"""Function vectors: queue numbers over all subsets, and negotiation on the reference device."""

from __future__ import annotations

from copy import deepcopy
from itertools import product
from typing import Any

import pytest

from tests.vectors.files import FUNCTIONS
from vhint.host import Device, DeviceOptions
from vhint.ring import GuestMemory
from vhint.wire.features import Features
from vhint.wire.queues import QueueMode, queue_map

Json = dict[str, Any]


def map_problem(call: Json) -> str | None:
    offered, accepted = (Features.of(*call["given"][name]) for name in ("offered", "accepted"))
    try:
        found = {str(mode): queue_map(mode, offered, accepted) for mode in QueueMode}
    except ValueError as error:
        return None if call["result"] == "invalid" else str(error)
    return None if found == call["gives"] else f"{found}"


@pytest.mark.parametrize("call", FUNCTIONS["queue-map"]["vectors"], ids=lambda call: call["id"])
def test_queue_map(call: Json) -> None:
    assert map_problem(call) is None


def test_every_pair_of_subsets_is_there() -> None:
    given = {
        (tuple(call["given"]["offered"]), tuple(call["given"]["accepted"]))
        for call in FUNCTIONS["queue-map"]["vectors"]
    }
    for states in product("-oa", repeat=4):  # neither, offered, accepted
        pairs = list(zip((1, 3, 5, 22), states, strict=True))
        offered = tuple(bit for bit, state in pairs if state != "-")
        accepted = tuple(bit for bit, state in pairs if state == "a")
        assert (offered, accepted) in given


def test_a_wrong_map_is_found_out() -> None:
    for call in FUNCTIONS["queue-map"]["vectors"]:
        if call["result"] == "invalid":
            assert map_problem(call | {"result": "valid"})
            continue
        for mode, queues in call["gives"].items():
            for queue in queues:
                wrong = deepcopy(call)
                wrong["gives"][mode][queue] += 1
                assert map_problem(wrong)


@pytest.mark.parametrize("call", FUNCTIONS["negotiation"]["vectors"], ids=lambda call: call["id"])
def test_negotiation(call: Json) -> None:
    options = DeviceOptions(offered=Features.of(*call["given"]["offered"]))
    with GuestMemory.create(0x10000) as memory:
        device = Device(memory, options)
        for status in (0, 1, 3):
            device.write_status(status)
        device.write_features(Features.of(*call["given"]["accepted"]).bits)
        device.write_status(11)
        assert bool(device.read_status() & 8) is call["gives"]["features_ok"]
