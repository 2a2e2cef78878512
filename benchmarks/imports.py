"""Measure what importing the codecs costs, beyond construct and numpy.

    python benchmarks/imports.py [--rounds N]

What is measured, and how, is in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

from rich.console import Console
from rich.table import Table

PROGRAM = """
import sys, time
import construct, numpy
begun = time.process_time()
import {module}
print(time.process_time() - begun)
"""
MODULES = (
    "vhint.wire",
    "vhint.wire.command",
    "vhint.wire.hint_request",
    "vhint.wire.hint_ack",
    "vhint.wire.statistics",
    "vhint.wire.vhost_user",
    "vhint.wire.history",
    "vhint.wire.formats",
)


def seconds(module: str) -> float:
    """The processor time of one import in a fresh process."""
    program = PROGRAM.format(module=module)
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return float(run.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    table = Table("module", "least ms", "median ms")
    for module in MODULES:
        taken = [1e3 * seconds(module) for _ in range(rounds)]
        table.add_row(module, f"{min(taken):.1f}", f"{statistics.median(taken):.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
