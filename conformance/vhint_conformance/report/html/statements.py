"""What a page says of the conformance statements that targets were held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vhint_conformance.report import statement_section
from vhint_conformance.report.model import Report


@dataclass(frozen=True, slots=True)
class Stated:
    """The statement of one run: what it claims, what of that is too much, what it leaves out."""

    run: str
    claims: tuple[tuple[str, str], ...]
    too_much: tuple[str, ...]
    not_claimed: tuple[tuple[str, str], ...]


def statements(reports: Sequence[Report], names: Sequence[str]) -> list[Stated]:
    """Return the statements, for the runs that had one."""
    return [
        Stated(
            name,
            tuple(statement_section.claims(report)),
            report.claims_too_much,
            tuple(statement_section.not_claimed(report)) if report.not_claimed else (),
        )
        for name, report in zip(names, reports, strict=True)
        if report.statement
    ]
