"""Which function shows which quirk, and which quirks no bytes can show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Shown = tuple[str, str]
SHOWN: dict[Shown, Callable[[], None]] = {}

BEHAVIOUR: set[Shown] = {
    ("lal-hypercall", "blocking"),
    ("lal-v8", "abort"),
    ("lal-v8", "one-pop"),
    ("lal-v8", "no-inhibit"),
    ("lal-v8", "always-offered"),
    ("lal-v9", "ack-no-swap"),
    ("lal-v9", "abort"),
    ("lal-v9", "one-pop"),
    ("lal-v9", "no-lock"),
    ("lal-v9", "always-offered"),
    ("lal-v10", "freed-while-exposed"),
    ("lal-v10", "abort"),
    ("lal-v10", "one-pop"),
    ("lal-v10", "alignment"),
    ("lal-v10", "always-offered"),
    ("lal-v11", "one-pop"),
    ("lal-v11", "always-offered"),
    ("lal-v12", "no-block"),
    ("lal-v12", "lost-bit"),
    ("wang-chunks-v10", "shared-buffer"),
    ("wang-chunks-v11", "header-native"),
    ("wang-chunks-v11", "header-room"),
    ("li-bitmap-2016", "command-renamed"),
    ("li-packed-v5", "half-converted"),
    ("li-packed-v5", "ilp32-overlap"),
    ("mst-init-2026", "bit-moved"),
}
"""What the two sides did, or what the bytes alone do not show."""


def shows(profile: str, *quirks: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Mark a function as showing quirks of a profile."""

    def mark(function: Callable[[], None]) -> Callable[[], None]:
        for quirk in quirks:
            SHOWN[profile, quirk] = function
        return function

    return mark


def runs(module: str) -> Callable[..., None]:
    """Make the test that runs what a module has marked."""
    own = {shown: function for shown, function in SHOWN.items() if function.__module__ == module}

    @pytest.mark.parametrize("shown", own, ids=" ".join)
    def test_quirk(shown: Shown) -> None:
        own[shown]()

    return test_quirk
