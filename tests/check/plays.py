"""Recording traces of devices in this process: sound ones, and those with a fault."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from vhint.guest import Draft, requests
from vhint.spans import PAGE
from vhint.wire import command
from vhint.wire.bitmap import Bitmap
from vhint.wire.command import STOP, CommandId
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint_conformance import targets
from vhint_conformance.bench import DEFAULT, Bench, open_bench
from vhint_conformance.case import Case
from vhint_conformance.check.judge import judge
from vhint_conformance.check.result import Result
from vhint_conformance.verdict import Failed, Inconclusive, NotApplicable, TargetError
from vhint_spec import load


def reporting(bench: Bench) -> None:
    bench.start()
    for order in (0, 3):
        bench.exchange(requests.report(bench.blocks(2, order)))


def balloon(bench: Bench) -> None:
    bench.start()
    pfns = [span.start // PAGE for span in bench.blocks(5)]
    bench.exchange(requests.inflate(pfns))
    bench.exchange(requests.deflate(pfns[:3]))
    bench.touch(bench.blocks(1))
    bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns[:2]))


def hinting(bench: Bench) -> None:
    bench.start()
    blocks = bench.blocks(3, 2)
    bench.exchange(requests.hint_blocks(1, [(span.start // PAGE, 2) for span in blocks]))
    (area,) = bench.blocks(1, 5)
    bits = Bitmap.from_indices(8, [0, 3, 7])
    bench.exchange(requests.hint_bitmap(2, area.start // PAGE, 2, bits))
    bench.exchange(requests.hint_blocks(3, [(area.start // PAGE + 1, 1)]))


def outstanding(bench: Bench) -> None:
    bench.start()
    for cookie in range(1, 5):
        (block,) = bench.blocks(1, 1)
        bench.send(requests.hint_blocks(cookie, [(block.start // PAGE, 1)]))
    for _ in range(4):
        bench.answer(Queue.HINTING)
    bench.reset()
    bench.start()
    bench.exchange(requests.report(bench.blocks(1)))


def statistics(bench: Bench) -> None:
    bench.start()
    bench.send(requests.give_statistics([Statistic(StatisticTag.MEMFREE, 1 << 24)]))
    bench.transport.settle()
    bench.control.poll_statistics()
    bench.answer(Queue.STATS)


def free_page_hint(bench: Bench) -> None:
    bench.start(accept=DEFAULT | Features.of(Feature.FREE_PAGE_HINT))
    (block,) = bench.blocks(1, 3)
    bench.exchange(Draft(Queue.FREE_PAGE, command.build(CommandId(0x80000000))))
    bench.exchange(Draft(Queue.FREE_PAGE, blocks=(block,), pages_are_buffers=True))
    bench.exchange(Draft(Queue.FREE_PAGE, command.build(STOP)))


PLAYS: dict[str, Callable[[Bench], None]] = {
    play.__name__: play
    for play in (reporting, balloon, hinting, outstanding, statistics, free_page_hint)
}
FEATURES = {
    "reporting": (Feature.PAGE_REPORTING,),
    "hinting": (Feature.HINTING, Feature.HINTING_BITMAP),
    "outstanding": (Feature.HINTING, Feature.PAGE_REPORTING),
    "statistics": (Feature.STATS_VQ,),
    "free_page_hint": (Feature.FREE_PAGE_HINT,),
}


def record(target: str, play: str) -> bytes | None:
    """The trace of a play; None if the target has not what it needs."""
    info = Case(f"check.{play}", play, (), features=FEATURES.get(play, ()))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "trace.jsonl"
        try:
            with open_bench(targets.resolve(target), info, 0, file) as bench:
                PLAYS[play](bench)
        except NotApplicable:
            return None
        except (Failed, Inconclusive, TargetError):
            pass
        return file.read_bytes() if file.exists() else None


def traces(target: str) -> Iterator[tuple[str, bytes]]:
    """The traces of every play that the target can play."""
    for play in PLAYS:
        trace = record(target, play)
        if trace:
            yield play, trace


def judged(trace: bytes, **options: object) -> Result:
    return judge(io.BytesIO(trace), load(), **options)  # type: ignore[arg-type]
