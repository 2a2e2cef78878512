"""The upper tester of the reference guest: applications of its own, in the same process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from vhint.guest.device_life import DeviceState
from vhint.guest.memory import Block, OutOfMemoryError, pages_of
from vhint.guest.page_life import DEVICES, LIVE
from vhint.guest.profiles.reporting import ReportingSettings
from vhint.spans import PAGE
from vhint.wire.features import Feature
from vhint_conformance.targets.driver import Holding, UpperTester
from vhint_conformance.verdict import NotApplicable, Violation

if TYPE_CHECKING:
    from vhint_conformance.targets.reference_driver import GuestSession

ORDERS = (6, 3, 0)
"""The orders in which memory is allocated, the largest first."""

UNINITIALISED = {
    Feature.HINTING: "hint.driver.content-uninitialised",
    Feature.PAGE_REPORTING: "reporting.driver.content-uninitialised",
    Feature.FREE_PAGE_HINT: "free-page-hint.driver.content-uninitialised",
}
"""What a guest breaks that counts on what a page holds which it has given away."""

EARLY = "free-page-hint.driver.initialise-early-release"
"""What of the rules of rounds only the guest itself can tell."""

WAIT = 0.05
"""Seconds that an application waits before it tries again."""


@dataclass(frozen=True, slots=True)
class Blocks(Holding):
    """A holding of the reference guest."""

    blocks: tuple[Block, ...] = ()


class GuestTester(UpperTester):
    """Works the guest of a session.

    What would wait, waits for `patience`; what the guest keeps back for its emergencies only the
    last resort gets.
    """

    def __init__(self, session: GuestSession) -> None:
        self._session = session
        self._names = count(1)

    def allocate(self, size: int) -> Holding:
        """Allocate blocks as large as there are, and write them."""
        return self._take(size, ORDERS)

    def fill(self) -> Holding:
        """Allocate until the guest is out of memory."""
        return self._take(self._session.limits.ram, ORDERS)

    def _take(self, size: int, orders: tuple[int, ...]) -> Blocks:
        guest = self._session.guest
        taken: list[Block] = []
        left = size
        for order in orders:
            while left >= PAGE << order:
                block = self._allocate(order)
                if block is None:
                    break
                self._session.guarded(partial(guest.memory.touch, block))
                taken.append(block)
                left -= PAGE << order
        return Blocks(f"holding {next(self._names)}", size - left, tuple(taken))

    def _allocate(self, order: int) -> Block | None:
        """Allocate one block; None if there is none, or none comes back in time."""
        applications = self._session.guest.applications
        found: list[Block] = []

        def tried() -> bool:
            try:
                block = self._session.guarded(partial(applications.allocate, 0, order))
            except OutOfMemoryError:
                return True
            if block is not None:
                found.append(block)
            return block is not None

        self._session.run(tried, self._session.limits.rest)
        return found[0] if found else None

    def free(self, holding: Holding) -> None:
        """Free its blocks; a lock that is held is waited for, but not for ever."""
        assert isinstance(holding, Blocks)  # noqa: S101 - nobody else makes one
        applications = self._session.guest.applications
        for block in holding.blocks:
            freed = partial(self._session.guarded, partial(applications.free, 0, block))
            if not self._session.run(freed, self._session.limits.patience):
                raise NotApplicable("the guest frees nothing while it waits for its device")

    def intact(self, holding: Holding) -> bool:
        """Read every page of it."""
        assert isinstance(holding, Blocks)  # noqa: S101 - nobody else makes one
        mine = {pfn for block in holding.blocks for pfn in pages_of(block)}
        return not any(lost.pfn in mine for lost in self._session.guest.memory.verify())

    def drop_caches(self) -> None:
        """Give what CPUs and the page cache keep to the free lists."""
        memory = self._session.guest.memory
        for cpu in range(memory.cpus):
            memory.drain(cpu)
        memory.drop(0, memory.account().total)

    def set_report_order(self, order: int) -> None:
        """Report blocks from that order on."""
        reporting = self._session.guest.reporting
        old = reporting.settings
        reporting.settings = ReportingSettings(old.capacity, order, old.delay)

    def unload(self) -> bool:
        """Reset the device and stay away from it."""
        session = self._session
        if session.guest.state is DeviceState.LIVE:
            session.reset()
        done = session.run(lambda: session.guest.state is DeviceState.DOWN, session.limits.rest)
        session.run(lambda: False, WAIT)
        return done

    def load(self) -> None:
        """Initialise the device again."""
        self._session.start()

    def complaints(self) -> tuple[Violation, ...]:
        """Return what the ledgers of the guest's pages found, and what became of its content."""
        found = [
            Violation(
                breach.slug,
                f"no {breach.event.name} of a page that is {breach.state.name}",
                "the guest's own ledger found that",
                f"page {breach.pfn:#x}",
            )
            for breach in self._session.breaches[:4]
        ]
        early = [each for each in self._session.rounds.violations if each.requirement == EARLY]
        return (*found, *early[:4], *self._lost())

    def _lost(self) -> Iterator[Violation]:
        """Yield a page that is the guest's again, and that it counts on in vain.

        What is in use is the affair of `intact`; of what the device has, its answer decides.
        """
        memory = self._session.guest.memory
        others = LIVE | DEVICES
        for lost in memory.verify():
            if memory.state(lost.pfn) in others:
                continue
            device = self._session.device
            known = device.accepted or device.offer.features
            slug = next((slug for feature, slug in UNINITIALISED.items() if feature in known), "")
            yield Violation(
                slug or UNINITIALISED[Feature.HINTING],
                f"nobody who counts on {lost.expected:#x} in a page that was the device's",
                str(lost),
                f"page {lost.pfn:#x}",
            )
            return
