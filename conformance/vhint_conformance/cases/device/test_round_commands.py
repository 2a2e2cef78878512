"""Free page hinting: how a command id is read."""

from __future__ import annotations

from typing import Any

import pytest

from vhint.guest import Draft
from vhint.spans import intersect
from vhint.wire import command
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.bench import Bench, Fate
from vhint_conformance.case import Capability
from vhint_conformance.cases.rounds import NEEDS, PREFIX, ROUNDS, STOP, Round, round_case
from vhint_conformance.cases.tools import not_silent
from vhint_conformance.variants import ANY_RINGS
from vhint_conformance.verdict import NotApplicable

FRAGMENTED = f"{PREFIX}id-any-fragmentation"
LITTLE_ENDIAN = f"{PREFIX}id-little-endian"
BAD = f"{PREFIX}bad-command-answered"
STALE = f"{PREFIX}stale-id-ignored"


def made_use_of(bench: Bench, hints: Round, **placing: Any) -> bool:
    """Run a round whose id is sent as `placing` says; return whether its pages were made use of."""
    hints.command(hints.begin(), **placing)
    page = bench.limits.host_page
    blocks = [bench.area(page, page) for _ in range(4)]
    hints.hint(blocks)
    hints.command(STOP)
    hints.finish()
    gone = bench.memory.holes()
    if Capability.SHOWS_DESTINATION in bench.session.capabilities:
        gone += bench.control.arrived().missing()
    hints.hinted = ()
    return bool(intersect(gone, blocks))


@round_case(
    FRAGMENTED,
    id="free-page-hint.id-fragmented",
    rings=ANY_RINGS,
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_fragmented(bench: Bench) -> None:
    """An id in several descriptors is read as one in a single descriptor is."""
    hints = Round(bench)
    bench.need_entries(Queue.FREE_PAGE, command.SIZE)
    if not made_use_of(bench, hints):
        raise NotApplicable("the device makes no use of hints, whatever their id is like")
    indirect = Feature.INDIRECT_DESC in bench.driver.negotiated.accepted
    for pieces, table in (((1, 1, 1), False), ((1,), indirect)):
        bench.require(
            made_use_of(bench, hints, readable_pieces=pieces, indirect=table),
            FRAGMENTED,
            expected="the id understood, as in one piece, and pages made use of",
            seen="no use made of them",
            where=f"cut after {', '.join(map(str, pieces))}" + " in a table" * table,
        )


@round_case(FRAGMENTED, STALE, id="free-page-hint.wrong-id-fragmented", features=NEEDS,
      capabilities=ROUNDS)  # fmt: skip
def test_wrong_id_fragmented(bench: Bench) -> None:
    """An id in pieces of which only the first are right is not the id."""
    hints = Round(bench)
    number = hints.begin()
    hints.command(number ^ 0xFF000000, readable_pieces=(1, 2))
    hints.hint(bench.blocks(3), against=FRAGMENTED)
    hints.finish()


@round_case(LITTLE_ENDIAN, id="free-page-hint.id-byte-order", features=NEEDS, capabilities=ROUNDS)
def test_byte_order(bench: Bench) -> None:
    """An id whose bytes are the other way round is not the id."""
    hints = Round(bench)
    number = hints.begin()
    turned = number.to_bytes(command.SIZE, "big")
    if turned == number.to_bytes(command.SIZE, "little"):
        raise NotApplicable(f"the id {number:#x} is the same from both ends")
    hints.command(turned)
    hints.hint(bench.blocks(3), against=LITTLE_ENDIAN)
    hints.finish()


@round_case(BAD, id="free-page-hint.bad-command", features=NEEDS)
def test_bad_command(bench: Bench) -> None:
    """A command that is not 4 bytes is used or answered by DEVICE_NEEDS_RESET."""
    hints = Round(bench)
    fates: dict[str, str] = {}
    for size in (1, 2, 3, 5, 8, 4096):
        _send(bench, 0x80000001, size)
        fate = not_silent(bench, Queue.FREE_PAGE, BAD)
        fates[f"{size} bytes"] = fate
        if fate is Fate.USED:
            bench.answer(Queue.FREE_PAGE)
        else:
            bench.reset()
            hints.start()
    bench.observations["fate"] = fates


@pytest.mark.parametrize("size", [2, 8])
@round_case(
    f"{PREFIX}containment",
    "ring.device.recovers-by-reset",
    id="free-page-hint.bad-command-harmless",
    features=NEEDS,
    capabilities=ROUNDS,
)
def test_bad_command_harmless(bench: Bench, size: int) -> None:
    """After a command of a wrong size nothing is lost that is not hinted; a reset mends all."""
    hints = Round(bench)
    number = hints.begin()
    _send(bench, number, size)
    bench.observations["fate"] = bench.fate(Queue.FREE_PAGE)
    hints.let_finish()
    hints.check()
    bench.reset()
    hints.start()
    hints.command(STOP)


def _send(bench: Bench, number: int, size: int) -> None:
    """Make a command of so many bytes available, which begins as the id does."""
    data = number.to_bytes(command.SIZE, "little") + bytes(max(0, size - command.SIZE))
    (place,) = bench.driver.place(data[:size])
    head = bench.driver.rings[Queue.FREE_PAGE].add((place,), ())
    draft = Draft(Queue.FREE_PAGE, data[:size])
    bench.driver.note(draft, head, (place,), (), (place,), valid=False)
    bench.publish(Queue.FREE_PAGE)
