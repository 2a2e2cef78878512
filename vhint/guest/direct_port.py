"""A port without rings: requests are values in lists, and whoever plays the device uses them.

For models and tests of profiles: no memory, every order of use, any answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from vhint.guest.driver import Answer, Request
from vhint.guest.port import Port
from vhint.guest.requests import Draft
from vhint.ring import QueueFullError, RingError
from vhint.ring.errors import Fault
from vhint.spans import Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue


class DirectPort(Port):
    """Queues of `size` descriptors each, for every queue whose feature is accepted.

    The device's side is `available` (what it may see), `use` and the dictionary `config`.
    """

    def __init__(self, features: Iterable[Feature], size: int = 64) -> None:
        self.wanted = Features.of(*features)
        self.accepted = Features(0)
        self.size = size
        self.config: dict[str, int] = {
            "num_pages": 0,
            "actual": 0,
            "free_page_hint_cmd_id": 0,
            "poison_val": 0,
            "hint_max_count": 1024,
            "hint_min_order": 0,
        }
        self.kicks: dict[Queue, int] = dict.fromkeys(Queue, 0)
        self.wants_kicks = True
        self.resets_at_once = True
        self.broken: Queue | None = None
        self._live = False
        self._resetting = False
        self._tickets = count()
        self._clear()

    def _clear(self) -> None:
        self.added: dict[Queue, list[Request]] = {queue: [] for queue in Queue}
        self.available: dict[Queue, list[Request]] = {queue: [] for queue in Queue}
        self.used: dict[Queue, list[Answer]] = {queue: [] for queue in Queue}

    # The device's side

    def use(self, request: Request, data: bytes = b"", length: int | None = None) -> None:
        """Use a request, in any order, having written `data`."""
        queue = request.draft.queue
        self.available[queue].remove(request)
        self.used[queue].append(Answer(request, len(data) if length is None else length, data))

    def finish_reset(self) -> None:
        """Show 0 in the device status."""
        self._resetting = False
        self._clear()

    # The guest's side

    def start(self) -> None:
        """Accept what is wanted."""
        self.accepted = self.wanted
        self._live = True

    def has(self, queue: Queue) -> bool:
        """Whether the device is live and has this queue."""
        feature = QUEUE_FEATURE[queue]
        return self._live and (feature is None or feature in self.accepted)

    def room(self, queue: Queue) -> int:
        """Return how many descriptors are free: one to a buffer."""
        held = (*self.added[queue], *self.available[queue], *(a.request for a in self.used[queue]))
        return self.size - sum(_descriptors(request.draft) for request in held)

    def add(self, draft: Draft) -> Request:
        """Put a request into its queue."""
        if _descriptors(draft) > self.room(draft.queue):
            raise QueueFullError(f"{draft.queue}: no room for {_descriptors(draft)} descriptors")
        ticket = next(self._tickets)
        writable = draft.blocks if draft.pages_are_buffers else (Span(0, draft.room),)
        request = Request(draft, ticket, ticket, (), writable, ())
        self.added[draft.queue].append(request)
        return request

    def publish(self, queue: Queue) -> bool:
        """Let the device see what was added."""
        self.available[queue] += self.added[queue]
        self.added[queue].clear()
        return self.wants_kicks

    def notify(self, queue: Queue) -> None:
        """Count the notification."""
        self.kicks[queue] += 1

    def collect(self, queue: Queue) -> Answer | None:
        """Take the next answer."""
        if self.broken is queue:
            raise RingError(Fault.USED_JUMP, f"the {queue} queue is broken")
        return self.used[queue].pop(0) if self.used[queue] else None

    def pending(self, queue: Queue) -> bool:
        """Whether an answer waits."""
        return self.broken is queue or bool(self.used[queue])

    def read_config(self, field: str) -> int:
        """Return a field of config space."""
        return self.config[field]

    def write_config(self, field: str, value: int) -> None:
        """Store a field of config space."""
        self.config[field] = value

    def begin_reset(self) -> None:
        """Ask the device to reset: it does at once, or when `finish_reset` is called."""
        self._live = False
        self.accepted = Features(0)
        self.broken = None
        self._resetting = True
        if self.resets_at_once:
            self.finish_reset()

    def reset_done(self) -> bool:
        """Whether the reset is complete."""
        return not self._resetting

    def needs_reset(self) -> bool:
        """Return False: a direct device says so by `broken`."""
        return False


def _descriptors(draft: Draft) -> int:
    buffers = len(draft.blocks) if draft.pages_are_buffers else bool(draft.room)
    return max(1, buffers + bool(draft.readable))
