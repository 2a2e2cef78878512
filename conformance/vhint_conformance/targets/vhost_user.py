"""A device in another process, in any language, that speaks vhost-user over a Unix socket."""

from __future__ import annotations

import contextlib
import errno
import shlex
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vhint.spans import Span
from vhint.transport.interface import TransportError
from vhint.transport.vhost_user import FrontEnd, FrontEndOptions, create_ram
from vhint.wire.vhost_user import ProtocolFeature
from vhint_conformance.case import PECULIAR, Capability
from vhint_conformance.targets.base import (
    Control,
    Limits,
    Session,
    SpawnPer,
    Target,
    TargetSettings,
)
from vhint_conformance.targets.footprint import Footprint, footprint_of
from vhint_conformance.targets.guarded_folder import GuardedFolder
from vhint_conformance.targets.host_commands import HostCommands
from vhint_conformance.targets.program import GRACE, Program
from vhint_conformance.variants import RING_VARIANTS
from vhint_conformance.verdict import TargetDied, TargetNotStarted

HIGH = Span(1 << 32, 24 << 20)
"""The region of guest memory in which all traffic is.

It is above 4 GiB, for a device that drops the upper half of an address.
"""

NEXT, NEAR, MIDDLE = Span(4 << 20, 4 << 20), Span(0, 4 << 20), Span(1 << 28, 1 << 20)
"""The regions that are left alone and watched.

Two touch in the guest, and not in the file: a range may lie across them, and a device that takes
the one for as long as the range is hits what comes after it in the file.  The first page of the
third has a number that is one of the first region's when its bytes are turned.
"""

BYSTANDERS = (NEXT, NEAR, MIDDLE)
REGIONS = (*BYSTANDERS, HIGH)
"""In the order in which they lie in the file, where the last is not at the beginning either."""

STARTUP = 30.0
"""Seconds in which a device must take a connection."""

ANSWER = 5.0
"""Seconds in which a device must answer a message."""

LONGEST_PATH = 107
"""Bytes of the longest path that a Unix socket can have."""

PLACE = "{socket}"
COMMANDS_PLACE = "{commands}"
"""What stands in a command for the paths of the device's socket, and of that for commands."""

OF_THE_HOST = "vhost-user has no message for what a host wants, and the device takes no commands"
POSSIBLE = (
    Capability.STOPS_QUEUES,
    Capability.CHANGES_MEMORY,
    Capability.BEGINS_ANYWHERE,
)
"""What is possible over vhost-user alone."""

NEVER_SHOWN: Mapping[Capability, str] = {
    **{each: why for each, why in PECULIAR.items() if each not in POSSIBLE},
    Capability.SETS_BALLOON_SIZE: OF_THE_HOST,
    Capability.READS_BALLOON_SIZE: "vhost-user has no message for what a host has understood",
    Capability.POLLS_STATISTICS: OF_THE_HOST,
    Capability.READS_STATISTICS: OF_THE_HOST,
    Capability.STARTS_ROUNDS: OF_THE_HOST,
    Capability.REPEATS_ROUNDS: OF_THE_HOST,
    Capability.STOPS_ROUNDS: OF_THE_HOST,
    Capability.INHIBITS_ROUNDS: OF_THE_HOST,
    Capability.CANCELS_ROUNDS: "a device process is told that hints are done with, and not why",
    Capability.SHOWS_DESTINATION: "the front end would migrate, and the suite's does not",
    Capability.SHOWS_IDENTITY: "vhost-user does not say which device it is: the front end knows",
    Capability.SHOWS_QUEUE_SIZES: "vhost-user does not carry queue sizes: the front end knows",
    Capability.SHOWS_QUEUE_READY: "in vhost-user the front end keeps the queues' enable registers",
    Capability.SHOWS_INTERRUPT_STATUS: "in vhost-user the front end keeps the interrupt status",
    Capability.NOTIFIES_ANY_QUEUE: "vhost-user has no way to notify a queue that was not set up",
}
"""What this transport can never do or show, and why."""


def missing(front_end: FrontEnd) -> Mapping[Capability, str]:
    """Return what cannot be done or seen over this connection, with the reason."""
    protocol = front_end.protocol
    reasons = dict(NEVER_SHOWN)
    no_status = ProtocolFeature.STATUS not in protocol
    if no_status:
        reasons[Capability.SHOWS_STATUS] = reasons[Capability.ASKS_FOR_RESET] = (
            "without the protocol feature STATUS the front end keeps the status"
        )
    if no_status and ProtocolFeature.REPLY_ACK not in protocol:
        reasons[Capability.ANSWERS_FEATURES] = (
            "without the protocol features STATUS and REPLY_ACK nothing answers SET_FEATURES"
        )
    if no_status and ProtocolFeature.RESET_DEVICE not in protocol:
        reasons[Capability.HEARS_RESETS] = (
            "without the protocol features STATUS and RESET_DEVICE a reset only stops the queues"
        )
    if ProtocolFeature.CONFIG not in protocol:
        reasons[Capability.SHOWS_CONFIG] = (
            "without the protocol feature CONFIG the front end keeps the config space"
        )
    if not front_end.enables:
        reasons[Capability.NOTIFIES_EARLY] = (
            "without bit 30 a queue runs from its first kick, so there can be none before DRIVER_OK"
        )
    return reasons


