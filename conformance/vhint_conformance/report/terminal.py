"""The report for people, printed when a run is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from vhint_conformance.exit_status import ExitStatus
from vhint_conformance.expectations import Expectation, complaint
from vhint_conformance.report import statement_section
from vhint_conformance.report.advice import ABOUT, HEADING, advice_in
from vhint_conformance.report.console import print_block, styled
from vhint_conformance.report.model import Outcome, Report
from vhint_conformance.report.progress import WORDS
from vhint_conformance.report.verbosity import Verbosity
from vhint_conformance.report.verdict_line import verdict_line
from vhint_conformance.report.violations import kinds
from vhint_conformance.tracing import NOT_WRITTEN
from vhint_conformance.verdict import Verdict, Violation
from vhint_spec import Requirement

MOST = 3
"""Kinds of violation of one requirement that are printed for one case."""


def print_report(
    console: Console,
    report: Report,
    registry: Mapping[str, Requirement],
    verbosity: Verbosity = Verbosity.NORMAL,
) -> None:
    """Print everything a person needs to know, the most important last.

    Quiet is what is wrong and the last line; verbose names every case that was not judged.
    """
    say = Printer(console, registry, verbosity)
    if verbosity is Verbosity.QUIET:
        say.unsettled(report.having(Verdict.INCONCLUSIVE, Verdict.ERROR))
        say.failures(report.having(Verdict.FAIL))
        say.out_of_date(report.out_of_date)
        say.too_much(report)
        say.end(report)
        return
    say.not_claimed(report)
    say.not_applicable(report.having(Verdict.NOT_APPLICABLE))
    say.expectations(report)
    say.unsettled(report.having(Verdict.INCONCLUSIVE, Verdict.ERROR))
    say.failures(report.having(Verdict.FAIL))
    say.out_of_date(report.out_of_date)
    say.statement(report)
    say.advice(report.outcomes)
    say.retried(report.outcomes)
    say.untraced(report.outcomes)
    say.figures(report.outcomes)
    say.run(report)
    if report.outcomes:
        say.table(report.outcomes)
    say.end(report)


class Printer:
    """The sections of the report."""

    def __init__(
        self,
        console: Console,
        registry: Mapping[str, Requirement],
        verbosity: Verbosity = Verbosity.NORMAL,
    ) -> None:
        self.console = console
        self.registry = registry
        self.verbosity = verbosity

    def statement(self, report: Report) -> None:
        """Print what the target was held to, and what of that it does not offer."""
        if report.statement:
            self._heading("Statement")
            self._print(labelled(*statement_section.claims(report)), 2)
        self.too_much(report)

    def too_much(self, report: Report) -> None:
        """Print what a statement claims and the target does not offer."""
        for line in report.claims_too_much:
            self._print(styled(f"claims too much: {line}", WORDS[Verdict.FAIL][1]), 2)

    def not_claimed(self, report: Report) -> None:
        """Print which cases a statement left out, by reason."""
        if report.not_claimed:
            self._heading("Not claimed")
            every = self.verbosity is Verbosity.VERBOSE
            self._print(labelled(*statement_section.not_claimed(report, every=every)), 2)

    def not_applicable(self, outcomes: Iterable[Outcome]) -> None:
        """Print how many cases did not apply, by reason."""
        outcomes = list(outcomes)
        reasons = Counter(outcome.message or "no reason given" for outcome in outcomes)
        if reasons:
            self._heading("Not applicable")
            grid = labelled()
            for reason, count in reasons.most_common():
                which = [o.id for o in outcomes if (o.message or "no reason given") == reason]
                named = f": {', '.join(which)}" if self.verbosity is Verbosity.VERBOSE else ""
                grid.add_row(styled(f"{count:>3}"), styled(f"{reason}{named}"))
            self._print(grid, 2)

    def expectations(self, report: Report) -> None:
        """Print every expectation that was applied, with what it excused."""
        if not report.expectations:
            return
        self._heading("Expected failures")
        for item in report.expectations:
            cases = [o.id for o in report.having(Verdict.EXPECTED_FAIL) if item in o.expectations]
            self._print(styled(item.slug, WORDS[Verdict.EXPECTED_FAIL][1]), 2)
            grid = labelled(
                ("reason", item.reason),
                ("cases", ", ".join(cases) or "none in this run"),
            )
            self._print(grid, 4)
            # Never broken into lines, so that it can be followed.
            link = Text.assemble(("    link    ", "dim"), styled(item.link))
            self.console.print(link, soft_wrap=True)
        sources = dict.fromkeys(item.source for item in report.expectations)
        self.console.print(styled(f"  from {', '.join(sources)}", "dim"), soft_wrap=True)

    def retried(self, outcomes: Iterable[Outcome]) -> None:
        """Print what had to be begun again, and why: nothing of that is hidden."""
        told = [
            (outcome.id, str(reason))
            for outcome in outcomes
            if isinstance(reasons := outcome.observations.get("retried"), list)
            for reason in reasons
        ]
        if told:
            self._heading("Tried again")
            grid = labelled(*told)
            self._print(grid, 2)

    def untraced(self, outcomes: Iterable[Outcome]) -> None:
        """Print why traces are missing, and of how many cases."""
        told = [str(o.observations[NOT_WRITTEN]) for o in outcomes if NOT_WRITTEN in o.observations]
        if told:
            self._heading("Traces not written")
            count = {why: f"{n} case{'s' * (n > 1)}" for why, n in Counter(told).items()}
            self._print(labelled(*count.items()), 2)

    def figures(self, outcomes: Iterable[Outcome]) -> None:
        """Print the figures that cases measured: what came back, and how soon."""
        for outcome in outcomes:
            figures = outcome.observations.get("figures")
            if isinstance(figures, dict):
                self._heading(f"Figures of {outcome.id}")
                self._print(labelled(*((key, str(value)) for key, value in figures.items())), 2)

    def unsettled(self, outcomes: Iterable[Outcome]) -> None:
        """Print the cases that came to no verdict; those with one reason together."""
        groups: dict[tuple[Verdict, str, str], list[Outcome]] = {}
        for outcome in outcomes:
            key = (outcome.verdict, outcome.message, outcome.hint)
            groups.setdefault(key, []).append(outcome)
        if groups:
            self._heading("Unsettled")
        for (_, message, hint), group in groups.items():
            self._case(group[0])
            others = ", ".join(outcome.id for outcome in group[1:])
            self._print(labelled(("why", message), ("hint", hint), ("also", others)), 4)
            self._rerun(group[0])

    def failures(self, outcomes: Iterable[Outcome]) -> None:
        """Print the violations of each failed case, requirement by requirement."""
        for position, outcome in enumerate(outcomes):
            if position == 0:
                self._heading("Failures")
            self._case(outcome)
            if not outcome.violations:
                self._print(styled(outcome.message), 4)
            for slug in dict.fromkeys(item.requirement for item in outcome.violations):
                self._requirement(
                    slug, [item for item in outcome.violations if item.requirement == slug]
                )
            self._rerun(outcome)

    def advice(self, outcomes: Iterable[Outcome]) -> None:
        """Print the recommendations that were not followed, each once."""
        found = advice_in(outcomes)
        if found:
            self._heading(HEADING)
            self._print(styled(ABOUT, "dim"), 2)
        for each in found:
            self._print(styled(each.requirement, "bold"), 2)
            rows = ("expected", each.first.expected), ("seen", each.first.seen)
            self._print(labelled(*rows, ("cases", each.named)), 4)

    def out_of_date(self, expectations: Iterable[Expectation]) -> None:
        """Print the expectations that nothing in the run bore out."""
        for position, item in enumerate(expectations):
            if position == 0:
                self._heading("Expectations out of date")
            self._print(styled(complaint(item)), 2)

    def run(self, report: Report) -> None:
        """Print what was judged, and how."""
        versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
        seed = f"seed {report.seed}" if report.outcomes else ""
        took = f"{report.duration_s:.1f} s" if report.outcomes else ""
        self.console.print()
        words = (f"target {report.target}", versions, seed, took)
        self._print(styled(" | ".join(word for word in words if word), "dim"), 0)

    def table(self, outcomes: Iterable[Outcome]) -> None:
        """Print the number of cases by profile and verdict."""
        counts = Counter((outcome.profile, outcome.verdict) for outcome in outcomes)
        totals = Counter(outcome.verdict for outcome in outcomes)
        columns = [v for v in Verdict if totals[v] or v in (Verdict.PASS, Verdict.FAIL)]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("profile", no_wrap=True)
        for verdict in columns:
            word, style = WORDS[verdict]
            table.add_column(word, justify="right", style=style, header_style=style)
        for profile in sorted({profile for profile, _ in counts}):
            cells = [str(counts[profile, verdict] or "-") for verdict in columns]
            table.add_row(styled(profile), *cells)
        table.add_row("all", *(str(totals[verdict]) for verdict in columns), style="bold")
        self.console.print()
        self._print(table, 0)

    def end(self, report: Report) -> None:
        """Print what all of it means."""
        text, style, hint = verdict_line(report)
        if self.verbosity is not Verbosity.QUIET or report.exit_status is not ExitStatus.CONFORMS:
            self.console.print()
        self._print(styled(text, style), 0)
        if hint:
            self._print(styled(hint), 2)

    def _case(self, outcome: Outcome) -> None:
        word, style = WORDS[outcome.verdict]
        title = Text.assemble((word, style), "  ", styled(outcome.id, "bold"))
        self._print(title, 2)
        if outcome.title:
            self._print(styled(outcome.title), 4)

    def _requirement(self, slug: str, violations: list[Violation]) -> None:
        known = self.registry.get(slug)
        level = f" ({known.level})" if known else ""
        self._print(Text.assemble(styled(slug, "bold"), level), 4)
        if known:
            self._print(labelled(("requires", known.text), ("source", known.source)), 6)
        found = kinds(violations)
        for kind in found[:MOST]:
            rows = ("where", kind.where), ("expected", kind.expected), ("seen", kind.seen)
            self._print(labelled(*rows), 6)
        left = sum(len(kind.places) for kind in found[MOST:])
        if left:
            self._print(styled(f"and {left} more (--json has them all)"), 6)

    def _rerun(self, outcome: Outcome) -> None:
        # Never broken into lines, so that it can be copied.
        if outcome.repro:
            self.console.print(styled(f"    {outcome.repro}", "italic"), soft_wrap=True)

    def _heading(self, text: str) -> None:
        self.console.print()
        self._print(styled(text, "bold underline"), 0)

    def _print(self, what: RenderableType, indent: int) -> None:
        print_block(self.console, what, indent)


def labelled(*rows: tuple[str, str]) -> Table:
    """Return labels beside wrapped texts; a row without a text is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for label, text in rows:
        if text:
            grid.add_row(label, styled(text))
    return grid
