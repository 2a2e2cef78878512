"""What a driver knows of the host's rounds, and so which of its hints a device has to ignore."""

from __future__ import annotations

from dataclasses import dataclass, field

from vhint_conformance.cases.hint_ledger import PREFIX
from vhint_conformance.fuzz.moves import Word

BEFORE_ID = f"{PREFIX}pages-before-id-ignored"
STALE = f"{PREFIX}stale-id-ignored"
AFTER_STOP = f"{PREFIX}pages-after-stop-ignored"


@dataclass(slots=True)
class RoundBook:
    """The state of a round as both sides know it.

    `asked` is whether the host's round is under way, `known` whether it has ever begun one (so
    that there is an id to send), `wanted` whether it still wants hints.  `ignored` is by which
    requirement hints are to be ignored now; empty: they count.  `lent` are the units that the
    device may lose.
    """

    asked: bool = False
    known: bool = False
    wanted: bool = False
    ignored: str = BEFORE_ID
    lent: set[int] = field(default_factory=set)

    def begin(self) -> None:
        """Note that the host asks for hints, for the first time or anew."""
        self.ignored = BEFORE_ID if not self.asked else STALE
        self.asked = self.known = self.wanted = True

    def want_no_more(self) -> None:
        """Note that the host shows STOP."""
        self.wanted = False
        self.ignored = STALE

    def end(self) -> None:
        """Note that the host is done with the hints."""
        self.asked = self.wanted = False
        self.ignored = BEFORE_ID
        self.lent.clear()

    def restart(self) -> None:
        """Note that the device was reset: it forgets what was said, the host goes on."""
        self.ignored = BEFORE_ID
        self.lent.clear()

    def say(self, word: Word) -> None:
        """Note that the driver sends a command."""
        if word is Word.STOP:
            self.ignored = self.ignored or AFTER_STOP
        elif word is Word.SHOWN and self.wanted:
            self.ignored = ""
        else:
            self.ignored = STALE
