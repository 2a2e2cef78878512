"""What the tests of harnesses share."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from vhint.guest import requests
from vhint.wire.queues import QueueMode
from vhint_conformance import runner
from vhint_conformance.bench import Bench
from vhint_conformance.case import Case
from vhint_conformance.cli.main import vhint_command
from vhint_conformance.report.model import Report
from vhint_conformance.runner import RunOptions
from vhint_conformance.targets import TargetSettings
from vhint_conformance.targets.stdio import StdioTarget, end_harnesses
from vhint_conformance.verdict import Failed

PROBE = Case("test.exchange", "Have one exchange", ())
WAYWARD = Path(__file__).with_name("wayward.py")


def wayward(fault: str, where: str = "reporting", *once: object) -> str:
    """Return the command of a harness with a fault."""
    return shlex.join([sys.executable, str(WAYWARD), fault, where, *map(str, once)])


def run(command: str, *select: str, within: float | None = None, validate: bool = False) -> Report:
    """Judge a harness, and let nothing of it stay."""
    settings = TargetSettings(validate=validate, answer_within=within)
    try:
        return runner.run(RunOptions(f"stdio:{command}", settings, select=select))
    finally:
        end_harnesses()


def exchange(command: str, *, within: float | None = None, validate: bool = False) -> Failed | None:
    """Report one page to the device of a harness, and return what was found wrong with it."""
    target = StdioTarget(command, TargetSettings(validate=validate, answer_within=within))
    try:
        with target.start() as session:
            bench = Bench(session, PROBE, 0, queue_mode=QueueMode.COMPACT_OFFERED)
            try:
                bench.start()
                bench.exchange(requests.report(bench.blocks(1)))
                bench.finish()
            except Failed as failed:
                return failed
            finally:
                bench.memory.close()
    finally:
        target.close()
    return None


def vhint(*arguments: str) -> Result:
    """Call the command."""
    return CliRunner().invoke(vhint_command, arguments, standalone_mode=False)


@contextmanager
def nothing_left() -> Iterator[None]:
    """Fail if there are more processes or descriptors afterwards than before."""
    end_harnesses()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    children = _children()
    yield
    end_harnesses()
    assert _children() <= children
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


def _children() -> set[str]:
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {line.strip() for line in found.stdout.splitlines() if not line.endswith(" ps")}
