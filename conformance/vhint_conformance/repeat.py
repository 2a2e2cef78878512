"""Judge targets again and again, and say where two runs disagree: `make repeat`.

    python -m vhint_conformance.repeat --times 50 reference qemu

Each run is a command of its own, as a user would start it.  The exit status is 1 if any two runs of
a target gave different verdicts, or if not all of them were made.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

VHINT = (sys.executable, "-c", "from vhint_conformance.cli.main import main; main()")
Verdicts = Mapping[str, str]


def verdicts_of(report: Mapping[str, object]) -> Verdicts:
    """Return the verdict of every case of a JSON report, and the exit status under its own name."""
    cases = report["cases"]
    assert isinstance(cases, list)  # noqa: S101 - the schema says so
    return {case["id"]: case["verdict"] for case in cases} | {
        "exit status": str(report["exit_status"])
    }


def differences(runs: Sequence[Verdicts]) -> dict[str, Counter[str]]:
    """Return the verdicts, counted, of every case that the runs do not agree on.

    >>> differences([{"a": "pass"}, {"a": "fail"}, {"a": "pass"}])
    {'a': Counter({'pass': 2, 'fail': 1})}
    """
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for case in sorted({case for run in runs for case in run}):
        found[case].update(run.get(case, "not run") for run in runs)
    return {case: counted for case, counted in found.items() if len(counted) > 1}


def run(target: str) -> Verdicts:
    """Judge a target once; raise `click.ClickException` if there is no report."""
    with tempfile.TemporaryDirectory(prefix="vhint-") as folder:
        file = Path(folder) / "report.json"
        words = [*VHINT, "conform", target, "--json", str(file)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if not file.exists():
            raise click.ClickException(f"{target}: no report: {done.stderr.strip()[-500:]}")
        return verdicts_of(json.loads(file.read_text(encoding="utf-8")))


@contextlib.contextmanager
def _interrupts_heard() -> Iterator[None]:
    """Hear SIGINT, which a shell lets what it starts in the background ignore, and SIGTERM."""
    heard = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.default_int_handler) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command()
@click.argument("targets", nargs=-1, required=True)
@click.option("--times", type=click.IntRange(2), default=50, show_default=True)
def main(targets: tuple[str, ...], times: int) -> None:
    """Judge each of TARGETS so many times, taking turns, and compare; Ctrl-C ends it earlier."""
    runs: dict[str, list[Verdicts]] = {target: [] for target in targets}
    spent: dict[str, float] = dict.fromkeys(targets, 0.0)
    with contextlib.suppress(KeyboardInterrupt), _interrupts_heard():
        for number in range(1, times + 1):
            for target in targets:
                began = time.monotonic()
                runs[target].append(run(target))
                spent[target] += time.monotonic() - began
                if runs[target][-1] != runs[target][0]:
                    click.echo(f"{target}: run {number} differs from the first", err=True)
    disagree = [told(target, runs[target], spent[target]) for target in targets]
    sys.exit(any(disagree) or min(map(len, runs.values())) < times)


def told(target: str, runs: Sequence[Verdicts], seconds: float) -> bool:
    """Print what the runs of a target came to; return whether they disagree."""
    found = differences(runs)
    count = len(runs[0]) - 1 if runs else 0
    same = "differ" if found else "agree"
    click.echo(f"{target}: {len(runs)} runs of {count} cases {same}, {seconds:.0f} s")
    for case, counted in found.items():
        shown = ", ".join(f"{number} x {verdict}" for verdict, number in counted.items())
        click.echo(f"  {case}: {shown}")
    return bool(found)


if __name__ == "__main__":
    main()
