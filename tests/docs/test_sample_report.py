"""The site's sample of a report, and the links from reports to the site."""

from vhint_conformance.report.runs import page_of
from vhint_conformance.verdict import Verdict
from vhint_docs import pages, sample_report
from vhint_docs.content import section
from vhint_spec import load


def test_the_sample_fails_where_its_device_is_wrong_and_only_there():
    found = {each.id: each for each in sample_report.sample().outcomes}
    assert {name for name, each in found.items() if each.verdict is Verdict.FAIL} == {
        "sample.hint-pfn",
        "sample.reporting",
    }
    for name, slug in sample_report.EXCHANGES.items():
        outcome = found[f"sample.{name}"]
        assert all(each.requirement == slug for each in outcome.violations)
        assert (outcome.evidence is not None) == (outcome.verdict is Verdict.FAIL)


def test_reports_link_to_pages_that_the_site_has():
    made = pages.pages()
    for slug, requirement in load().items():
        address = page_of("https://example.org/v", requirement)
        page, _, anchor = address.removeprefix("https://example.org/v/requirements/").partition("#")
        assert page.removesuffix(".html") in made
        assert [anchor] == section(slug, slug)["ids"]
