"""Every format vector against the codecs, and device-level ones against the reference device."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, TypeVar

import pytest

from tests.vectors import consume_history
from tests.vectors.consume import CONTAINERS, FACES, parse_problem
from tests.vectors.files import FORMATS, every
from tests.vectors.on_device import device_problem
from vhint.wire import hint_ack
from vhint.wire.errors import WireError

T = TypeVar("T")
VECTORS = every(FORMATS)
ON_DEVICE = [
    (identity, name)
    for identity, (_, vector) in VECTORS.items()
    for name in vector.get("device", ())
]
LAYERS = {("valid", "valid"), ("valid", "invalid"), ("invalid", "invalid")}


def test_every_file_has_a_reader() -> None:
    assert FORMATS.keys() == FACES.keys() | CONTAINERS.keys() | consume_history.NAMES


@pytest.mark.parametrize("name", FORMATS)
def test_parse(name: str) -> None:
    found = {
        identity: parse_problem(file, vector)
        for identity, (file, vector) in VECTORS.items()
        if file is FORMATS[name]
    }
    assert found
    assert {identity: problem for identity, problem in found.items() if problem} == {}


@pytest.mark.parametrize(("identity", "setting"), ON_DEVICE)
def test_device(identity: str, setting: str) -> None:
    assert device_problem(*VECTORS[identity], setting) is None


def driver_problem(vector: dict[str, Any]) -> str | None:
    """What rule 5 makes of an acknowledgement, against what the vector says."""
    wanted, count = vector["driver"], vector["parameters"]["count"]
    try:
        ack = hint_ack.parse(bytes.fromhex(vector["hex"]), count)
    except WireError:
        ack = None
    if ack is None or ack.cookie != int(wanted["cookie"]):
        seen: tuple[str, str | None] = ("reset", None)
    elif ack.status >= hint_ack.Status.MALFORMED:
        seen = ("return", "0" * count)
    else:
        covered = "" if ack.results is None else "".join("01"[bit] for bit in ack.results)
        seen = ("return", covered.ljust(count, "1"))
    return None if seen == (wanted["action"], wanted["lost"]) else f"{seen}"


@pytest.mark.parametrize("vector", FORMATS["hint-ack"]["vectors"], ids=lambda vector: vector["id"])
def test_driver(vector: dict[str, Any]) -> None:
    assert driver_problem(vector) is None


def test_the_vectors_cover_what_they_claim_to() -> None:
    for name, file in FORMATS.items():
        results = {vector["result"] for vector in file["vectors"]}
        any_bytes_do = name == consume_history.AS_READ_BY_A_WALK
        assert results == ({"valid"} if any_bytes_do else {"valid", "invalid"}), name
    for name in ("hint-request-pfn", "hint-request-bitmap"):
        vectors = FORMATS[name]["vectors"]
        found = {(v["result"], e["result"]) for v in vectors for e in v.get("device", {}).values()}
        assert found == LAYERS
        statuses = {tuple(e["statuses"]) for v in vectors for e in v["device"].values()}
        assert {("MALFORMED",), ("UNSUPPORTED",), ("MALFORMED", "UNSUPPORTED"), ("OK",)} <= statuses
        kinds = {v["error"]["kind"] for v in vectors if "error" in v}
        assert kinds >= {"short-input", "trailing-bytes", "out-of-range", "reserved-not-zero"}


# A wrong vector is found out


def damaged(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value ^ 1
    return str(int(value) ^ 1)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all numbers in a decoded value."""
    if isinstance(value, dict):
        return [leaf for key, each in value.items() for leaf in leaves(each, (*path, key))]
    if isinstance(value, list):
        return [leaf for key, each in enumerate(value) for leaf in leaves(each, (*path, key))]
    return [path] if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else []


def ends(items: Sequence[T], count: int = 24) -> list[T]:
    """The first and last `count` of many: those between are the same again."""
    few = len(items) <= 2 * count
    return list(items) if few else [*items[:count], *items[-count:]]


def changed(vector: Any, path: tuple[Any, ...]) -> Any:
    copy = deepcopy(vector)
    target = copy
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = damaged(target[path[-1]])
    return copy


@pytest.mark.parametrize("name", FORMATS)
def test_a_wrong_value_is_found_out(name: str) -> None:
    file, tried = FORMATS[name], 0
    for vector in file["vectors"]:
        for path in ends(leaves(vector.get("decoded"), ("decoded",)), 6):
            wrong = changed(vector, path)
            if path[-1] in ("bits", "results"):
                continue  # strings of bits, below
            assert parse_problem(file, wrong), (vector["id"], path)
            tried += 1
    assert tried > 3 or name == "mst-init-2026-bitmap"


@pytest.mark.parametrize("name", ["hint-request-bitmap", "hint-ack", "mst-init-2026-bitmap"])
def test_a_wrong_bit_is_found_out(name: str) -> None:
    file, key = FORMATS[name], {"hint-ack": "results"}.get(name, "bits")
    for vector in file["vectors"]:
        bits = vector.get("decoded", {}).get(key) or ""
        for n in range(min(len(bits), 20)):
            wrong = deepcopy(vector)
            wrong["decoded"][key] = bits[:n] + damaged(bits[n]) + bits[n + 1 :]
            assert parse_problem(file, wrong)


@pytest.mark.parametrize("name", FORMATS)
def test_a_wrong_byte_or_offence_is_found_out(name: str) -> None:
    file = FORMATS[name]
    for vector in file["vectors"]:
        data = bytes.fromhex(vector["hex"])
        if vector["result"] == "valid":
            for n in () if vector.get("one_way") else ends(range(len(data))):
                wrong = vector | {"hex": (data[:n] + bytes([data[n] ^ 1]) + data[n + 1 :]).hex()}
                assert parse_problem(file, wrong), (vector["id"], n)
            assert parse_problem(file, vector | {"result": "invalid", "error": {}})
        else:
            for key, value in (("kind", "no-such"), ("path", "x"), ("offset", 99)):
                other = {"short-input": "trailing-bytes"}.get(
                    vector["error"]["kind"], "short-input"
                )
                wrong = vector["error"] | {key: other if key == "kind" else value}
                assert parse_problem(file, vector | {"error": wrong}), (vector["id"], key)


def test_a_wrong_expectation_of_a_device_is_found_out() -> None:
    file = FORMATS["hint-request-pfn"]
    vectors = {vector["id"].partition(".")[2]: vector for vector in file["vectors"]}

    def wrong(name: str, **members: Any) -> str | None:
        vector = deepcopy(vectors[name])
        vector["device"]["default"] |= members
        return device_problem(file, vector, "default")

    assert wrong("one-page") is None
    assert wrong("one-page", statuses=["MALFORMED"]) == "status OK"
    assert wrong("misaligned", statuses=["UNSUPPORTED"]) == "status MALFORMED"
    assert "discarded" in str(wrong("one-page", may_discard=[]))
    more = [{"start": str(0x100000), "length": "8192"}]
    assert "only" in str(wrong("one-page", may_discard=more))
    assert wrong("one-page", outcomes=["needs-reset"]) == "outcome used"


def test_a_wrong_reading_of_an_acknowledgement_is_found_out() -> None:
    for vector in FORMATS["hint-ack"]["vectors"]:
        other = "reset" if vector["driver"]["action"] == "return" else "return"
        assert driver_problem(vector | {"driver": vector["driver"] | {"action": other}})
