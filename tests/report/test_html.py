"""The page: sound HTML, hostile text harmless, and everything that a reader needs on it."""

import os
import re
import subprocess
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tinyhtml5.parser import HTMLParser

from tests import peers
from tests.report.samples import (
    ALL,
    FAILED,
    FULL,
    HOSTILE,
    KNOWN,
    SLUG,
    discarded_neighbour,
    hostile,
    outcome,
    report,
)
from vhint_conformance.report import formats
from vhint_conformance.report.html.matrix import judged
from vhint_conformance.verdict import Verdict, Violation
from vhint_spec import registry

HTML = formats.FORMATS["html"]
MANY = [
    report(
        *(
            outcome(Verdict.FAIL if (n + run) % 7 == 0 else Verdict.PASS, f"case.{n}",
                    violations=(Violation(SLUG, "a", f"b {n}"),) if (n + run) % 7 == 0 else ())
            for n in range(40)
        ),
        target=f"vmm-{run}",
    )
    for run in range(12)
]  # fmt: skip
REPORTS = {
    "full": [FULL],
    "empty": [report()],
    "not started": [report(target_error="no", target_hint="apt")],
    "hostile": [hostile()],
    "hostile twice": [hostile(), hostile()],
    "real": [report(discarded_neighbour())],
    "several": [FULL, report(ALL[0], target="linux"), report(FAILED, target="crosvm")],
    "many": MANY,
}


def page(name: str, site: str = "") -> str:
    return HTML.dumps(REPORTS[name], site)


def parsed(text: str) -> ET.Element:
    """Parse as a browser does; nothing in it may need mending."""
    parser = HTMLParser(namespace_html_elements=False)
    tree = parser.parse(text)
    assert parser.errors == []
    return tree


def words(element: ET.Element) -> str:
    return re.sub(r"\s+", " ", "".join(element.itertext()))


@pytest.fixture(scope="module")
def trees():
    return {name: parsed(page(name, "https://example.org/vhint")) for name in REPORTS}


@pytest.mark.parametrize("name", REPORTS)
def test_it_is_one_file_of_sound_html(trees, name):
    tree = trees[name]
    for element in tree.iter():
        for attribute, value in element.attrib.items():
            assert not attribute.lower().startswith("on")
            assert attribute not in ("src", "srcset", "background", "ping", "formaction")
            if attribute == "href":
                assert value.startswith(("#", "https://example.org/"))
    assert len(list(tree.iter("script"))) == 1
    assert not list(tree.iter("link"))
    assert not list(tree.iter("img"))
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    inner = {element.get("href") for element in tree.iter("a")}
    assert {href[1:] for href in inner if href.startswith("#")} <= set(ids)


@pytest.mark.parametrize("name", REPORTS)
def test_its_structure_can_be_heard(trees, name):
    tree = trees[name]
    assert tree.get("lang") == "en"
    assert len(list(tree.iter("main"))) == 1
    assert len(list(tree.iter("h1"))) == 1
    levels = [int(each.tag[1]) for each in tree.iter() if re.fullmatch("h[1-6]", str(each.tag))]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for head in tree.iter("th"):
        assert head.get("scope")
    for field in tree.iter("input"):
        assert any(field in list(label.iter()) for label in tree.iter("label"))
    for drawing in tree.iter("{http://www.w3.org/2000/svg}svg"):
        assert drawing.get("role") == "img"
        assert drawing.get("aria-labelledby")


@pytest.mark.parametrize("name", ["hostile", "hostile twice"])
def test_hostile_text_is_text(trees, name):
    tree = trees[name]
    shown = words(tree.find("body/main"))
    for part in ("</script><script>document.title='pwned'", "<img src=x onerror=", "{{ 7*7 }}"):
        assert part in shown
    assert "{{ 7*7 }}" in words(tree.find("head/title")) or name == "hostile twice"
    assert not [element for element in tree.iter() if element.tag in ("iframe", "object", "base")]


def test_a_failure_says_all_about_itself(trees):
    shown = words(trees["full"])
    known = registry.load()[SLUG]
    for part in (SLUG, known.level, known.text, known.rationale, known.source, "the page lost"):
        assert part in shown
    assert FAILED.repro in shown
    assert "page 0; page 1; page 2 and 6 more" in shown
    addresses = {element.get("href") for element in trees["full"].iter("a")}
    assert (
        "https://example.org/vhint/requirements/reporting-device.html#reporting.device.containment"
        in addresses
    )
    assert KNOWN.link in addresses


