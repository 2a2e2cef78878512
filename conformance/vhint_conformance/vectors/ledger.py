"""Who owns which page, by the README's few sentences alone: the checks of stateful vectors.

It shares nothing with the monitors, so that each holds the other to account.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vhint.spans import Span, inward
from vhint_conformance.vectors.model import Json
from vhint_conformance.vectors.values import spans_of

MUST_TELL_HOST = 0
IN_BALLOON = "(the balloon)"
HINTED = "(hinted)"


@dataclass(slots=True)
class Ledger:
    """The owners of every page that the device has: requests, the balloon, or a round of hints."""

    accepted: frozenset[int] = frozenset()
    poison: int = 0
    outstanding: dict[str, Json] = field(default_factory=dict)
    owners: dict[int, set[str]] = field(default_factory=dict)

    def take(self, step: Json) -> None:
        """Follow one step."""
        match step["step"]:
            case "reset":
                self.outstanding.clear()
                self.owners.clear()
                self.poison = 0
            case "negotiate":
                self.accepted = frozenset(step["accepted"])
            case "set-poison":
                self.poison = step["value"]
            case "write":
                self._take_back(pages_touched(spans_of(step["spans"])))
            case "offer":
                self.outstanding[step["request"]] = step
                if step["queue"] != "deflate":
                    self._offered(step)
            case "use":
                self._used(step["request"])

    def _offered(self, step: Json) -> None:
        named = list(pages(spans_of(step["blocks"])))
        self._take_back(named)  # whoever offers a hinted page anew has taken it back
        owner = HINTED if step["queue"] == "free_page" else step["request"]
        for page in named:
            self.owners.setdefault(page, set()).add(owner)

    def _take_back(self, touched: Iterable[int]) -> None:
        for page in touched:
            self.owners.get(page, set()).discard(HINTED)

    def _used(self, request: str) -> None:
        offer = self.outstanding.pop(request, None)
        if offer is None:
            return
        stays = offer["queue"] == "inflate" and MUST_TELL_HOST in self.accepted
        for page in pages(spans_of(offer["blocks"])):
            owners = self.owners.get(page, set())
            owners.discard(request)
            if offer["queue"] == "deflate":
                owners.clear()
            elif stays:
                owners.add(IN_BALLOON)

    def device_has(self, page: int) -> bool:
        """Whether the page is the device's."""
        return bool(self.owners.get(page))


def pages(spans: Iterable[Span]) -> Iterable[int]:
    """Yield every page of 4 KiB that is wholly inside one of the spans."""
    for span in spans:
        yield from inward(span, 4096).pages()


def pages_touched(spans: Iterable[Span]) -> Iterable[int]:
    """Yield every page of 4 KiB of which a part is inside one of the spans."""
    for span in spans:
        yield from span.pages()
