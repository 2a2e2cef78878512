"""The requests that a guest has made and whose blocks have not all come back."""

from __future__ import annotations

from dataclasses import dataclass, field

from vhint.guest.driver import Request
from vhint.guest.memory import Block
from vhint.guest.request_life import RequestEvent, RequestState, advance


@dataclass(slots=True)
class HintRequest:
    """A request with its blocks, and where in its life it is.

    `exposed` says that the blocks are still in the free lists (blocking design); `accepted` holds
    those whose content may be gone, once there is an answer.
    """

    blocks: tuple[Block, ...]
    exposed: bool
    request: Request
    state: RequestState = RequestState.DRAFTED
    accepted: frozenset[Block] = frozenset()
    to_return: list[Block] = field(default_factory=list)

    def happen(self, event: RequestEvent) -> None:
        """Move along the table."""
        self.state = advance(self.state, event)

    @property
    def is_coming_back(self) -> bool:
        """Whether its blocks are the driver's and on their way to the allocator."""
        return self.state in (RequestState.USED_GOOD, RequestState.BY_RESET)
