"""Which pages a device may lose to a round of free page hints, and what became of them.

A hint has no answer: a page that was hinted is left out of a migration, or discarded, or neither.
So whoever plays the driver says which pages a device may lose and which it may not, and why; at
the end the pages are looked at where they are and, if the target shows it, where they were sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vhint.spans import PAGE, Span, intersect, inward, merge, subtract
from vhint.wire import command
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability
from vhint_conformance.cases.tools import number
from vhint_conformance.verdict import Failed, NotApplicable, Violation

FIELD = "free_page_hint_cmd_id"
STOP, DONE = command.STOP.value, command.DONE.value

PREFIX = "free-page-hint.device."
CONTAINMENT = f"{PREFIX}containment"
WRITTEN = f"{PREFIX}skipped-page-resent-when-written"
PUBLISHED = f"{PREFIX}publish-done"
RESERVED = f"{PREFIX}round-id-not-reserved"


def shown(bench: Bench) -> int:
    """Return the command id that config space shows."""
    return number(bench, FIELD)


class HintLedger:
    """The host's rounds on a bench, and a ledger of what may be lost in them.

    `hinted` are the pages that the device may lose, `owed` those that it may not although they
    were hinted, by the requirement that says so; `otherwise` is that of all other pages.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.id = STOP
        self.hinted: tuple[Span, ...] = ()
        self.owed: list[tuple[str, Span]] = []
        self.otherwise = CONTAINMENT

    # The host

    def begin(self) -> int:
        """Have the host ask for hints and return the new id that it shows.

        If it asks for none, as it may, the case is not applicable.
        """
        bench = self.bench
        under_way = shown(bench)
        bench.transport.take_interrupts()
        bench.memory.journal.clear()
        told = bench.control.start_round()
        bench.require(
            told is None or told not in (STOP, DONE),
            RESERVED,
            expected="a round's id of 2 or more",
            seen=str(told),
        )

        def asked() -> bool:
            return shown(bench) not in (STOP, DONE, *([under_way] if told is None else []))

        if not bench.transport.wait(asked, bench.limits.patience):
            raise NotApplicable(f"the device asks for no hints: it shows id {shown(bench):#x}")
        self.id = shown(bench)
        return self.id

    def finish(self) -> None:
        """Have the host be done with the hints, wait for DONE, and look what became of memory."""
        self.let_finish()
        self.expect_done(PUBLISHED)
        self.check()

    def let_finish(self) -> None:
        """Have the host be done with the hints."""
        bench = self.bench
        bench.transport.settle()
        bench.tell_written()
        bench.transport.take_interrupts()
        bench.control.finish_round()

    def expect_done(self, requirement: str) -> None:
        """Fail by that requirement unless DONE is shown, or comes to be."""
        bench = self.bench
        bench.require(
            bench.transport.wait(lambda: shown(bench) == DONE, bench.limits.patience),
            requirement,
            expected="DONE (1) in free_page_hint_cmd_id",
            seen=f"{shown(bench):#x}",
        )

    # The ledger

    def lend(self, spans: Iterable[Span]) -> None:
        """Note whole pages that may be lost from now on, until they are written."""
        bench = self.bench
        for span in spans:
            whole = inward(span, bench.limits.host_page)
            self.hinted = merge([*self.hinted, whole])
            bench.memory.hold(subtract([span], [whole]))

    def owe(self, requirement: str, spans: Iterable[Span]) -> None:
        """Note pages that must be kept although they were hinted, and are as they were written."""
        spans = tuple(spans)
        self.bench.memory.hold(spans)
        self.owed += [(requirement, span) for span in spans]
        self.hinted = subtract(self.hinted, spans)

    def keep(self, requirement: str, spans: Iterable[Span]) -> None:
        """Note hinted pages that from now on must be kept as they are, unless they are gone."""
        spans = subtract(spans, self.bench.memory.holes())
        self.bench.memory.adopt(spans)
        self.owe(requirement, spans)
        self.hinted = ()

    def write(self, spans: Sequence[Span], requirement: str = WRITTEN) -> None:
        """Use hinted pages: from now on they must be kept, by that requirement."""
        self.bench.touch(spans)
        self.owe(requirement, spans)

    def forgive(self, spans: Sequence[Span]) -> None:
        """Forget what was owed of pages that are hinted anew."""
        left = [(slug, part) for slug, span in self.owed for part in subtract([span], spans)]
        self.owed = left

    # The end

    def check(self) -> None:
        """Fail if a page was lost that the device had to keep, here or at the destination."""
        self.check_here()
        if Capability.SHOWS_DESTINATION in self.bench.session.capabilities:
            self._check_there()

    def check_here(self) -> None:
        """Fail if a page was lost where it is."""
        self.bench.transport.settle()
        self.bench.observe()
        memory = self.bench.memory
        holes = memory.holes()
        for requirement, span in self.owed:
            gone = intersect(holes, [span])
            kept = memory.peek(span) == memory.expected(span)
            self.bench.require(
                kept and not gone,
                requirement,
                expected="the page kept as the driver left it",
                seen="discarded" if gone else "changed",
                where=str(span),
            )

    def _check_there(self) -> None:
        bench = self.bench
        arrived = bench.control.arrived()
        missing = intersect(arrived.missing(), self.hinted)
        offered = sum(span.length for span in self.hinted) // PAGE
        skipped = sum(span.length for span in missing) // PAGE
        bench.effectiveness["offered_pages"] += offered
        bench.effectiveness["skipped_pages"] = skipped
        differing = arrived.differing(bench.memory, self._wishes_for_notifications())
        lost = subtract(differing, self.hinted)
        if not lost:
            return
        found: dict[str, list[Span]] = {}
        for requirement, span in self.owed:
            pages = Span(span.start // PAGE * PAGE, len(list(span.pages())) * PAGE)
            hit = intersect(lost, [pages])
            if hit:
                found.setdefault(requirement, []).extend(hit)
                lost = subtract(lost, hit)
        if lost:
            found[self.otherwise] = list(lost)
        raise Failed([_lost(slug, spans, arrived.missing()) for slug, spans in found.items()])

    def _wishes_for_notifications(self) -> list[Span]:
        """Return where the device says whether it wants notifications, which binds nobody."""
        used = [queue.layout.used_span for queue in self.bench.driver.negotiated.queues.values()]
        return [place for span in used for place in (Span(span.start, 2), Span(span.end - 2, 2))]


def _lost(requirement: str, spans: Sequence[Span], missing: Sequence[Span]) -> Violation:
    spans = merge(spans)
    never = intersect(spans, missing) == spans
    where = ", ".join(map(str, spans[:3])) + (", ..." if len(spans) > 3 else "")
    return Violation(
        requirement,
        "the page at the destination as it is at the source",
        "never sent" if never else "an older copy",
        where,
    )
