"""Faults in the bytes of a hinting request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vhint.guest.driver import Request
from vhint.guest.port import RingPort
from vhint.guest.requests import Draft
from vhint.wire.queues import Queue
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.guest.base import GuestMutant

HEAD = 16


def put(data: bytes, offset: int, value: bytes) -> bytes:
    """Replace some bytes."""
    return data[:offset] + value + data[offset + len(value) :]


def patching(patch: Callable[[bytes], bytes], bitmap: bool | None = None) -> Mutation:
    """Return a guest that changes its hinting requests, or those of one format, in this way."""

    class Patches(RingPort):
        """Changes the bytes of a request just before it goes out."""

        def add(self, draft: Draft) -> Request:
            """Change it."""
            data = draft.readable
            if draft.queue is Queue.HINTING and bitmap in (None, data[:1] == b"\2"):
                draft = replace(draft, readable=patch(data))
            return super().add(draft)

    return Mutation(port_kind=Patches)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def type_7(data: bytes) -> bytes:
    """Send an unknown type."""
    return put(data, 0, b"\7\0")


def type_big_endian(data: bytes) -> bytes:
    """Turn the type round."""
    return put(data, 0, data[:2][::-1])


def flags(data: bytes) -> bytes:
    """Set a flag."""
    return put(data, 2, b"\1\0")


def reserved(data: bytes) -> bytes:
    """Leave in a reserved field what was in memory."""
    return put(data, HEAD + 12, b"\xaa\xaa\xaa\xaa")


def padding(data: bytes) -> bytes:
    """Set the bits behind the count."""
    spare = -_number(data, 4, 4) % 8
    return data[:-1] + bytes([data[-1] | 0xFF << (8 - spare) & 0xFF]) if spare else data


def longer(data: bytes) -> bytes:
    """Pad a request to 8 bytes more."""
    return data + bytes(8)


def shorter(data: bytes) -> bytes:
    """Leave the last byte out."""
    return data[:-1]


def count_in_bytes(data: bytes) -> bytes:
    """Count bytes instead of entries."""
    return put(data, 4, (_number(data, 4, 4) * 16).to_bytes(4, "little"))


def order_63(data: bytes) -> bytes:
    """Name an order that no block has."""
    return put(data, HEAD + 8, (63).to_bytes(4, "little"))


def misaligned(data: bytes) -> bytes:
    """Name a block one page behind where it begins."""
    pfn, order = _number(data, HEAD, 8), _number(data, HEAD + 8, 4)
    return put(data, HEAD, (pfn + 1).to_bytes(8, "little")) if order else data


def big_endian_pfn(data: bytes) -> bytes:
    """Turn a page number round."""
    return put(data, HEAD, data[HEAD : HEAD + 8][::-1])


def address_for_pfn(data: bytes) -> bytes:
    """Send an address where the page number belongs."""
    return put(data, HEAD, (_number(data, HEAD, 8) << 12).to_bytes(8, "little"))


def far(data: bytes) -> bytes:
    """Extend the sign of a page number."""
    return put(data, HEAD + 4, b"\xff\xff\xff\xff")


def own_ring(data: bytes) -> bytes:
    """Name the page of the rings."""
    order = bytes(4)
    return put(put(data, HEAD, (0x10).to_bytes(8, "little")), HEAD + 8, order)


def _mutant(
    name: str,
    summary: str,
    violates: tuple[str, ...],
    how: Mutation,
    bugs: tuple[str, ...] = (),
) -> GuestMutant:
    return GuestMutant(name, summary, violates[0], "", how, also=violates[1:], bugs=bugs)


LENGTH = "hint.driver.length-exact"
RAM = "hint.driver.ram-only"
LIMIT = "hint.driver.within-address-limit"

MUTANTS = (
    _mutant("request-type-unknown", "sends requests of a type that is not defined",
            ("hint.driver.known-type",), patching(type_7)),
    _mutant("request-type-big-endian", "sends the type most significant byte first",
            ("hint.driver.known-type",), patching(type_big_endian), ("B2",)),
    _mutant("request-flags-set", "sets a flag of a request",
            ("hint.driver.flags-zero",), patching(flags)),
    _mutant("request-reserved-dirty", "leaves in a reserved field what was in memory",
            ("hint.driver.reserved-zero",), patching(reserved)),
    _mutant("bitmap-padding-dirty", "sets the bits behind the count of a bitmap",
            ("hint-bitmap.driver.padding-zero",), patching(padding, bitmap=True), ("B4",)),
    _mutant("request-padded", "pads requests with 8 bytes",
            (LENGTH,), patching(longer), ("N14",)),
    _mutant("request-cut", "leaves out the last byte of a request",
            (LENGTH,), patching(shorter)),
    _mutant("request-counts-bytes", "counts bytes where entries are to be counted",
            (LENGTH,), patching(count_in_bytes, bitmap=False), ("N15",)),
    _mutant("request-order-63", "names an order that no block has",
            ("hint.driver.order-within-bounds",), patching(order_63), ("N12",)),
    _mutant("request-misaligned", "names blocks one page behind where they begin",
            ("hint.driver.aligned", "hint.driver.never-report-reallocated",
             "hint.driver.no-allocate-while-outstanding"), patching(misaligned), ("N23",)),
    _mutant("request-pfn-big-endian", "sends page numbers most significant byte first",
            (LIMIT, RAM, "hint.driver.aligned"), patching(big_endian_pfn), ("B2", "L2")),
    _mutant("request-address-for-pfn", "sends addresses where page numbers belong",
            (RAM, LIMIT), patching(address_for_pfn)),
    _mutant("request-pfn-sign-extended", "extends the sign of a page number to 64 bits",
            (LIMIT, RAM), patching(far), ("B1",)),
    _mutant("request-names-rings", "names the page of its own rings",
            ("hint.driver.never-name-own-structures",), patching(own_ring)),
)  # fmt: skip
"""Guest mutants whose hinting requests are wrong."""
