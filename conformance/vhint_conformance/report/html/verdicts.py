"""How a verdict looks in the page: a class, a sign and a word, never a colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from vhint_conformance.report.progress import WORDS
from vhint_conformance.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Look:
    """The CSS class, the sign in a cell and the word."""

    css: str
    sign: str
    word: str


LOOKS: dict[Verdict, Look] = {
    verdict: Look(css, sign, WORDS[verdict][0])
    for verdict, css, sign in (
        (Verdict.FAIL, "f", "\N{BALLOT X}"),
        (Verdict.ERROR, "e", "!"),
        (Verdict.INCONCLUSIVE, "u", "?"),
        (Verdict.EXPECTED_FAIL, "x", "\N{WHITE CIRCLE}"),
        (Verdict.PASS, "p", "\N{CHECK MARK}"),
        (Verdict.NOT_APPLICABLE, "n", "\N{EN DASH}"),
    )
}
"""From what a reader has to see first to what least."""

ABSENT = Look("a", "\N{MIDDLE DOT}", "not run")
