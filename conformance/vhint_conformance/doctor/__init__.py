"""What is there, what is not, and what to do about it: the findings behind `vhint doctor`."""

from vhint_conformance.doctor import machine, packages, targets
from vhint_conformance.doctor.finding import Finding, Health

__all__ = ["Finding", "Health", "examine"]


def examine() -> tuple[Finding, ...]:
    """Look at everything; starts no target."""
    return (*packages.findings(), *machine.findings(), *targets.findings())
