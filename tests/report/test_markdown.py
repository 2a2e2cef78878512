import re

import pytest

from tests.report.samples import (
    ALL,
    FAILED,
    FULL,
    HOSTILE,
    OTHER,
    SLUG,
    discarded_neighbour,
    hostile,
    outcome,
    report,
)
from vhint_conformance.report import formats, markdown
from vhint_conformance.report.markdown_text import code
from vhint_conformance.verdict import Verdict, Violation
from vhint_spec import registry

FENCE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)


def outside_code(text: str) -> str:
    """Return the text without code blocks and code spans, as CommonMark delimits them."""
    lines, fence = [], ""
    for line in text.splitlines():
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = line.removesuffix("sh")
        else:
            lines.append(line)
    assert not fence
    return FENCE.sub("", "\n".join(lines))


def test_one_report_has_its_verdict_figures_and_failures():
    text = markdown.dumps([FULL])
    head, *_ = text.splitlines()
    assert head == "## \N{CROSS MARK} vhint: `qemu` does not conform"
    assert "| reporting | 1 | 1 | 1 | 1 | 1 | 1 |" in text
    for part in (registry.load()[SLUG].text, "`page 0; page 1; page 2 and 6 more`", FAILED.repro):
        assert part in text
    assert "fault in the suite: boom" in text
    assert "it is known" in text
    assert "it was known" in text
    assert "**not run**: 1 cases" in text


def test_it_can_be_appended_to():
    text = markdown.dumps([FULL])
    assert text.startswith("## ")
    assert text.endswith("\n\n")
    assert text.count("<details>") == text.count("</details>")


def test_links_lead_to_the_site():
    text = markdown.dumps([FULL], "https://example.org/vhint")
    page = "https://example.org/vhint/requirements/reporting-device.html"
    assert f"[`{SLUG}`]({page}#reporting.device.containment)" in text


def test_several_reports_are_compared():
    good = report(ALL[0], target="linux")
    text = markdown.dumps([FULL, good])
    assert text.startswith("## vhint: 1 of 2 conform\n")
    assert "| `linux` | \N{WHITE HEAVY CHECK MARK} conforms |" in text
    assert "### `qemu`" in text
    assert "### `linux`" not in text


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (report(ALL[0]), "conforms"),
        (report(ALL[0], ALL[4]), "conforms"),
        (report(ALL[0], outcome(Verdict.INCONCLUSIVE)), "is not settled"),
        (report(), "is not settled"),
        (report(target_error="not installed"), "could not be judged"),
        (report(ALL[0], interrupted=True), "was interrupted"),
    ],
)
def test_the_heading_says_what_it_is(what, words):
    assert f"vhint: `qemu` {words}" in markdown.dumps([what]).splitlines()[0]


def test_there_is_a_bound_to_it():
    wide = tuple(Violation(SLUG, "x" * 5000, "y" * 5000, f"page {n}") for n in range(200))
    many = [outcome(Verdict.FAIL, f"case.{n}", violations=wide) for n in range(3000)]
    text = markdown.dumps([report(*many)] * 20)
    assert len(text.encode()) < 1 << 20
    assert "more failures" in text


def test_hostile_text_stays_in_its_place():
    text = formats.FORMATS["markdown"].dumps([hostile(), hostile()])
    assert "\x1b" not in text
    assert "\x00" not in text
    bare = outside_code(text)
    for word in ("<script", "<img", "@everyone", "](javascript"):
        assert word not in bare
    for line in text.splitlines():
        if line.startswith("|"):
            columns = len(re.findall(r"(?<!\\)\|", line))
            assert columns in (2 + len(Verdict), 3 + len(Verdict), 4)


@pytest.mark.parametrize(
    "text", ["", "`", "``", "a``b`", " x ", "a|b", "\n", HOSTILE, "\\`", "a\\"]
)
def test_a_code_span_ends_where_it_should(text):
    (span,) = FENCE.finditer(f"before {code(text)} after")
    assert span.group() == code(text)


def test_a_real_failure_reads():
    text = markdown.dumps([report(discarded_neighbour())])
    assert registry.load()["hint.device.containment"].text in text
    assert OTHER not in text
