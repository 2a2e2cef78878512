"""What a machine draws before its first step: a guest, a host and what they agree on."""

from __future__ import annotations

from dataclasses import dataclass

from vhint.guest.guest import GuestOptions
from vhint.guest.hinting import HintSettings
from vhint.guest.memory import MemoryOptions, PerCpuMarks, Watermarks, ZoneKind, ZoneSpec
from vhint.guest.profiles.free_page_hint import RoundSettings
from vhint.guest.profiles.reporting import ReportingSettings
from vhint.host import ALL_FEATURES
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint_conformance.model.hosts import HostOptions

FIRST_PAGE = 0x100
"""Where the zones begin, in pages of 4 KiB: 1 MiB, so that a scenario also fits a real machine."""

STRUCTURES = Span(0x10000, 0x40000)
"""The part of guest memory for rings and requests."""

HINTING = Features.of(Feature.HINTING, Feature.HINTING_BITMAP)
NO_LISTS = PerCpuMarks(batch=0, high=0)
POISON = 0xAAAAAAAA


@dataclass(frozen=True, slots=True)
class Setup:
    """A small guest and its host; the defaults are the plainest that does anything.

    `zones` are the pages of each zone from the lowest up; `orders` those that applications
    allocate; `parked` the high mark of the per-CPU lists, 0 for none; `kept` how many pages the
    page cache keeps; `offered` is what the host has.  The rest are knobs of `HintSettings`,
    `ReportingSettings` and `RoundSettings`, and what `vhint_conformance.model.hosts` says about
    hosts.
    """

    features: Features = HINTING
    offered: Features = ALL_FEATURES
    zones: tuple[int, ...] = (8,)
    cpus: int = 1
    orders: tuple[int, ...] = (0,)
    max_order: int = 3
    parked: int = 0
    kept: int = 0
    watermark: int = 0
    generation: str = "isolating"
    hint_format: str = "pfn"
    results: bool = True
    first_threshold: int = 1
    second_threshold: int = 1
    follow_merges: bool = True
    time_limit: int = 10
    capacity: int = 2
    report_order: int = 0
    round_order: int = 0
    take_back_used_only: bool = True
    patience: int | None = None
    poison: int | None = None
    queue_size: int = 16
    host: str = "eager"
    max_count: int = 64
    host_page: int = PAGE

    @property
    def end(self) -> int:
        """The first page after the last zone."""
        return FIRST_PAGE + sum(self.zones)

    @property
    def host_options(self) -> HostOptions:
        """How the host is made."""
        return HostOptions(self.max_count, self.host_page, self.offered)

    @property
    def min_order(self) -> int:
        """The smallest block that is worth hinting: a host page."""
        return (self.host_page // PAGE).bit_length() - 1

    def guest_options(self) -> GuestOptions:
        """Return how the reference guest is made."""
        kinds = (ZoneKind.NORMAL,) if len(self.zones) == 1 else (ZoneKind.DMA, ZoneKind.NORMAL)
        marks = Watermarks(self.watermark, self.watermark, self.watermark)
        first, specs = FIRST_PAGE, []
        for kind, pages in zip(kinds, self.zones, strict=True):
            specs.append(ZoneSpec(kind, first, pages, marks, self.max_order))
            first += pages
        marks_of_lists = PerCpuMarks(1, self.parked) if self.parked else NO_LISTS
        return GuestOptions(
            memory=MemoryOptions(tuple(specs), self.cpus, marks_of_lists),
            hinting=HintSettings(
                array_size=4,
                first_threshold=self.first_threshold,
                second_threshold=self.second_threshold,
                min_order=self.min_order,
                follow_merges=self.follow_merges,
                time_limit=self.time_limit,
            ),
            reporting=ReportingSettings(self.capacity, self.report_order, delay=self.time_limit),
            rounds=RoundSettings(self.round_order, self.take_back_used_only),
            poison=self.poison,
            orders=self.orders,
            patience=self.patience,
        )

    def differences(self) -> dict[str, object]:
        """Return what is not as by default: all that a reader needs to know."""
        plain = Setup()
        return {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if getattr(self, name) != getattr(plain, name)
        }
