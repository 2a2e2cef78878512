"""What a change of the configuration shows beside the change: its generation, its interrupt."""

from __future__ import annotations

from functools import partial

from vhint.transport.interface import Interrupts
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.tools import number
from vhint_conformance.variants import NO_RINGS
from vhint_conformance.verdict import Inconclusive, NotApplicable

REGISTERS = [
    Capability.SETS_BALLOON_SIZE,
    Capability.SETS_64_FEATURES,  # the legacy interface has no generation
    Capability.SHOWS_INTERRUPT_STATUS,  # and no more has vhost-user
]
"""What a case needs that looks at the registers beside the configuration."""


@case(
    "virtio.device.interrupt-status-true",
    id="virtio.interrupt-status-of-config",
    capabilities=REGISTERS,
    rings=NO_RINGS,
)
def test_status_of_config_change(bench: Bench) -> None:
    """A change of num_pages is no used buffer, and no bit says so."""
    if Capability.OVER_PCI in bench.session.capabilities:
        raise NotApplicable("the standard does not forbid it for the ISR status of PCI")
    bench.start()
    bench.transport.settle()
    bench.transport.take_interrupts()
    for pages in (3, 4):
        bench.control.set_balloon_size(pages)
        found = Interrupts()

        def came() -> bool:
            nonlocal found
            found |= bench.transport.take_interrupts()
            return found.config

        bench.transport.wait(came, bench.limits.patience)
        bench.require(
            not found.used,
            "virtio.device.interrupt-status-true",
            expected="no bit of a used buffer",
            seen="one, with the change of the configuration",
        )


def changed_generation(bench: Bench, *sizes: int) -> tuple[int, int]:
    """Change num_pages so often; return the generation before and after."""
    before = bench.transport.config_generation()
    for pages in sizes:
        bench.control.set_balloon_size(pages)
        if not bench.transport.wait(partial(shows, bench, pages), bench.limits.patience):
            raise Inconclusive("num_pages did not change, and so nothing had to")
    return before, bench.transport.config_generation()


def shows(bench: Bench, pages: int) -> bool:
    """Whether num_pages is so large."""
    return number(bench, "num_pages") == pages


@case(
    "virtio.device.config-generation",
    id="virtio.config-generation",
    capabilities=REGISTERS,
    rings=NO_RINGS,
)
def test_generation(bench: Bench) -> None:
    """The generation is another one whenever num_pages changed in between, however often."""
    if Capability.OVER_PCI in bench.session.capabilities:
        raise NotApplicable("virtio.pci-config-generation asks this of PCI")
    bench.start()
    for sizes in ((5,), (6, 900), (7, 8, 9, 10)):
        before, after = changed_generation(bench, *sizes)
        bench.require(
            after != before,
            "virtio.device.config-generation",
            expected=f"another generation than {before}",
            seen=str(after),
            where=f"num_pages changed {len(sizes)} times",
        )


@case(
    "virtio.device.generation-rests",
    id="virtio.generation-rests",
    capabilities=REGISTERS,
    rings=NO_RINGS,
)
def test_generation_rests(bench: Bench) -> None:
    """While nothing changes the generation stays, however often the configuration is read."""
    bench.start()
    changed_generation(bench, 11)
    bench.transport.settle()
    before = bench.transport.config_generation()
    for _ in range(5):
        shown = number(bench, "num_pages")
        after = bench.transport.config_generation()
        bench.require(
            after == before,
            "virtio.device.generation-rests",
            expected=f"generation {before} while num_pages stays {shown}",
            seen=str(after),
        )
