"""Small things that several cases need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise

from vhint.guest import requests
from vhint.spans import PAGE, Span, intersect
from vhint.wire import config
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench, Fate
from vhint_conformance.case import Capability
from vhint_conformance.verdict import NotApplicable


def number(bench: Bench, field: str) -> int:
    """Read a config field; without a config space the case is not applicable."""
    bench.need(Capability.SHOWS_CONFIG)
    data = bench.transport.read_config(config.field_offset(field), config.field_size(field))
    return int.from_bytes(data, "little")


def expect_number(bench: Bench, field: str, value: int, requirement: str) -> None:
    """Fail unless a config field has that value: by another name if it is there the wrong way."""
    found = number(bench, field)
    turned = int.from_bytes(value.to_bytes(config.field_size(field), "big"), "little")
    bench.require(
        found == value or found != turned,
        "balloon.device.config-little-endian",
        expected=f"{field} {value:#x}, the least significant byte first",
        seen=f"{found:#x}",
    )
    bench.require(found == value, requirement, expected=f"{field} {value:#x}", seen=f"{found:#x}")


def write_number(bench: Bench, field: str, value: int) -> None:
    """Write a config field; without a config space the case is not applicable."""
    bench.need(Capability.SHOWS_CONFIG)
    bench.transport.write_config(
        config.field_offset(field), value.to_bytes(config.field_size(field), "little")
    )


def need_modern(bench: Bench, what: str) -> None:
    """Make the case not applicable on the legacy interface, which has no such thing."""
    if bench.transport.legacy:
        raise NotApplicable(f"the legacy interface has no {what}")


def need_untouched(bench: Bench, blocks: Iterable[Span], requirement: str, seen: str) -> None:
    """Fail by `requirement` if any of these blocks, which nobody named, was discarded."""
    blocks = tuple(blocks)
    stray = intersect(bench.stray_discards(), blocks)
    bench.require(
        not stray,
        requirement,
        expected="nothing of what was not named to be discarded",
        seen=seen,
        where=str(stray[0]) if stray else "",
    )


def pfns(bench: Bench, count: int) -> list[int]:
    """Take single pages and return their PFNs."""
    return [span.start // PAGE for span in bench.blocks(count)]


def need_no_stray(bench: Bench, requirement: str) -> None:
    """Fail by `requirement` if a page was discarded that no request named."""
    stray = bench.stray_discards()
    bench.require(
        not stray,
        requirement,
        expected="no page discarded but those that were named",
        seen=f"{sum(span.length for span in stray)} bytes of others discarded",
        where=", ".join(map(str, stray[:3])),
    )


@contextmanager
def as_effective(bench: Bench, pages: int, requirement: str) -> Iterator[None]:
    """Fail by `requirement` unless the inflated pages within go as those of plain requests do.

    How much is discarded is the device's affair.  But one that discards every page that is named
    in one buffer, before and after, shows by doing the same that it has understood `pages` pages
    that are named in another way.
    """

    def discarded() -> int:
        return bench.effectiveness["discarded_pages"]

    def plainly() -> int:
        before = discarded()
        bench.exchange(requests.inflate(pfns(bench, pages)))
        return discarded() - before

    plain, before = plainly(), discarded()
    yield
    found, again = discarded() - before, plainly()
    bench.observations["discarded_pages"] = {"in this form": found, "plainly": plain}
    bench.require(
        found == pages or not plain == again == pages,
        requirement,
        expected=f"{pages} pages discarded, as when they are named in one buffer",
        seen=str(found),
    )


def regions(bench: Bench) -> list[Span]:
    """Return the regions of guest RAM, by address."""
    return sorted(Span(*each) for each in bench.limits.ram)


def before_a_gap(bench: Bench) -> Span:
    """Return a region of RAM that is not the last and that no other touches at its end."""
    every = regions(bench)
    for region, following in pairwise(every):
        if region.end < following.start:
            return region
    raise NotApplicable("guest RAM has no gaps")


def touching(bench: Bench) -> tuple[Span, Span]:
    """Return two regions of RAM of which one begins where the other ends."""
    every = regions(bench)
    for region, following in pairwise(every):
        if region.end == following.start:
            return region, following
    raise NotApplicable("no two regions of guest RAM touch")


def expect_interrupt(bench: Bench, requirement: str, where: str = "") -> None:
    """Fail unless a used buffer notification comes."""
    seen = bench.transport.wait(
        lambda: bench.transport.take_interrupts().used, bench.limits.patience
    )
    bench.require(
        seen, requirement, expected="a used buffer notification", seen="none", where=where
    )


def excuse_silence(bench: Bench) -> None:
    """Make the case not applicable if the device may be waiting for a reset that it cannot ask for.

    It gets the reset, so that what was left on its queues is nobody's fault.
    """
    if Capability.ASKS_FOR_RESET not in bench.session.capabilities:
        bench.reset()
        bench.need(Capability.ASKS_FOR_RESET)


def not_silent(bench: Bench, queue: Queue, requirement: str) -> Fate:
    """Return what became of a chain; fail if it was not used and no reset was asked for.

    A device that has no way to ask for one is not judged.
    """
    fate = bench.fate(queue)
    bench.observations["fate"] = fate
    if fate is Fate.SILENCE:
        excuse_silence(bench)
    bench.require(
        fate is not Fate.SILENCE,
        requirement,
        expected="the chain used, or DEVICE_NEEDS_RESET",
        seen=fate,
        where=f"{queue} queue",
    )
    return fate
