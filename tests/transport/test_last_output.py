"""What a program prints is heard to its end, and only the end is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

from vhint.transport.last_output import KEPT, LastOutput


def run(output: LastOutput, script: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=output.fd, stderr=output.fd
    ) as process:
        output.handed_over()
        assert process.wait(30) == 0


def test_the_end_of_much_output_is_kept_and_nothing_else() -> None:
    """A program that prints 64 MiB is not held up, and costs little."""
    tracemalloc.start()
    try:
        with LastOutput() as output:
            run(output, "import os\nfor _ in range(1024): os.write(1, b'x' * 65536)\nprint('bye')")
            assert output.text(4) == "bye"
            assert len(output.text()) == KEPT - 1  # less the line's end
            assert output.total == (64 << 20) + 4
        assert tracemalloc.get_traced_memory()[1] < 16 * KEPT
    finally:
        tracemalloc.stop()
    assert output.text(4) == "bye"  # also when nobody hears any more


def test_nothing_is_lost_between_the_last_word_and_the_end() -> None:
    for _ in range(10):
        with LastOutput() as output:
            run(output, "print('last words', end='')")
            assert output.text() == "last words"


def test_a_writer_that_lives_on_holds_nothing_up() -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    output = LastOutput()
    other = os.dup(output.fd)  # as a grandchild has it that nobody ended
    output.close()
    output.close()
    os.close(other)
    assert len([*Path("/proc/self/fd").iterdir()]) == before
