"""What every device-facing half of a guest has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from vhint.guest.step import Step


class Half(Protocol):
    """One user of the device: hinting, reporting, rounds, balloon, statistics."""

    @property
    def wants_reset(self) -> bool:
        """Whether the device did what no sound one does, so that nothing is believed any more."""

    def started(self) -> None:
        """Take note that the device was initialised."""

    def reset_done(self) -> None:
        """Take back what the device had: a reset is complete."""

    def steps(self) -> Iterator[Step]:
        """Yield what can be done next."""

    def do(self, step: Step) -> None:
        """Do one of `steps`; raise `ValueError` for another."""

    def key(self) -> tuple[object, ...]:
        """Return the state as a value, for hashing and comparing."""
