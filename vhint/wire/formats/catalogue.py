"""The list of formats: what the modules of `vhint.wire` define, under permanent ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from construct import Construct, Struct

from vhint.wire import (
    command,
    config,
    features,
    hint_ack,
    hint_request,
    packed_vring,
    pci,
    pfn_array,
    reporting,
    statistics,
    virtio_pci,
    vring,
)
from vhint.wire.codec import Codec
from vhint.wire.declared import DeclaredCodec
from vhint.wire.formats.model import Format, Status
from vhint.wire.history import PROFILES, descriptors
from vhint.wire.history.descriptors import Descriptors
from vhint.wire.history.profile import Message, Profile
from vhint.wire.schema import End, LeadingStruct
from vhint.wire.source import Face
from vhint.wire.vhost_user import config as vhost_config
from vhint.wire.vhost_user import header, memory, message, u64
from vhint.wire.vhost_user import vring as vhost_vring

_VIRTIO: Final = "VIRTIO 1.4"
_OURS: Final = "vhint, The hinting virtqueue"
_VHOST: Final = "vhost-user protocol"
_SIZE: Final = ("queue_size",)
_CHAIN: Final = Codec[Descriptors](
    "reporting chain", descriptors.FORMAT, Face(Descriptors, whole="descriptors")
)
_COMMON_FIELDS: Final = sum(
    offset < virtio_pci.COMMON_SIZE for offset, _ in virtio_pci.COMMON_FIELDS.values()
)
"""How many registers every device has."""


def _format(name: str, title: str, codec: Any, module: Any, source: str, since: str) -> Format:
    return Format(
        name,
        title,
        module.__name__,
        Status.NORMATIVE,
        since,
        source,
        {None: codec.declaration},
        codec.parse,
        codec.parameters,
    )


def _declared(
    name: str,
    title: str,
    con: Construct,
    module: Any,
    source: str,
    since: str,
    parameters: tuple[str, ...] = (),
) -> Format:
    """Make a format of a declaration that has no face, and may have no end."""
    if not isinstance(con, LeadingStruct) and con.subcons[-1].name != "end":
        con = Struct(*con.subcons, "end" / End)
    return _format(name, title, DeclaredCodec(name, con, parameters), module, source, since)


def _hinting() -> Iterator[Format]:
    since = "vhint 0.1"
    yield _format(
        "hint-request",
        "request of the hinting queue: PFN entries, or a bitmap",
        hint_request.CODEC,
        hint_request,
        _OURS,
        since,
    )
    yield _format(
        "hint-ack",
        "acknowledgement of a request, whose result bits may be cut short",
        hint_ack.CODEC,
        hint_ack,
        f"{_OURS}, rules 2 and 5",
        since,
    )


def _balloon() -> Iterator[Format]:
    yield _format(
        "pfn-array",
        "buffer of the inflate or deflate queue",
        pfn_array.CODEC,
        pfn_array,
        f"{_VIRTIO}, 5.5.6 Device Operation",
        "VIRTIO 1.0",
    )
    yield _format(
        "statistics",
        "buffer of the statistics queue",
        statistics.CODEC,
        statistics,
        f"{_VIRTIO}, 5.5.6.3 Memory Statistics",
        "VIRTIO 1.0",
    )
    yield _format(
        "command-id",
        "buffer that begins or ends a round of free page hinting",
        command.CODEC,
        command,
        f"{_VIRTIO}, 5.5.6.4 Free Page Hinting",
        "VIRTIO 1.2",
    )
    yield _format(
        "reporting-chain",
        "chain of the reporting queue: its buffers are the pages",
        _CHAIN,
        reporting,
        f"{_VIRTIO}, 5.5.6.6 Free Page Reporting",
        "VIRTIO 1.2",
    )
    yield _format(
        "config-space",
        "config space of the balloon device, in each of its lengths",
        config.CODEC,
        config,
        f"{_VIRTIO}, 5.5.4 Device configuration layout; {_OURS}",
        "VIRTIO 1.0",
    )
    yield _format(
        "features",
        "feature bits",
        features.CODEC,
        features,
        f"{_VIRTIO}, 5.5.3 Feature bits; 6 Reserved Feature Bits",
        "VIRTIO 1.0",
    )


def _rings() -> Iterator[Format]:
    split, packed = f"{_VIRTIO}, 2.7 Split Virtqueues", f"{_VIRTIO}, 2.8 Packed Virtqueues"
    old, new = "VIRTIO 1.0", "VIRTIO 1.1"
    yield _format(
        "vring-descriptor",
        "descriptor of a split queue",
        vring.DESCRIPTOR_CODEC,
        vring,
        f"{_VIRTIO}, 2.7.5 The Virtqueue Descriptor Table",
        old,
    )
    yield _declared(
        "vring-descriptor-table",
        "descriptor table of a split queue",
        vring.DESCRIPTOR_TABLE,
        vring,
        split,
        old,
        _SIZE,
    )
    yield _declared(
        "vring-avail", "available ring of a split queue", vring.AVAIL_RING, vring, split, old, _SIZE
    )
    yield _format(
        "vring-used-element",
        "element of the used ring of a split queue",
        vring.USED_ELEMENT_CODEC,
        vring,
        f"{_VIRTIO}, 2.7.8 The Virtqueue Used Ring",
        old,
    )
    yield _declared(
        "vring-used", "used ring of a split queue", vring.USED_RING, vring, split, old, _SIZE
    )
    yield _format(
        "packed-descriptor",
        "descriptor of a packed queue",
        packed_vring.DESCRIPTOR_CODEC,
        packed_vring,
        f"{_VIRTIO}, 2.8.13 Virtqueue Layout",
        new,
    )
    yield _declared(
        "packed-descriptor-ring",
        "descriptor ring of a packed queue",
        packed_vring.DESCRIPTOR_RING,
        packed_vring,
        packed,
        new,
        _SIZE,
    )
    yield _format(
        "packed-event",
        "event suppression area of a packed queue",
        packed_vring.EVENT_CODEC,
        packed_vring,
        f"{_VIRTIO}, 2.8.14 Event Suppression Structure Format",
        new,
    )


def _vhost_user() -> Iterator[Format]:
    since = "vhost-user"
    yield _format(
        "vhost-user-message",
        "whole message between front end and back end",
        message.CODEC,
        message,
        _VHOST,
        since,
    )
    yield _format(
        "vhost-user-backend-message",
        "whole message on the back end's own channel",
        message.BACKEND_CODEC,
        message,
        _VHOST,
        since,
    )
    for name, title, codec, module in (
        ("header", "header of every message", header.CODEC, header),
        ("u64", "payload that is one number", u64.CODEC, u64),
        ("memory-table", "payload of SET_MEM_TABLE", memory.CODEC, memory),
        ("memory-region", "payload of ADD_MEM_REG, REM_MEM_REG", memory.SINGLE_CODEC, memory),
        (
            "vring-state",
            "payload that is a number for a ring",
            vhost_vring.STATE_CODEC,
            vhost_vring,
        ),
        ("vring-address", "payload of SET_VRING_ADDR", vhost_vring.ADDRESS_CODEC, vhost_vring),
        ("vring-file", "payload with a ring's descriptor", vhost_vring.FILE_CODEC, vhost_vring),
        ("config", "payload of GET_CONFIG, SET_CONFIG", vhost_config.CODEC, vhost_config),
    ):
        yield _format(f"vhost-user-{name}", title, codec, module, _VHOST, since)


def _pci() -> Iterator[Format]:
    bus, local = f"{_VIRTIO}, 4.1 Virtio Over PCI Bus", "PCI Local Bus Specification 3.0"
    yield _declared(
        "pci-header", "header of a function (type 0)", pci.HEADER, pci, local, "PCI 3.0"
    )
    yield _format("pci-msix-capability", "MSI-X capability", pci.MSIX_CODEC, pci, local, "PCI 3.0")
    yield _declared(
        "pci-msix-entry", "entry of an MSI-X table", pci.MSIX_ENTRY, pci, local, "PCI 3.0"
    )
    yield _format(
        "virtio-pci-capability",
        "capability that says where a structure lies",
        virtio_pci.CODEC,
        virtio_pci,
        f"{_VIRTIO}, 4.1.4 Virtio Structure PCI Capabilities",
        "VIRTIO 1.0",
    )
    yield _declared(
        "virtio-pci-notify-capability",
        "the capability about notifications, which has their multiplier",
        virtio_pci.NOTIFY,
        virtio_pci,
        f"{_VIRTIO}, 4.1.4.4 Notification structure layout",
        "VIRTIO 1.0",
    )
    yield _declared(
        "virtio-pci-common",
        "common configuration registers, whose last ones newer devices have",
        LeadingStruct(_COMMON_FIELDS, *virtio_pci.COMMON.subcons),
        virtio_pci,
        f"{_VIRTIO}, 4.1.4.3 Common configuration structure layout",
        "VIRTIO 1.0",
    )
    yield _declared(
        "virtio-pci-legacy",
        "registers of the legacy interface",
        virtio_pci.LEGACY,
        virtio_pci,
        bus,
        "VIRTIO 0.9",
    )


def _history() -> Iterator[Format]:
    for profile in PROFILES.values():
        for each in profile.messages:
            yield _posted(profile, each)


def _posted(profile: Profile, each: Message) -> Format:
    module = f"vhint.wire.history.{profile.name.replace('-', '_')}"
    by_layout = each.formats if isinstance(each.formats, Mapping) else {None: each.formats}
    return Format(
        f"{profile.name}-{each.name}",
        profile.summary if each is profile.messages[0] else each.text,
        module,
        Status.INFORMATIVE,
        profile.date,
        f"posted {profile.date}: {profile.summary}",
        by_layout,
        each.parse,
        each.parameters,
        each.reads,
    )


_MAKERS: Final[tuple[Callable[[], Iterator[Format]], ...]] = (
    _hinting,
    _balloon,
    _rings,
    _vhost_user,
    _pci,
    _history,
)

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {form.id: form for make in _MAKERS for form in make()}
)
"""Every format by its id, in the order in which people look for them."""