class VhostUserControl(Control):
    """What a front end can do to a device and a driver cannot, and what the device can be told."""

    def __init__(self, front_end: FrontEnd, host: HostCommands | None) -> None:
        self._front_end = front_end
        self._host = host or Control()

    def set_balloon_size(self, pages: int) -> None:
        """Tell the device, if it takes commands."""
        self._host.set_balloon_size(pages)

    def poll_statistics(self) -> None:
        """Tell the device, if it takes commands."""
        self._host.poll_statistics()

    def statistics(self) -> dict[int, int]:
        """Ask the device, if it takes commands."""
        return self._host.statistics()

    def start_round(self) -> int | None:
        """Tell the device, if it takes commands."""
        return self._host.start_round()

    def stop_round(self) -> None:
        """Tell the device, if it takes commands."""
        self._host.stop_round()

    def finish_round(self) -> None:
        """Tell the device, if it takes commands."""
        self._host.finish_round()

    def inhibit(self, on: bool) -> None:
        """Tell the device, if it takes commands."""
        self._host.inhibit(on)

    def stop_queues(self, *, disable: bool = True) -> None:
        """Ask for the base of every ring, which stops it; `disable` it before."""
        self._front_end.stop_rings(disable=disable)

    def set_ram(self, spans: Sequence[Span]) -> None:
        """Send the memory table anew."""
        self._front_end.show_memory(spans)


@dataclass
class VhostUserSession(Session):
    """One connection; it owns the program if there is one for each case."""

    transport: FrontEnd
    target: VhostUserTarget = field(kw_only=True)
    host: HostCommands | None = None

    def check_alive(self) -> None:
        """Raise `TargetDied` if the program that was started has ended."""
        program = self.target.program
        if program is not None:
            death = program.death(GRACE if self.transport.has_hung_up() else 0)
            if death:
                self.target.close()  # so that it is not the next case that tells of it
                raise TargetDied(death, ended=True)

    def runs_on(self) -> bool:
        """Whether the program that was started works without an end."""
        program = self.target.program
        return program is not None and program.runs_on(self.transport.has_more)

    def last_words(self) -> str:
        """Return what the program printed last."""
        return self.target.program.last_words() if self.target.program else ""

    def footprint(self) -> Footprint | None:
        """Return what the program costs, if the suite started it."""
        program = self.target.program
        return footprint_of(program.pid, program.printed) if program is not None else None

    def close(self) -> None:
        """Hang up, and end the program if it is one for each case."""
        if self.host is not None:
            self.host.close()
        self.transport.close()
        self.target.release()


