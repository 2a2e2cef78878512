"""Faults in config space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from vhint.host import Device
from vhint.host.work import Line
from vhint.wire import config
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant

NUM_PAGES = config.field_offset("num_pages")
ACTUAL = config.field_offset("actual")
MAX_COUNT = config.field_offset("hint_max_count")


class BigEndian(Device):
    """Shows fields most significant byte first."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Turn every field round."""
        whole = super().read_config(0, 32)
        turned = b"".join(whole[at : at + 4][::-1] for at in range(0, 32, 4))
        return turned[offset : offset + length].ljust(length, b"\0")


class TargetInBytes(Device):
    """Shows the target in bytes."""

    def set_balloon_size(self, pages: int) -> None:
        """Change num_pages."""
        super().set_balloon_size(pages * 4096 & 0xFFFFFFFF)


class TargetWritable(Device):
    """Lets the driver write the target."""

    def write_config(self, offset: int, data: bytes) -> None:
        """Take a write of num_pages."""
        if offset == NUM_PAGES and len(data) == 4:
            value = int.from_bytes(data, "little")
            self.context.config = replace(self.context.config, num_pages=value)
        super().write_config(offset, data)


class ActualFixed(Device):
    """Ignores what the driver writes to actual."""

    def write_config(self, offset: int, data: bytes) -> None:
        """Ignore a write of actual."""
        if not offset <= ACTUAL < offset + len(data):
            super().write_config(offset, data)


class ActualCapped(Device):
    """Asks for a reset if actual is larger than its target."""

    def write_config(self, offset: int, data: bytes) -> None:
        """Judge the driver."""
        super().write_config(offset, data)
        if self.context.config.actual > self.context.config.num_pages:
            self.fail("actual is larger than num_pages")


class OddAccessFails(Device):
    """Asks for a reset at an access that is not a whole field."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Judge the driver."""
        if offset % 4 or length != 4 or offset + length > 32:
            self.fail(f"config access at {offset}")
        return super().read_config(offset, length)

    def write_config(self, offset: int, data: bytes) -> None:
        """Judge the driver."""
        if offset % 4 or len(data) != 4 or offset + len(data) > 32:
            self.fail(f"config access at {offset}")
        super().write_config(offset, data)


class GrowsWithFeatures(Device):
    """Shows the fields of features only once they were accepted."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Cut what was not accepted."""
        visible = 32 if self.context.accepted else 8
        return super().read_config(0, visible)[offset : offset + length].ljust(length, b"\xff")


class QuietChange(Device):
    """Changes its target and does not say so."""

    def set_balloon_size(self, pages: int) -> None:
        """Change num_pages in silence."""
        self.context.config = replace(self.context.config, num_pages=pages)
        self._generation += 1


class _OtherFields(Device):
    changed: Mapping[str, int] = MappingProxyType({})

    def _begin(self) -> None:
        super()._begin()
        fields: dict[str, Any] = dict(self.changed)
        self.context.config = replace(self.context.config, **fields)


class NoCount(_OtherFields):
    """Says that a request may have no entry."""

    changed = MappingProxyType({"hint_max_count": 0})


class HugeOrder(_OtherFields):
    """Says that blocks are larger than any can be."""

    changed = MappingProxyType({"hint_min_order": 41})


class LimitsLate(Device):
    """Shows its hinting limits only once it is live."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Hide them before."""
        shown = bytearray(super().read_config(0, 32))
        if not self.lines:
            shown[MAX_COUNT : MAX_COUNT + 8] = bytes(8)
        return bytes(shown)[offset : offset + length].ljust(length, b"\0")


class LimitsWritable(Device):
    """Lets the driver write its hinting limits."""

    def write_config(self, offset: int, data: bytes) -> None:
        """Take what is written to hint_max_count."""
        super().write_config(offset, data)
        if offset == MAX_COUNT and len(data) == 4:
            value = int.from_bytes(data, "little")
            self.context.config = replace(self.context.config, hint_max_count=value)


