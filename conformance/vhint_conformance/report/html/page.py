"""Putting the page together from its template, style sheets and script.

Everything in a report is hostile text: the template escapes all of it, and the page's policy lets
no script run but the one that is part of it, known by its digest.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

import vhint
from vhint_conformance import drawing
from vhint_conformance.expectations import complaint
from vhint_conformance.report.advice import ABOUT, advice_in
from vhint_conformance.report.console import printable
from vhint_conformance.report.html import figures, matrix
from vhint_conformance.report.html.failures import failures
from vhint_conformance.report.html.statements import statements
from vhint_conformance.report.html.unsettled import not_applicable, unsettled
from vhint_conformance.report.html.verdicts import ABSENT, LOOKS
from vhint_conformance.report.model import Report
from vhint_conformance.report.runs import labels, page_of, requirements_in
from vhint_conformance.verdict import Verdict

HERE = Path(__file__).parent
WIDE = 8
"""Runs from which on the heads of the matrix's columns are turned."""
MOST_OPEN = 3
"""Failures up to which all are unfolded."""


def dumps(reports: Sequence[Report], site: str = "") -> str:
    """Return the page for these reports; `site` is where the requirements' pages are."""
    requirements = requirements_in(reports)
    names = labels(reports)
    failed = failures(reports, names, requirements, Verdict.FAIL, site)
    known = failures(reports, names, requirements, Verdict.EXPECTED_FAIL, site, first=failed.count)
    anchors = {**known.cases, **failed.cases}
    sections = {**known.requirements, **failed.requirements}
    script = _read("page.js")
    page = _environment().get_template("page.html.j2").render(
        runs=figures.runs(reports),
        looks=figures.looks(figures.columns(reports)),
        legend=[*LOOKS.values(), ABSENT],
        tables=figures.tables(reports),
        by_case=matrix.by_case(reports, anchors),
        by_requirement=matrix.by_requirement(reports, requirements, sections),
        failed=failed,
        known=known,
        unsettled=unsettled(reports, names),
        not_applicable=not_applicable(reports),
        out_of_date=[
            (name, complaint(item))
            for name, report in zip(names, reports, strict=True)
            for item in report.out_of_date
        ],
        statements=statements(reports, names),
        advice=[
            (name, each)
            for name, report in zip(names, reports, strict=True)
            for each in advice_in(report.outcomes)
        ],
        advice_about=ABOUT,
        page_of=functools.partial(page_of, site),
        site=site,
        wide=len(reports) >= WIDE,
        all_open=failed.count <= MOST_OPEN,
        version=vhint.__version__,
        style=Markup(drawing.STYLE.read_text(encoding="utf-8") + _read("page.css")),  # noqa: S704
        script=Markup(script),  # noqa: S704 - both are files of ours
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )  # fmt: skip
    return page + "\n"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["web_address"] = _is_web_address
    environment.filters["wbr"] = _breakable
    environment.filters["prose"] = _prose
    environment.filters["zip"] = zip
    return environment


def _visible(value: object) -> object:
    """Return a text with control characters made visible: HTML has no place for most of them."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _breakable(text: str) -> Markup:
    """Return a slug, escaped, with places where a line may be broken.

    >>> _breakable("a.b<c")
    Markup('a.<wbr>b&lt;c')
    """
    return Markup(str(escape(printable(text))).replace(".", ".<wbr>"))  # noqa: S704 - escaped before


def _prose(text: str) -> Markup:
    """Return a sentence of ours, escaped, with the names in it as code.

    >>> _prose("`actual` < 1")
    Markup('<code>actual</code> &lt; 1')
    """
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(printable(text)))))  # noqa: S704


def _is_web_address(text: str) -> bool:
    """Whether a text may be the target of a link: `javascript:` and the like must not."""
    return text.startswith(("https://", "http://"))


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
