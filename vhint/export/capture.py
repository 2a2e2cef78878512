"""A capture file for Wireshark: messages, each with the name of the protocol that dissects it.

The file is pcapng with the link type "Wireshark Upper PDU" (252): before its bytes each frame has
tags, of which one names a dissector. Sources: the pcapng specification (IETF, opsawg), and
epan/exported_pdu.h of Wireshark.

>>> data = write([Frame("vhint.command_id", bytes([1, 0, 0, 0]), "DONE")])
>>> data[:4].hex(), data.count(b"vhint.command_id")
('0a0d0d0a', 1)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LINK_TYPE: Final = 252
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT: Final = 1
_DISSECTOR_NAME, _END = 12, 0
_UNKNOWN_LENGTH: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: the name of its dissector, its bytes and a comment, "" for none."""

    dissector: str
    data: bytes
    comment: str = ""


def write(frames: Iterable[Frame]) -> bytes:
    """Give the file with these frames, a microsecond apart."""
    head = struct.pack("<LHHQ", 0x1A2B3C4D, 1, 0, _UNKNOWN_LENGTH)
    blocks = [_block(_SECTION, head), _block(_INTERFACE, struct.pack("<HHL", LINK_TYPE, 0, 0))]
    for moment, frame in enumerate(frames):
        name = frame.dissector.encode()
        data = _tag(_DISSECTOR_NAME, name) + _tag(_END, b"") + frame.data
        fixed = struct.pack("<LLLLL", 0, moment >> 32, moment & 0xFFFFFFFF, len(data), len(data))
        comment = frame.comment.encode()
        options = _option(_COMMENT, comment) + _option(0, b"") if comment else b""
        blocks.append(_block(_PACKET, fixed + _padded(data) + options))
    return b"".join(blocks)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("<LL", kind, size) + body + struct.pack("<L", size)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _tag(code: int, value: bytes) -> bytes:
    """Give a tag of an exported PDU: big-endian, unlike the file."""
    padded = _padded(value)
    return struct.pack(">HH", code, len(padded)) + padded


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
