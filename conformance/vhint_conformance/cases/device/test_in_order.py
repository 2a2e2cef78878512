"""IN_ORDER: chains are used as they came, one by one or a batch by one used entry."""

from __future__ import annotations

import pytest

from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import case
from vhint_conformance.cases.laps import QUEUES, Laps, PackedLaps, SplitLaps
from vhint_conformance.verdict import Failed, NotApplicable, fail

SIZE = 16

LAPS = 5
"""How often a queue is filled: its indices pass its end, and wrap counters change."""

IN_ORDER = "ring.device.in-order"
COMPLETE = "ring.device.in-order-batch-complete"


@pytest.mark.parametrize("queue", QUEUES, ids=str)
@case(IN_ORDER, COMPLETE, id="ring.in-order", features=[Feature.IN_ORDER], buses=False)
def test_in_order(bench: Bench, queue: Queue) -> None:
    """With IN_ORDER chains are used in the order in which they became available."""
    feature = QUEUE_FEATURE[queue]
    wanted = DEFAULT | Features.of(Feature.IN_ORDER, *([feature] if feature else []))
    if feature is not None and feature not in bench.offered:
        raise NotApplicable(f"{feature.name} is not offered")
    bench.start(accept=wanted, without=[Feature.EVENT_IDX], queue_size=SIZE)
    kind = PackedLaps if bench.packed else SplitLaps
    laps = kind(bench, queue, IN_ORDER, indirect=False)
    for _ in range(LAPS):
        laps.send()
        bench.transport.wait(lambda: used_in_order(laps) == laps.count, bench.limits.patience)
        bench.transport.settle()
        done = used_in_order(laps)
        if done == laps.count:
            continue
        if all(laps.used_at(number) is None for number in range(laps.count)):
            bench.silent(queue)
        expected = "used entries that name each chain, or the last of each batch"
        raise _broken(laps, COMPLETE, expected, f"{done} of {laps.count} chains so named")


def used_in_order(laps: Laps) -> int:
    """Return how many chains of a lap are used; raise `Failed` if they are not in order.

    A used entry stands in the place of the first chain that it is for, and names the last.
    """
    places = {name: number for number, name in enumerate(laps.order)}
    done = 0
    while done < laps.count and (name := laps.used_at(done)) is not None:
        last = places.get(name, -1)
        # Whose entry stands for several leaves the places of the others as they are.
        among = [number for number in range(done, last + 1) if laps.used_at(number) is not None]
        if last < done or len(among) > 1 or last >= laps.passed():
            expected = f"chain {done} of the lap, or a batch that ends with the chain named"
            raise _broken(laps, IN_ORDER, expected, f"chain {last}" if last >= 0 else f"id {name}")
        done = last + 1
    return done


def _broken(laps: Laps, slug: str, expected: str, seen: str) -> Failed:
    where = f"{laps.queue} queue, after {laps.done} chains"
    return fail(slug, expected=expected, seen=seen, where=where)
