"""The balloon's config space: num_pages and actual."""

from __future__ import annotations

from vhint.guest import requests
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.tools import expect_number, number, pfns, write_number
from vhint_conformance.variants import NO_RINGS

FIELDS = {
    Feature.FREE_PAGE_HINT: ("free_page_hint_cmd_id",),
    Feature.PAGE_POISON: ("free_page_hint_cmd_id", "poison_val"),
    Feature.HINTING: ("hint_max_count", "hint_min_order"),
}
"""The fields that a feature brings."""

HOSTS_OWN = ("num_pages", "free_page_hint_cmd_id")
"""The fields whose value the host may change whenever it likes."""

ALL_OPTIONAL = (
    Feature.MUST_TELL_HOST,
    Feature.STATS_VQ,
    Feature.PAGE_POISON,
    Feature.PAGE_REPORTING,
    Feature.HINTING,
    Feature.HINTING_BITMAP,
    Feature.VERSION_1,
)


@case("balloon.device.config-actual-readback", id="balloon.actual-readback", rings=NO_RINGS)
def test_actual_readback(bench: Bench) -> None:
    """`actual` reads back as the driver wrote it."""
    bench.start()
    for value in (1, 0x01020304, 0):
        write_number(bench, "actual", value)
        found = number(bench, "actual")
        bench.require(
            found == value,
            "balloon.device.config-actual-readback",
            expected=f"actual {value:#x}",
            seen=f"{found:#x}",
        )


@case("balloon.device.config-actual-readback", id="balloon.actual-kept")
def test_actual_kept(bench: Bench) -> None:
    """`actual` is the driver's: inflating, deflating and another target leave it as it was."""
    bench.start()
    numbers = pfns(bench, 4)
    write_number(bench, "actual", 0x00030201)
    for draft in (requests.inflate(numbers), requests.deflate(numbers)):
        bench.exchange(draft)
        bench.transport.settle()
        found = number(bench, "actual")
        bench.require(
            found == 0x00030201,
            "balloon.device.config-actual-readback",
            expected="actual 0x30201, as the driver wrote it",
            seen=f"{found:#x}",
            where=f"after a request on the {draft.queue} queue",
        )


@case("balloon.device.config-actual-writable", id="balloon.actual-any-value")
def test_actual_any_value(bench: Bench) -> None:
    """Any value may be written to `actual`, and the queues go on."""
    bench.start()
    for value in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 256):
        write_number(bench, "actual", value)
        bench.exchange(requests.inflate(pfns(bench, 1)), "balloon.device.config-actual-writable")


@case("balloon.device.config-target-not-writable", id="balloon.target-read-only", rings=NO_RINGS)
def test_target_read_only(bench: Bench) -> None:
    """Writing num_pages changes nothing."""
    bench.start()
    before = number(bench, "num_pages")
    write_number(bench, "num_pages", before + 5)
    found = number(bench, "num_pages")
    bench.require(
        found == before,
        "balloon.device.config-target-not-writable",
        expected=f"num_pages {before}",
        seen=str(found),
    )


