"""Small things that several cases of a pair need."""

from __future__ import annotations

from functools import partial

from vhint_conformance.case import Role, case

pair_case = partial(case, role=Role.PAIR)
"""`case`, for a driver and a device together."""

REPORTING = (
    "reporting.driver.never-report-in-use",
    "reporting.device.containment",
    "reporting.device.no-effect-after-use",
)
"""What may be broken if the guest loses content while it reports pages."""

BALLOON = (
    "balloon.driver.never-inflate-in-use",
    "balloon.device.inflate-containment",
    "balloon.device.no-effect-after-deflate-use",
)
"""What may be broken if the guest loses content while its balloon changes."""

SILENCE = ("balloon.driver.absent-queue-not-used", "balloon.device.unaccepted-queue-idle")
"""What may be broken if memory is discarded that nobody may have reported."""

HINTS = (
    "free-page-hint.driver.initialise-early-release",
    "free-page-hint.device.guest-write-wins",
    "free-page-hint.device.skipped-page-resent-when-written",
    "free-page-hint.device.containment",
)
"""What may be broken if a guest arrives without its content that was moved by means of hints."""
