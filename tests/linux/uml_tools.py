"""What tests of the real Linux driver share."""

from __future__ import annotations

from tests.peers import missing
from vhint_conformance.targets.linux import uml


def need_uml() -> None:
    """Skip the test, or let it fail if peers are required, where User-Mode Linux is missing."""
    reason = uml.missing()
    if reason:
        missing(reason)
