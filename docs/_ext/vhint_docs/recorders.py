"""Traces of the main exchanges, recorded from the reference driver and device as they talk.

Each recorder plays one exchange on a bench with the reference device behind a loopback, exactly as
a conformance case does; the events are the real ones, and the bench's monitors judge them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vhint.guest import Answer, Draft, requests
from vhint.spans import PAGE, Span
from vhint.trace.events import Event
from vhint.transport.loopback import Loopback
from vhint.wire import command
from vhint.wire.bitmap import Bitmap
from vhint.wire.command import STOP, CommandId
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint_conformance.bench import DEFAULT, Bench, open_bench
from vhint_conformance.case import Case
from vhint_conformance.cases.hinting import acknowledge
from vhint_conformance.targets.reference import REFERENCES


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened in an exchange; `first` is where it begins, after the initialisation."""

    events: tuple[Event, ...]
    first: int


@contextmanager
def _bench(name: str) -> Iterator[Bench]:
    info = Case(f"docs.{name}", name, ())
    with open_bench(REFERENCES["reference"], info, seed=0, trace=None) as bench:
        yield bench


def initialisation(bench: Bench) -> int:
    """From reset to DRIVER_OK, with every queue set up."""
    bench.start()
    bench.status()
    return 0


def hint_pfn(bench: Bench) -> int:
    """Three blocks are hinted as (pfn, order) and come back."""
    begin = _begin(bench)
    blocks = [*bench.blocks(2, 2), *bench.blocks(1, 4)]
    orders = [2, 2, 4]
    pairs = [(span.start // PAGE, order) for span, order in zip(blocks, orders, strict=True)]
    answer = _exchange(bench, requests.hint_blocks(1, pairs))
    acknowledge(bench, answer)
    bench.touch(answer.request.draft.blocks)
    return begin


def hint_bitmap(bench: Bench) -> int:
    """Three of eight blocks of a range are hinted by a bitmap and come back."""
    begin = _begin(bench)
    (area,) = bench.blocks(1, 5)
    bits = Bitmap.from_indices(8, [0, 3, 7])
    answer = _exchange(bench, requests.hint_bitmap(2, area.start // PAGE, 2, bits))
    acknowledge(bench, answer)
    bench.touch(answer.request.draft.blocks)
    return begin


def hint_refusal(bench: Bench) -> int:
    """A block at a PFN that is no multiple of its size: refused, and nothing is touched."""
    begin = _begin(bench)
    (area,) = bench.blocks(1, 2)
    draft = requests.hint_blocks(3, [(area.start // PAGE + 1, 1)])
    acknowledge(bench, _exchange(bench, draft))
    return begin


def reporting(bench: Bench) -> int:
    """Two free blocks are reported, and written again once they are back."""
    begin = _begin(bench)
    blocks = bench.blocks(2, 9)
    _exchange(bench, requests.report(blocks))
    bench.touch(blocks)
    return begin


def inflate_deflate(bench: Bench) -> int:
    """Three pages go into the balloon and come out again."""
    begin = _begin(bench)
    pfns = [span.start // PAGE for span in bench.blocks(3)]
    _exchange(bench, requests.inflate(pfns))
    _exchange(bench, requests.deflate(pfns))
    bench.touch([Span(pfn * PAGE, PAGE) for pfn in pfns])
    return begin


def statistics(bench: Bench) -> int:
    """The device holds the statistics buffer until the host asks for new figures."""
    begin = _begin(bench)
    entries = [Statistic(StatisticTag.MEMFREE, 1 << 24), Statistic(StatisticTag.MEMTOT, 1 << 25)]
    bench.send(requests.give_statistics(entries))
    bench.transport.settle()
    bench.control.poll_statistics()
    bench.answer(Queue.STATS)
    bench.send(requests.give_statistics(entries))
    return begin


def free_page_hint(bench: Bench) -> int:
    """The host asks for a round; two blocks are hinted, and come back when the host is done."""
    bench.start(accept=DEFAULT | Features.of(Feature.FREE_PAGE_HINT))
    begin = len(bench.recorder.events)
    device = _loopback(bench).device
    number = device.start_round()
    if number is None:
        raise RuntimeError("the reference device starts no round")
    blocks = bench.blocks(2, 9)
    _exchange(bench, Draft(Queue.FREE_PAGE, command.build(CommandId(number))))
    for block in blocks:
        _exchange(bench, Draft(Queue.FREE_PAGE, blocks=(block,), pages_are_buffers=True))
    _exchange(bench, Draft(Queue.FREE_PAGE, command.build(STOP)))
    device.finish_round()
    bench.touch(blocks)
    return begin


def reset_with_outstanding(bench: Bench) -> int:
    """A request is outstanding when the driver resets the device; status 0 returns its blocks."""
    begin = _begin(bench)
    blocks = bench.blocks(2, 3)
    draft = requests.hint_blocks(4, [(span.start // PAGE, 3) for span in blocks])
    bench.send(draft, notify=False)
    bench.reset()
    bench.touch(blocks)
    return begin


def _begin(bench: Bench) -> int:
    bench.start()
    return len(bench.recorder.events)


def _exchange(bench: Bench, draft: Draft) -> Answer:
    """Send a request, look after every single step of the device, and return the answer.

    So a discard stands in the trace where it happened, not where somebody happened to look.
    """
    bench.send(draft)
    transport = _loopback(bench)
    while transport.step():
        bench.observe()
    return bench.answer(draft.queue, reuse=False)


def _loopback(bench: Bench) -> Loopback:
    assert isinstance(bench.transport, Loopback)  # noqa: S101 - the reference has no other
    return bench.transport


RECORDERS: dict[str, Callable[[Bench], int]] = {
    "initialisation": initialisation,
    "hint-pfn": hint_pfn,
    "hint-bitmap": hint_bitmap,
    "hint-refusal": hint_refusal,
    "reporting": reporting,
    "inflate-deflate": inflate_deflate,
    "statistics": statistics,
    "free-page-hint": free_page_hint,
    "reset-with-outstanding": reset_with_outstanding,
}
"""The exchanges by name; a recorder returns the place of its first event."""


def record(name: str) -> Trace:
    """Play an exchange and return its trace; raises `KeyError` for an unknown name."""
    play = RECORDERS[name]
    with _bench(name) as bench:
        first = play(bench)
        last = len(bench.recorder.events)
    # What comes after that is the bench's own look at everything when it closes.
    return Trace(tuple(bench.recorder.events[:last]), first)
