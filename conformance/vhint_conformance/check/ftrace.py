"""What the Linux kernel's ftrace prints: ``/sys/kernel/tracing/trace``.

virtio_balloon and page_reporting have no tracepoints of their own. The function tracer tells which
of their functions ran, ``kmem:mm_page_alloc`` and ``kmem:mm_page_free`` which pages changed hands,
and nothing ties the two together: no line says which pages a report names, nor when its buffer was
used. So such a trace is read, what it shows is counted, and the verdict is always undetermined.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from vhint_conformance.check.result import Doubt

LINE: Final = re.compile(
    r"\s*(?P<task>.+)-(?P<pid>\d+)\s+(?:\(\s*\S+\)\s+)?\[(?P<cpu>\d+)\]\s+(?:\S+\s+)?"
    r"(?P<time>\d+\.\d+):\s+(?P<what>\w+)"
)
"""A line of the function tracer, or of an event."""
FUNCTIONS: Final = {
    "fill_balloon": "inflate",
    "leak_balloon": "deflate",
    "tell_host": "requests on the inflate or deflate queue",
    "stats_handle_request": "statistics",
    "virtballoon_free_page_report": "reports of free pages",
    "page_reporting_process": "runs of the reporting worker",
    "report_free_page_func": "rounds of free page hints",
    "virtballoon_probe": "start of the driver",
    "virtballoon_remove": "end of the driver",
    "mm_page_alloc": "pages allocated",
    "mm_page_free": "pages freed",
}
"""Functions and tracepoints that say something about a balloon."""

DOUBT: Final = Doubt(
    "the kernel has no tracepoint in virtio_balloon or page_reporting: which pages a request "
    "names, and when its buffer is used, is not told"
)


@dataclass(slots=True)
class Ftrace:
    """A trace that is being read."""

    stream: BinaryIO
    doubts: list[Doubt] = field(default_factory=lambda: [DOUBT])
    problem: str = ""
    line: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def read(self) -> None:
        """Count what the trace shows; a line that is none of ftrace's ends the reading."""
        while raw := self.stream.readline(1 << 16):
            self.line += 1
            text = raw.decode("utf-8", "replace")
            match = LINE.match(text)
            if match is not None:
                if match["what"] in FUNCTIONS:
                    self.counts[FUNCTIONS[match["what"]]] += 1
            elif "LOST" in text and "EVENTS" in text:
                self.doubts.append(Doubt("the kernel lost events here", line=self.line))
            elif text.strip() and not text.startswith("#"):
                self.problem = f"line {self.line}: no line of ftrace: {text.strip()[:60]!r}"
                return
        shown = ", ".join(f"{count} {what}" for what, count in self.counts.items())
        self.doubts.append(Doubt(f"what it shows: {shown or 'nothing of a balloon'}"))
