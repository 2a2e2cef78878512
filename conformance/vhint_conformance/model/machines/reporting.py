"""Free page reporting: isolate, report, discard, return, and leave alone what was reported."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from vhint.spans import block
from vhint.trace.events import Offered
from vhint.wire.features import Feature, Features
from vhint_conformance.model.machines.base import QUIET, GuestMachine
from vhint_conformance.model.setup import POISON, Setup
from vhint_conformance.model.world import World
from vhint_conformance.verdict import Violation


class ReportedPages(GuestMachine):
    """Reports of one or two blocks, by a worker that begins after a delay."""

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Draw one zone, and what is reported of it."""
        return st.builds(
            Setup,
            features=st.just(Features.of(Feature.PAGE_REPORTING)),
            host=st.sampled_from(["eager", "idle", "refusing", "reordering"]),
            max_order=st.integers(1, 3),
            orders=st.sampled_from([(0,), (0, 1), (2, 0)]),
            capacity=st.integers(1, 3),
            report_order=st.integers(0, 1),
            parked=st.sampled_from([0, 2]),
            poison=st.sampled_from([None, POISON]),
        )

    def at_rest(self, world: World) -> None:
        """See that everything settles, and that what is not touched is not reported again."""
        super().at_rest(world)
        if not world.setup.parked and not hasattr(world.guest, "missing"):
            self.refuse(self._reported_again(world))

    def _reported_again(self, world: World) -> list[Violation]:
        """Take one block out of a reported one and use another: only that one is news."""
        for _ in range(len(world.live)):
            world.free(0)
        self._until_quiet(world)
        setup = world.setup
        if world.allocate(0, 0) is None:
            return []
        used = world.allocate(0, setup.report_order)
        if used is None or not world.free(0):
            return []
        since = len(world.recorder.events)
        self._until_quiet(world)
        news = set(block(used, setup.report_order).pages())
        for event in world.recorder.events[since:]:
            for span in event.blocks if isinstance(event, Offered) else ():
                if news.isdisjoint(span.pages()):
                    slug = "reporting.driver.avoid-needless-access"
                    seen = "reported again though nobody touched it"
                    return [Violation(slug, "left alone once it is reported", seen, str(span))]
        return []

    def _until_quiet(self, world: World) -> None:
        quiet = 0
        while quiet < QUIET:
            before = world.offers()
            world.tick(world.setup.time_limit + 1)
            self._settle(world)
            quiet = quiet + 1 if world.offers() == before else 0

    @rule(steps=st.integers(1, 8))
    def exchange(self, steps: int) -> None:
        """Let blocks be reported, used within some steps, and one be allocated again."""
        self.running.tick(self.running.setup.time_limit + 1)
        self.running.kernel("reporting", 12)
        self.running.exchange("reporting", steps)

    @rule(by=st.sampled_from([11, 3]))
    def clock(self, by: int) -> None:
        """Time passes: a pass begins after its delay."""
        self.running.tick(by)
