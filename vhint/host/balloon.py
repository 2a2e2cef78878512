"""Inflate and deflate."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from vhint.host.context import Context, Handler
from vhint.ring import Chain
from vhint.spans import PAGE, Span
from vhint.wire import pfn_array
from vhint.wire.features import Feature
from vhint.wire.pfn_array import PfnArray

ENTRY_SIZE = len(pfn_array.build(PfnArray.of([0])))
"""Bytes of one PFN in an inflate or deflate request."""


class PartialPages:
    """Which 4 KiB pages of each larger host page are in the balloon.

    A host page goes only when all of it was given, and what was taken back no longer counts
    (vhint, The hinting virtqueue, rule 8).
    """

    def __init__(self, host_page: int) -> None:
        self._ratio = host_page // PAGE
        self._given: dict[int, int] = {}

    def give(self, pfns: Iterable[int]) -> list[Span]:
        """Note the pages; return the host pages that are complete now, and forget those."""
        full = (1 << self._ratio) - 1
        complete: list[Span] = []
        for pfn in pfns:
            page, part = divmod(pfn, self._ratio)
            given = self._given.pop(page, 0) | 1 << part
            if given == full:
                complete.append(Span(page * self._ratio * PAGE, self._ratio * PAGE))
            else:
                self._given[page] = given
        return complete

    def forget(self) -> None:
        """Note that the guest may have every page back."""
        self._given.clear()

    def take(self, pfns: Iterable[int]) -> None:
        """Note that the guest has these pages back."""
        for pfn in pfns:
            page, part = divmod(pfn, self._ratio)
            given = self._given.pop(page, 0) & ~(1 << part)
            if given:
                self._given[page] = given


def read_pfns(context: Context, chain: Chain) -> list[int]:
    """Return the PFNs of RAM that a chain names.

    What is not RAM is left out, and so is an incomplete last entry.  No more entries are read
    than RAM has pages: a valid array names no page twice.
    """
    size = ENTRY_SIZE
    pages = sum(region.length for region in context.memory.regions) // PAGE
    data = chain.read(context.memory, pages * size)
    entries = pfn_array.parse(data[: len(data) // size * size])
    return [pfn for pfn in entries if context.memory.contains(Span(pfn * PAGE, PAGE))]


class Inflate(Handler):
    """Takes pages into the balloon: they are the device's until they are deflated."""

    def __init__(self, context: Context, partial: PartialPages) -> None:
        super().__init__(context)
        self._partial = partial

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Discard what the chain names; nothing is written, so the used length is 0.

        Without MUST_TELL_HOST parts add up within one request only: the guest may use a page
        again as soon as its deflate request is available, which the device may not have seen
        yet (VIRTIO 1.4, Driver Requirements: Device Operation).
        """
        pfns = read_pfns(self.context, chain)
        yield
        # A host page whose last part arrives is discarded whole, so all of it must be RAM.
        self.context.discard(
            [span for span in self._partial.give(pfns) if self.context.memory.contains(span)]
        )
        if Feature.MUST_TELL_HOST not in self.context.accepted:
            self._partial.forget()
        yield
        return 0


class Deflate(Handler):
    """Lets the guest have pages back; touching them brings memory."""

    def __init__(self, context: Context, partial: PartialPages) -> None:
        super().__init__(context)
        self._partial = partial

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Forget that the pages were given."""
        pfns = read_pfns(self.context, chain)
        yield
        self._partial.take(pfns)
        return 0
