"""Histories of free page hinting: rounds that begin with an id and end with STOP.

What is judged is what happens to pages.  The id that the device shows is in config space, which no
step reads; so a discard under a stale id, or after DONE, is nothing that these histories can tell
from a sound one, and none of them has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from vhint.spans import Span, block
from vhint_conformance.vectors.model import HistoryFile
from vhint_conformance.vectors.steps import (
    Step,
    change,
    check,
    discard,
    driver_ok,
    end,
    labelled,
    negotiate,
    offer,
    reset,
    use,
    violating,
    write,
)
from vhint_conformance.vectors.tables import balloon
from vhint_conformance.vectors.tables.balloon_lives import BALLOON, TELLS, report
from vhint_conformance.vectors.tables.lives_common import history

A, B = block(0x100, 4), block(0x200, 4)
P, Q, LAST = block(0x100), block(0x101), block(0x10F)
AFTER_A = block(0x110)

HINTS = (reset(), negotiate((*BALLOON, 3), (3, 32)), driver_ok())
WITH_REPORTING = (reset(), negotiate((*BALLOON, 3), (3, 5, 32)), driver_ok())
WRITE_WINS = "free-page-hint.device.guest-write-wins"
RESET_ENDS = "free-page-hint.device.reset-ends-round"
CONTAINED = "free-page-hint.device.containment"


def command(request: str, value: int) -> Step:
    """Send a command id: STOP is 0."""
    return offer(request, "free_page", balloon.command_id(value).data)


def hint(request: str, *pages: Span) -> Step:
    """Supply pages."""
    return offer(request, "free_page", blocks=pages)


def begun(identity: int = 2, name: str = "id") -> Sequence[Step]:
    """Begin a round."""
    return (command(name, identity), use(name))


FILE = HistoryFile(
    "life-free-page-hint",
    "Rounds of free page hinting by command ids",
    "VIRTIO 1.4, 5.5.6.5 Free Page Hinting",
    (
        history(
            "round",
            "an id, pages, STOP",
            offer("id", "free_page", balloon.command_id(2).data),
            offer("pages", "free_page", blocks=[A]),
            offer("stop", "free_page", balloon.command_id(0).data),
            check(outstanding=["id", "pages", "stop"]),
            use("id"),
            use("pages"),
            use("stop"),
            check(outstanding=[]),
            start=HINTS,
        ),
        history(
            "held-until-done",
            "hinted pages may change until the driver writes to them, also after STOP",
            *begun(),
            hint("pages", A),
            check(device_owns=[A], may_discard=[A]),
            use("pages"),
            check(device_owns=[A], may_discard=[A], outstanding=[]),
            command("stop", 0),
            use("stop"),
            check(device_owns=[A], may_discard=[A]),
            discard(A),
            start=HINTS,
            slugs=("free-page-hint.device.permission-unless-written",),
            notes=("no-false-alarm",),
        ),
        history(
            "released-and-written",
            "after DONE the driver uses its pages again, and one goes",
            *begun(),
            hint("pages", A),
            use("pages"),
            command("stop", 0),
            use("stop"),
            write(A),
            check(driver_owns=[A], must_not_discard=[A]),
            violating(discard(P), WRITE_WINS),
            start=HINTS,
            slugs=("free-page-hint.device.no-effect-after-done",),
        ),
        history(
            "taken-back-before-use",
            "the driver takes a page back while the device has its buffer, which it may",
            *begun(),
            hint("pages", A),
            write(P),
            check(driver_owns=[P], device_owns=[Q, LAST], must_not_discard=[P], may_discard=[Q]),
            discard(Q),
            use("pages"),
            check(driver_owns=[P], device_owns=[Q]),
            violating(discard(P), WRITE_WINS),
            start=HINTS,
            slugs=("free-page-hint.device.discard-needs-write-detection",),
        ),
        history(
            "taken-back-after-use",
            "the driver takes a page back during the round; the rest stays the device's",
            *begun(),
            hint("pages", A),
            use("pages"),
            write(LAST),
            check(driver_owns=[LAST], device_owns=[P], must_not_discard=[LAST]),
            discard(P),
            violating(discard(LAST), WRITE_WINS),
            start=HINTS,
        ),
        history(
            "one-byte-taken-back",
            "a single byte was written: the whole page is the driver's",
            *begun(),
            hint("pages", A),
            write(Span(P.start + 7, 1)),
            check(driver_owns=[P], device_owns=[Q]),
            violating(discard(P), WRITE_WINS),
            use("pages"),
            start=HINTS,
        ),
        history(
            "taken-back-unseen-discard",
            "a discard that was seen late: before the write it would have done no harm that shows",
            *begun(),
            labelled("hinted", hint("pages", A)),
            use("pages"),
            write(P),
            violating(discard(P, not_before="hinted"), WRITE_WINS),
            discard(Q, not_before="hinted"),
            start=HINTS,
            notes=("no-false-alarm",),
        ),
        history(
            "taken-back-changed",
            "what the driver wrote to a page that it took back changes",
            *begun(),
            hint("pages", A),
            write(P),
            violating(change(Span(P.start, 8)), WRITE_WINS),
            use("pages"),
            start=HINTS,
        ),
        history(
            "hinted-again",
            "a page that was taken back and written is hinted in the next round",
            *begun(),
            hint("pages", A),
            use("pages"),
            write(A),
            command("stop", 0),
            use("stop"),
            *begun(3, "next"),
            hint("again", A),
            check(device_owns=[A], may_discard=[A]),
            discard(A),
            use("again"),
            start=HINTS,
        ),
        history(
            "then-reported",
            "a page that came back is reported: from now on the rules of reports hold",
            *begun(),
            hint("pages", A),
            use("pages"),
            report("report", P),
            check(device_owns=[P, Q]),
            use("report"),
            check(driver_owns=[P], device_owns=[Q], must_not_discard=[P]),
            violating(discard(P), "reporting.device.no-effect-after-use"),
            start=WITH_REPORTING,
        ),
        history(
            "stale-id",
            "the driver answers to an id that is no longer shown; its pages are used, and stay",
            command("id", 2),
            hint("pages", A),
            command("stop", 0),
            command("next", 3),
            hint("more", B),
            check(outstanding=["id", "more", "next", "pages", "stop"]),
            use("id"),
            use("pages"),
            use("stop"),
            use("next"),
            use("more"),
            start=HINTS,
            slugs=("free-page-hint.device.stale-id-ignored",),
            notes=("no-false-alarm",),
        ),
        history(
            "pages-before-id",
            "pages that belong to no round are used all the same, and stay",
            hint("pages", A),
            use("pages"),
            *begun(),
            start=HINTS,
            slugs=("free-page-hint.device.pages-before-id-ignored",),
            notes=("driver-breaks-rule",),
        ),
        history(
            "pages-after-stop",
            "pages after STOP are used all the same, and stay",
            *begun(),
            command("stop", 0),
            use("stop"),
            hint("pages", A),
            use("pages"),
            start=HINTS,
            slugs=("free-page-hint.device.pages-after-stop-ignored",),
            notes=("driver-breaks-rule",),
        ),
        history(
            "out-of-order",
            "the later buffer is used first",
            *begun(),
            hint("pages", A),
            hint("more", B),
            use("more"),
            check(device_owns=[A, B], outstanding=["pages"]),
            use("pages"),
            start=HINTS,
        ),
        history(
            "reset",
            "a reset ends the round: the pages are the driver's, and go",
            *begun(),
            hint("pages", A),
            use("pages"),
            hint("more", B),
            *HINTS,
            check(driver_owns=[A, B], must_not_discard=[A, B], outstanding=[]),
            violating(discard(P), RESET_ENDS),
            start=HINTS,
            notes=("state-over-reset",),
        ),
        history(
            "reset-then-hinted",
            "a page of the round before the reset is hinted again after it",
            *begun(),
            hint("pages", A),
            *HINTS,
            *begun(3, "next"),
            hint("again", P),
            check(device_owns=[P], driver_owns=[Q], may_discard=[P], must_not_discard=[Q]),
            discard(P),
            violating(discard(Q), RESET_ENDS),
            use("again"),
            start=HINTS,
            notes=("state-over-reset",),
        ),
        history(
            "neighbour",
            "the page after the hint goes as well",
            offer("id", "free_page", balloon.command_id(2).data),
            use("id"),
            offer("pages", "free_page", blocks=[P]),
            violating(discard(P, Q), "free-page-hint.device.containment"),
            use("pages"),
            start=HINTS,
            notes=("host-page",),
        ),
        history(
            "neighbour-after-use",
            "the page after the hint goes when the buffer is back",
            *begun(),
            hint("pages", A),
            use("pages"),
            violating(discard(AFTER_A), CONTAINED),
            start=HINTS,
            notes=("host-page",),
        ),
        history(
            "part-of-a-page",
            "a page of which only a part was hinted",
            *begun(),
            hint("pages", Span(P.start, P.length + 0x800)),
            check(device_owns=[P], driver_owns=[Q]),
            discard(P),
            violating(discard(Q), CONTAINED),
            use("pages"),
            start=HINTS,
            slugs=("free-page-hint.device.skip-covers-whole-pages",),
            notes=("host-page",),
        ),
        history(
            "never-used",
            "a buffer of pages is never returned",
            offer("id", "free_page", balloon.command_id(2).data),
            use("id"),
            offer("pages", "free_page", blocks=[A]),
            violating(end(), "free-page-hint.device.use-every-buffer"),
            start=HINTS,
        ),
        history(
            "stop-never-used",
            "STOP is never returned",
            *begun(),
            command("stop", 0),
            violating(end(), "free-page-hint.device.use-every-buffer"),
            start=HINTS,
        ),
        history(
            "used-twice",
            "a buffer of pages is used a second time",
            *begun(),
            hint("pages", A),
            use("pages"),
            violating(use("pages"), "ring.device.use-chain-once"),
            start=HINTS,
        ),
        history(
            "command-length",
            "a command is used with the length of what was read",
            command("id", 2),
            violating(use("id", 4), "ring.device.len-truthful"),
            start=HINTS,
            slugs=("free-page-hint.device.used-length-zero",),
            notes=("used-length",),
        ),
        history(
            "not-negotiated",
            "the device works on a queue whose feature was not accepted",
            offer("pages", "free_page", blocks=[A]),
            violating(use("pages"), "balloon.device.unaccepted-queue-idle"),
            start=TELLS,
        ),
    ),
)
