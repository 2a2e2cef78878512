"""Free page reporting: the buffers are the pages."""

from __future__ import annotations

from collections.abc import Generator

from vhint.host.context import Handler
from vhint.ring import Chain


class Reporting(Handler):
    """Discards reported pages before it gives them back."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard the device-writable buffers, rounded inward; nothing is ever written.

        With PAGE_POISON the pages must go on reading as poison_val, which a discarded page does
        only if that is 0 (VIRTIO 1.4, Device Requirements: Free Page Reporting).
        """
        yield
        if not self.context.keeps_poison:
            self.context.discard(chain.writable)
        yield
        return 0
