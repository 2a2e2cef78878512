"""Page poison: what free pages read as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from vhint.guest import requests
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Status
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hint_drafts import (
    ACCEPTED,
    FORMATS,
    draft_of,
    entries,
    expect,
    fitting,
    hint,
    largest,
    lowest,
    nothing,
    patched,
)
from vhint_conformance.cases.hinting import acknowledge
from vhint_conformance.cases.tools import number, pfns
from vhint_conformance.variants import NO_RINGS
from vhint_conformance.verdict import NotApplicable

VALUE = 0xAAAAAAAA
VALUES = (VALUE, 0x12345678, 0x5A000000, 1)
"""What free pages may hold: the same byte throughout, a pattern of four, mostly zeros."""

LARGE = 9
"""An order at which devices may have another way: 2 MiB."""

NEEDS = [Feature.PAGE_POISON]


def poison(bench: Bench, blocks: Sequence[Span], value: int) -> None:
    """Fill blocks as a driver must before it reports them."""
    for block in blocks:
        bench.memory.write(block.start, value.to_bytes(4, "little") * (block.length // 4))


@case(
    "balloon.device.poison-config-present",
    "virtio.device.config-optional-when-offered",
    id="balloon.poison-config",
    features=NEEDS,
    rings=NO_RINGS,
)
def test_config_present(bench: Bench) -> None:
    """poison_val can be read before FEATURES_OK and is 0 at first."""
    found = number(bench, "poison_val")
    bench.require(
        found == 0,
        "balloon.device.poison-config-present",
        expected="poison_val 0 before the driver writes it",
        seen=f"{found:#x}",
    )


@case(
    "balloon.device.poison-config-writable",
    id="balloon.poison-readback",
    features=NEEDS,
    rings=NO_RINGS,
)
def test_readback(bench: Bench) -> None:
    """poison_val reads back as written."""
    bench.start(poison=VALUE)
    found = number(bench, "poison_val")
    bench.require(
        found == VALUE,
        "balloon.device.poison-config-writable",
        expected=f"poison_val {VALUE:#x}",
        seen=f"{found:#x}",
    )


@case(
    "reporting.device.poison-preserved",
    "reporting.device.use-every-buffer",
    id="reporting.poison-nonzero",
    features=[*NEEDS, Feature.PAGE_REPORTING],
)
def test_nonzero(bench: Bench) -> None:
    """Reported pages go on reading as a poison value that is not 0."""
    for value in VALUES:
        bench.start(poison=value)
        blocks = (*bench.blocks(3), *bench.blocks(1, order=3))
        if value == VALUES[-1]:
            blocks = (*blocks, *bench.blocks(1, order=LARGE))
        poison(bench, blocks, value)
        bench.exchange(requests.report(blocks), reuse=False)
        bench.transport.settle()
        for block in blocks:
            expect_poison(bench, block, value, "reporting.device.poison-preserved")
        bench.reset()


@case(
    "reporting.device.poison-preserved",
    "reporting.device.use-every-buffer",
    id="reporting.poison-zero",
    features=[*NEEDS, Feature.PAGE_REPORTING],
)
def test_zero(bench: Bench) -> None:
    """Reported pages read as zeros when the poison value is 0."""
    bench.start(poison=0)
    blocks = bench.blocks(4)
    poison(bench, blocks, 0)
    bench.exchange(requests.report(blocks), reuse=False)
    for block in blocks:
        bench.require(
            not any(bench.memory.peek(block)),
            "reporting.device.poison-preserved",
            expected="zeros",
            seen=bench.memory.peek(block)[:16].hex(),
            where=str(block),
        )


@case(
    "balloon.device.poison-cleared-by-reset",
    id="balloon.poison-reset",
    features=[*NEEDS, Feature.PAGE_REPORTING],
    capabilities=[Capability.HEARS_RESETS],
    rings=NO_RINGS,
)
def test_reset(bench: Bench) -> None:
    """poison_val is 0 again after a reset."""
    bench.start(poison=VALUE)
    bench.reset()
    found = number(bench, "poison_val")
    bench.require(
        found == 0,
        "balloon.device.poison-cleared-by-reset",
        expected="poison_val 0 after a reset",
        seen=f"{found:#x}",
    )


@case(
    "balloon.device.inflate-use-every-buffer",
    "balloon.device.inflate-containment",
    id="balloon.inflate-with-poison",
    features=NEEDS,
)
def test_inflate(bench: Bench) -> None:
    """Inflating goes on under a poison value: deflated pages are filled by the driver."""
    bench.start(poison=VALUE)
    numbers = pfns(bench, 8)
    bench.exchange(requests.inflate(numbers))
    bench.exchange(requests.deflate(numbers))
    bench.touch([Span(page * PAGE, PAGE) for page in numbers])


@pytest.mark.parametrize("form", FORMATS)
@case(
    "hint.device.poison-preserved",
    "hint.device.poison-inhibited",
    id="hint.poison-nonzero",
    features=[*NEEDS, Feature.HINTING],
)
def test_hint(bench: Bench, form: str) -> None:
    """Under a poison value accepted blocks read as it afterwards, or the answer is INHIBITED."""
    for value in VALUES:
        bench.start(poison=value)
        draft = draft_of(bench, form)
        poison(bench, draft.blocks, value)
        found = acknowledge(bench, bench.exchange(draft, reuse=False))
        bench.observations["status"] = found.status.name
        expect(bench, found, "hint.device.poison-inhibited", *ACCEPTED)
        bench.transport.settle()
        for block in draft.blocks:
            expect_poison(bench, block, value, "hint.device.poison-preserved")
        bench.reset()


def inhibit(bench: Bench, by: str) -> None:
    """Start the device where it cannot discard, or need not: for a poison, or its host's sake."""
    if by == "poison":
        if Feature.PAGE_POISON not in bench.offered:
            raise NotApplicable("PAGE_POISON is not offered")
        bench.start(poison=VALUE)
    else:
        bench.need(Capability.INHIBITS_ROUNDS)
        bench.control.inhibit(True)
        bench.start()


