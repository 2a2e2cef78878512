"""The hinting virtqueue: config space and features."""

from __future__ import annotations

from vhint.spans import PAGE
from vhint.wire.blocks import MAX_ORDER
from vhint.wire.features import Feature, Features
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hint_drafts import BITMAP, NEEDS, draft_of, hint
from vhint_conformance.cases.tools import number, write_number
from vhint_conformance.variants import NO_RINGS


@case(
    "hint.device.config-present",
    "virtio.device.config-optional-when-offered",
    "hint.device.config-usable-limits",
    id="hint.config",
    features=NEEDS,
    rings=NO_RINGS,
)
def test_config(bench: Bench) -> None:
    """hint_max_count and hint_min_order can be read before FEATURES_OK and make sense."""
    limit, order = number(bench, "hint_max_count"), number(bench, "hint_min_order")
    bench.require(
        limit > 0 or order > 0,
        "hint.device.config-present",
        expected="hint_max_count at offset 24, and hint_min_order",
        seen="zeros",
    )
    bench.require(
        limit >= 1 and order <= MAX_ORDER,
        "hint.device.config-usable-limits",
        expected="hint_max_count at least 1, hint_min_order at most 40",
        seen=f"{limit} and {order}",
    )


@case(
    "hint.device.config-constant",
    "hint.device.config-ignores-writes",
    id="hint.config-constant",
    features=NEEDS,
)
def test_config_constant(bench: Bench) -> None:
    """The hinting fields stay as they are, whatever is written, used or reset."""
    fields = ("hint_max_count", "hint_min_order")
    before = [number(bench, name) for name in fields]

    def check(requirement: str) -> None:
        found = [number(bench, name) for name in fields]
        bench.require(found == before, requirement, expected=str(before), seen=str(found))

    bench.start()
    for name in fields:
        write_number(bench, name, 7)
    check("hint.device.config-ignores-writes")
    hint(bench, draft_of(bench, "pfn"))
    bench.reset()
    check("hint.device.config-constant")


@case("hint.device.min-order-covers-host-page", id="hint.min-order", features=NEEDS, rings=NO_RINGS)
def test_min_order(bench: Bench) -> None:
    """hint_min_order is at least the order of a host page."""
    order = number(bench, "hint_min_order")
    bench.require(
        PAGE << order >= bench.limits.host_page,
        "hint.device.min-order-covers-host-page",
        expected=f"blocks of at least {bench.limits.host_page} bytes",
        seen=f"hint_min_order {order}",
    )


@case(
    "hint-bitmap.device.refuse-bitmap-alone",
    id="hint-bitmap.refuse-alone",
    features=BITMAP,
    capabilities=[Capability.SHOWS_STATUS, Capability.ANSWERS_FEATURES],
)
def test_bitmap_alone(bench: Bench) -> None:
    """FEATURES_OK stays clear when HINTING_BITMAP is accepted without HINTING."""
    transport = bench.transport
    alone = Features.of(Feature.VERSION_1, Feature.HINTING_BITMAP)
    bench.reset()
    for status in (1, 3):
        transport.write_status(status)
    transport.write_features(alone.bits)
    transport.write_status(3 | 8)
    status = int(transport.read_status())
    bench.require(
        not status & 8,
        "hint-bitmap.device.refuse-bitmap-alone",
        expected="FEATURES_OK clear",
        seen=f"status {status:#x}",
    )
    bench.reset()
    bench.start()
    hint(bench, draft_of(bench, "bitmap"))
