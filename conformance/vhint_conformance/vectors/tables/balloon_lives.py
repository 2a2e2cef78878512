"""Histories of the balloon's standard queues, but for free page hinting."""

from __future__ import annotations

from vhint.spans import PAGE, Span, block
from vhint_conformance.vectors.model import HistoryFile
from vhint_conformance.vectors.steps import (
    Step,
    change,
    check,
    discard,
    driver_ok,
    end,
    labelled,
    needs_reset,
    negotiate,
    offer,
    reset,
    use,
    violating,
    write,
)
from vhint_conformance.vectors.tables import balloon
from vhint_conformance.vectors.tables.lives_common import POISONED, history

A, B = block(0x100, 4), block(0x180)
P, Q = block(0x100), block(0x101)


def report(request: str, *buffers: Span) -> Step:
    """Report free pages."""
    return offer(request, "reporting", blocks=buffers)


AFTER_USE = "reporting.device.no-effect-after-use"
REPORTING = HistoryFile(
    "life-reporting",
    "Reports of free pages from offer to return",
    "VIRTIO 1.4, 5.5.6.7 Free Page Reporting",
    (
        history(
            "served",
            "pages are reported, discarded, returned and used again",
            report("a", A, B),
            check(device_owns=[A, B], may_discard=[A, B], outstanding=["a"]),
            discard(A, B),
            use("a"),
            check(driver_owns=[A, B], must_not_discard=[A, B], outstanding=[]),
            write(A, B),
            slugs=("reporting.device.permission-until-use",),
        ),
        history(
            "nothing-discarded",
            "a report may be ignored",
            report("a", A),
            use("a"),
            slugs=("reporting.device.doing-nothing-conforms",),
        ),
        history(
            "late-discard",
            "the device discards after it has returned the page",
            report("a", A),
            use("a"),
            violating(discard(A), AFTER_USE),
            notes=("discard-then-acknowledge",),
        ),
        history(
            "late-discard-of-reused",
            "the page was written since",
            labelled("reported", report("a", A)),
            use("a"),
            write(P),
            violating(discard(P, not_before="reported"), AFTER_USE),
            discard(Q, not_before="reported"),
            notes=("discard-then-acknowledge", "no-false-alarm"),
        ),
        history(
            "reallocated-while-outstanding",
            "the driver uses a page that it has reported; the device is not to blame",
            report("a", A),
            write(P),
            check(device_owns=[A], may_discard=[A]),
            discard(P),
            use("a"),
            slugs=("reporting.driver.no-touch-until-use",),
            notes=("driver-breaks-rule",),
        ),
        history(
            "reported-again",
            "a page that came back is reported again",
            report("a", A),
            discard(A),
            use("a"),
            write(A),
            report("b", A),
            discard(A),
            use("b"),
        ),
        history(
            "neighbour",
            "the page after the report goes as well",
            report("a", P),
            violating(discard(P, Q), "reporting.device.containment"),
            use("a"),
            notes=("host-page",),
        ),
        history(
            "part-of-a-page",
            "a page of which only a part was reported",
            report("a", Span(P.start, PAGE + 0x800)),
            check(device_owns=[P], driver_owns=[Q]),
            discard(P),
            violating(discard(Q), "reporting.device.containment"),
            use("a"),
            slugs=("reporting.device.round-inward",),
            notes=("host-page",),
        ),
        history(
            "out-of-order",
            "the later report is returned first",
            report("a", A),
            report("b", B),
            use("b"),
            check(device_owns=[A], driver_owns=[B], outstanding=["a"]),
            use("a"),
        ),
        history(
            "used-twice",
            "a report is used a second time",
            report("a", A),
            use("a"),
            violating(use("a"), "ring.device.use-chain-once"),
            slugs=("reporting.device.use-once",),
        ),
        history(
            "never-used",
            "a report is never returned",
            report("a", A),
            violating(end(), "reporting.device.use-every-buffer"),
        ),
        history(
            "never-used-after-needs-reset",
            "a device that asks for a reset owes nothing",
            report("a", A),
            needs_reset(),
            notes=("no-false-alarm",),
        ),
        history(
            "length-over-buffers",
            "a used length of more than the buffers have",
            report("a", B),
            violating(use("a", 2 * PAGE), "ring.device.len-truthful"),
            notes=("used-length",),
        ),
        history(
            "discard-after-reset",
            "the device goes on with a report from before the reset",
            report("a", A),
            reset(),
            check(driver_owns=[A], outstanding=[]),
            violating(discard(A), "reporting.device.no-effect-after-reset"),
            notes=("state-over-reset",),
        ),
        history(
            "poison-discarded",
            "a discarded page does not read as poison_val",
            report("a", A),
            check(device_owns=[A], must_not_discard=[A]),
            violating(discard(A), "reporting.device.poison-preserved"),
            use("a"),
            start=POISONED,
            notes=("poison",),
        ),
        history(
            "poison-cleared-by-reset",
            "after a reset the old poison_val counts no more",
            reset(),
            negotiate((0, 1, 4, 5, 22, 23, 32), (5, 32)),
            driver_ok(),
            report("a", A),
            discard(A),
            use("a"),
            start=POISONED,
            slugs=("balloon.device.poison-cleared-by-reset",),
            notes=("poison", "state-over-reset"),
        ),
    ),
)

BALLOON = (0, 1, 2, 5, 32)
TELLS = (reset(), negotiate(BALLOON, (0, 32)), driver_ok())
SILENT = (reset(), negotiate(BALLOON, (32,)), driver_ok())


