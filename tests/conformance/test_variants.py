"""A target that has variants: which cases run in which, what they are called, what names them."""

import pytest

from vhint_conformance.plugin_options import rings_in
from vhint_conformance.runner import RunOptions, listing
from vhint_conformance.selection import matches
from vhint_conformance.variants import NO_RINGS, PACKED, RING_VARIANTS, SPLIT, Rings, concerning
from vhint_conformance.verdict import Verdict

TARGET = "fake-variants"
SIZES = ["sound.sizes[1]", "sound.sizes[1]@packed", "sound.sizes[2]", "sound.sizes[2]@packed"]


def ran(report) -> list[str]:
    return [outcome.id for outcome in report.outcomes]


@pytest.mark.parametrize(
    ("select", "ids"),
    [
        ("sound.sizes", SIZES),
        ("sound.sizes[2]", SIZES[2:]),
        ("sound.sizes@packed", SIZES[1::2]),
        ("sound.sizes@", SIZES[::2]),
        ("sound.passes@*", ["sound.passes", "sound.passes@packed"]),
        ("sound.passes@", ["sound.passes"]),
    ],
)
def test_a_selection_names_all_variants_or_one(judge_fake, select: str, ids: list[str]) -> None:
    assert ran(judge_fake(select, target=TARGET)) == ids


def test_a_target_with_one_variant_has_plain_cases_only(judge_fake) -> None:
    assert ran(judge_fake("sound.sizes")) == SIZES[::2]


def test_a_requirement_can_be_selected_in_one_variant(judge_fake) -> None:
    found = ran(judge_fake("fake.device.first@packed", target=TARGET))
    assert "sound.passes@packed" in found
    assert all(name.endswith("@packed") for name in found)


def test_rings_choose_variants(judge_fake) -> None:
    report = judge_fake("sound.sizes", target=TARGET, rings=(Rings.PACKED,))
    assert ran(report) == SIZES[1::2]
    assert report.deselected == len(listing(RunOptions(TARGET)).cases) - 2


def test_what_repeats_a_case_repeats_its_variant(judge_fake) -> None:
    plain, packed = judge_fake("bad.one", target=TARGET).outcomes
    assert "--select bad.one@ " in plain.repro
    assert "--select bad.one@packed " in packed.repro
    assert "--select bad.one " in judge_fake("bad.one").outcomes[0].repro


def test_an_expectation_speaks_of_all_variants_or_one(judge_fake, write_expectations) -> None:
    for slug, verdicts in (
        ("bad.one", {"bad.one": Verdict.EXPECTED_FAIL, "bad.one@packed": Verdict.EXPECTED_FAIL}),
        ("bad.one@packed", {"bad.one": Verdict.FAIL, "bad.one@packed": Verdict.EXPECTED_FAIL}),
        ("bad.one@", {"bad.one": Verdict.EXPECTED_FAIL, "bad.one@packed": Verdict.FAIL}),
    ):
        path = write_expectations((slug, ""), name=f"{slug}.toml")
        report = judge_fake("bad.one", target=TARGET, expect=(path,))
        assert {each.id: each.verdict for each in report.outcomes} == verdicts


def test_a_requirement_can_be_expected_to_fail_in_one_variant(judge_fake, write_expectations):
    path = write_expectations(("fake.device.second@packed", ""))
    report = judge_fake("bad.one", target=TARGET, expect=(path,))
    assert [each.verdict for each in report.outcomes] == [Verdict.FAIL, Verdict.EXPECTED_FAIL]


def test_which_variants_concern_a_case() -> None:
    assert concerning([Rings.SPLIT], RING_VARIANTS) == (SPLIT,)
    assert concerning(NO_RINGS, RING_VARIANTS) == (SPLIT,)
    assert concerning([Rings.PACKED], RING_VARIANTS) == (PACKED,)
    assert concerning([Rings.PACKED], (SPLIT,)) == (PACKED,)  # to say that there are none


def test_formats_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="split, packed"):
        rings_in("split,round")


def test_a_glob_without_a_variant_means_no_other_name() -> None:
    assert not matches("sound.size", SIZES[1])
    assert not matches("packed", SIZES[1])
