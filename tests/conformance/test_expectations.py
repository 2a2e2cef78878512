from dataclasses import replace
from pathlib import Path

import pytest

from vhint_conformance import expectations as expect
from vhint_conformance.expectations import Expectation, ExpectationsError
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.verdict import Verdict, Violation

HEAD = 'schema = "vhint-expectations/1"\n'
ENTRY = '[[expect]]\nslug = "a.*"\nreason = "known"\nlink = "https://example.org"\n'


def read(tmp_path: Path, text: str | bytes) -> tuple[Expectation, ...]:
    path = tmp_path / "e.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return expect.load(path)


def test_every_field_is_read(tmp_path: Path) -> None:
    (item,) = read(tmp_path, HEAD + ENTRY + 'message = "m"\nversions = ">=7"\n')
    assert item == Expectation(
        "a.*", "known", "https://example.org", "m", ">=7", str(tmp_path / "e.toml")
    )


def test_no_entries_is_a_valid_file(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD) == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", 'line 1: expected schema = "vhint-expectations/1"; there is none'),
        ('schema = "other/1"\n', "seen 'other/1'"),
        (HEAD + ENTRY + '[[expect]]\nslug = "b', "line 7: not valid TOML"),
        (HEAD + ENTRY + "[[expect]\n", "line 6: not valid TOML"),
        (HEAD + ENTRY + '[[expect]]\nslug = "b"\n', "line 6: [[expect]]: `reason` is missing"),
        (HEAD + ENTRY + 'mesage = "m"\n', "line 2: [[expect]]: unknown key 'mesage'"),
        (HEAD + ENTRY.replace('"known"', "3"), "`reason` must be text; seen 3"),
        (HEAD + ENTRY.replace('"known"', '" "'), "`reason` must be text"),
        (HEAD + ENTRY + 'versions = "about 7"\n', "`versions` is 'about 7'"),
        (HEAD + ENTRY + 'shows = "never"\n', "`shows` is 'never'; expected \"sometimes\""),
        (HEAD + "expect = 3\n", "write [[expect]]"),
        (HEAD + "expects = 3\n", "unknown key 'expects'"),
        (b"\xff\xfe", "not UTF-8 text (byte 0)"),
    ],
)
def test_a_bad_file_is_one_clear_complaint(
    tmp_path: Path, text: str | bytes, complaint: str
) -> None:
    with pytest.raises(ExpectationsError) as caught:
        read(tmp_path, text)
    assert complaint in str(caught.value)
    assert str(tmp_path / "e.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cut_anywhere_it_is_refused_or_means_a_part_of_the_whole(tmp_path: Path) -> None:
    text = HEAD + ENTRY + ENTRY.replace("a.*", "b.*")
    whole = read(tmp_path, text)
    accepted = []
    for end in range(len(text)):
        try:
            part = read(tmp_path, text[:end])
        except ExpectationsError:
            continue
        accepted.append(end)
        assert part == whole[: len(part)]
    assert accepted  # after the schema and after each entry


def test_what_cannot_be_opened_is_a_complaint(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ExpectationsError, match=str(path)):
            expect.load(path)


@pytest.mark.parametrize(
    ("versions", "version", "applies"),
    [
        ("", None, True),
        (">=7.2,<8", "7.2.22", True),
        (">=7.2,<8", "7.2.22 (Debian 1:7.2+dfsg-7+deb12u13)", True),
        (">=7.2,<8", "10.0.2", False),
        (">=7.2,<8", None, False),
        (">=7.2,<8", "unknown", False),
    ],
)
def test_versions(versions: str, version: str | None, applies: bool) -> None:
    assert Expectation("a", "r", "l", versions=versions).applies_to(version) is applies


def test_the_version_is_that_under_the_targets_own_name() -> None:
    item = Expectation("a", "r", "l", versions="==7.*")
    assert expect.for_target([item], "qemu", lambda: {"vhint": "1", "qemu": "7.2"}) == (item,)
    assert expect.for_target([item], "mutant:x", lambda: {"vhint": "7.1"}) == (item,)
    assert expect.for_target([item], "qemu", dict) == ()


def test_versions_are_asked_for_only_if_they_matter() -> None:
    def fail() -> dict[str, str]:
        raise AssertionError

    assert expect.for_target([Expectation("a", "r", "l")], "qemu", fail)


def test_all_violations_must_be_covered() -> None:
    one, two = Violation("p.d.one", "1", "2"), Violation("p.d.two", "1", "2")
    items = [Expectation("p.d.one", "r", "l")]
    assert expect.covering(items, "case", [one, one]) == tuple(items)
    assert expect.covering(items, "case", [one, two]) == ()
    both = [*items, Expectation("p.d.t*", "r", "l")]
    assert expect.covering(both, "case", [one, two]) == tuple(both)


def test_a_pinned_message_must_occur() -> None:
    seen = Violation("p.d.one", "1", "2", "page 3")
    assert expect.covering([Expectation("p.d.one", "r", "l", "seen 2")], "c", [seen])
    assert not expect.covering([Expectation("p.d.one", "r", "l", "seen 3")], "c", [seen])
    assert not expect.covering([Expectation("c", "r", "l", "seen 3")], "c", [seen])


CASES = {"c.one": ("p.d.x",), "c.two": ("p.d.x", "p.d.y"), "c.three": ("p.d.y",)}


@pytest.mark.parametrize(
    ("verdicts", "violated", "refuted"),
    [
        ({"c.one": Verdict.PASS, "c.two": Verdict.PASS}, [], True),
        ({"c.one": Verdict.PASS, "c.two": Verdict.NOT_APPLICABLE}, [], True),
        ({"c.one": Verdict.PASS, "c.two": Verdict.EXPECTED_FAIL}, ["p.d.x"], False),
        ({"c.one": Verdict.PASS, "c.two": Verdict.FAIL}, ["p.d.y"], False),
        ({"c.one": Verdict.PASS, "c.two": Verdict.INCONCLUSIVE}, [], False),
        ({"c.one": Verdict.PASS, "c.two": Verdict.ERROR}, [], False),
        ({"c.one": Verdict.PASS}, [], False),  # the other was left out
        ({"c.one": Verdict.NOT_APPLICABLE, "c.two": Verdict.NOT_APPLICABLE}, [], False),
        # A case that checks something else ran into it.
        ({"c.one": Verdict.PASS, "c.two": Verdict.PASS, "c.three": Verdict.FAIL}, ["p.d.x"], False),
    ],
)
def test_an_expectation_about_a_requirement_is_refuted_only_by_a_complete_run(
    verdicts: dict[str, Verdict], violated: list[str], refuted: bool
) -> None:
    item = Expectation("p.d.x", "r", "l")
    assert bool(expect.out_of_date([item], CASES, verdicts, violated)) is refuted


def test_one_that_names_a_case_is_left_to_the_case() -> None:
    passed = dict.fromkeys(CASES, Verdict.PASS)
    assert expect.out_of_date([Expectation("c.*", "r", "l")], CASES, passed, []) == ()


def test_what_shows_sometimes_is_refuted_by_no_pass() -> None:
    cases, passed = {"a.b": ("x.y",)}, {"a.b": Verdict.PASS}
    for slug in ("a.b", "x.y"):
        always = Expectation(slug, "r", "l")
        now_and_then = replace(always, shows="sometimes")
        assert expect.naming([now_and_then], "a.b") is None
        assert expect.out_of_date([now_and_then], cases, passed, ()) == ()
    assert expect.naming([Expectation("a.b", "r", "l")], "a.b") is not None
    assert expect.out_of_date([always], cases, passed, ()) == (always,)


def test_one_that_names_nothing_is_a_complaint() -> None:
    item = Expectation("p.d.z", "r", "l", source="e.toml")
    (complaint,) = expect.unknown([item], CASES, ["p.d.w"])
    assert complaint.startswith("e.toml: 'p.d.z' names no case and no requirement; did you mean")
    assert not expect.unknown([Expectation("p.d.w", "r", "l")], CASES, ["p.d.w"])


# In a run


def test_a_covered_failure_is_expected(judge_fake, write_expectations) -> None:
    path = write_expectations(("fake.device.second", "seen [bold]5"))
    report = judge_fake("bad.one", "sound.passes", expect=(path,))
    outcome = report.having(Verdict.EXPECTED_FAIL)[0]
    assert outcome.id == "bad.one"
    assert outcome.expectations[0].link == "https://example.org/1"
    assert report.exit_status is ExitStatus.CONFORMS


def test_another_violation_in_the_same_case_is_not_excused(judge_fake, write_expectations) -> None:
    path = write_expectations(("fake.device.second", ""))
    report = judge_fake("bad.two", expect=(path,))
    assert [o.verdict for o in report.outcomes] == [Verdict.FAIL]


def test_a_case_named_by_an_expectation_fails_if_it_passes(judge_fake, write_expectations) -> None:
    path = write_expectations(("sound.s*", ""))
    report = judge_fake("sound.*", expect=(path,))
    verdicts = {outcome.id: outcome.verdict for outcome in report.outcomes}
    assert verdicts == {
        "sound.passes": Verdict.PASS,
        "sound.sizes[1]": Verdict.FAIL,
        "sound.sizes[2]": Verdict.FAIL,
        "sound.absent": Verdict.NOT_APPLICABLE,
    }
    assert "unexpected pass" in report.having(Verdict.FAIL)[0].message
    assert "--expect" in report.having(Verdict.FAIL)[0].repro
    assert report.exit_status is ExitStatus.VIOLATED


def test_what_is_unknown_cannot_be_expected(judge_fake, write_expectations) -> None:
    path = write_expectations(("open.*", ""))
    report = judge_fake("open.inconclusive", "open.fault", expect=(path,))
    assert {o.verdict for o in report.outcomes} == {Verdict.INCONCLUSIVE, Verdict.ERROR}
    assert report.exit_status is ExitStatus.UNSETTLED


def test_a_refuted_requirement_fails_the_run(judge_fake, write_expectations) -> None:
    path = write_expectations(("mild.device.free", ""))
    report = judge_fake(expect=(path,), pytest_args=("-k", "free"))
    assert [item.slug for item in report.out_of_date] == ["mild.device.free"]
    assert report.exit_status is ExitStatus.VIOLATED


def test_the_shipped_deviations_apply_until_they_are_switched_off(
    judge_fake, write_expectations, monkeypatch
) -> None:
    shipped = write_expectations(("fake.device.second", ""), versions=">=7,<8")
    monkeypatch.setenv("FAKE_DEVIATIONS", str(shipped))
    assert judge_fake("bad.one").having(Verdict.EXPECTED_FAIL)
    report = judge_fake("bad.one", no_expect=True)
    assert report.having(Verdict.FAIL)
    assert "--no-expect" in report.outcomes[0].repro
    own = write_expectations(("fake.device.second", ""), name="own.toml")
    assert judge_fake("bad.one", no_expect=True, expect=(own,)).having(Verdict.EXPECTED_FAIL)


def test_deviations_of_another_version_do_not_apply(
    judge_fake, write_expectations, monkeypatch
) -> None:
    shipped = write_expectations(("fake.device.second", ""), versions="<7")
    monkeypatch.setenv("FAKE_DEVIATIONS", str(shipped))
    assert judge_fake("bad.one").having(Verdict.FAIL)
