"""What the suite asks of anything that can be judged as a device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from vhint.spans import Span
from vhint.transport.interface import Transport
from vhint.wire.queues import QueueMode
from vhint_conformance.case import Capability
from vhint_conformance.oracle.memory import Left
from vhint_conformance.targets.footprint import Footprint
from vhint_conformance.targets.migration.arrived import Arrived
from vhint_conformance.variants import SPLIT, Variant


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes that a case adapts to.

    `ram` are the (address, length) regions of guest RAM in bytes, `usable` the part of it that
    nobody but the suite writes, `bystanders` other such parts, which the suite leaves alone and
    only watches, `host_page` the unit of discarding, `absent` an address that is
    neither RAM nor device, `patience` how long in seconds an answer may take, `queue_mode` how the
    target numbers its queues (None: the suite finds out).
    """

    ram: tuple[tuple[int, int], ...]
    usable: tuple[int, int]
    bystanders: tuple[tuple[int, int], ...] = ()
    host_page: int = 4096
    absent: int = 1 << 40
    patience: float = 2.0
    queue_mode: QueueMode | None = None


class Control:
    """The host's side of the target: what an administrator could tell it to do.

    A target overrides what its capabilities promise.
    """

    def set_balloon_size(self, pages: int) -> None:
        """Ask the guest for `pages` ballooned 4 KiB pages (writes `num_pages`)."""
        raise NotImplementedError

    def balloon_size(self) -> int:
        """Return how many ballooned 4 KiB pages the host counts, by what the driver wrote."""
        raise NotImplementedError

    def poll_statistics(self) -> None:
        """Ask the guest for statistics: the device uses the buffer that it holds."""
        raise NotImplementedError

    def stop_queues(self, *, disable: bool = True) -> None:
        """Stop every queue; what was outstanding is the driver's again when this returns.

        Queues that are not to be disabled first hear of nothing but the stop.
        """
        raise NotImplementedError

    def set_ram(self, spans: Sequence[Span]) -> None:
        """Let guest RAM be these of its regions from now on, until the next reset."""
        raise NotImplementedError

    def start_round(self) -> int | None:
        """Ask the guest for hints, anew if a round is under way; return the id, if it is told."""
        raise NotImplementedError

    def stop_round(self) -> None:
        """Want no more hints, and go on using those that came."""
        raise NotImplementedError

    def finish_round(self) -> None:
        """Be done with all hints, because what they were for has succeeded."""
        raise NotImplementedError

    def cancel_round(self, *, broken: bool = False) -> None:
        """Be done with all hints, because what they were for was given up, or has failed."""
        raise NotImplementedError

    def inhibit(self, on: bool) -> None:
        """Bring the host to where it can make no use of hints, or back."""
        raise NotImplementedError

    def guest_wrote(self, spans: Iterable[Span]) -> None:
        """Learn that the guest wrote to its memory; a host sees that by itself, where it must."""

    def arrived(self) -> Arrived:
        """Return the memory that the migration brought over whose round was finished last."""
        raise NotImplementedError

    def statistics(self) -> dict[int, int]:
        """Return the last statistics that the host understood, tag to value."""
        raise NotImplementedError


@dataclass
class Session(ABC):
    """One life of a target, from start to close; use it as a context manager."""

    transport: Transport
    limits: Limits
    control: Control
    capabilities: frozenset[Capability] = field(default_factory=frozenset)
    #: Why a capability is missing, where it can be said better than by its name.
    reasons: Mapping[Capability, str] = field(default_factory=dict)
    #: Requirements that the suite's own half of the device keeps: no verdict about the target.
    supplied: frozenset[str] = frozenset()
    #: What guest memory held when the session began, where that is known, and what it holds at
    #: its end: who watched it says so when nothing is done to it any more.
    found: Left | None = None
    left: Left | None = None

    def await_end(self) -> None:  # noqa: B027 - most targets are gone at once or not at all
        """Wait a moment for the end of a target that has stopped answering."""

    @abstractmethod
    def check_alive(self) -> None:
        """Raise `TargetDied`, with what is known about it, if the target is gone."""

    def runs_on(self) -> bool:
        """Whether a target that has stopped answering is known to be busy, without an end."""
        return False

    def last_words(self) -> str:
        """Return what the target said last, if that is known, for a complaint about it."""
        return ""

    def footprint(self) -> Footprint | None:
        """Return what the target's process costs; None if it has none of its own."""
        return None

    @abstractmethod
    def close(self) -> None:
        """End the target and free everything it held; calling it twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class SpawnPer(StrEnum):
    """How long a program lives that the suite starts."""

    CASE = "case"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """What a user says about a target beside its name; each kind of target takes what concerns it.

    `spawn` is the command that starts it, `spawn_per` how long it lives, `queue_mode` how it
    numbers its queues (None: the suite finds out), `in_band` whether to notify by messages,
    `validate` whether to hold each message of a harness against its schema, `answer_within` in
    how many seconds a harness has to answer (None: as the suite thinks fit).
    """

    spawn: str | None = None
    spawn_per: SpawnPer = SpawnPer.CASE
    queue_mode: QueueMode | None = None
    in_band: bool = False
    validate: bool = False
    answer_within: float | None = None

    @property
    def of_harness(self) -> bool:
        """Whether anything is said that concerns a harness."""
        return self.validate or self.answer_within is not None

    def words(self, prefix: str = "--") -> list[str]:
        """Return the options that say this on a command line."""
        words = [f"{prefix}spawn", self.spawn] if self.spawn is not None else []
        if self.spawn_per is not SpawnPer.CASE:
            words += [f"{prefix}spawn-per", self.spawn_per]
        if self.queue_mode is not None:
            words += [f"{prefix}queue-map", self.queue_mode]
        if self.in_band:
            words.append(f"{prefix}in-band")
        if self.validate:
            words.append(f"{prefix}validate")
        if self.answer_within is not None:
            words += [f"{prefix}answer-within", f"{self.answer_within:g}"]
        return words


class Target(ABC):
    """Something that can be judged; it is started afresh for every case."""

    #: How the user named it: `reference`, `qemu`, `mutant:NAME`.
    name: str
    #: The ways in which it is judged, the plain one first.
    variants: tuple[Variant, ...] = (SPLIT,)
    #: Whether several processes can judge it at the same time without being asked to.
    concurrent: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """What tells the target from others that may go by the same name."""
        return self.name

    def in_variant(self, variant: Variant) -> Target:  # noqa: ARG002 - most have one way only
        """Return the target as it is started for cases of that variant."""
        return self

    def prepare(self) -> None:  # noqa: B027 - worth while only for what starts slowly
        """Begin to start what the next session will use, without waiting for it.

        Nothing is raised: what is wrong with the target is found by `start`.
        """

    @abstractmethod
    def start(self) -> Session:
        """Start the target, or raise `TargetNotStarted`."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return name to version of what is judged, or raise `TargetNotStarted`."""

    def deviations(self) -> Path | None:
        """Return the expectations file that ships with the target, if it has one."""
        return None

    def close(self) -> None:  # noqa: B027 - most targets have nothing that does
        """End what outlives a session; calling it twice is harmless."""
