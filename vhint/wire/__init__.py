"""Bytes to values and back: every format of the balloon device, defined once with construct.

Each module has one subject and the same names: `FORMAT` (the construct declaration, the only
definition), a frozen face, `parse` and `build` (derived from the declaration: fast), and
`parse_interpreted` and `build_interpreted` (running it: slow, and the oracle). All errors are
`WireError`. The package `history` differs: it has a module for each posted profile, and its
functions take the layout of the guest that wrote the bytes.

======================  ======================================================================
module                  subject
======================  ======================================================================
hint_request, blocks    the hinting virtqueue's requests
hint_ack, bitmap        its acknowledgements
pfn_array               the inflate and deflate queues
statistics              the statistics queue
command                 the command id of free page hinting
reporting               free page reporting, which has no payload
config                  the config space
features, queues        feature bits, and the queue indices that follow from them
vring, packed_vring     virtqueues, split and packed
vhost_user              the messages of vhost-user
pci, virtio_pci         configuration space, capabilities and registers of virtio over PCI
history                 formats that were posted and never became standard (informative)
formats                 all of these by id: as JSON, and annotated field by field
======================  ======================================================================

How it works is in `schema` (what declarations are made of), `derive`, `records` and `plan` (what is
read out of them), `source`, `parse_source` and `build_source` (the code written from that), and
`codec`.

Two names of `formats` are here as well, imported when they are first used:

>>> import vhint.wire
>>> vhint.wire.annotate("command-id", bytes([1, 0, 0, 0])).fields[0].text
'1 DONE'
>>> "hint-ack" in vhint.wire.FORMATS
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vhint.wire.errors import (
    OutOfRange,
    PaddingNotZero,
    ReservedNotZero,
    ShortInput,
    TrailingBytes,
    UnknownValue,
    WireError,
    WrongLength,
    WrongType,
)

if TYPE_CHECKING:
    from vhint.wire.formats import FORMATS, annotate

__all__ = [
    "FORMATS",
    "OutOfRange",
    "PaddingNotZero",
    "ReservedNotZero",
    "ShortInput",
    "TrailingBytes",
    "UnknownValue",
    "WireError",
    "WrongLength",
    "WrongType",
    "annotate",
]

_LATE = ("FORMATS", "annotate")
"""Names that need every format, which most users of one do not."""


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module("vhint.wire.formats"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
