"""What the pages are made of."""

import json

import pytest
from docutils import nodes

from vhint_docs import content, evidence, material, pages, requirements, signatures
from vhint_docs.material import material as gathered


def test_cases_with_parameters_are_one_family():
    family = gathered().cases["reporting.order"]
    assert family.size == len(family.parameters) > 1
    assert "0" in family.parameters
    assert not any("[" in name for name in gathered().cases)


def test_every_way_back_leads_to_where_it_came_from():
    everything = gathered()
    for slug in everything.requirements:
        assert all(slug in case.requirements for case in everything.cases_of(slug))
        assert all(slug in clause.slugs for clause in everything.clauses_of(slug))
        assert all(slug in bug.slugs for bug in everything.bugs_of(slug))
        assert all(slug in vector.requirements for vector in everything.vectors_of(slug))
    assert sum(len(everything.cases_of(slug)) for slug in everything.requirements) == sum(
        len(case.requirements) for case in everything.cases.values()
    )


def test_counts_add_up():
    everything = gathered()
    total = evidence.counts(everything, list(everything.requirements.values()))
    assert total[0] == len(everything.requirements) == sum(total[1:4])


def test_vectors_are_read_from_all_folders(tmp_path):
    vector = {"id": "a.b", "comment": "c", "requirements": ["x.device.y"], "result": "valid"}
    (tmp_path / "format").mkdir()
    data = {"id": "a", "kind": "format", "vectors": [vector]}
    (tmp_path / "format" / "a.json").write_text(json.dumps(data))
    (tmp_path / "manifest.json").write_text("{}")
    found = material.read_vectors(tmp_path)["a.b"]
    assert (found.file, found.summary, found.kind) == ("a", "c", "valid")
    assert found.requirements == ("x.device.y",)


def test_there_is_a_page_for_each_profile_and_role():
    made = pages.pages()
    for item in gathered().requirements.values():
        assert f"{item.profile}-{item.role}" in made


def test_pages_are_written_only_if_they_differ(tmp_path):
    (tmp_path / "index.md").write_text("mine")
    pages.write(tmp_path, {"one": "1", "two": "2"})
    before = (tmp_path / "one.md").stat().st_mtime_ns
    pages.write(tmp_path, {"one": "1", "three": "3"})
    assert (tmp_path / "one.md").stat().st_mtime_ns == before
    assert {path.name for path in tmp_path.iterdir()} == {"index.md", "one.md", "three.md"}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("plain, 2 * 3 * 4", ["Text"]),
        ("see `start_pfn` there", ["Text", "literal", "Text"]),
        (
            "`hint.device.use-once` and ring.device.len-truthful.",
            ["pending_xref", "Text", "pending_xref", "Text"],
        ),
        ("no.device.such-thing", ["Text"]),
        ("the *one* at https://example.org/a.", ["Text", "emphasis", "Text", "reference", "Text"]),
    ],
)
def test_plain_text_becomes_links_where_it_names_something(text, kinds):
    found = content.inline(text)
    assert [type(node).__name__ for node in found] == kinds
    assert "".join(node.astext() for node in found) == text.replace("`", "").replace("*one*", "one")


def test_the_obligation_stands_out():
    item = gathered().requirements["hint.device.use-once"]
    strong = [node for node in requirements.statement(item) if isinstance(node, nodes.strong)]
    assert [node.astext() for node in strong] == ["MUST NOT"]


def test_what_a_codec_returns_is_read_from_its_annotation():
    from vhint.wire import hint_ack

    said = signatures.from_annotation("Final[ParseAck]", vars(hint_ack))
    assert said is not None
    assert said[0].startswith("(data: Data, count: int")
    assert said[1] == "Acknowledgement"
    assert signatures.from_annotation("Final[int]", {}) is None
