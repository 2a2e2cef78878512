"""What a sceptic does: break something in a copy, and see that something fails and says why.

The tools are the real ones, run on the copy: the linters, the generator of the vectors, the golden
tests of the formats, the drawings of the site, the tests of chapters and of coverage.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.spec.broken_tree import ROOT, Said, Tree
from vhint_conformance.vectors.render import canonical, meaning

VECTORS = "spec/vhint_spec/vectors"
GOLDEN = "tests/wire/test_wire_golden.py"
CHAPTERS = "tests/spec/test_chapters.py"
HISTORIC = "tests/wire/history/test_history_golden.py"
COVERAGE = "tests/conformance/test_coverage.py"
CASE = 'id="balloon.pfn-above-4g"'
LINT = ("lint",)
CHECK = ("vhint", "vectors", "generate", "--check")
LINT_VECTORS = ("vhint", "vectors", "lint")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.copy(tmp_path)


def test_the_copy_is_whole(tree: Tree) -> None:
    """Without damage nobody complains: what fails below fails because of the damage."""
    for said in tree.run(LINT, ("pytest", GOLDEN, HISTORIC, CHAPTERS)):
        assert said.status == 0, said.text


# The registry and the clauses


def test_a_duplicate_slug(tree: Tree) -> None:
    poison = "spec/vhint_spec/requirements/poison.toml"
    tree.edit(poison, r"(\n\[\[requirement\]\]\nslug.*?)(?=\n\[\[requirement)", r"\1\1")
    lint, requirements = tree.run(LINT, ("vhint", "requirements"))
    slug = "balloon.device.poison-value-is-hint"
    assert lint.status == 1
    assert f"requirements/poison.toml: {slug}: is already in" in lint.text
    assert requirements.status != 0
    assert slug in requirements.text
    assert "Traceback" not in requirements.text


def test_a_slug_that_is_renamed_and_a_case_that_is_deleted(tree: Tree) -> None:
    """Slugs are permanent: vectors, chapters and cases notice; and so is what cases cover."""
    slug = "hint.device.count-zero-ok"
    tree.edit("spec/vhint_spec/requirements/hint_refusals.toml", slug, f"{slug}-now")
    folder = tree.folder / "conformance/vhint_conformance/cases"
    (file,) = (path for path in folder.rglob("*.py") if CASE in path.read_text())
    tree.edit(str(file.relative_to(tree.folder)), rf"@case\([^@]*?{CASE}.*?\n\n\n", "")
    found = tree.run(LINT, LINT_VECTORS, ("pytest", CHAPTERS), ("pytest", COVERAGE))
    assert [said.status for said in found] == [1, 1, 1, 1]
    assert all(slug in said.text for said in found)
    assert f"hint-request-bitmap.empty: requirement {slug}: not known" in found[1].text
    assert "balloon.device.pfn-address-width" in found[3].text
    assert "bring requirements_without_case.txt up to date" in found[3].text


def test_a_clause_that_is_removed(tree: Tree) -> None:
    clause = r'\n\[\[label\.clauses\]\]\nid = "FB-R1".*?(?=\n\[\[)'
    tree.edit("spec/vhint_spec/clauses/balloon.toml", clause, "")
    (lint,) = tree.run(LINT)
    assert lint.status == 1
    assert "balloon.driver.accept-must-tell-host" in lint.text


# A construct declaration

CHANGES = {
    "name": (
        "vhint/wire/vring.py",
        '"used_event" / le16',
        '"event_used" / le16',
        ("vhint.wire.vring", "AVAIL_RING"),
        "vring-avail.",
    ),
    "width": (
        "vhint/wire/statistics.py",
        r'"tag" / Named\(le16',
        '"tag" / Named(le64',
        ("vhint.wire.statistics", "FORMAT"),
        "statistics.",
    ),
    "order of fields": (
        "vhint/wire/config.py",
        r'"(num_pages)" / (.*),\s*"(actual)" / ',
        r'"\3" / \2, "\1" / ',
        ("vhint.wire.config", "FORMAT"),
        "config-space.",
    ),
    "order of bytes": (
        "vhint/wire/history/lal_v8.py",
        '"pfn" / layout.ulong',
        '"pfn" / layout.converted.u64',
        None,
        "lal-v8-array.",
    ),
    "range": (
        "vhint/wire/hint_request.py",
        r'"order" / Bounded\(le32, 0, MAX_ORDER\)',
        '"order" / Bounded(le32, 0, MAX_ORDER + 1)',
        ("vhint.wire.hint_request", "FORMAT"),
        "hint-request-bitmap.order-41:",
    ),
}
DRAWN = {name: change[3] for name, change in CHANGES.items() if change[3]}
"""The declarations that are drawn here; a historic one is drawn for each layout."""
DRAWINGS = [("draw", *where) for where in DRAWN.values()]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> list[Said]:
    """What the tools say when all of these fields are changed: they are in different modules."""
    tree = Tree.copy(tmp_path_factory.mktemp("changed"))
    for path, pattern, replacement, *_ in CHANGES.values():
        tree.edit(path, pattern, replacement)
    return tree.run(CHECK, ("pytest", GOLDEN, HISTORIC), *DRAWINGS)


@pytest.mark.parametrize("name", CHANGES)
def test_the_vectors_miss_a_changed_field(changed: list[Said], name: str) -> None:
    check = changed[0]
    assert check.status == 1
    assert "the tables contradict the project" in check.text
    assert any(line.startswith(CHANGES[name][4]) for line in check.text.splitlines())


def test_the_golden_tests_miss_the_changed_fields(changed: list[Said]) -> None:
    tests = changed[1]
    assert tests.status == 1
    failed = [line for line in tests.text.splitlines() if line.startswith("FAILED")]
    for what in ("statistics", "config", "order", "lal-v8 array"):
        assert any(what in line for line in failed), what


def test_the_drawings_change_with_the_fields(changed: list[Said]) -> None:
    before = Tree(ROOT).run(*DRAWINGS)
    for name, old, new in zip(DRAWN, before, changed[2:], strict=True):
        assert (old.status, new.status) == (0, 0)
        assert old.text != new.text, name


def test_a_field_that_the_value_does_not_have(tree: Tree) -> None:
    """The fast codecs are derived when a module is imported: nothing works with a wrong one."""
    tree.edit("vhint/wire/hint_ack.py", '"processed" / le32', '"handled" / le32')
    (check,) = tree.run(CHECK)
    assert check.status == 4
    assert "handled" in check.text or "processed" in check.text


# The vectors (files that are removed or edited alone: tests/vectors/test_tool.py)


def test_a_vector_that_is_edited_with_its_manifest(tree: Tree) -> None:
    """Somebody who mends the checksums as well is still found out: the tables say otherwise."""
    tree.edit(f"{VECTORS}/format/command-id.json", '"value": 2', '"value": 3')
    mend_manifest(tree.folder / VECTORS)
    consumers = ("pytest", "tests/vectors/test_formats.py", "-k", "command-id and test_parse")
    check, consumed = tree.run(CHECK, consumers)
    assert check.status == 1
    assert "format/command-id.json: differs from what the tables make" in check.text
    assert "command-id.first-round: means something else than before" in check.text
    assert consumed.status == 1
    assert "read as" in consumed.text


def mend_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["files"]:
        data = (folder / entry["path"]).read_bytes()
        entry["sha256"] = hashlib.sha256(data).hexdigest()
        entry["ids"] = {each["id"]: meaning(each) for each in json.loads(data)["vectors"]}
    (folder / "manifest.json").write_text(canonical(manifest))


# The chapters


ROLES = {
    "conformance.md": (r"(\| MUST, MUST NOT )\({req}`[^`]+`, {req}`[^`]+`\)", r"\1"),
    "device.md": (r"{req}`([^`]+)`", "{req}`hint.device.no-such`"),
    "driver.md": (r"```{requirements} \S+", "```{requirements} no.such.*"),
}


def test_chapters_without_their_requirements(tree: Tree) -> None:
    """A role dropped beside an obligation, another slug, a list of nothing."""
    for chapter, (pattern, replacement) in ROLES.items():
        tree.edit(f"spec/vhint_spec/chapters/{chapter}", pattern, replacement)
    (tests,) = tree.run(("pytest", CHAPTERS))
    assert tests.status == 1
    for complaint in (
        "test_obligations_are_quoted_only[conformance.md]",
        "test_requirements_exist[device.md]",
        "hint.device.no-such",
        "test_requirement_lists_are_not_empty[driver.md]",
        "no.such.*",
    ):
        assert complaint in tests.text
