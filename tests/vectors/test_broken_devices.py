"""Faults of real devices, put into the reference one by one: the vectors find each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.vectors import on_device
from tests.vectors.files import FORMATS
from vhint.host import Device, context
from vhint.host.context import Context
from vhint.host.hinting import Hinting, Refusal
from vhint.host.reclaim import Discarded, PunchHoles
from vhint.ring import AddressError
from vhint.spans import PAGE, Span, block
from vhint.wire.bitmap import Bitmap
from vhint.wire.hint_ack import Status
from vhint.wire.hint_request import PfnRequest

Patch = Callable[[pytest.MonkeyPatch], None]


def reclaiming(change: Callable[[Span], Span]) -> Patch:
    """A device that discards something else than it should."""

    class Reclaim(PunchHoles):
        def discard(self, spans: Sequence[Span]) -> Discarded:
            done: list[Span] = []
            for span in map(change, spans):
                try:
                    done += super().discard([span]).spans
                except AddressError:  # what a device does there is not ours to say
                    continue
            return Discarded(tuple(done))

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            on_device, "Device", lambda memory, options: Device(memory, options, Reclaim(memory))
        )

    return patch


def patching(owner: object, name: str, function: Callable[..., object]) -> Patch:
    return lambda monkeypatch: monkeypatch.setattr(owner, name, function)


def outward(spans: Sequence[Span], size: int) -> list[Span]:
    ends = [(span.start // size * size, -(-span.end // size) * size) for span in spans]
    return [Span(start, end - start) for start, end in ends]


def aligned_by_order(self: Hinting, request: PfnRequest) -> None:
    for each in request.blocks:
        if each.order < self.context.options.hint_min_order:
            raise Refusal(Status.UNSUPPORTED)
        if each.order and each.pfn % each.order:
            raise Refusal(Status.MALFORMED)


def most_significant_first(self: Bitmap) -> list[int]:
    return [n for n in range(self.count) if self.octets[n // 8] >> (7 - n % 8) & 1]


def runs_from_the_other_end(self: Bitmap) -> tuple[list[int], list[int]]:
    found = most_significant_first(self)
    return found, [1] * len(found)


def unchecked_ram(self: Hinting, request: PfnRequest) -> list[Span]:
    named = (block(each.pfn, each.order) for each in request.blocks)
    return [span for span in named if self.context.memory.contains(span)]


@dataclass(frozen=True)
class Fault:
    file: str
    vectors: tuple[str, ...]
    patch: Patch


FAULTS = {
    "neighbour": Fault(
        "hint-request-pfn",
        ("one-page", "two-orders"),
        reclaiming(lambda span: Span(span.start, span.length + PAGE)),
    ),
    "address in 32 bits": Fault(
        "hint-request-pfn",
        ("above-4-gib",),
        reclaiming(lambda span: Span(span.start & 0xFFFFFFFF, span.length)),
    ),
    "inflate in 32 bits": Fault(
        "pfn-array",
        ("above-4-gib",),
        reclaiming(lambda span: Span(span.start & 0xFFFFFFFF, span.length)),
    ),
    "rounded outward": Fault(
        "reporting-chain",
        ("under-host-page", "two-halves-of-host-page", "inside-host-pages", "one-byte"),
        patching(context, "whole_pages", outward),
    ),
    "aligned by order": Fault(
        "hint-request-pfn",
        ("misaligned-multiple-of-order",),
        patching(Hinting, "_check_blocks", aligned_by_order),
    ),
    "bad blocks skipped": Fault(
        "hint-request-pfn",
        ("second-outside-ram", "after-ram", "crosses-end-of-ram"),
        patching(Hinting, "_named", unchecked_ram),
    ),
    "most significant bit first": Fault(
        "hint-request-bitmap",
        ("first-bit-of-8", "last-bit-of-8", "second-byte"),
        patching(Bitmap, "runs", runs_from_the_other_end),
    ),
    "poison forgotten": Fault(
        "hint-request-pfn",
        ("poisoned",),
        patching(Context, "keeps_poison", property(lambda _: False)),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_vectors_find(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    file = FORMATS[fault.file]
    fault.patch(monkeypatch)
    for vector in file["vectors"]:
        if vector["id"].partition(".")[2] in fault.vectors:
            assert any(
                on_device.device_problem(file, vector, setting) for setting in vector["device"]
            ), vector["id"]


def test_the_named_vectors_exist() -> None:
    for fault in FAULTS.values():
        there = {vector["id"] for vector in FORMATS[fault.file]["vectors"]}
        assert {f"{fault.file}.{name}" for name in fault.vectors} <= there
