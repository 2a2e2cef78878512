"""Opening the pair bench for a case, and closing it with a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vhint_conformance.case import Case
from vhint_conformance.pair_bench.bench import PairBench
from vhint_conformance.targets.pair import PairTarget
from vhint_conformance.tracing import write_trace
from vhint_conformance.verdict import Failed, Inconclusive, NotApplicable, TargetError


@contextmanager
def open_pair_bench(target: PairTarget, info: Case, trace: Path | None) -> Iterator[PairBench]:
    """Yield a bench for a case; leaving the context judges what happened.

    Raises `Failed` with what the case found and what was found at its end, or `TargetError`.  A
    guest that has died of something that it complained of is a failure.  The trace is written to
    the file `trace`.
    """
    bench = PairBench(target, info)
    try:
        try:
            yield bench
            bench.finish()
        except NotApplicable:
            raise
        except (Failed, Inconclusive, TargetError) as verdict:
            own = verdict.violations if isinstance(verdict, Failed) else ()
            extra = [each for each in bench.violations() if each not in own]
            if extra:
                raise Failed([*own, *extra]) from verdict
            raise
    except (NotApplicable, Inconclusive):
        raise
    except BaseException:
        bench.spoil()
        raise
    finally:
        write_trace(bench.recorder, trace, bench.observations)
        bench.close()
        if remarks := target.take_remarks():
            bench.observations["retried"] = remarks
