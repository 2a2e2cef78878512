"""A harness as `ProtocolLogic`: what the suite asks of the device becomes messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from vhint.spans import Span
from vhint.wire.features import Features
from vhint.wire.queues import Queue
from vhint_conformance.logic import Buffer, Effects, ProtocolLogic
from vhint_conformance.targets.harness import messages
from vhint_conformance.targets.harness.connection import Connection, Introduction


class RemoteLogic(ProtocolLogic):
    """The device of a harness, made anew over `ram`."""

    def __init__(
        self, connection: Connection, introduction: Introduction, ram: tuple[Span, ...]
    ) -> None:
        self._connection = connection
        self._features = introduction.features
        self.version = introduction.version
        self.host_page = introduction.host_page
        self.can = introduction.can
        self._more = False
        connection.configure(ram)

    def offered(self) -> Features:
        """Return what the harness said at its start."""
        return self._features

    def accept(self, features: Features) -> bool:
        """Tell the features and return whether the device agrees."""
        numbers = messages.feature_numbers(features)
        answer = self._connection.step("features", features=numbers)
        agreed: bool = self._read("step-features", messages.truth, answer, "accepted")
        return agreed

    def start(self, queues: Collection[Queue]) -> Effects:
        """Tell that the driver is ready."""
        return self._step("driver_ok", queues=list(queues))

    def take(self, buffer: Buffer) -> Effects:
        """Hand a buffer over."""
        return self._step(
            "buffer",
            queue=buffer.queue,
            id=buffer.id,
            readable=[part.hex() for part in buffer.readable],
            readable_length=buffer.readable_length,
            writable=messages.ranges(buffer.writable),
        )

    def read_config(self, offset: int, length: int) -> bytes:
        """Read config space."""
        answer = self._connection.observe("config", offset=offset, length=length)
        found: bytes = self._read("observe-config", messages.bounded, answer, "data", length)
        return found

    def write_config(self, offset: int, data: bytes) -> Effects:
        """Write to config space."""
        return self._step("write_config", offset=offset, data=data.hex())

    @property
    def busy(self) -> bool:
        """Whether the last answer said that there is more to do."""
        return self._more

    def proceed(self) -> Effects:
        """Have it go on."""
        return self._step("continue")

    def reset(self) -> None:
        """Reset the device."""
        self._more = False
        self._connection.reset()

    def reset_queue(self, queue: Queue) -> Effects:
        """Reset one queue."""
        return self._step("reset_queue", queue=queue)

    # The host's side

    def set_balloon_size(self, pages: int) -> Effects:
        """Change num_pages."""
        return self._step("set_balloon_size", pages=pages)

    def balloon_size(self) -> int:
        """Return how large the device takes the balloon to be."""
        answer = self._connection.observe("balloon_size")
        found: int = self._read("observe-balloon_size", messages.integer, answer, "pages", 1 << 32)
        return found

    def poll_statistics(self) -> Effects:
        """Have the device ask for statistics."""
        return self._step("poll_statistics")

    def statistics(self) -> Mapping[int, int]:
        """Return the last statistics."""
        answer = self._connection.observe("statistics")
        found: dict[int, int] = self._read("observe-statistics", messages.statistics, answer)
        return found

    def start_round(self) -> Effects:
        """Have the device ask for hints."""
        return self._step("start_round")

    def stop_round(self) -> Effects:
        """Have it want no more."""
        return self._step("stop_round")

    def finish_round(self) -> Effects:
        """Have it be done with all hints."""
        return self._step("finish_round")

    def cancel_round(self) -> Effects:
        """Have it give up what hints were for."""
        return self._step("cancel_round")

    def inhibit(self, on: bool) -> Effects:
        """Bring it to where hints are of no use, or back."""
        return self._step("inhibit", on=on)

    def _step(self, event: str, **members: Any) -> Effects:
        answer = self._connection.step(event, **members)
        asked = f"step-{event}"
        self._more = "more" in answer and self._read(asked, messages.truth, answer, "more")
        found: Effects = self._read(asked, messages.effects, answer)
        return found

    def _read(self, asked: str, read: Any, *arguments: Any) -> Any:
        return self._connection.understood(asked, read, *arguments)
