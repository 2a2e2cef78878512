"""A small site, built as the large one is: what authors write, and what they are told if wrong."""

import re
import subprocess
import sys
import zlib

import pytest

from tests.docs.conftest import DOCS

CONF = f"""
import sys
sys.path.insert(0, {str(DOCS / "_ext")!r})
extensions = ["myst_parser", "vhint_docs"]
project = "small"
html_theme = "basic"
nitpicky = True
"""

SOUND = {
    "index": """
# Small

{req}`hint.device.use-once`, {case}`reporting.order[3]`, {mutant}`discard-neighbour`,
{bug}`Q1`, {erratum}`statistics-entry-size`, {clause}`FB-R1`, {vec}`hint-ack.cookie-max`

```{requirements} hint.device.use-once hint-pfn.*
:role: device
:level: MUST, MUST NOT
```
```{wire} hint_request
```
```{wire} history.lal_v9
:declaration: ARRAY_FORMATS
```
```{states} vhint.host.status:STEPS
```
```{sequence} hint-refusal
```
```{toctree}
requirements/index
rest
```
""",
    "requirements/index": "# All\n\n```{toctree}\n:glob:\n*\n```\n",
    "rest": """
# Rest

```{case-list}
```
```{mutant-list}
```
```{vector-list}
```
```{errata}
```
```{bugs}
```
```{clauses}
```
""",
}

WRONG = {
    "index": """
# Wrong

Unknown: {req}`hint.device.use-onze` and

{bug}`Q9999`.

```{requirements} no.such.*
```
```{requirements} hint-pfn.*
:level: MIGHT
```
```{wire} nothing
```
```{states} vhint.host.status:NOTHING
```
```{sequence} nothing
```
""",
}


def build(folder, pages, *options):
    (folder / "conf.py").write_text(CONF)
    for name, text in pages.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.lstrip())
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "--no-color", *options, "-b", "html", ".", "out"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    run = build(folder, SOUND, "-W", "--keep-going")
    assert run.returncode == 0, run.stderr
    return folder / "out"


@pytest.mark.long  # `make docs` builds the whole site
def test_roles_link_to_the_anchor_of_the_name(site):
    html = (site / "index.html").read_text()
    for target in (
        "requirements/hint-device.html#hint.device.use-once",
        "rest.html#reporting.order",
        "rest.html#mutant-discard-neighbour",
        "rest.html#Q1",
        "rest.html#statistics-entry-size",
        "rest.html#FB-R1",
        "rest.html#hint-ack.cookie-max",
    ):
        assert f'href="{target}"' in html
    anchors = (site / "requirements" / "hint-device.html").read_text()
    assert 'id="hint.device.use-once"' in anchors
    link = re.search(r"<a [^>]*hint-device.html#hint.device.use-once[^>]*>", html)
    assert link
    assert 'title="MUST NOT: ' in link[0]


@pytest.mark.long  # `make docs` builds the whole site
def test_requirements_are_listed_with_their_obligation(site):
    html = (site / "index.html").read_text()
    (listed,) = re.findall(r'<ul class="vh-requirements.*?</ul>', html, re.DOTALL)
    assert "hint-pfn.device.refuse-count-over-limit" in listed
    assert '<strong class="vh-must">MUST NOT</strong>' in listed
    assert "hint-pfn.driver" not in listed


@pytest.mark.long  # `make docs` builds the whole site
def test_a_page_of_requirements_leads_to_what_there_is(site):
    html = (site / "requirements" / "reporting-device.html").read_text()
    entry = html[html.index('id="reporting.device.containment"') :]
    entry = entry[: entry.index("</section>")]
    for part in ("../rest.html#reporting.one-page", "../rest.html#mutant-discard-neighbour"):
        assert part in entry


@pytest.mark.long  # `make docs` builds the whole site
def test_diagrams_are_in_the_page(site):
    html = (site / "index.html").read_text()
    assert html.count("<svg") >= 5
    assert "RESET" in html
    assert "http://" not in re.sub(r'xmlns="[^"]*"', "", html)


@pytest.mark.long  # `make docs` builds the whole site
def test_other_projects_can_link_to_requirements(site):
    data = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(data).decode().splitlines()
    assert (
        "hint.device.use-once vhint:req 0 requirements/hint-device.html#hint.device.use-once -"
        in [line.replace("#$", "#hint.device.use-once") for line in lines]
    )


def test_wrong_names_are_errors_that_say_where(tmp_path):
    run = build(tmp_path, WRONG, "-W", "--keep-going")
    assert run.returncode == 1
    for place, complaint in (
        (3, "no requirement is called hint.device.use-onze; did you mean hint.device.use-once"),
        (5, "no bug is called Q9999"),
        (7, "no requirement matches no.such.*"),
        (10, "'MIGHT' is not one of MUST"),
        (12, "no wire module is called nothing"),
        (14, "there is no vhint.host.status:NOTHING"),
        (16, "no exchange is called nothing; there are initialisation"),
    ):
        assert re.search(rf"index\.md:{place}: .*{re.escape(complaint)}", run.stderr), run.stderr
