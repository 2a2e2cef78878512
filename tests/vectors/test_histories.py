"""Stateful vectors: replayed through the monitors, checked against the wire, and spoilt."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.vectors.files import HISTORIES, every
from vhint.guest import requests
from vhint.spans import Span, block, merge
from vhint.wire import hint_request, pfn_array
from vhint.wire.hint_request import PfnRequest
from vhint_conformance.vectors import steps
from vhint_conformance.vectors.replay import replay, replay_problem

VECTORS = {identity: vector for identity, (_, vector) in every(HISTORIES).items()}
Json = dict[str, Any]


@pytest.mark.parametrize("identity", VECTORS)
def test_replay(identity: str) -> None:
    for number, (step, found) in enumerate(replay(VECTORS[identity]["steps"])):
        assert found == set(step.get("violates", ())), (number, step)


def named(step: Json) -> tuple[Span, ...]:
    """What the bytes of an offer name."""
    data = bytes.fromhex(step["hex"])
    if step["queue"] in ("inflate", "deflate"):
        return merge(block(pfn) for pfn in pfn_array.parse(data))
    request = hint_request.parse(data)
    if isinstance(request, PfnRequest):
        return merge(block(each.pfn, each.order) for each in request.blocks)
    size = 4096 << request.order
    start = request.start_pfn * 4096
    return merge(Span(start + n * size, size) for n in request.bits.indices().tolist())


@pytest.mark.parametrize("identity", VECTORS)
def test_offers_name_their_blocks(identity: str) -> None:
    for step in VECTORS[identity]["steps"]:
        if step["step"] == "offer" and step["queue"] in ("inflate", "deflate", "hinting"):
            spans = merge(Span(int(s["start"]), int(s["length"])) for s in step["blocks"])
            # A request that the device refuses for its alignment gives nothing away.
            assert spans == named(step) or (not spans and "malformed" in identity)


def test_each_violation_is_needed() -> None:
    spoilt = 0
    for identity, vector in VECTORS.items():
        for number, step in enumerate(vector["steps"]):
            if "violates" not in step:
                continue
            wrong = deepcopy(vector["steps"])
            del wrong[number]["violates"]
            assert "seen " in str(replay_problem(wrong)), identity
            wrong[number]["violates"] = [*step["violates"], "hint.device.cookie-echo-not"]
            assert replay_problem(wrong), identity
            spoilt += 1
    assert spoilt > 50


def test_each_check_can_fail() -> None:
    opposite = {
        "device_owns": "driver_owns",
        "driver_owns": "device_owns",
        "may_discard": "must_not_discard",
        "must_not_discard": "may_discard",
    }
    spoilt = 0
    for identity, vector in VECTORS.items():
        for number, step in enumerate(vector["steps"]):
            for name, other in opposite.items():
                if step.get(name):
                    wrong = deepcopy(vector["steps"])
                    wrong[number] = {"step": "check", other: step[name]}
                    assert replay_problem(wrong), (identity, number, name)
                    spoilt += 1
            if "outstanding" in step:
                wrong = deepcopy(vector["steps"])
                wrong[number]["outstanding"] = [*step["outstanding"], "other"]
                assert "outstanding" in str(replay_problem(wrong))
    assert spoilt > 50


def test_a_request_that_stays_unanswered_is_found_out() -> None:
    listed = VECTORS["life-hinting.accepted"]["steps"]
    wrong = [step for step in listed if step["step"] not in ("use", "check")]
    assert "use-every-buffer broken" not in str(replay_problem(listed))
    assert "hint.device.use-every-buffer" in str(replay_problem(wrong))


def test_a_history_without_an_end_is_refused() -> None:
    assert replay_problem([steps.reset()]) == "the last step is not end"
    assert "there is no step 'jump'" in str(replay_problem([{"step": "jump"}]))


def test_a_failure_can_be_saved_from_drafts() -> None:
    """As a Hypothesis machine would: it has the drafts, the answers and what it saw."""
    draft = requests.hint_blocks(7, [(0x100, 0), (0x101, 0)])
    saved = [
        steps.reset(),
        steps.negotiate([22, 32], [22, 32]),
        steps.driver_ok(),
        steps.offer_draft("r0", draft),
        steps.answer("r0", bytes.fromhex("0700000000000000 00000000 02000000 03")),
        steps.write(block(0x101)),
        steps.discard(block(0x101)),
        steps.end(),
    ]
    found = [(number, slugs) for number, (_, slugs) in enumerate(replay(saved)) if slugs]
    assert found == [(6, {"hint.device.no-effect-after-use"})]
    saved[6] = steps.violating(saved[6], *found[0][1])
    assert replay_problem(saved) is None


def test_what_histories_cover() -> None:
    slugs = {
        slug
        for vector in VECTORS.values()
        for step in vector["steps"]
        for slug in step.get("violates", ())
    }
    for needed in (
        "balloon.device.no-effect-after-deflate-use",
        "balloon.device.no-effect-after-inflate-use",
        "free-page-hint.device.containment",
        "hint.device.cookie-echo",
        "hint.device.no-effect-after-reset",
        "hint.device.no-effect-after-use",
        "hint.device.poison-preserved",
        "hint.device.status-known",
        "hint.device.unaccepted-untouched",
        "hint.device.use-every-buffer",
        "hint.device.used-length-with-results",
        "reporting.device.no-effect-after-use",
        "reporting.device.poison-preserved",
        "ring.device.use-chain-once",
    ):
        assert needed in slugs
    assert {vector["result"] for vector in VECTORS.values()} == {"ok", "violation"}
