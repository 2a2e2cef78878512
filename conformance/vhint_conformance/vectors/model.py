"""What a vector and a vector file are before they are JSON.

The README beside the JSON files (`vhint vectors path`) is the description for their readers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from vhint.spans import Span

FORMAT = "vhint-vectors/1"
"""The format of the files.  What is added keeps it; another meaning of what is there bumps it."""

Json = Any
"""A value of JSON: None, bool, int, str, list or dict of these."""


class ErrorKind(StrEnum):
    """Why bytes are not a message: the first offence in byte order."""

    SHORT_INPUT = "short-input"
    """The bytes end inside, or before, the field at `path`."""
    TRAILING_BYTES = "trailing-bytes"
    """Bytes follow the end of the message, which is at `offset`."""
    OUT_OF_RANGE = "out-of-range"
    """A number is above or below what its field may hold."""
    RESERVED_NOT_ZERO = "reserved-not-zero"
    """A reserved field, or the flags, is not zero."""
    UNKNOWN_VALUE = "unknown-value"
    """A number is none of those that its field has a meaning for."""
    PADDING_NOT_ZERO = "padding-not-zero"
    """A bit after the last one of a bitmap is set; `offset` is that of the bitmap's last byte."""
    WRONG_LENGTH = "wrong-length"
    """A field that counts the bytes after it counts others than there are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first offence: what, the path of its field, and where that starts in bytes."""

    kind: ErrorKind
    path: str
    offset: int


@dataclass(frozen=True, slots=True)
class Setting:
    """The device and guest memory that device-level expectations presuppose.

    `ram` are the regions of guest memory; `structures` is the part of it for rings, requests and
    answers, which no vector names.  `accepted` are the feature bits that offer and driver have in
    common, `host_page` is the device's unit of discarding in bytes.
    """

    comment: str
    ram: tuple[Span, ...]
    structures: Span
    accepted: tuple[int, ...]
    host_page: int = 4096
    hint_max_count: int = 4
    hint_min_order: int = 0
    poison_val: int | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a device may do with the bytes under one setting.

    `statuses` are the allowed answers (hinting requests), `outcomes` what may become of the chain
    (``used``, ``needs-reset``), `may_discard` the only memory that may be discarded on its
    account, `figures` the statistics that the device knows afterwards.
    """

    outcomes: tuple[str, ...] = ("used",)
    statuses: tuple[str, ...] | None = None
    may_discard: tuple[Span, ...] | None = None
    figures: tuple[tuple[int, int], ...] | None = None
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Driver:
    """What a driver does on finding the bytes in the acknowledgement of its request.

    It sent `cookie`.  `lost` says of each block, or of each bit of a bitmap,
    whether its content may be gone; None: the acknowledgement is bad, so all blocks stay isolated
    and the device is reset.
    """

    cookie: int
    lost: str | None
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vector:
    """Bytes with what they mean, or with why they mean nothing.

    `name` is the vector's id within its file and never changes.  Either `decoded` or `fault` is
    given.  `device` is keyed by the name of a setting.

    `layouts` are the guests that write the message so, where guests differ.  `one_way`: other bytes
    mean the same, and building `decoded` gives those.
    """

    name: str
    comment: str
    data: bytes
    decoded: Json = None
    fault: Fault | None = None
    requirements: tuple[str, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)
    device: Mapping[str, Expected] = field(default_factory=dict)
    driver: Driver | None = None
    notes: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ()
    one_way: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Why vectors that carry this note exist, and the real faults that they would have shown."""

    why: str
    bugs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Codec:
    """How this project parses and builds the format, for checking the vectors against it.

    `parse` gives the decoded value as a face or construct container, from the bytes and what is
    given besides: the parameters and, where guests differ, their ``layout``.  `build` gives the
    bytes back from the decoded JSON value; None if nobody built such a thing.
    """

    parse: Callable[[bytes, Mapping[str, Json]], Any]
    build: Callable[[Json, Mapping[str, Json]], bytes] | None


@dataclass(frozen=True, slots=True)
class FormatFile:
    """A file of format vectors: one entry of the table.

    `queue` is where the bytes go, as device-readable buffers unless the README says otherwise;
    `types` says of what the decoded value is made: see `vhint_conformance.vectors.values`.
    """

    name: str
    title: str
    source: str
    types: Json
    codec: Codec
    vectors: Sequence[Vector]
    enums: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    queue: str | None = None
    status: Literal["normative", "informative"] = "normative"


@dataclass(frozen=True, slots=True)
class Call:
    """A vector of a function: its arguments and what it gives; None if they are not allowed."""

    name: str
    comment: str
    given: Mapping[str, Json]
    gives: Json = None
    requirements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionFile:
    """A file of function vectors; `check` holds one against this project's own function."""

    name: str
    title: str
    source: str
    vectors: Sequence[Call]
    check: Callable[[Call], str | None]


@dataclass(frozen=True, slots=True)
class History:
    """A stateful vector: steps, as JSON objects (`vhint_conformance.vectors.steps`)."""

    name: str
    comment: str
    steps: Sequence[Mapping[str, Json]]
    requirements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """A file of stateful vectors."""

    name: str
    title: str
    source: str
    vectors: Sequence[History]


VectorFile = FormatFile | FunctionFile | HistoryFile
