"""Asking a target what it offers, without judging it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from vhint.trace import Recorder
from vhint.transport.interface import TransportError
from vhint.transport.vhost_user import FrontEnd
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue, QueueMode, queue_map
from vhint_conformance.bench.numbering import find_mode, probe_mode, shown_sizes
from vhint_conformance.case import Capability, Role
from vhint_conformance.driver_bench.offer import FULL
from vhint_conformance.targets.base import Session, Target
from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import TargetDied

NEEDED = Features.of(Feature.VERSION_1, Feature.HINTING)
"""What other features depend on."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What a target offers (a device) or accepts (a driver), as far as it shows that.

    `page_size` is in bytes, `queue_sizes` the largest sizes in entries; None or empty: not shown.
    """

    role: Role
    features: Features
    rings: tuple[Rings, ...]
    transports: tuple[str, ...] = ()
    queue_mode: QueueMode | None = None
    page_size: int | None = None
    queue_sizes: Mapping[Queue, int] = field(default_factory=dict)
    hint_max_count: int | None = None
    hint_min_order: int | None = None


def ask(target: Target | DriverTarget) -> Offered:
    """Start a target and return what it offers; raises `TargetError` if it cannot be had."""
    try:
        return _ask_driver(target) if isinstance(target, DriverTarget) else _ask_device(target)
    except TransportError as error:
        raise TargetDied(f"the target stopped answering: {error}") from error
    finally:
        target.close()


def _ask_device(target: Target) -> Offered:
    with target.start() as session:
        offered = Features(session.transport.read_features())
        mode = session.limits.queue_mode
        shows_sizes = Capability.SHOWS_QUEUE_SIZES in session.capabilities
        if mode is None and shows_sizes:
            mode = find_mode(session.transport)
        found = Offered(
            Role.DEVICE,
            offered,
            _rings(target, offered),
            transports=_transports(target, session),
            page_size=session.limits.host_page,
            queue_sizes=_sizes(session, offered, mode) if shows_sizes and mode else {},
            hint_max_count=_config(session, offered, "hint_max_count"),
            hint_min_order=_config(session, offered, "hint_min_order"),
        )
    return replace(
        found,
        features=offered | _on_other_buses(target),
        # A device that shows no sizes is asked in sessions of its own.
        queue_mode=mode or probe_mode(offered, target.start),
    )


def _on_other_buses(target: Target) -> Features:
    """Return what is offered there: a legacy interface has features of its own."""
    found = Features()
    _plain, *others = {each.bus: each for each in reversed(target.variants)}.values()
    for variant in others:
        with target.in_variant(variant).start() as session:
            found |= Features(session.transport.read_features())
    return found


def _ask_driver(target: DriverTarget) -> Offered:
    packed = any(variant.rings is Rings.PACKED for variant in target.variants)
    offer = FULL.with_packed_rings() if packed else FULL
    with target.connect(offer, Recorder()) as session:
        session.start()
        accepted = session.device.accepted & offer.features
        return Offered(
            Role.DRIVER, accepted, _rings(target, accepted), queue_mode=session.limits.mode
        )


def _rings(target: Target | DriverTarget, features: Features) -> tuple[Rings, ...]:
    judged = {variant.rings for variant in target.variants}
    packed = Rings.PACKED in judged and Feature.RING_PACKED in features
    return (Rings.SPLIT, Rings.PACKED) if packed else (Rings.SPLIT,)


def _transports(target: Target, session: Session) -> tuple[str, ...]:
    """Return the transports on which the target is judged."""
    buses = tuple(dict.fromkeys(str(each.bus) for each in target.variants if each.bus))
    if buses:
        return buses
    legacy = "-legacy" if session.transport.legacy else ""
    if Capability.OVER_MMIO in session.capabilities:
        return (f"mmio{legacy}",)
    if Capability.OVER_PCI in session.capabilities:
        return (f"pci{legacy}",)
    return ("vhost-user",) if isinstance(session.transport, FrontEnd) else ("in-process",)


def _sizes(session: Session, offered: Features, mode: QueueMode) -> dict[Queue, int]:
    queues = Features.of(*(each for each in QUEUE_FEATURE.values() if each is not None))
    accepted = (queues | NEEDED) & offered
    sizes = shown_sizes(session.transport, accepted)
    numbers = queue_map(mode, offered, accepted)
    return {queue: sizes[index] for queue, index in numbers.items() if index in sizes}


def _config(session: Session, offered: Features, name: str) -> int | None:
    if Feature.HINTING not in offered or Capability.SHOWS_CONFIG not in session.capabilities:
        return None
    size = config.field_size(name)
    return int.from_bytes(session.transport.read_config(config.field_offset(name), size), "little")
