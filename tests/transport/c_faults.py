"""Faults that real devices had, planted in the sample device in C.

`c_edits/NAME.diff` has the fault as hunks of a diff without line numbers, with an empty line
between them: lines that begin with `-` go, lines that begin with `+` come, others stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EDITS = Path(__file__).parent / "c_edits"


@dataclass(frozen=True)
class Fault:
    """What it does; a case that finds it, and the requirement that it is then seen to break."""

    what: str
    case: str
    requirement: str


FAULTS = {
    "late-discard": Fault(
        "Uses the buffer first, and discards a little later",
        "ring.race-large[reporting]",
        "reporting.device.no-effect-after-use",
    ),
    "late-at-once": Fault(
        "Uses the buffer first, and discards at once",
        "ring.race-large[reporting]",
        "reporting.device.no-effect-after-use",
    ),
    "neighbour": Fault(
        "Discards one page too many",
        "reporting.one-page",
        "reporting.device.containment",
    ),
    "wrong-length": Fault(
        "Says that it wrote what it discarded",
        "reporting.used-length",
        "reporting.device.used-length-zero",
    ),
    "one-chain": Fault(
        "Takes one chain for each kick",
        "ring.one-kick-for-many",
        "ring.device.drains-available",
    ),
    "ignores-poison": Fault(
        "Discards pages that must go on reading as poison",
        "reporting.poison-nonzero",
        "reporting.device.poison-preserved",
    ),
    "first-byte-only": Fault(
        "Checks that a hinted block begins in RAM, not that it ends there",
        "hint.refuse-outside-ram*",
        "hint.device.containment",
    ),
    "double-fetch": Fault(
        "Reads a hinting request again after it was validated, while it discards",
        "hint.request-names-itself",
        "hint.device.copy-before-touch",
    ),
    "lost-cookie": Fault(
        "Answers hinting requests without their cookie",
        "hint.sound-request*",
        "hint.device.cookie-echo",
    ),
    "bits-reversed": Fault(
        "Takes the bits of a bitmap from the most significant one on",
        "hint-bitmap.pattern*",
        "hint.device.containment",
    ),
    "deaf-to-stop": Fault(
        "Goes on with a ring after GET_VRING_BASE",
        "hint.back-end-stopped*",
        "hint.device.no-effect-after-backend-stop",
    ),
    "keeps-memory": Fault(
        "Goes on with memory that a later table has no more",
        "reporting.memory-removed*",
        "reporting.device.ram-only",
    ),
    "misses-memory": Fault(
        "Does not see memory that a later table adds",
        "hint.memory-added",
        "hint.device.no-refusal-without-cause",
    ),
    "short-address": Fault(
        "Keeps 32 bits of an address",
        "balloon.inflate-one-page",
        "balloon.device.pfn-address-width",
    ),
    "forgets-offset": Fault(
        "Punches the file where the guest's address says, not the region's",
        "reporting.one-page",
        "reporting.device.containment",
    ),
    "index-first": Fault(
        "Moves the used index on, and writes the entry then",
        "ring.race-order",
        "ring.device.id-before-idx",
    ),
    "over-the-end": Fault(
        "Goes on in the file where a region ends",
        "reporting.across-regions",
        "reporting.device.containment",
    ),
    "page-of-8k": Fault(
        "Takes a page number for one of pages of 8 KiB",
        "balloon.pfn-unit-low",
        "balloon.device.pfn-unit",
    ),
    "big-endian": Fault(
        "Takes page numbers for big-endian",
        "balloon.pfn-little-endian",
        "balloon.device.inflate-containment",
    ),
    "dies": Fault(
        "Gives itself up over a malformed chain",
        "ring.malformed-answered[loop]",
        "ring.device.malformed-loop-answered",
    ),
    "runs-on": Fault(
        "Looks at a malformed chain for ever",
        "ring.malformed-answered[loop]",
        "ring.device.malformed-loop-answered",
    ),
    "early-start": Fault(
        "Takes chains once a ring is kicked, enabled or not, of a device that is not started",
        "ring.before-driver-ok",
        "ring.device.no-processing-before-driver-ok",
    ),
}
"""By name."""

WITHOUT_STATUS = "without-status"
"""An edit that is no fault: it makes the sample one of the back ends that know no device status."""


def edited(source: str, name: str) -> str:
    """Return the source with every hunk applied; what a hunk replaces has to be there once."""
    for hunk in (EDITS / f"{name}.diff").read_text(encoding="utf-8").rstrip("\n").split("\n\n"):
        lines = hunk.split("\n")
        old = "\n".join(line[1:] for line in lines if not line.startswith("+"))
        new = "\n".join(line[1:] for line in lines if not line.startswith("-"))
        assert source.count(old) == 1, f"expected once in the source:\n{old}"
        source = source.replace(old, new)
    return source
