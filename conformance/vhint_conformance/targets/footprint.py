"""What a target's process costs its host: memory of its own, and what it has printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of resident private memory, and bytes printed so far.

    Guest memory is shared with the suite, so it is not among them.
    """

    memory: int
    printed: int


def footprint_of(pid: int, printed: int) -> Footprint | None:
    """Return the footprint of a process; None if it is gone, or the kernel does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"^RssAnon:\s*(\d+) kB$", status, re.MULTILINE)
    return Footprint(int(found.group(1)) << 10, printed) if found else None
