"""What a Linux kernel says on its console when it finds its own memory or itself broken."""

from __future__ import annotations

import re

BROKEN = re.compile(
    r"\bBUG\b|kernel BUG|\bOops\b|Kernel panic|[Mm]emory corruption|[Cc]orrupted|corruption|"
    r"Bad page|bad page|general protection fault|Unable to handle|double fault|"
    r"invalid opcode|page_poison|Object already free|Redzone|segfault"
)
"""Words of a line that a sound kernel on sound memory never prints."""

NOT_OF_MEMORY = re.compile(r"soft lockup|hard LOCKUP|hung_task|workqueue lockup|rcu.*stall")
"""Words of lines that say only that the machine is slow, as one that is emulated may be."""

STAMP = re.compile(r"\[\s*\d+\.\d{6}\]\s*")
"""The time before a line; the first one may follow what the firmware has left on the console."""


def complaints_in(log: str) -> tuple[str, ...]:
    r"""Return the lines of a kernel's log that say that something in it is broken, without times.

    >>> complaints_in("[    1.500000] BUG: Bad page state in process sh  pfn:1c2f0\n")
    ('BUG: Bad page state in process sh  pfn:1c2f0',)
    >>> complaints_in("[   60.100000] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [dd:77]\n")
    ()
    """
    lines = (STAMP.split(line.strip())[-1] for line in log.splitlines())
    return tuple(line for line in lines if BROKEN.search(line) and not NOT_OF_MEMORY.search(line))
