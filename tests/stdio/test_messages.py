"""The schema, the code and the enumerations of vhint.wire say the same."""

import json

import pytest
from jsonschema import Draft202012Validator

from vhint.spans import Span
from vhint.wire.features import Features
from vhint.wire.queues import Queue
from vhint_conformance.logic import CAN, Buffer, Discard, Use
from vhint_conformance.smoke.exchanges import PROFILE_FEATURE
from vhint_conformance.targets.harness import PROTOCOL, SCHEMA_FILE, Connection, RemoteLogic
from vhint_conformance.targets.harness import connection as conversations
from vhint_conformance.targets.harness.messages import ProtocolError, parse
from vhint_conformance.targets.harness.schema import check
from vhint_conformance.verdict import HarnessFailed

SCHEMA = json.loads(SCHEMA_FILE.read_text())
DEFINITIONS = SCHEMA["$defs"]
DEFINED = [name for name in DEFINITIONS if name.startswith("request-")]
INTRODUCTION = {
    "protocol": PROTOCOL, "name": "it", "version": "1", "language": "Lisp", "roles": ["device"],
    "profiles": ["balloon"], "features": [5, 32], "can": sorted(CAN), "host_page": 8192,
}  # fmt: skip


def effect(do: str, **members: object) -> dict:
    """Return an answer with one effect."""
    return {"effects": [{"do": do, **members}]}


class Scripted:
    """A process that answers as it is told and remembers what it was asked."""

    def __init__(self, **answers: dict) -> None:
        self.answers = answers
        self.asked: list[dict] = []
        self.names: list[str] = []

    def ask(self, line: bytes, within: float, during: str) -> bytes:
        self.asked.append(json.loads(line))
        self.names.append(during)
        default = {"effects": []} if during.startswith("step") else {}
        answer = self.answers.get(during.replace("-", "_"), default)
        return json.dumps({"seq": self.asked[-1]["seq"], **answer}).encode()

    def failed(self, what: str, advice: str = "") -> HarnessFailed:
        return HarnessFailed(what, advice)

    def end(self) -> int:
        return 0


def conversation() -> Scripted:
    """Say everything that can be said."""
    process = Scripted(
        start=INTRODUCTION,
        step_features={"accepted": True},
        step_buffer={"effects": [{"do": "discard", "address": 4096, "length": 8192},
                                 {"do": "use", "queue": "reporting", "id": 7}], "more": True},
        observe_config={"data": "00ff"},
        observe_statistics={"statistics": [[0, "18446744073709551615"]]},
        observe_balloon_size={"pages": 3},
    )  # fmt: skip
    connection = Connection(process, validate=True)
    logic = RemoteLogic(connection, connection.start(), (Span(0, 1 << 20),))
    assert logic.accept(Features.of(5))
    assert list(logic.start([Queue.INFLATE])) == []
    buffer = Buffer(Queue.REPORTING, 7, (b"", b"\x01"), 1, (Span(4096, 8192),))
    assert list(logic.take(buffer)) == [Discard(4096, 8192), Use(Queue.REPORTING, 7)]
    assert logic.busy
    assert list(logic.proceed()) == []
    assert not logic.busy
    assert logic.read_config(0, 4) == b"\x00\xff"
    assert logic.statistics() == {0: (1 << 64) - 1}
    assert logic.balloon_size() == 3
    for effects in (
        logic.write_config(4, b"\x01"),
        logic.reset_queue(Queue.STATS),
        logic.set_balloon_size(5),
        logic.poll_statistics(),
        logic.start_round(),
        logic.stop_round(),
        logic.finish_round(),
        logic.cancel_round(),
        logic.inhibit(True),
    ):
        assert list(effects) == []
    logic.reset()
    assert connection.stop() == 0
    return process


def test_every_request_is_in_the_schema_and_every_definition_is_said() -> None:
    assert {f"request-{name}" for name in conversation().names} == set(DEFINED)


def test_requests_are_numbered() -> None:
    assert [message["seq"] for message in conversation().asked] == list(range(len(DEFINED)))


def test_the_schema_is_a_schema_that_tells_messages_apart() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    whole = Draft202012Validator(SCHEMA)
    for message in conversation().asked:
        assert list(whole.iter_errors(message)) == []
    assert not whole.is_valid({"seq": 0, "cmd": "dance"})
    assert not whole.is_valid({"cmd": "reset"})


def test_its_words_are_those_of_the_code() -> None:
    assert DEFINITIONS["queue"]["enum"] == list(Queue)
    introduction = DEFINITIONS["answer-start"]["properties"]
    assert set(introduction["can"]["items"]["enum"]) == CAN
    assert set(introduction["profiles"]["items"]["enum"]) == set(PROFILE_FEATURE)
    assert introduction["protocol"]["const"] == PROTOCOL
    effects = [name for name in DEFINITIONS if name.startswith("effect-")]
    assert DEFINITIONS["effect"]["properties"]["do"]["enum"] == [name[7:] for name in effects]
    page = conversations.LIMIT_OF_PAGE - 1
    assert max(introduction["host_page"]["enum"]) == page


