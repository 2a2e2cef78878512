"""What a host does with hinted pages: write them down for a migration, or discard them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from vhint.host.context import Context
from vhint.host.page_set import PageSet
from vhint.host.write_log import NothingKnown, WriteLog
from vhint.spans import Span, inward


class HintPolicy(ABC):
    """Takes hints while a round is running; `log` tells what the guest has written."""

    def __init__(self, log: WriteLog | None = None) -> None:
        self.log = log or NothingKnown()

    def begin(self, context: Context) -> None:  # noqa: ARG002
        """Count writes from here: a new id is about to be shown."""
        self.log.restart()

    @abstractmethod
    def accept(self, spans: Sequence[Span], context: Context) -> None:
        """Take ranges of RAM, in any alignment, that were hinted under the id that is shown."""

    def end(self) -> None:  # noqa: B027 - there may be nothing to forget
        """Forget every hint; called before DONE is shown and at a reset."""


class RecordHints(HintPolicy):
    """Writes hinted pages down, which touches nothing: a migration need not send them.

    This is what QEMU does.  A page that the guest wrote has to be sent whatever was hinted
    (`free-page-hint.device.skipped-page-resent-when-written`): use `skippable`, which leaves
    those out, or take from `hinted` what a dirty log of your own has.
    """

    def __init__(self, log: WriteLog | None = None) -> None:
        super().__init__(log)
        self._pages: PageSet | None = None

    @property
    def hinted(self) -> tuple[Span, ...]:
        """The whole host pages that were hinted (`free-page-hint.device.skip-covers-whole-pages`).

        A new round keeps of the last only what is known to be unwritten; DONE and reset clear it.
        """
        return self._pages.spans() if self._pages else ()

    @property
    def skippable(self) -> tuple[Span, ...]:
        """The hinted host pages of which no byte was written since their id was shown."""
        if self._pages is None:
            return ()
        with self.log.unwritten(self.hinted) as spans:
            whole = (inward(span, self._pages.page) for span in spans)
            return tuple(span for span in whole if span.length)

    def begin(self, context: Context) -> None:
        """Keep what is still unwritten: the log is about to forget the writes before."""
        kept = self.skippable
        if self._pages is None:
            self._pages = PageSet(context.memory.regions, context.options.host_page)
        self._pages.clear()
        self._pages.add(kept)
        super().begin(context)

    def accept(self, spans: Sequence[Span], context: Context) -> None:  # noqa: ARG002
        """Write the pages down."""
        if self._pages is not None:
            self._pages.add(spans)

    def end(self) -> None:
        """Forget them."""
        if self._pages is not None:
            self._pages.clear()


class DiscardHints(HintPolicy):
    """Discards hinted pages as they come, but none that the guest may have written.

    With no log it keeps everything.  That is the safe choice: Firecracker discards without one,
    and says itself that a page which the guest took back first loses its content.  It keeps
    pages also while PAGE_POISON is in use, as they would lose their pattern.
    """

    def accept(self, spans: Sequence[Span], context: Context) -> None:
        """Discard what is unwritten, while nobody can write it."""
        if context.keeps_poison:
            return
        with self.log.unwritten(spans) as untouched:
            context.discard(untouched)
