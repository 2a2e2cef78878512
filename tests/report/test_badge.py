import json

import jsonschema
import pytest

from tests.report.samples import ALL, FULL, STALE, hostile, outcome, report
from vhint_conformance.report import badge
from vhint_conformance.verdict import Verdict

# What the endpoint badge of shields.io reads; it takes no other property.
SCHEMA = {
    "type": "object",
    "properties": {
        "schemaVersion": {"const": 1},
        "label": {"type": "string"},
        "message": {"type": "string", "minLength": 1, "maxLength": 60},
        "color": {"enum": ["brightgreen", "red", "yellow", "lightgrey"]},
        "isError": {"type": "boolean"},
    },
    "required": ["schemaVersion", "label", "message"],
    "additionalProperties": False,
}
PASS, KNOWN = ALL[0], ALL[4]


@pytest.mark.parametrize(
    ("reports", "message", "colour"),
    [
        ([report(PASS)], "conforms (1 passed)", "brightgreen"),
        ([report(PASS, KNOWN)], "conforms (1 passed, 1 known failing)", "brightgreen"),
        ([FULL], "1 failed", "red"),
        ([report(PASS, out_of_date=(STALE,))], "expectations out of date", "red"),
        ([report(PASS, outcome(Verdict.INCONCLUSIVE))], "unsettled", "yellow"),
        ([report()], "unsettled", "yellow"),
        ([report(target_error="no")], "target not running", "lightgrey"),
        ([report(PASS, interrupted=True)], "interrupted", "lightgrey"),
        ([report(PASS), FULL, report(PASS)], "2 of 3 conform", "red"),
        ([report(PASS), report()], "1 of 2 conform", "yellow"),
        ([hostile()], "1 failed", "red"),
    ],
)
def test_a_badge_says_it_in_a_few_words(reports, message, colour):
    found = json.loads(badge.dumps(reports))
    jsonschema.validate(found, SCHEMA)
    assert (found["message"], found["color"]) == (message, colour)
