"""Measure exhaustive exploration beside spin and a plain search in Python, on the same model.

    python benchmarks/explore.py [--rounds N]

Needs spin and a C compiler.  What is measured, and how, is in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.explore.models import plain_search
from tests.explore.spin import spin
from vhint_conformance.model.explore.catalogue import SYSTEMS
from vhint_conformance.model.explore.search import explore
from vhint_conformance.model.explore.systems.bounds import Bounds

PLAIN_LIMIT = 30_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    table = Table(
        "bounds",
        "states",
        "vhint/s",
        "reduced: states",
        "spin/s",
        "plain/s",
        "vhint / spin",
        "vhint / plain",
    )
    for bounds in (Bounds(pages=2), Bounds(pages=3), Bounds(pages=2, cpus=2, resets=0)):
        model = SYSTEMS["isolating"].make(bounds, True)
        ours, theirs, plain = [], [], []
        for _ in range(rounds):
            found = explore(model, reduce_symmetry=False)
            ours.append(found.rate)
            with tempfile.TemporaryDirectory() as folder:
                spun = spin(model, Path(folder))
            assert spun.states == found.states, "the two do not explore the same"
            theirs.append(spun.states / max(spun.seconds, 0.01))
            if found.states <= PLAIN_LIMIT:
                start = time.perf_counter()
                assert len(plain_search(model).states) == found.states
                plain.append(found.states / (time.perf_counter() - start))
        reduced = explore(model)
        rate, peer = statistics.median(ours), statistics.median(theirs)
        slow = statistics.median(plain) if plain else None
        table.add_row(
            f"pages {bounds.pages}, cpus {bounds.cpus}, resets {bounds.resets}",
            f"{found.states:,}",
            f"{rate:,.0f}",
            f"{reduced.states:,}",
            f"{peer:,.0f}",
            f"{slow:,.0f}" if slow else "-",
            f"{rate / peer:.2f}",
            f"{rate / slow:.0f}" if slow else "-",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
