"""The payloads about one ring: a number for it, its addresses, and the descriptor for its events.

Source: the vhost-user protocol, Message Specification: A vring state description, A vring address
description, and the messages SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR.

>>> build_state(VringState(index=2, num=256)).hex(" ", 4)
'02000000 00010000'
>>> VringFile.of(2, has_fd=False)
VringFile(value=258)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.schema import End, le32, le64
from vhint.wire.source import Face

STATE: Final = Struct(
    "index" / le32.doc("of the ring"), "num" / le32.doc("size, base, or 1 to enable"), "end" / End
)
"""The declaration of a number for a ring: its size, its base, whether it is enabled."""

ADDRESS: Final = Struct(
    "index" / le32.doc("of the ring"),
    "flags" / le32.doc("bit 0: log writes to the used ring"),
    "descriptors" / le64.doc("user address"),
    "used" / le64.doc("user address"),
    "available" / le64.doc("user address"),
    "log" / le64.doc("guest physical address"),
    "end" / End,
)
"""The declaration of a ring's addresses."""

FILE: Final = Struct(
    "value" / le64.doc("bits 0 to 7: index of the ring; bit 8: no descriptor"), "end" / End
)
"""The declaration of what goes with the descriptor for a ring's events."""

INDEX_MASK: Final = 0xFF
"""The bits of `VringFile.value` that are the ring's index."""
NO_FD: Final = 1 << 8
"""The bit of `VringFile.value` that says that no descriptor comes with the message."""
LOG_USED: Final = 1
"""The bit of `VringAddress.flags` that asks to log writes to the used ring."""


@dataclass(frozen=True, slots=True)
class VringState:
    """A number for the ring `index`: 0 to 2^32 - 1.

    SET_VRING_NUM: its size; SET_VRING_BASE and the reply to GET_VRING_BASE: the next index of the
    available ring (split), or two 15-bit indices with their wrap counters (packed);
    SET_VRING_ENABLE: 0 or 1.
    """

    index: int
    num: int


@dataclass(frozen=True, slots=True)
class VringAddress:
    """Where the ring `index` lies, as *user addresses*: those of the front end's own mapping.

    (Which for some front ends, User-Mode Linux among them, are guest physical addresses.)  `log` is
    a guest physical address, and counts with `LOG_USED` in `flags` only.
    """

    index: int
    flags: int
    descriptors: int
    used: int
    available: int
    log: int = 0


@dataclass(frozen=True, slots=True)
class VringFile:
    """Which ring the descriptor beside the message is for, or that there is none."""

    value: int

    @classmethod
    def of(cls, index: int, *, has_fd: bool = True) -> VringFile:
        """Make one for the ring `index`, 0 to 255."""
        return cls(index | (0 if has_fd else NO_FD))

    @property
    def index(self) -> int:
        """The ring's index."""
        return self.value & INDEX_MASK

    @property
    def has_fd(self) -> bool:
        """Whether a descriptor should come with the message."""
        return not self.value & NO_FD

    @property
    def unknown(self) -> int:
        """The bits that mean nothing."""
        return self.value & ~(INDEX_MASK | NO_FD)


STATE_CODEC: Final = Codec[VringState]("vring state", STATE, Face(VringState))
ADDRESS_CODEC: Final = Codec[VringAddress]("vring address", ADDRESS, Face(VringAddress))
FILE_CODEC: Final = Codec[VringFile]("vring file", FILE, Face(VringFile))

parse_state: Final[Callable[[Data], VringState]] = STATE_CODEC.parse
"""Parse exactly 8 bytes. Raises `WireError`."""
build_state: Final[Callable[[VringState], bytes]] = STATE_CODEC.build
"""Build the 8 bytes. Raises `WireError`."""
parse_address: Final[Callable[[Data], VringAddress]] = ADDRESS_CODEC.parse
"""Parse exactly 40 bytes. Raises `WireError`."""
build_address: Final[Callable[[VringAddress], bytes]] = ADDRESS_CODEC.build
"""Build the 40 bytes. Raises `WireError`."""
parse_file: Final[Callable[[Data], VringFile]] = FILE_CODEC.parse
"""Parse exactly 8 bytes. Raises `WireError`."""
build_file: Final[Callable[[VringFile], bytes]] = FILE_CODEC.build
"""Build the 8 bytes. Raises `WireError`."""
