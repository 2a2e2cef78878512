"""A device in a child process, as a transport: every call has a deadline, every death a message."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from vhint.ring import GuestMemory, Layout, PackedLayout
from vhint.transport.interface import Interrupts, Transport
from vhint.transport.last_output import LastOutput
from vhint.wire.status import DeviceStatus
from vhint_conformance.targets.process_group import end_group
from vhint_conformance.verdict import Failed, TargetDied, TargetError, TargetNotStarted, Violation

CHILD = "vhint_conformance.targets.python_child"
START_DEADLINE = 20.0
"""Seconds in which the child has to import the factory and make a device."""

CALL_DEADLINE = 2.0
"""Seconds in which every other call has to return."""

MAX_STEPS = 1_000_000
MAX_LINE = 1 << 20
LAST_WORDS = 400


class Child:
    """One child process, and the calls to it; one line of JSON each way."""

    def __init__(self, module: str, factory: str) -> None:
        ours, theirs = socket.socketpair()
        self._log = LastOutput()
        self._socket = ours
        self._buffer = b""
        self.name = f"{module}:{factory}"
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", CHILD, str(theirs.fileno()), str(os.getpid()),
                 module, factory],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log.fd,
                stderr=self._log.fd,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            )  # fmt: skip
        finally:
            theirs.close()
            self._log.handed_over()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def call(self, what: str, *arguments: Any, fd: int | None = None, within: float = 0.0) -> Any:
        """Call a method of the device and return what it returns.

        Raises `TargetDied` if the process ends or does not answer, `TargetError` with what the
        method raised.  Whatever goes wrong, the process is not used again.
        """
        line = json.dumps([what, *arguments]).encode() + b"\n"
        deadline = time.monotonic() + (within or CALL_DEADLINE)
        try:
            if fd is None:
                self._socket.sendall(line)
            else:
                socket.send_fds(self._socket, [line], [fd])
            answer = json.loads(self._line(what, deadline))
        except OSError:
            self._died(what)
        except BaseException:
            self.kill()
            raise
        if "broken" in answer:  # the device did what cannot be carried out
            raise Failed([Violation(**violation) for violation in answer["broken"]])
        if "raised" in answer:
            self.kill()
            raise TargetDied(f"{what} raised {answer['raised']}", answer.get("where", ""))
        return answer.get("value")

    def _line(self, what: str, deadline: float) -> bytes:
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                self.kill()
                raise TargetDied(f"{what} did not return in time, and the process was ended")
            data = self._socket.recv(1 << 16)
            if not data:
                self._died(what)
            self._buffer += data
            if len(self._buffer) > MAX_LINE:
                self.kill()
                raise TargetDied(f"{what} was answered by {MAX_LINE} bytes without a line's end")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _died(self, what: str) -> NoReturn:
        try:
            status = self.process.wait(CALL_DEADLINE)
        except subprocess.TimeoutExpired:
            status = None
        words = self.last_words()
        self.kill()
        raise TargetDied(f"the process {_describe(status)} during {what}", words)

    def last_words(self) -> str:
        """Return the end of what the process printed."""
        text = self._log.text(LAST_WORDS)
        return f"it printed: {text}" if text else ""

    def kill(self) -> None:
        """End the process and whatever it started, and reap it; calling it twice is harmless."""
        if self._log.closed:
            return
        end_group(self.process)
        self._socket.close()
        self._log.close()


def _describe(status: int | None) -> str:
    if status is None:
        return "closed its connection"
    if status < 0:
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
    return f"exited with status {status}"


class RemoteTransport(Transport):
    """The device of a child, over memory that both have mapped."""

    def __init__(self, child: Child, size: int) -> None:
        self.memory = GuestMemory.create(size)
        self.child = child
        try:
            made = child.call("make", size, fd=self.memory.fd, within=START_DEADLINE)
        except TargetError as error:
            self.memory.close()
            raise TargetNotStarted(f"{child.name}: {error}", error.hint) from error
        except BaseException:
            self.memory.close()
            raise
        if "problem" in made:
            self.memory.close()
            child.kill()
            raise TargetNotStarted(f"{child.name}: {made['problem']}", made.get("hint", ""))
        self.facts: dict[str, Any] = made

    def device_id(self) -> int:
        """Return the virtio device id."""
        return int(self.facts["device_id"])

    def read_status(self) -> DeviceStatus:
        """Return the device status."""
        return DeviceStatus(self.child.call("read_status"))

    def write_status(self, status: int) -> None:
        """Write the device status."""
        self.child.call("write_status", status)

    def read_features(self) -> int:
        """Return the offered bits."""
        return int(self.child.call("read_features"))

    def write_features(self, bits: int) -> None:
        """Write the accepted bits."""
        self.child.call("write_features", bits)

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space."""
        return bytes.fromhex(self.child.call("read_config", offset, length))

    def write_config(self, offset: int, data: bytes) -> None:
        """Write bytes of config space."""
        self.child.call("write_config", offset, data.hex())

    def config_generation(self) -> int:
        """Return the config generation."""
        return int(self.child.call("config_generation"))

    def queue_max(self, index: int) -> int:
        """Return the largest size of a queue."""
        return int(self.child.call("queue_max", index))

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Tell the device where a queue lies."""
        parts = (layout.size, layout.descriptors, layout.available, layout.used)
        packed = isinstance(layout, PackedLayout)
        return bool(self.child.call("set_up_queue", index, packed, *parts))

    def queue_ready(self, index: int) -> bool:
        """Return whether a queue is enabled."""
        return bool(self.child.call("queue_ready", index))

    def notify(self, index: int) -> None:
        """Notify the device."""
        self.child.call("notify", index)

    def take_interrupts(self) -> Interrupts:
        """Return and acknowledge the device's notifications."""
        used, changed = self.child.call("take_interrupts")
        return Interrupts(bool(used), bool(changed))

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:  # noqa: ARG002
        """Step the device until the condition holds or nothing is left to do."""
        for _ in range(MAX_STEPS):
            if condition():
                return True
            if not self.child.call("step"):
                return condition()
        raise TargetDied(f"step() still found work after {MAX_STEPS} calls")

    def settle(self) -> None:
        """Step the device until nothing is left to do."""
        self.wait(lambda: False, 0)

    def close(self) -> None:
        """Let the device go; the process may serve another."""
        if self.child.alive:
            try:
                self.child.call("forget")
            except TargetError:
                self.child.kill()
        self.memory.close()
