"""The sample device in C, as it is and with planted faults; compiled once each and kept."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.peers import compiler

SOURCE = Path(__file__).parents[2] / "examples" / "hinting_device.c"
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@dataclass(frozen=True)
class Fault:
    """A fault that real devices had, as edits of the source; a case that finds it.

    `edits` are pairs of what stands in the source exactly once, and what takes its place.
    `requirement` is the one that is seen broken.
    """

    case: str
    requirement: str
    edits: tuple[tuple[str, str], ...]


FAULTS = {
    # Uses the buffer first, and discards a little later.
    "late-discard": Fault(
        "reporting.reuse-at-once",
        "reporting.device.no-effect-after-use",
        (
            (
                "if (walk(device, ring, &parts, &device->chain, head))\n"
                "\t\t\tlength = queues[index].serve(device);",
                "bool good = walk(device, ring, &parts, &device->chain, head);",
            ),
            (
                "store_release(&parts.used->idx, ++ring->next);",
                "store_release(&parts.used->idx, ++ring->next);\n"
                "\t\tsignal_fd(ring->call);\n\t\tusleep(20000);\n"
                "\t\tif (good)\n\t\t\tqueues[index].serve(device);",
            ),
        ),
    ),
    # Discards one page too many.
    "neighbour": Fault(
        "reporting.one-page",
        "reporting.device.containment",
        (("end = end / unit * unit;", "end = end / unit * unit + unit;"),),
    ),
    # Says that it wrote what it discarded.
    "wrong-length": Fault(
        "reporting.used-length",
        "reporting.device.used-length-zero",
        (
            (
                "discard(device, range_of(segment->address, segment->length));\n\t}\n\treturn 0;",
                "discard(device, range_of(segment->address, segment->length));\n\t}\n"
                "\treturn (uint32_t)span_size(span);",
            ),
        ),
    ),
    # Takes one chain for each kick.
    "one-chain": Fault(
        "ring.one-kick-for-many",
        "ring.device.drains-available",
        (
            ("uint32_t budget = ring->size;;", "uint32_t budget = 1;;"),
            ("\t\t\tring->pending = true;\n\t\t\tbreak;", "\t\t\tbreak;"),
        ),
    ),
    # Discards pages that must go on reading as poison.
    "ignores-poison": Fault(
        "reporting.poison-nonzero",
        "reporting.device.poison-preserved",
        (
            (
                "negotiated(device, F_PAGE_POISON) && device->config.poison_val != 0;",
                "negotiated(device, F_PAGE_POISON) && false;",
            ),
        ),
    ),
    # Checks that a hinted block begins in RAM, not that it ends there.
    "first-byte-only": Fault(
        "hint.refuse-outside-ram*",
        "hint.device.containment",
        (
            (
                "struct range range = pages_of(pfn, BIT(order));\n\t\tif (!is_ram(device, range))",
                "struct range range = pages_of(pfn, BIT(order));\n"
                "\t\tif (!region_of(device, range.first))",
            ),
        ),
    ),
    # Reads a hinting request again after it was validated, while it discards.
    "double-fetch": Fault(
        "hint.request-names-itself",
        "hint.device.copy-before-touch",
        (
            (
                "merge_ranges(device);\n\tdiscard_ranges(device);\n\n\tuint8_t *results",
                "for (uint32_t n = 0; type == HINT_PFN && n < count; n++) {\n"
                "\t\tspan_copy(device, request, sizeof(head), &device->body, body, FROM_GUEST);\n"
                "\t\tstruct hint_entry entry = device->body.entries[n];\n"
                "\t\tdiscard(device, pages_of(le64toh(entry.pfn),\n"
                "\t\t\t\t\t BIT(le32toh(entry.order) % 41)));\n\t}\n"
                "\tmerge_ranges(device);\n\n\tuint8_t *results",
            ),
        ),
    ),
    # Answers hinting requests without their cookie.
    "lost-cookie": Fault(
        "hint.sound-request*",
        "hint.device.cookie-echo",
        (("struct hint_ack ack = {htole64(cookie),", "struct hint_ack ack = {htole64(cookie & 0),"),),
    ),
    # Takes the bits of a bitmap from the most significant one on.
    "bits-reversed": Fault(
        "hint-bitmap.pattern*",
        "hint.device.containment",
        (("return bits[n / 8] >> (n % 8) & 1;", "return bits[n / 8] >> (7 - n % 8) & 1;"),),
    ),
    # Goes on with a ring after GET_VRING_BASE.
    "deaf-to-stop": Fault(
        "hint.back-end-stopped*",
        "hint.device.no-effect-after-backend-stop",
        (
            ("\tstop_ring(ring);\n\tmessage->payload", "\tmessage->payload"),
            ("ring->enabled = ring->pending =", "ring->enabled |= ring->pending ="),
        ),
    ),
    # Keeps 32 bits of an address.
    "short-address": Fault(
        "balloon.inflate-one-page",
        "balloon.device.inflate-containment",
        (
            (
                "add_range(device, pages_of(le32toh(pfns[i]), 1));",
                "add_range(device, pages_of(le32toh(pfns[i]) << 12 >> 12, 1));",
            ),
        ),
    ),
    # Punches the file where the guest's address says, not the region's.
    "forgets-offset": Fault(
        "reporting.one-page",
        "reporting.device.containment",
        (
            ("start = region->offset + (first -", "start = (first -"),
            ("end = region->offset + (last -", "end = (last -"),
        ),
    ),
    # Takes chains once a ring is kicked, enabled or not, of a device that is not started.
    "early-start": Fault(
        "ring.before-driver-ok",
        "ring.device.no-processing-before-driver-ok",
        (
            ("|| (device->status & (S_LIVE | S_NEEDS_RESET)) == S_LIVE;", "|| true;"),
            ("bool enabled = ring->enabled ||", "bool enabled = true ||"),
            ("(!ring->kicked && !speaks(device, P_STATUS))", "!ring->kicked"),
        ),
    ),
}
"""By name."""

WITHOUT_STATUS = (
    ("BIT(P_RESET_DEVICE) | BIT(P_STATUS))", "BIT(P_RESET_DEVICE))"),
    ("BIT(P_BACKEND_REQ) | ", ""),
)
"""What makes the sample one of the many back ends that know no device status."""


def edited(edits: tuple[tuple[str, str], ...]) -> str:
    """Return the sample's source with these edits."""
    text = SOURCE.read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) == 1, f"expected once in {SOURCE.name}: {old!r}"
        text = text.replace(old, new)
    return text


def compiled(
    folder: Path,
    name: str = "sound",
    edits: tuple[tuple[str, str], ...] = (),
    flags: tuple[str, ...] = (),
) -> Path:
    """Return the program with these edits."""
    made = folder / f"balloon-{name}"
    if made.exists():
        return made
    source = made.with_suffix(".c")
    source.write_text(edited(edits), encoding="utf-8")
    done = subprocess.run(
        [compiler(), *FLAGS, *flags, "-o", made, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


def faulty(folder: Path, name: str) -> Path:
    """Return the program with the fault of this name."""
    return compiled(folder, name, FAULTS[name].edits)


def command(program: Path) -> str:
    """Return what `--spawn` takes."""
    return f"{shlex.quote(str(program))} {{socket}} {{commands}}"
