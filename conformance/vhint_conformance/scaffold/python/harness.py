#!/usr/bin/env python3
"""A harness for my-device: it answers vhint over its standard streams, one JSON object a line.

The first part is the device, and yours to fill in: look for FILL IN.  The second part speaks the
protocol vhint-harness/1, and can stay as it is.  Only the standard library is used.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

# ---------------------------------------------------------------------------------- the device

# FILL IN: who you are, and what your device offers.
NAME = "my-device"
VERSION = "0.1"
ISSUES = ""  # where to report what is found: an address
PROFILES = ["balloon", "reporting", "hint-pfn"]
PAGE_REPORTING, HINTING, VERSION_1 = 5, 22, 32
FEATURES = [PAGE_REPORTING, HINTING, VERSION_1]
CAN = ["sets-balloon-size"]  # what a host can ask: see set_balloon_size below

PAGE = 4096
OK, MALFORMED, UNSUPPORTED = 0, 2, 3
MAX_COUNT, MIN_ORDER = 256, 0
NUM_PAGES_AT, ACTUAL_AT, MAX_COUNT_AT, MIN_ORDER_AT, CONFIG_SIZE = 0, 4, 24, 28, 32

Range = tuple[int, int]  # address and length in bytes
Effect = dict[str, Any]


def use(queue: str, buffer: int, data: bytes = b"") -> Effect:
    """Give a buffer back, with data at the beginning of what the device may write."""
    return {"do": "use", "queue": queue, "id": buffer, "data": data.hex()}


def discard(address: int, length: int) -> Effect:
    """Give memory of the guest back to the host."""
    return {"do": "discard", "address": address, "length": length}


CONFIG_CHANGED: Effect = {"do": "config_changed"}


class Device:
    """FILL IN: call your own device in these methods; each yields what it does, in that order."""

    def __init__(self, ram: list[Range]) -> None:
        self.ram = ram
        self.config = bytearray(CONFIG_SIZE)
        struct.pack_into("<II", self.config, MAX_COUNT_AT, MAX_COUNT, MIN_ORDER)

    def accept(self, features: list[int]) -> bool:
        """Return whether the device agrees to what the driver accepts."""
        needs_version_1 = HINTING in features and VERSION_1 not in features
        return set(features) <= set(FEATURES) and not needs_version_1

    def buffer(
        self, queue: str, buffer: int, data: bytes, length: int, writable: list[Range]
    ) -> Iterator[Effect]:
        """Serve one buffer: `data` are its readable bytes, of which there are `length`."""
        answer = b""
        if queue == "reporting":  # the buffer is the pages
            for address, size in writable:
                yield from self.discard_whole_pages(address, size)
        elif queue == "hinting":
            named, answer = self.answer_hint(data, length, sum(size for _, size in writable))
            for address, size in named:
                yield discard(address, size)
        elif queue == "inflate":
            for (pfn,) in struct.iter_unpack("<I", data[: len(data) // 4 * 4]):
                if self.is_ram(pfn * PAGE, PAGE):
                    yield discard(pfn * PAGE, PAGE)
        yield use(queue, buffer, answer)

    def answer_hint(self, data: bytes, length: int, room: int) -> tuple[list[Range], bytes]:
        """Return the memory that a request names and its acknowledgement (The hinting queue)."""
        if room < 16:
            return [], b""
        if length < 16:
            return [], acknowledgement(0, MALFORMED)
        kind, flags, count, cookie = struct.unpack_from("<HHIQ", data)
        if kind != 1 or count > MAX_COUNT:
            return [], acknowledgement(cookie, UNSUPPORTED)
        if flags or length != 16 + 16 * count:
            return [], acknowledgement(cookie, MALFORMED)
        named: list[Range] = []
        for pfn, order, reserved in struct.iter_unpack("<QII", data[16 : 16 + 16 * count]):
            if order < MIN_ORDER:
                return [], acknowledgement(cookie, UNSUPPORTED)
            if reserved or order > 40 or pfn % (1 << order) or pfn + (1 << order) > 1 << 52:
                return [], acknowledgement(cookie, MALFORMED)
            named.append((pfn * PAGE, PAGE << order))
            if not self.is_ram(*named[-1]):
                return [], acknowledgement(cookie, MALFORMED)
        results = ((1 << count) - 1).to_bytes((count + 7) // 8, "little")
        return named, acknowledgement(cookie, OK, count) + results[: room - 16]

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space; the suite fills up what is missing with zeros."""
        return bytes(self.config[offset : offset + length])

    def write_config(self, offset: int, data: bytes) -> Iterator[Effect]:
        """Take a write of the driver, to which one field belongs here."""
        for position, byte in enumerate(data, offset):
            if ACTUAL_AT <= position < ACTUAL_AT + 4:
                self.config[position] = byte
        yield from ()

    def set_balloon_size(self, pages: int) -> Iterator[Effect]:
        """Take the host's wish for a balloon of so many pages."""
        struct.pack_into("<I", self.config, NUM_PAGES_AT, pages)
        yield CONFIG_CHANGED

    def reset(self) -> None:
        """Forget the driver: here nothing is kept but what it wrote to config space."""
        self.config[ACTUAL_AT : ACTUAL_AT + 4] = bytes(4)

    def discard_whole_pages(self, address: int, size: int) -> Iterator[Effect]:
        """Discard the pages that lie wholly inside a range."""
        first, end = -(-address // PAGE) * PAGE, (address + size) // PAGE * PAGE
        if first < end:
            yield discard(first, end - first)

    def is_ram(self, address: int, size: int) -> bool:
        """Return whether all of a range is guest memory."""
        return any(start <= address and address + size <= start + have for start, have in self.ram)


def acknowledgement(cookie: int, status: int, processed: int = 0) -> bytes:
    """Return the 16 bytes that answer a hinting request."""
    return struct.pack("<QII", cookie, status, processed)


# -------------------------------------------------------------------------------- the protocol


class Harness:
    """Answers requests; there is a device from `configure` on."""

    def __init__(self) -> None:
        self.device = Device([])

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request, all but its number."""
        match request["cmd"]:
            case "start":
                return introduction()
            case "configure":
                self.device = Device([(start, length) for start, length in request["ram"]])
                return {}
            case "reset":
                self.device.reset()
                return {}
            case "observe" if request["what"] == "config":
                return {"data": self.device.read_config(request["offset"], request["length"]).hex()}
            case "step":
                return self.step(request)
            case "stop":
                return {}
            case other:
                return {"skip": f"the harness does not know the command {other}"}

    def step(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return what the device does about an event."""
        match request["event"]:
            case "features":
                return {"accepted": self.device.accept(request["features"])}
            case "buffer":
                effects = self.device.buffer(
                    request["queue"],
                    request["id"],
                    bytes.fromhex("".join(request["readable"])),
                    request["readable_length"],
                    [(start, length) for start, length in request["writable"]],
                )
            case "write_config":
                data = bytes.fromhex(request["data"])
                effects = self.device.write_config(request["offset"], data)
            case "set_balloon_size":
                effects = self.device.set_balloon_size(request["pages"])
            case "driver_ok":
                effects = iter(())
            case other:
                return {"skip": f"the harness does not know the event {other}"}
        return {"effects": list(effects)}


def introduction() -> dict[str, Any]:
    """Return the answer to the first request."""
    found = {
        "protocol": "vhint-harness/1",
        "name": NAME,
        "version": VERSION,
        "language": "Python",
        "roles": ["device"],
        "profiles": PROFILES,
        "features": FEATURES,
        "can": CAN,
    }
    return found | ({"issues": ISSUES} if ISSUES else {})


def guarded(answer: Callable[[dict[str, Any]], dict[str, Any]], request: Any) -> dict[str, Any]:
    """Return the answer, or say that the device failed: that must not end the harness."""
    try:
        return answer(request)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the device's
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answer each line with a line.  Print to sys.stderr only: standard output is for answers."""
    harness = Harness()
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"seq": request["seq"], **guarded(harness.answer, request)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        if request["cmd"] == "stop":
            break


if __name__ == "__main__":
    main()