def test_a_real_failure_is_drawn_and_its_bytes_are_told(trees):
    tree = trees["real"]
    titles = [words(each) for each in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert "The exchange in hint.sample" in titles
    assert "Whose the pages are in hint.sample" in titles
    told = [words(row) for table in tree.iter("table") if table.get("class") == "bytes"
            for row in table.iter("tr")]  # fmt: skip
    assert "001 00type1 PFN" in told
    assert any("cookie" in row and str(0x1122) in row for row in told)
    assert any("status0 OK" in row for row in told)


def test_what_could_not_be_judged_is_shown_too():
    stuck = replace(discarded_neighbour(), verdict=Verdict.INCONCLUSIVE, violations=())
    tree = parsed(HTML.dumps([report(stuck)]))
    titles = [words(each) for each in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert "The exchange in hint.sample" in titles


def test_no_verdict_is_told_by_colour_alone(trees):
    for name in ("full", "several"):
        for cell in trees[name].iter("td"):
            if cell.get("class") in tuple("feuxpna"):
                assert words(cell).strip()


def test_a_matrix_has_a_cell_for_each_case_and_run(trees):
    table = next(each for each in trees["many"].iter("table") if "matrix" in each.get("class"))
    rows = [row for row in table.iter("tr") if row.get("data-v")]
    assert len(rows) == 40
    assert {len(list(row.iter("td"))) for row in rows} == {12}
    failed = [row for row in rows if words(row).count("\N{BALLOT X}")]
    assert all("f" in row.get("data-v") for row in failed)
    assert len(failed) == 40


def test_what_several_runs_get_wrong_alike_is_told_once(trees):
    cases = [each for each in trees["many"].iter("details") if each.get("class") == "case"]
    assert len(cases) == 40
    assert all(re.search(r"[12] of 12 runs", words(case)) for case in cases)


def test_a_requirement_is_kept_only_if_a_case_says_so():
    two = (SLUG, "hint.device.use-once")
    mixed = report(
        outcome(Verdict.FAIL, "a", requirements=two, violations=(Violation(SLUG, "x", "y"),)),
        outcome(Verdict.NOT_APPLICABLE, "b", requirements=("hint.device.containment",)),
        outcome(Verdict.PASS, "c", requirements=("hint.device.containment", SLUG)),
    )
    assert judged(mixed) == {SLUG: Verdict.FAIL, "hint.device.containment": Verdict.PASS}


def test_it_stays_small():
    assert len(page("many").encode()) < 200_000
    assert len(page("empty").encode()) < 40_000


def test_nothing_but_its_own_script_may_run():
    text = page("hostile")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy.replace("&#39;", "'")
    assert "unsafe-inline" not in policy.split("script-src")[1]


@pytest.fixture(scope="module")
def browse():
    """Load a page in headless Chromium and return the document after its scripts have run."""
    chromium = peers.browser()

    def browse(text: str, *more: str) -> str:
        with tempfile.TemporaryDirectory(prefix="vhint-page-") as folder:
            path = Path(folder, "page.html")
            path.write_text(text, encoding="utf-8")
            command = [chromium, "--headless", "--no-sandbox", "--disable-gpu",
                       "--disable-background-networking", "--disable-dev-shm-usage",
                       f"--user-data-dir={folder}/profile", "--dump-dom", *more,
                       path.as_uri()]  # fmt: skip
            done = subprocess.run(
                command, capture_output=True, timeout=120, check=True,
                env={**os.environ, "HOME": folder},
            )  # fmt: skip
            return done.stdout.decode()

    return browse


def test_in_a_browser_the_script_runs_and_the_hostile_text_does_not(browse):
    text = browse(page("hostile"))
    assert '<html lang="en" class="scripted">' in text
    assert "<title>pwned</title>" not in text
    assert re.search(r'<output id="shown"[^>]*>6 rows</output>', text)
    assert HOSTILE[:9] not in text.split("<main")[1].split("</main>")[0]
