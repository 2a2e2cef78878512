"""Running every mutant and every sound guest many times, and saying how often which was found.

`python -m vhint_conformance.model.campaign [--times N] [NAME...]` prints a table; the exit status
is 1 if a mutant was missed once or a sound guest was blamed once.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from vhint_conformance.model.machines import MACHINES, GuestMachine
from vhint_conformance.model.machines.base import factories
from vhint_conformance.model.reference_guest import ReferenceGuest
from vhint_conformance.model.run import Result, random_seed, run_machine
from vhint_conformance.mutants import MUTANTS, Mutant
from vhint_conformance.mutants.guest import GUEST_MUTANTS
from vhint_conformance.report.console import make_console, say, watched
from vhint_conformance.report.progress import time_left_bar

TIMES = 20

HUNTED = [name for name, mutant in GUEST_MUTANTS.items() if mutant.machine]
"""Guest mutants that a machine finds."""

DEVICE_MUTANTS = {name: mutant.machine for name, mutant in MUTANTS.items() if mutant.machine}
"""The machine that finds a device mutant, for those that have one."""


def broken_machine(name: str) -> type[GuestMachine]:
    """Return the machine that finds a mutant, with the mutant in its place."""
    if name in GUEST_MUTANTS:
        mutant = GUEST_MUTANTS[name]
        make = partial(ReferenceGuest, mutation=mutant.mutation)
        return factories(MACHINES[mutant.machine], make_guest=staticmethod(make))
    broken = MUTANTS[name]
    if not isinstance(broken, Mutant):
        raise TypeError(f"{name}: machines have no bus")
    make_device = staticmethod(broken.make_device)
    return factories(MACHINES[DEVICE_MUTANTS[name]], make_device=make_device)


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one subject in all of its runs."""

    name: str
    machine: str
    runs: int
    found: int
    examples: float
    seconds: float
    slugs: Counter[str]

    def __str__(self) -> str:
        slugs = ", ".join(f"{slug} {count}" for slug, count in self.slugs.most_common(2))
        rate = f"{self.found}/{self.runs}"
        return (
            f"{self.name:<32}{self.machine:<16}{rate:>7}{self.examples:>8.0f}"
            f"{self.seconds:>7.1f}  {slugs}"
        )


HEADER = f"{'subject':<32}{'machine':<16}{'found':>7}{'ex.':>8}{'s':>7}  requirement, how often"


def once(name: str, seed: int) -> tuple[Result, float]:
    """Run a mutant, or the sound guest on a machine, once."""
    begun = time.monotonic()
    machine = MACHINES[name] if name in MACHINES else broken_machine(name)
    result = run_machine(machine, seeded=seed, shrink=False)
    return result, time.monotonic() - begun


def campaign(names: Sequence[str], times: int, jobs: int) -> Iterator[Row]:
    """Yield a row for each subject, in the order in which they are named."""
    with ProcessPoolExecutor(jobs) as pool:
        runs = {
            name: [pool.submit(once, name, random_seed()) for _ in range(times)] for name in names
        }
        for name, futures in runs.items():
            done = [future.result() for future in futures]
            failed = [result for result, _ in done if not result.sound]
            yield Row(
                name,
                _machine_of(name),
                times,
                len(failed),
                sum(result.examples for result, _ in done) / times,
                sum(seconds for _, seconds in done) / times,
                Counter(r.violation.requirement if r.violation else r.error for r in failed),
            )


def _machine_of(name: str) -> str:
    if name in GUEST_MUTANTS:
        return GUEST_MUTANTS[name].machine
    return DEVICE_MUTANTS.get(name, name)


def main(say: Callable[[str], object] = say) -> int:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="mutants or machines; by default all")
    parser.add_argument("--times", type=int, default=TIMES, help="runs of each")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    known = [*HUNTED, *DEVICE_MUTANTS, *MACHINES]
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"not known: {', '.join(unknown)}; known: {', '.join(known)}")
    say(HEADER)
    wrong = []
    names = options.names or known
    console = make_console()
    with time_left_bar(console) as bar:
        tell = partial(console.print, soft_wrap=True) if watched(console) else say
        task = bar.add_task("", total=len(names))
        for row in campaign(names, options.times, options.jobs):
            bar.update(task, advance=1, description=row.name)
            tell(str(row))
            if row.found != (0 if row.name in MACHINES else row.runs):
                wrong.append(row.name)
    say(f"as it should be, but for: {', '.join(wrong)}" if wrong else "all as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
