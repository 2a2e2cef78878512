"""The conversation with one harness: numbered requests, checked answers, and who is to blame."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from vhint.spans import Span
from vhint.wire.features import Feature, Features
from vhint_conformance.case import Capability
from vhint_conformance.logic import CAN
from vhint_conformance.targets.harness import messages
from vhint_conformance.targets.harness.messages import PROTOCOL, Message, ProtocolError
from vhint_conformance.targets.harness.process import HarnessProcess
from vhint_conformance.verdict import HarnessFailed, Skipped, TargetDied

START_WITHIN = 30.0
"""Seconds in which a harness has to answer the first request: some languages start slowly."""

ANSWER_WITHIN = 10.0
"""Seconds in which every other request has to be answered, unless the user says otherwise."""

EXAMPLES = 'see "vhint-harness/1" in the documentation: it has an example of every message'
"""What helps whoever sends a wrong message."""

STARTABLE = frozenset(range(24)) | {Feature.VERSION_1, Feature.ACCESS_PLATFORM, Feature.RING_RESET}
"""Numbers of the features that a harness may offer; all others are about rings and transports."""

LIMIT_OF_PAGE = (2 << 20) + 1


@dataclass(frozen=True, slots=True)
class Introduction:
    """Who is there, in the words of its answer to `start`."""

    name: str
    version: str
    language: str
    roles: tuple[str, ...]
    profiles: tuple[str, ...]
    features: Features
    can: frozenset[Capability]
    host_page: int = 4096
    homepage: str = ""
    issues: str = ""


class Connection:
    """Requests to a harness that runs.

    With `validate` every message is held against the schema, ours too.  Raises `HarnessFailed`
    when the harness fails or breaks the protocol, `TargetDied` when it says that the
    implementation has failed, `Skipped` when it says that this is known not to be there.

    Attributes:
        exchanges: how many requests were made.
        seconds: how long all answers took together.
        slowest: how long the slowest took, and what it answered.

    """

    def __init__(
        self, process: HarnessProcess, *, validate: bool = False, within: float | None = None
    ) -> None:
        self.process = process
        self.exchanges = 0
        self.seconds = 0.0
        self.slowest = (0.0, "")
        self._validate = validate
        self._within = ANSWER_WITHIN if within is None else within
        self._issues = ""

    def start(self) -> Introduction:
        """Say hello, and return what the harness says of itself."""
        within = max(START_WITHIN, self._within)
        answer = self._ask("start", "start", {"protocol": PROTOCOL}, within=within)
        try:
            found = _introduction(answer)
        except ProtocolError as error:
            raise self._broken("start", error) from None
        self._issues = found.issues
        return found

    def configure(self, ram: tuple[Span, ...]) -> None:
        """Have a new device made."""
        self._ask("configure", "configure", {"role": "device", "ram": messages.ranges(ram)})

    def step(self, event: str, **members: Any) -> Message:
        """Tell the device of an event and return the answer."""
        kind = "features" if event == "features" else "step"
        return self._ask("step", kind, {"event": event, **members}, f"step-{event}")

    def observe(self, what: str, **members: Any) -> Message:
        """Look at something and return the answer."""
        return self._ask("observe", what, {"what": what, **members}, f"observe-{what}")

    def reset(self) -> None:
        """Have the device reset."""
        self._ask("reset", "reset", {})

    def stop(self) -> int | None:
        """Say good-bye and return the exit status; None if the harness had to be ended."""
        self._ask("stop", "stop", {})
        return self.process.end()

    def understood(self, asked: str, read: Any, *arguments: Any) -> Any:
        """Read something out of an answer; what cannot be read is the harness's fault."""
        try:
            return read(*arguments)
        except ProtocolError as error:
            raise self._broken(asked, error) from None

    def _ask(
        self,
        command: str,
        answer_kind: str,
        members: dict[str, Any],
        definition: str = "",
        within: float | None = None,
    ) -> Message:
        definition = definition or command
        request = {"seq": self.exchanges, "cmd": command, **members}
        self.exchanges += 1
        if self._validate:
            self._check(f"request-{definition}", request)
        line = json.dumps(request, separators=(",", ":")).encode()
        begun = time.monotonic()
        answered = self.process.ask(line, within or self._within, definition)
        took = time.monotonic() - begun
        self.seconds += took
        self.slowest = max(self.slowest, (took, definition))
        try:
            answer = messages.parse(answered)
            if "error" in answer:
                answer_kind = "error"
            elif "skip" in answer and command not in ("start", "stop"):
                answer_kind = "skip"
            if answer.get("seq") != request["seq"]:
                said = answer.get("seq")
                raise ProtocolError(f'has "seq": {said!r}, expected {request["seq"]}')
            if self._validate:
                self._check(f"answer-{answer_kind}", answer)
            if answer_kind == "error":
                raise TargetDied(
                    f"{definition}: the implementation failed: {messages.text(answer, 'error')}",
                    self.process.last_words(),
                )
            if answer_kind == "skip":
                link = answer.get("issue") or self._issues
                raise Skipped(messages.text(answer, "skip") + (f" ({link})" if link else ""))
        except ProtocolError as error:
            raise self._broken(definition, error) from None
        return answer

    def _check(self, definition: str, message: Message) -> None:
        from vhint_conformance.targets.harness.schema import check

        check(definition, message)

    def _broken(self, asked: str, error: ProtocolError) -> HarnessFailed:
        return self.process.failed(f"its answer to {asked} {error}", EXAMPLES)


def _introduction(answer: Message) -> Introduction:
    protocol = messages.text(answer, "protocol")
    if protocol != PROTOCOL:
        raise ProtocolError(f"speaks {protocol}, and this version of the suite {PROTOCOL}")
    can = messages.words(answer, "can") if "can" in answer else ()
    unknown = [word for word in can if word not in CAN]
    if unknown:
        raise ProtocolError(
            f'has {unknown[0]!r} in "can", expected one of {", ".join(sorted(CAN))}'
        )
    features = messages.features(answer, "features")
    foreign = [number for number in messages.feature_numbers(features) if number not in STARTABLE]
    if foreign:
        raise ProtocolError(
            f"offers feature {foreign[0]}, which is about rings or transports, and these are ours"
        )
    page = messages.integer(answer, "host_page", LIMIT_OF_PAGE) if "host_page" in answer else 4096
    if page < 4096 or page & (page - 1):
        raise ProtocolError(f'has "host_page": {page}, expected a power of two from 4096')
    roles = messages.words(answer, "roles")
    if "device" not in roles:
        raise ProtocolError(
            f"has roles {roles}: only devices are judged over stdio in this version"
        )
    return Introduction(
        name=messages.text(answer, "name"),
        version=messages.text(answer, "version"),
        language=messages.text(answer, "language"),
        roles=roles,
        profiles=messages.words(answer, "profiles"),
        features=features,
        can=frozenset(map(Capability, can)),
        host_page=page,
        homepage=messages.text(answer, "homepage") if "homepage" in answer else "",
        issues=messages.text(answer, "issues") if "issues" in answer else "",
    )