class LimitsBehindPoison(Device):
    """Shows the hinting limits right behind poison_val, where another device has other fields."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Move them."""
        whole = super().read_config(0, 32)
        moved = whole[:16] + whole[24:32] + bytes(8)
        return moved[offset : offset + length].ljust(length, b"\0")


class QuietlySmaller(Device):
    """Tells the driver of a new target only if that has more to give."""

    def set_balloon_size(self, pages: int) -> None:
        """Notify of a larger one."""
        known = self.context.config.actual
        self.context.config = replace(self.context.config, num_pages=pages)
        if pages > known:
            self._config_changed()


class CountsItself(Device):
    """Keeps the number of inflated pages in `actual`, over what the driver wrote there."""

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Count a page for each request."""
        super().complete(name, line, head, length)
        if name is Queue.INFLATE:
            shown = self.context.config
            self.context.config = replace(shown, actual=(shown.actual + 1) & 0xFFFFFFFF)


MUTANTS = (
    Mutant(
        "config-big-endian",
        "shows the fields of config space most significant byte first",
        ("balloon.device.config-little-endian", "balloon.device.config-target-readable"),
        BigEndian,
        bugs=("L2",),
    ),
    Mutant(
        "target-in-bytes",
        "shows the balloon's target in bytes",
        ("balloon.device.config-target-readable",),
        TargetInBytes,
    ),
    Mutant(
        "target-writable",
        "lets the driver write num_pages",
        ("balloon.device.config-target-not-writable",),
        TargetWritable,
    ),
    Mutant(
        "actual-ignored",
        "ignores what the driver writes to actual",
        ("balloon.device.config-actual-readback",),
        ActualFixed,
    ),
    Mutant(
        "actual-judged",
        "asks for a reset if actual is larger than num_pages",
        ("balloon.device.config-actual-writable",),
        ActualCapped,
        bugs=("H9b",),
    ),
    Mutant(
        "odd-access-fatal",
        "asks for a reset at a config access that is not a whole field",
        ("balloon.device.config-odd-access-survived",),
        OddAccessFails,
        bugs=("F2",),
    ),
    Mutant(
        "config-grows",
        "shows fields only once their features were accepted",
        (
            "balloon.device.config-size-constant",
            "virtio.device.config-optional-when-offered",
            "hint.device.config-usable-limits",
            "balloon.device.poison-config-present",
        ),
        GrowsWithFeatures,
        bugs=("Q15",),
    ),
    Mutant(
        "target-change-unannounced",
        "changes num_pages without a notification",
        ("virtio.device.config-change-notified",),
        QuietChange,
    ),
    Mutant(
        "hint-limit-zero",
        "says that a hinting request may have no entry",
        ("hint.device.config-usable-limits",),
        NoCount,
    ),
    Mutant(
        "hint-order-41",
        "says that hinted blocks are larger than any block can be",
        ("hint.device.config-usable-limits",),
        HugeOrder,
    ),
    Mutant(
        "hint-limits-late",
        "shows the hinting limits only when it is live",
        (
            "hint.device.config-present",
            "hint.device.config-constant",
            "hint.device.config-usable-limits",
        ),
        LimitsLate,
        bugs=("L15",),
    ),
    Mutant(
        "hint-limits-writable",
        "lets the driver write hint_max_count",
        ("hint.device.config-ignores-writes", "hint.device.config-constant"),
        LimitsWritable,
    ),
    Mutant(
        "hint-limits-misplaced",
        "shows the hinting limits right behind poison_val",
        ("hint.device.config-present", "hint.device.config-usable-limits"),
        LimitsBehindPoison,
    ),
    Mutant(
        "smaller-target-unannounced",
        "changes num_pages to less than the driver has given without a notification",
        ("virtio.device.config-change-notified",),
        lambda memory: QuietlySmaller(memory),
    ),
    Mutant(
        "actual-counted-by-device",
        "writes its own count to actual",
        ("balloon.device.config-actual-readback",),
        lambda memory: CountsItself(memory),
    ),
)
"""Mutants whose config space is wrong."""
