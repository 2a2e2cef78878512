"""Memory statistics: the device holds the guest's buffer and uses it to ask for the next."""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar

from vhint.host.context import Context, Handler
from vhint.ring import Chain
from vhint.wire import statistics


class StatisticsQueue(Handler):
    """Reads each buffer when it arrives and holds it until the host asks for new figures."""

    MAX_BYTES: ClassVar[int] = 256 * statistics.ENTRY_SIZE

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.latest: dict[int, int] = {}
        self.held: Chain | None = None
        self.fresh = False

    def handle(self, chain: Chain) -> Generator[None, None, int | None]:
        """Take the figures over; unknown tags and any order are fine (VIRTIO 1.4, 5.5.6.3)."""
        data = chain.read(self.context.memory, self.MAX_BYTES)
        whole = len(data) // statistics.ENTRY_SIZE * statistics.ENTRY_SIZE
        yield
        self.latest = {int(entry.tag): entry.value for entry in statistics.parse(data[:whole])}
        self.fresh = True
        if self.held is not None:  # a driver must not do this; neither buffer may be lost
            return 0
        self.held = chain
        return None
