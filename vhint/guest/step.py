"""A step of the guest: who does what."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """One thing that can happen next in the guest.

    `actor` is who does it ("cpu0", "worker1", "reporting", ...), `action` what, and `argument`
    says with which page, order or the like, where there is a choice.

    >>> print(Step("cpu0", "allocate", 3))
    cpu0: allocate 3
    """

    actor: str
    action: str
    argument: int = 0

    def __str__(self) -> str:
        argument = f" {self.argument}" if self.argument else ""
        return f"{self.actor}: {self.action}{argument}"