@pytest.mark.parametrize("by", ["poison", "host"])
@pytest.mark.parametrize("form", FORMATS)
@case("hint.device.count-zero-ok", id="hint.count-zero-inhibited", features=[Feature.HINTING])
def test_count_zero(bench: Bench, form: str, by: str) -> None:
    """A request for nothing is answered OK also where any other would be INHIBITED."""
    inhibit(bench, by)
    try:
        found = hint(bench, nothing(bench, form))
        expect(bench, found, "hint.device.count-zero-ok", Status.OK)
    finally:
        permit(bench, by)


@pytest.mark.parametrize("by", ["poison", "host"])
@pytest.mark.parametrize("form", FORMATS)
@case(
    "hint.device.refusal-before-inhibition",
    id="hint.refusal-inhibited",
    features=[Feature.HINTING],
)
def test_refusal_first(bench: Bench, form: str, by: str) -> None:
    """A request with a fault is refused for that, also where a sound one would be INHIBITED."""
    inhibit(bench, by)
    sound = draft_of(bench, form)
    if by == "poison":
        poison(bench, sound.blocks, VALUE)
    faults = {
        "flags": (patched(sound, 2, b"\1"), Status.MALFORMED),
        "length": (replace(sound, readable=sound.readable + b"\0"), Status.MALFORMED),
        "type": (patched(sound, 0, b"\7\0"), Status.UNSUPPORTED),
    }
    try:
        for fault, (draft, status) in faults.items():
            bench.observations["fault"] = fault
            found = acknowledge(bench, bench.exchange(draft, reuse=False))
            expect(bench, found, "hint.device.refusal-before-inhibition", status)
    finally:
        permit(bench, by)


def permit(bench: Bench, by: str) -> None:
    """Let the host tolerate discards again: the device may live on."""
    if by == "host":
        bench.control.inhibit(False)


@case(
    "hint.device.poison-preserved",
    "hint.device.poison-inhibited",
    id="hint.poison-orders",
    features=[*NEEDS, Feature.HINTING],
)
def test_orders(bench: Bench) -> None:
    """Blocks of several orders read as the poison value from their first word to their last."""
    allowed = (Status.OK, Status.PARTIAL, Status.INHIBITED)
    for value in VALUES:
        bench.start(poison=value)
        order = lowest(bench)
        blocks = (*bench.blocks(fitting(bench, 3), order), *bench.blocks(1, order + 2))
        blocks = blocks[-largest(bench) :]
        poison(bench, blocks, value)
        answer = bench.exchange(requests.hint_blocks(9, entries(blocks)), reuse=False)
        found = acknowledge(bench, answer)
        bench.observations["status"] = found.status.name
        bench.require(
            found.status in allowed,
            "hint.device.poison-inhibited",
            expected="OK, PARTIAL or INHIBITED",
            seen=found.status.name,
        )
        bench.transport.settle()
        for block in blocks:
            expect_poison(bench, block, value, "hint.device.poison-preserved")
        bench.reset()


def expect_poison(bench: Bench, block: Span, value: int, requirement: str) -> None:
    """Fail unless a block reads as a poison value from its first word to its last."""
    held = bench.memory.peek(block)
    wanted = value.to_bytes(4, "little") * (block.length // 4)
    wrong = next((at for at in range(0, block.length, 4) if held[at : at + 4] != wanted[:4]), 0)
    bench.require(
        held == wanted,
        requirement,
        expected=f"poison_val {value:#x} throughout",
        seen=held[wrong : wrong + 16].hex(),
        where=f"{block}, from byte {wrong} on",
    )