def test_every_definition_has_a_description() -> None:
    lacking = {name for name, each in DEFINITIONS.items() if "description" not in each}
    assert lacking == {"u32", "queue", "request", "answer"}


@pytest.mark.parametrize(
    "name", [name for name in DEFINITIONS if name.startswith(("request-", "answer-", "effect-"))]
)
def test_every_message_has_an_example_that_is_valid(name: str) -> None:
    (example,) = DEFINITIONS[name]["examples"]
    check(name, example)


def test_an_effect_that_is_wrong_is_named_exactly() -> None:
    effect = {"do": "use", "queue": "reporting"}
    with pytest.raises(ProtocolError, match=r"effects\[0\]: 'id' is a required property"):
        check("answer-step", {"seq": 1, "effects": [effect]})


@pytest.mark.parametrize(
    ("asked", "answer", "said"),
    [
        ("step_features", {"accepted": 1}, 'has "accepted": 1, expected true or false'),
        ("step_features", {"accepted": None}, 'has "accepted": null'),
        ("observe_balloon_size", {"pages": 1 << 32}, "expected an integer below 4294967296"),
        ("observe_balloon_size", {"pages": True}, 'has "pages": true'),
        ("observe_balloon_size", {"pages": 1.5}, 'has "pages": 1.5'),
        ("observe_statistics", {"statistics": [[0, 5]]}, 'has [0, 5] in "statistics"'),
        ("observe_statistics", {"statistics": [[0]]}, 'in "statistics"'),
        ("observe_statistics", {"statistics": {}}, "expected an array"),
        ("observe_config", {"data": "0"}, "expected an even number of hex digits"),
        ("observe_config", {"data": " 0"}, "expected an even number of hex digits"),
        ("observe_config", {"data": "000000"}, 'has 3 bytes in "data", expected at most 2'),
        ("step_driver_ok", {"effects": [], "more": "yes"}, 'has "more": "yes"'),
        ("step_driver_ok", {"effects": [[]]}, 'has [] in "effects", expected an object'),
        ("step_driver_ok", {"error": 5}, 'has "error": 5'),
        ("step_driver_ok", {"skip": ""}, 'has "skip": ""'),
        ("step_driver_ok", {"effects": 5}, 'has "effects": 5, expected an array'),
        ("step_driver_ok", effect("dance"), 'has an effect with "do": "dance"'),
        ("step_driver_ok", effect("use", queue="cats", id=0), "expected one of inflate, deflate"),
        ("step_driver_ok", effect("use", queue="stats", id=-1), 'has "id": -1'),
        ("step_driver_ok", effect("use", queue="stats", id=1, data="xy"), 'has "data": "xy"'),
        ("step_driver_ok", effect("use", queue="stats", id=1, length=1 << 32), 'has "length"'),
        ("step_driver_ok", effect("discard", address="0", length=1), 'has "address": "0"'),
        ("step_driver_ok", effect("discard", address=0), 'has no "length"'),
        ("step_driver_ok", effect("write", address=0, data=None), 'has "data": null'),
        ("start", {"features": [64]}, 'has "features": [64]'),
        ("start", {"features": [5, 34]}, "offers feature 34"),
        ("start", {"name": ""}, 'has "name": ""'),
        ("start", {"roles": ["driver"]}, "only devices are judged over stdio"),
        ("start", {"can": ["fly"]}, "has 'fly' in \"can\""),
        ("start", {"host_page": 5000}, "expected a power of two"),
        ("start", {"roles": [1]}, 'has "roles": [1]'),
    ],
)  # fmt: skip
def test_nonsense_is_the_harnesss_fault(asked: str, answer: dict, said: str) -> None:
    answers = {"start": INTRODUCTION | (answer if asked == "start" else {})}
    process = Scripted(**{"step_features": {"accepted": True}, **answers, asked: answer, **answers})
    connection = Connection(process)
    with pytest.raises(HarnessFailed) as caught:
        ask(connection, asked)
    assert said in str(caught.value)


def ask(connection: Connection, what: str) -> None:
    """Ask for something that a harness has to answer."""
    logic = RemoteLogic(connection, connection.start(), (Span(0, 4096),))
    match what:
        case "step_features":
            logic.accept(Features(0))
        case "observe_balloon_size":
            logic.balloon_size()
        case "observe_statistics":
            logic.statistics()
        case "observe_config":
            logic.read_config(0, 2)
        case _:
            list(logic.start([]))


@pytest.mark.parametrize("line", [b"", b"nul", b"\xff\xfe", b"5", b"{", b'{"a":' * 5000])
def test_no_line_breaks_the_reader(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(line)
