"""Is the harness in order?  A few exchanges that anything can answer, before anything is judged."""

from vhint_conformance.smoke.checks import Found, smoke

__all__ = ["Found", "smoke"]