def give(request: str, *pages: Span) -> Step:
    """Inflate."""
    data = balloon.pfns([page.start // PAGE for page in pages]).data
    return offer(request, "inflate", data, blocks=pages)


def take(request: str, *pages: Span) -> Step:
    """Deflate."""
    return give(request, *pages) | {"queue": "deflate"}


AFTER_INFLATE = "balloon.device.no-effect-after-inflate-use"
AFTER_DEFLATE = "balloon.device.no-effect-after-deflate-use"
BALLOONS = HistoryFile(
    "life-balloon",
    "Pages that go into the balloon and come back",
    "VIRTIO 1.4, 5.5.6 Device Operation",
    (
        history(
            "tells-host",
            "with MUST_TELL_HOST pages stay the device's until their deflation is answered",
            give("a", P, Q),
            check(device_owns=[P, Q], outstanding=["a"]),
            discard(P),
            use("a"),
            check(device_owns=[P, Q], may_discard=[P, Q], outstanding=[]),
            discard(Q),
            take("b", P),
            check(device_owns=[P, Q], outstanding=["b"]),
            use("b"),
            check(driver_owns=[P], device_owns=[Q], must_not_discard=[P]),
            write(P),
            start=TELLS,
            slugs=("balloon.device.must-tell-host-permission",),
        ),
        history(
            "tells-host-late-discard",
            "a page is discarded after its deflation was answered",
            give("a", P),
            use("a"),
            take("b", P),
            use("b"),
            violating(discard(P), AFTER_DEFLATE),
            start=TELLS,
            notes=("discard-then-acknowledge",),
        ),
        history(
            "without-telling",
            "without MUST_TELL_HOST the device may act only until it uses the request",
            give("a", P),
            check(device_owns=[P]),
            discard(P),
            use("a"),
            check(driver_owns=[P], must_not_discard=[P]),
            write(P),
            start=SILENT,
            slugs=("balloon.device.inflate-permission",),
        ),
        history(
            "without-telling-late-discard",
            "without MUST_TELL_HOST, discarded after the use",
            give("a", P),
            use("a"),
            violating(discard(P), AFTER_INFLATE),
            start=SILENT,
            notes=("discard-then-acknowledge",),
        ),
        history(
            "without-telling-deflated",
            "without MUST_TELL_HOST the page is the driver's before it says so",
            give("a", P),
            use("a"),
            write(P),
            take("b", P),
            check(driver_owns=[P], outstanding=["b"]),
            use("b"),
            start=SILENT,
            slugs=("balloon.driver.may-reuse-before-deflate-use",),
        ),
        history(
            "sibling-discarded",
            "one page was inflated, the other part of the host page goes as well",
            give("a", P),
            violating(discard(Q), "balloon.device.inflate-containment"),
            use("a"),
            start=TELLS,
            notes=("host-page",),
        ),
        history(
            "sibling-after-deflation",
            "inflate, deflate, inflate the sibling: a full count that is not one",
            give("a", P),
            use("a"),
            take("b", P),
            use("b"),
            write(P),
            give("c", Q),
            violating(discard(P, Q), AFTER_DEFLATE),
            use("c"),
            start=TELLS,
            slugs=("balloon.device.partial-page-cleared-by-deflate",),
            notes=("partial-page",),
        ),
        history(
            "sibling-after-reset",
            "half a host page before a reset, the other half after it",
            give("a", P),
            use("a"),
            *TELLS,
            write(P),
            give("b", Q),
            violating(discard(P, Q), AFTER_INFLATE),
            use("b"),
            start=TELLS,
            slugs=("balloon.device.partial-page-cleared-by-reset",),
            notes=("partial-page", "state-over-reset"),
        ),
        history(
            "deflate-never-inflated",
            "a page that is not in the balloon is deflated, and goes",
            take("a", P),
            check(driver_owns=[P]),
            violating(discard(P), "balloon.device.deflate-outside-balloon"),
            use("a"),
            start=TELLS,
        ),
        history(
            "deflated-changed",
            "what was written to a deflated page changes",
            give("a", P),
            use("a"),
            take("b", P),
            use("b"),
            write(P),
            violating(change(Span(P.start, 8)), AFTER_DEFLATE),
            start=TELLS,
        ),
        history(
            "inflate-never-used",
            "an inflate request is never answered",
            give("a", P),
            violating(end(), "balloon.device.inflate-use-every-buffer"),
            start=TELLS,
        ),
        history(
            "deflate-never-used",
            "a deflate request is never answered",
            give("a", P),
            use("a"),
            take("b", P),
            violating(end(), "balloon.device.deflate-use-every-buffer"),
            start=TELLS,
        ),
        history(
            "stats-held",
            "the statistics buffer is held until new figures are wanted",
            offer("a", "stats", balloon.entries([(4, 4096)]).data),
            check(outstanding=["a"]),
            start=(reset(), negotiate(BALLOON, (1, 32)), driver_ok()),
            slugs=("balloon.driver.stats-answer-use",),
            notes=("no-false-alarm",),
        ),
        history(
            "stats-length",
            "a readable buffer is used with the length of what was read",
            offer("a", "stats", balloon.entries([(4, 4096)]).data),
            violating(use("a", 10), "ring.device.len-truthful"),
            start=(reset(), negotiate(BALLOON, (1, 32)), driver_ok()),
            slugs=("balloon.device.stats-used-length-zero",),
            notes=("used-length",),
        ),
    ),
)
