"""The process in which somebody's Python device runs: `python -m ... FD PARENT MODULE FACTORY`.

It answers calls, one line of JSON each, until the connection closes or the parent is gone.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from vhint.ring import GuestMemory, layout_of
from vhint.ring.memory import Region
from vhint_conformance.logic import LogicDevice, as_device
from vhint_conformance.targets.device_protocol import OPTIONAL, missing_from
from vhint_conformance.verdict import Failed

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve the device that `MODULE:FACTORY` makes."""
    fd, parent, module, factory = sys.argv[1:]
    die_with(int(parent))
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as `python -m` has it for its own modules
    with socket.socket(fileno=int(fd)) as connection:
        Server(connection, module, factory).run()


def die_with(parent: int) -> None:
    """Have the system end this process with its parent, whatever it is doing then."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class Server:
    """Reads calls and answers them."""

    def __init__(self, connection: socket.socket, module: str, factory: str) -> None:
        self._connection = connection
        self._module = module
        self._factory = factory
        self._device: Any = None
        self._memory: GuestMemory | None = None
        self._fds: list[int] = []
        self._buffer = b""

    def run(self) -> None:
        """Serve until the other end is closed."""
        while (line := self._line()) is not None:
            what, *arguments = json.loads(line)
            try:
                answer = {"value": self._call(what, arguments)}
            except Failed as error:
                answer = {"broken": [asdict(violation) for violation in error.violations]}
            except Exception as error:  # noqa: BLE001 - it is somebody's code
                answer = {"raised": _one_line(error), "where": _where(error)}
            self._connection.sendall(json.dumps(answer).encode() + b"\n")

    def _line(self) -> bytes | None:
        while b"\n" not in self._buffer:
            data, fds, _, _ = socket.recv_fds(self._connection, 1 << 16, 1)
            if not data:
                return None
            self._fds += fds
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _call(self, what: str, arguments: list[Any]) -> Any:
        match what:
            case "make":
                return self._make(*arguments)
            case "forget":
                return self._forget()
            case "read_config":
                return bytes(self._device.read_config(*arguments)).hex()
            case "write_config":
                offset, data = arguments
                return self._device.write_config(offset, bytes.fromhex(data))
            case "set_up_queue":
                index, packed, *layout = arguments
                place = layout_of(*layout, packed=packed)
                return bool(self._device.set_up_queue(index, place))
            case "take_interrupts":
                return list(map(bool, self._device.take_interrupts()))
            case "statistics":
                return [[int(tag), int(value)] for tag, value in self._device.statistics().items()]
            case "step" | "queue_ready" | "poll_statistics":
                return bool(getattr(self._device, what)(*arguments))
            case "start_round":
                return self._device.start_round()
            case "stop_round" | "finish_round" | "cancel_round":
                getattr(self._device, what)()
                return None
            case "write_status" | "write_features" | "notify" | "set_balloon_size" | "inhibit":
                getattr(self._device, what)(*arguments)
                return None
            case _:
                return int(getattr(self._device, what)(*arguments))

    def _make(self, size: int) -> dict[str, Any]:
        factory = self._find()
        if isinstance(factory, dict):
            return factory
        self._memory = GuestMemory(self._fds.pop(), [Region(0, size, 0)])
        device = as_device(self._memory, factory(self._memory))
        lacks = missing_from(device)
        if lacks:
            kind = type(device).__name__
            return {
                "problem": f"the factory made a {kind}, which has no {', '.join(lacks)}",
                "hint": "see vhint_conformance.testing: it has to be a DeviceUnderTest or "
                "ProtocolLogic",
            }
        self._device = device
        return {
            "device_id": int(getattr(device, "device_id", lambda: 5)()),
            "host_page": int(getattr(device, "host_page", 4096)),
            "queue_mode": str(getattr(device, "queue_mode", "compact-offered")),
            "can": [name for name in OPTIONAL if callable(getattr(device, name, None))],
            "capabilities": _capabilities(device),
            "version": self._version(device),
        }

    def _version(self, device: object) -> str:
        if isinstance(device, LogicDevice) and device.logic.version != "unknown":
            return device.logic.version
        return str(getattr(sys.modules[self._module], "__version__", "unknown"))

    def _find(self) -> Callable[[GuestMemory], Any] | dict[str, Any]:
        try:
            module = importlib.import_module(self._module)
        except ModuleNotFoundError as error:
            hint = "is its folder in PYTHONPATH, or the current one?"
            return {"problem": f"there is no module {error.name}", "hint": hint}
        except Exception as error:  # noqa: BLE001 - it is somebody's code
            problem = f"importing {self._module} raised {_one_line(error)}"
            return {"problem": problem, "hint": _where(error)}
        factory = getattr(module, self._factory, None)
        if factory is None:
            names = [name for name, value in vars(module).items()
                     if callable(value) and not name.startswith("_")]  # fmt: skip
            hint = f"it has {', '.join(sorted(names)[:8])}" if names else "it has nothing callable"
            return {"problem": f"{self._module} has no {self._factory}", "hint": hint}
        if not callable(factory):
            kind = type(factory).__name__
            return {"problem": f"{self._factory} is a {kind}, not something to call"}
        found: Callable[[GuestMemory], Any] = factory
        return found

    def _forget(self) -> None:
        self._device = None
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()


def _capabilities(device: object) -> list[str] | None:
    """Return what the host's side of protocol logic can do; None for a whole device."""
    return sorted(device.logic.can) if isinstance(device, LogicDevice) else None


def _one_line(error: BaseException) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"in {frames[-1].name}, {frames[-1].filename}:{frames[-1].lineno}" if frames else ""


if __name__ == "__main__":
    main()
