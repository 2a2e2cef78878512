"""Opening the driver bench for a case, and closing it with a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from vhint_conformance.case import Case
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.tracing import write_trace
from vhint_conformance.verdict import Failed, Inconclusive, NotApplicable, TargetDied, TargetError


@contextmanager
def open_driver_bench(
    target: DriverTarget, info: Case, seed: int, trace: Path | None
) -> Iterator[DriverBench]:
    """Yield a bench for a case; leaving the context judges what happened.

    Raises `Failed` with what the case found and what the monitors found, or `TargetError`.  The
    trace is written to the file `trace`.
    """
    bench = DriverBench(target, info, seed)
    try:
        try:
            yield bench
        except (Failed, Inconclusive, NotApplicable) as verdict:
            _add_monitors(bench, verdict)
        except TargetError as died:
            if found := bench.violations():  # why it died may well be what it did before
                raise Failed(found) from died
            if isinstance(died, TargetDied):
                died.stake = bench.stake
            raise
        else:
            bench.finish()
    finally:
        write_trace(bench.recorder, trace, bench.observations)
        bench.close()
        if remarks := target.take_remarks():
            bench.observations["retried"] = remarks


def _add_monitors(bench: DriverBench, verdict: Failed | Inconclusive | NotApplicable) -> NoReturn:
    """Raise the case's own verdict together with what the monitors say of the same trace."""
    own = verdict.violations if isinstance(verdict, Failed) else ()
    extra = [each for each in bench.violations() if each not in own]
    bench.note([*own, *extra])
    if extra:
        raise Failed([*own, *extra]) from verdict
    raise verdict
