"""The device's config space: what it holds and what the driver may write."""

from __future__ import annotations

from dataclasses import replace

from vhint.host.context import Context
from vhint.wire import config
from vhint.wire.config import BalloonConfig
from vhint.wire.features import Feature, Features


def initial(offered: Features, hint_max_count: int, hint_min_order: int) -> BalloonConfig:
    """Return the config space of a fresh device: as long as what it offers needs.

    `poison_val` exists when PAGE_POISON is offered, the hint fields when HINTING is
    (VIRTIO 1.4, Device configuration layout; vhint, The hinting virtqueue).
    """
    hinting = Feature.HINTING in offered
    poison = Feature.PAGE_POISON in offered or hinting
    return BalloonConfig(
        num_pages=0,
        actual=0,
        free_page_hint_cmd_id=0 if poison or Feature.FREE_PAGE_HINT in offered else None,
        poison_val=0 if poison else None,
        ws_num_bins=0 if hinting else None,
        unassigned=0 if hinting else None,
        hint_max_count=hint_max_count if hinting else None,
        hint_min_order=hint_min_order if hinting else None,
    )


def read(context: Context, offset: int, length: int) -> bytes:
    """Return bytes of config space; what lies behind its end reads as zeros."""
    data = config.build(context.config)[offset : offset + length]
    return data.ljust(length, b"\0")


def write(
    context: Context,
    offset: int,
    data: bytes,
    *,
    live: bool,
    accepted: Features | None = None,
) -> None:
    """Store what the driver may write and ignore the rest.

    The driver owns `actual`, and `poison_val` if it accepted PAGE_POISON and the device is not
    live yet (VIRTIO 1.4, Driver Requirements: Page Poison).  A field may be written in pieces.
    `accepted` are the driver's features where the device has not heard of them yet.
    """
    writable = ["actual"]
    accepted = context.accepted if accepted is None else accepted
    if Feature.PAGE_POISON in accepted and not live:
        writable.append("poison_val")
    raw = bytearray(config.build(context.config))
    for name in writable:
        start = config.field_offset(name)
        end = start + config.field_size(name)
        for position in range(max(start, offset), min(end, offset + len(data), len(raw))):
            raw[position] = data[position - offset]
    context.config = config.parse(bytes(raw))


def after_reset(context: Context) -> BalloonConfig:
    """Return the config space that a reset leaves: what the driver wrote is gone."""
    poison = context.config.poison_val
    return replace(context.config, actual=0, poison_val=None if poison is None else 0)
