"""What the rules of the hinting virtqueue say about a request: slow, plain, and from the rules.

Works on the raw bytes with `struct` alone; nothing of the device's code is used.
"""

from __future__ import annotations

import struct
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

OK, PARTIAL, MALFORMED, UNSUPPORTED, INHIBITED = range(5)
PFN, BITMAP = 1, 2


@dataclass(frozen=True)
class World:
    """What the answer depends on besides the request: RAM as a set of PFNs, limits, features."""

    ram: frozenset[int]
    max_count: int = 1024
    min_order: int = 0
    bitmap: bool = True
    poison: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the device must do: any of `statuses`; the rest holds if the request is accepted."""

    statuses: AbstractSet[int]
    cookie: int
    results: tuple[bool, ...] = ()
    blocks: tuple[tuple[int, int], ...] = ()

    @property
    def pages(self) -> set[int]:
        """The PFNs that the request names."""
        return {page for pfn, order in self.blocks for page in range(pfn, pfn + (1 << order))}

    def answer(self, status: int, room: int) -> bytes:
        """The bytes that the device writes into `room` bytes (rules 2 and 4)."""
        if room < 16:
            return b""
        if status != OK:
            return struct.pack("<QII", self.cookie, status, 0)
        packed = bytearray((len(self.results) + 7) // 8)
        for position, given in enumerate(self.results):
            packed[position // 8] |= given << position % 8
        head = struct.pack("<QII", self.cookie, OK, sum(self.results))
        return (head + packed)[:room]


def judge(data: bytes, world: World) -> Verdict:
    """Apply rules 3 and 4 to the device-readable bytes of a request."""
    if len(data) < 16:
        return Verdict({MALFORMED}, 0)
    kind, flags, count, cookie = struct.unpack("<HHIQ", data[:16])
    faults = {MALFORMED} if flags else set()
    if kind == PFN:
        return _judge_pfns(data[16:], count, cookie, faults, world)
    if kind == BITMAP and world.bitmap:
        return _judge_bitmap(data[16:], count, cookie, faults, world)
    return Verdict(faults | {UNSUPPORTED}, cookie)


def _judge_pfns(body: bytes, count: int, cookie: int, faults: set[int], world: World) -> Verdict:
    if count > world.max_count:
        faults.add(UNSUPPORTED)
    if len(body) != 16 * count:
        faults.add(MALFORMED)
    blocks = []
    for pfn, order, reserved in struct.iter_unpack("<QII", body[: len(body) // 16 * 16]):
        faults |= _judge_block(pfn, order, world)
        if reserved:
            faults.add(MALFORMED)
        blocks.append((pfn, order))
    if faults:
        return Verdict(faults, cookie)
    return _accept(cookie, (True,) * count, blocks, world)


def _judge_bitmap(body: bytes, count: int, cookie: int, faults: set[int], world: World) -> Verdict:
    if count > 128 * world.max_count:
        faults.add(UNSUPPORTED)
    if len(body) != 16 + (count + 7) // 8:
        return Verdict(faults | {MALFORMED, UNSUPPORTED}, cookie)
    start, order, reserved = struct.unpack("<QII", body[:16])
    bits = [bool(body[16 + n // 8] >> n % 8 & 1) for n in range(8 * len(body[16:]))]
    if order > 40:  # no blocks to look at, and no shift by four billion
        return Verdict(faults | {MALFORMED}, cookie)
    if reserved or any(bits[count:]) or start >= 1 << 52:
        faults.add(MALFORMED)
    if order < world.min_order:
        faults.add(UNSUPPORTED)
    if start % (1 << order):
        faults.add(MALFORMED)
    named = [(start + (n << order), order) for n in range(count) if bits[n]]
    for pfn, _ in named:
        faults |= _judge_block(pfn, order, world)
    if faults:
        return Verdict(faults, cookie)
    return _accept(cookie, tuple(bits[:count]), named, world)


def _judge_block(pfn: int, order: int, world: World) -> set[int]:
    faults = set()
    if order < world.min_order:
        faults.add(UNSUPPORTED)
    if (
        order > 40
        or pfn + (1 << order) > 1 << 52
        or pfn % (1 << order)
        or 1 << order > len(world.ram)
        or not world.ram.issuperset(range(pfn, pfn + (1 << order)))
    ):
        faults.add(MALFORMED)
    return faults


def _accept(
    cookie: int, results: tuple[bool, ...], blocks: list[tuple[int, int]], world: World
) -> Verdict:
    statuses = {INHIBITED} if world.poison and results else {OK}
    return Verdict(statuses, cookie, results, tuple(blocks))
