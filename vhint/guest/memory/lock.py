"""A zone's lock, in a guest that is stepped: it can be held over steps, and then others wait."""

from __future__ import annotations


class WouldWaitError(Exception):
    """The step needs a lock that another actor holds: take it later."""


class ZoneLock:
    """Who holds a lock, and how often and for how many steps it was held.

    >>> lock = ZoneLock("zone NORMAL")
    >>> lock.take("worker0"); lock.free_for("cpu1"); lock.free_for("worker0")
    False
    True
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.holder: str | None = None
        self.acquisitions = 0
        self.held_steps = 0

    def free_for(self, actor: str) -> bool:
        """Whether an actor could take it, or has it."""
        return self.holder in (None, actor)

    def take(self, actor: str) -> None:
        """Take it; raise `WouldWaitError` if somebody else has it."""
        self.need(actor)
        if self.holder is None:
            self.holder = actor
            self.acquisitions += 1

    def release(self, actor: str) -> None:
        """Give it back; raise `ValueError` if the actor has not got it."""
        if self.holder != actor:
            raise ValueError(f"{actor} releases {self.name}, which {self.holder} holds")
        self.holder = None

    def need(self, actor: str) -> None:
        """Raise `WouldWaitError` unless `free_for` the actor."""
        if not self.free_for(actor):
            raise WouldWaitError(f"{actor} waits for {self.name}, which {self.holder} holds")

    def tick(self) -> None:
        """Count one step of the guest, if the lock is held."""
        self.held_steps += self.holder is not None
