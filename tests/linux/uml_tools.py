"""What tests of the real Linux driver share."""

from __future__ import annotations

import os

import pytest

from vhint_conformance.targets.linux import uml


def need_uml() -> None:
    """Skip the test, or let it fail if peers are required, where User-Mode Linux is missing."""
    reason = uml.missing()
    if reason:
        if os.environ.get("VHINT_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