class VhostUserTarget(Target):
    """A vhost-user back end at a socket; every case has a connection of its own.

    Without a command the back end must be there already, and accept a new connection whenever one
    has ended.  Raises `ValueError` for a path or a command that cannot be meant.
    """

    kind = "vhost-user"
    variants = RING_VARIANTS

    def __init__(self, path: str, settings: TargetSettings) -> None:
        self.name = f"{self.kind}:{path}" if path else self.kind
        self._path = path
        self._settings = settings
        self._command = _command(settings.spawn) if settings.spawn is not None else None
        self.program: Program | None = None
        self._folder: GuardedFolder | None = None
        if self._command is None and not path:
            raise ValueError(
                f"{self.kind}: name the socket at which the device listens ({self.kind}:PATH), or "
                "the command that starts it (--spawn 'CMD {socket}')"
            )
        if self._command is None and settings.spawn_per is not SpawnPer.CASE:
            raise ValueError("--spawn-per says how long what --spawn starts lives: give both")
        if len(path.encode()) > LONGEST_PATH:
            raise ValueError(
                f"{path}: {len(path.encode())} bytes are too many for the path of a socket, "
                f"expected at most {LONGEST_PATH}"
            )

    @property
    def key(self) -> str:
        """The name, and how it is started."""
        return " ".join([self.name, *self._settings.words()])

    def start(self) -> VhostUserSession:
        """Connect, having started the program if it does not run."""
        front_end: FrontEnd | None = None
        try:
            front_end = self._front_end(self._connect())
            host = self._host()
        except BaseException:
            if front_end is not None:
                front_end.close()
            self.close()
            raise
        reasons = dict(missing(front_end))
        for capability in host.capabilities if host is not None else ():
            del reasons[capability]
        return VhostUserSession(
            transport=front_end,
            limits=Limits(
                ram=REGIONS,
                usable=HIGH,
                bystanders=BYSTANDERS,
                queue_mode=self._settings.queue_mode,
            ),
            control=VhostUserControl(front_end, host),
            capabilities=frozenset(Capability) - reasons.keys(),
            reasons=reasons,
            target=self,
            host=host,
        )

    def versions(self) -> dict[str, str]:
        """Connect once, and return what protocol features there are: no version is told."""
        with self.start() as session:
            names = ", ".join(feature.name for feature in session.transport.protocol)
            return {self.kind: f"protocol features {names}" if names else "no protocol features"}

    def release(self) -> None:
        """End what is there for one case only."""
        if self._settings.spawn_per is SpawnPer.CASE:
            self.close()

    def close(self) -> None:
        """End the program and remove what it left at its socket's path."""
        if self.program is not None:
            self.program.close()
            self.program = None
            self._clear()
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _front_end(self, sock: socket.socket) -> FrontEnd:
        try:
            memory = create_ram(REGIONS)
        except OSError:
            sock.close()
            raise
        try:
            return FrontEnd(sock, memory, FrontEndOptions(ANSWER, self._settings.in_band))
        except TransportError as error:
            raise TargetNotStarted(self._described(str(error)), self._hint()) from error

    def _host(self) -> HostCommands | None:
        """Return a connection for commands, if the device was told to take some."""
        if not self._takes_commands:
            return None
        try:
            host = HostCommands(self._commands, ANSWER)
            if Capability.SETS_BALLOON_SIZE in host.capabilities:
                host.set_balloon_size(0)  # whatever a case before this one asked for
        except TransportError as error:
            raise TargetNotStarted(self._described(str(error)), self._hint()) from error
        return host

    def _connect(self) -> socket.socket:
        """Return a connection, waiting for the program that was just started to take it."""
        begun = time.monotonic()
        if self.program is not None and (death := self.program.death()):
            # It ended between two cases: orderly, as some do when they are hung up on, or not.
            orderly = self.program.succeeded
            self.close()
            if not orderly:
                raise TargetDied(f"after the case before: {death}")
        if self._command is not None and self.program is None:
            self._spawn()
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.settimeout(STARTUP)
                sock.connect(str(self._socket))
            except OSError as error:
                sock.close()
                late = time.monotonic() - begun > STARTUP
                waiting = error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN)
                if late or not waiting or self._command is None:
                    raise self._not_reached(error) from error
                if self.program is not None and self.program.death(0.01):
                    raise self._not_reached(error) from error
            else:
                return sock

    def _spawn(self) -> None:
        assert self._command is not None  # noqa: S101 - for the type
        if self._path:
            self._check_free()
        self._folder = GuardedFolder()
        paths = {PLACE: str(self._socket), COMMANDS_PLACE: str(self._commands)}
        self.program = Program([_filled(word, paths) for word in self._command])
        self._folder.end_too(self.program.pid)

    @property
    def _takes_commands(self) -> bool:
        return any(COMMANDS_PLACE in word for word in self._command or ())

    @property
    def _commands(self) -> Path:
        return self._socket.with_name(f"{self._socket.name}.commands")

    @property
    def _socket(self) -> Path:
        # A short name of ours: a temporary directory may have a long one, and a path has a limit.
        return self._folder.path / "s" if self._folder and not self._path else Path(self._path)

    def _check_free(self) -> None:
        """Remove a socket that nobody listens at; raise `TargetNotStarted` if somebody does."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(self._path)
            except OSError:
                self._clear()
            else:
                raise TargetNotStarted(
                    f"somebody listens at {self._path} already",
                    "judge that one without --spawn, or name another path",
                )

    def _clear(self) -> None:
        """Remove what a killed device left; in a directory of our own it goes with that."""
        for left in (self._socket, self._commands) if self._path else ():
            if left.is_socket():
                with contextlib.suppress(OSError):
                    left.unlink()

    def _not_reached(self, error: OSError) -> TargetNotStarted:
        what = f"{self._socket}: {error.strerror or 'no connection was taken'}"
        return TargetNotStarted(self._described(what), self._hint())

    def _described(self, what: str) -> str:
        return self.program.describe(what) if self.program is not None else what

    def _hint(self) -> str:
        if self._command is None:
            return "start the device first; it must accept again after each connection"
        return f"try the command by itself: {shlex.join(self._command)}"


def _filled(word: str, paths: Mapping[str, str]) -> str:
    for place, path in paths.items():
        word = word.replace(place, path)
    return word


def _command(text: str) -> list[str]:
    """Split a command into words; raise `ValueError` if it is none, or names no socket."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"--spawn {text!r}: {error}") from error
    if not words:
        raise ValueError("--spawn: the command is empty")
    if not any(PLACE in word for word in words):
        raise ValueError(
            f"--spawn {text!r}: expected {PLACE} where the device takes its socket's path"
        )
    return words