@case("balloon.device.config-odd-access-survived", id="balloon.config-odd-access")
def test_odd_access(bench: Bench) -> None:
    """Odd accesses to config space, and beyond its end, change no field but `actual`."""
    bench.start()
    before = others(bench)
    write_number(bench, "actual", 0x01020304)
    if number(bench, "actual") == 0x01020304:
        bench.transport.write_config(config.field_offset("actual"), b"\x55")
        found = number(bench, "actual")
        bench.require(
            found in (0x01020304, 0x01020355),  # ignored, or taken for what it is
            "balloon.device.config-odd-access-survived",
            expected="the bytes beside one that is written to stay as they are",
            seen=f"{found:#010x}, which was 0x01020304",
        )
    write_number(bench, "actual", 0)
    end = 256 - config.field_size("actual")
    for offset, length in ((1, 1), (3, 2), (7, 3), (end, 4)):
        bench.transport.read_config(offset, length)
    bench.transport.write_config(end, b"\xff" * 4)
    for size in (32, 64, 128):  # as if config space began anew there
        bench.transport.write_config(size + config.field_offset("actual"), b"\xff" * 4)
    bench.require(
        number(bench, "actual") == 0,
        "balloon.device.config-odd-access-survived",
        expected="writes beyond the last field to change none",
        seen=f"actual {number(bench, 'actual'):#x}, which was 0",
    )
    # Parts of `actual`, with some of its neighbours, which are not the driver's to write.
    at = config.field_offset("actual")
    for offset, length in ((at + 2, 2), (at - 2, 4), (at, 8)):
        bench.transport.write_config(offset, b"\xa5" * length)
    bench.require(
        others(bench) == before and not bench.status() & DeviceStatus.NEEDS_RESET,
        "balloon.device.config-odd-access-survived",
        expected=f"{before} and a working device",
        seen=f"{others(bench)}, {bench.status()!r}",
    )
    bench.exchange(requests.inflate(pfns(bench, 1)), "balloon.device.config-odd-access-survived")


@case(
    "virtio.device.config-optional-when-offered",
    "hint.device.config-present",
    id="virtio.config-unaccepted",
    capabilities=[Capability.SHOWS_CONFIG],
    rings=NO_RINGS,
)
def test_config_unaccepted(bench: Bench) -> None:
    """Fields of features read the same whether these were accepted, or will be, or never are."""
    early = lasting(bench)
    bench.start()
    accepted = lasting(bench)
    bench.reset()
    bench.start(accept=Features.of(Feature.VERSION_1))
    for found in (early, lasting(bench)):
        bench.require(
            found == accepted,
            "virtio.device.config-optional-when-offered",
            expected=f"{accepted}, as when everything is accepted",
            seen=str(found),
        )


@case(
    "balloon.device.config-size-constant",
    id="balloon.config-size-constant",
    capabilities=[Capability.SHOWS_CONFIG],
    rings=NO_RINGS,
)
def test_config_size(bench: Bench) -> None:
    """What lies where in config space does not depend on the accepted features."""
    seen = set()
    for accept in (Features.of(Feature.VERSION_1), bench.offered & Features.of(*ALL_OPTIONAL)):
        bench.start(accept=accept)
        space = bytearray(bench.transport.read_config(0, 32))
        for field in HOSTS_OWN:
            at = config.field_offset(field)
            space[at : at + config.field_size(field)] = bytes(config.field_size(field))
        seen.add(bytes(space))
        bench.reset()
    bench.require(
        len(seen) == 1,
        "balloon.device.config-size-constant",
        expected="the same 32 bytes of config space, num_pages and command id aside",
        seen=" and ".join(data.hex() for data in sorted(seen)),
    )


@case(
    "balloon.device.config-target-readable",
    "balloon.device.config-little-endian",
    id="balloon.target-follows-host",
    capabilities=[Capability.SETS_BALLOON_SIZE],
    rings=NO_RINGS,
)
def test_target(bench: Bench) -> None:
    """num_pages shows what the host asked for, time after time."""
    bench.start()
    for pages in (256, 1, 4000, 0):
        bench.control.set_balloon_size(pages)
        bench.transport.settle()
        expect_number(bench, "num_pages", pages, "balloon.device.config-target-readable")


def others(bench: Bench) -> dict[str, int]:
    """Read every field that the device offers, but `actual`."""
    fields = ["num_pages"]
    for feature, names in FIELDS.items():
        fields += names if feature in bench.offered else ()
    return {name: number(bench, name) for name in fields}


def lasting(bench: Bench) -> dict[str, int]:
    """Read the same without what the host changes as it likes."""
    return {name: value for name, value in others(bench).items() if name not in HOSTS_OWN}
