"""What a front end's message asks of the back end, once it is known to be legal."""

from __future__ import annotations

from dataclasses import dataclass

from vhint.wire.features import Features
from vhint.wire.vhost_user import MemoryRegion, MemoryTable, VringAddress


class Action:
    """One of the classes below."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Nothing(Action):
    """Do nothing: the session has taken note."""


@dataclass(frozen=True, slots=True)
class Tell(Action):
    """Answer with a number that the session knows."""

    value: int


@dataclass(frozen=True, slots=True)
class TellAtRest(Tell):
    """Answer likewise, and leave every ring alone until its next kick."""


@dataclass(frozen=True, slots=True)
class BeginDriver(Action):
    """A driver starts with these features: stop what the last one left."""

    features: Features
    enabled: bool
    """Whether its rings are enabled from the start."""


@dataclass(frozen=True, slots=True)
class Disagree(Action):
    """The device does not agree to the features: FEATURES_OK is to stay clear."""


@dataclass(frozen=True, slots=True)
class ResetDevice(Action):
    """Stop every ring and forget the driver."""


@dataclass(frozen=True, slots=True)
class UseMemory(Action):
    """Guest memory is this table, and the message's descriptors are its files."""

    table: MemoryTable


@dataclass(frozen=True, slots=True)
class AddMemory(Action):
    """Guest memory gains a region, in the file of the message's descriptor."""

    region: MemoryRegion


@dataclass(frozen=True, slots=True)
class RemoveMemory(Action):
    """Guest memory loses a region."""

    region: MemoryRegion


@dataclass(frozen=True, slots=True)
class SizeRing(Action):
    """A ring has so many entries."""

    index: int
    size: int


@dataclass(frozen=True, slots=True)
class PlaceRing(Action):
    """A ring lies there."""

    address: VringAddress


@dataclass(frozen=True, slots=True)
class BaseRing(Action):
    """A ring begins at this index of its available ring."""

    index: int
    base: int


@dataclass(frozen=True, slots=True)
class StopRing(Action):
    """Stop a ring, and answer where it stopped."""

    index: int


@dataclass(frozen=True, slots=True)
class EnableRing(Action):
    """Let a ring be processed, or not."""

    index: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class KickBy(Action):
    """Kicks of a ring come through the message's descriptor, or, without one, in band."""

    index: int


@dataclass(frozen=True, slots=True)
class CallBy(Action):
    """Used buffers of a ring are told through the message's descriptor, or not."""

    index: int


@dataclass(frozen=True, slots=True)
class ErrBy(Action):
    """Errors of a ring are told through the message's descriptor, or not."""

    index: int


@dataclass(frozen=True, slots=True)
class Kick(Action):
    """A ring has new buffers."""

    index: int


@dataclass(frozen=True, slots=True)
class ReadConfig(Action):
    """Answer with bytes of config space."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class WriteConfig(Action):
    """Bytes of config space were written by the driver, or are restored after a migration."""

    offset: int
    data: bytes
    migration: bool


@dataclass(frozen=True, slots=True)
class UseChannel(Action):
    """The message's descriptor is the socket for the back end's own requests."""


@dataclass(frozen=True, slots=True)
class ReadStatus(Action):
    """Answer with the device status."""


@dataclass(frozen=True, slots=True)
class WriteStatus(Action):
    """The driver wrote the device status."""

    value: int
