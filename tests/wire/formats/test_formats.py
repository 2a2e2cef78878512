"""What holds for every format in the catalogue: JSON without loss, bytes annotated without gaps."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.formats.messages import SUBJECTS, messages
from tests.wire.wire_cases import damaged, outcome
from vhint.wire.formats import FORMATS, annotate


def raising(error):
    def function():
        raise error

    return function


EACH = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)


@EACH
@settings(max_examples=3)
@given(data=st.data())
def test_json_keeps_every_byte(subject, data):
    octets, numbers = data.draw(messages(subject))
    made = subject.form.to_json(octets, **numbers, **subject.options)
    read = json.loads(json.dumps(made))
    assert subject.form.from_json(read, **numbers, **subject.options) == octets


@EACH
@settings(max_examples=3)
@given(data=st.data())
def test_annotation_covers_every_byte_once_and_never_disagrees(subject, data):
    octets, numbers = data.draw(messages(subject))
    if data.draw(st.booleans()):
        octets = data.draw(damaged(octets))
    found = annotate(subject.form, octets, **numbers, **subject.options)
    decoded = outcome(lambda: subject.form.decode(octets, **numbers, **subject.options))
    if found.error:
        assert outcome(raising(found.error)) == decoded
    else:
        assert decoded[0] == "value"
        assert found.rest == octets[subject.form.reads or len(octets) :]
    end = 0
    for before, field in zip([None, *found.fields], found.fields, strict=False):
        same = before is not None and field.bits and before.offset == field.offset
        assert field.offset == (before.offset if same else end)
        assert field.data == octets[field.offset : field.offset + len(field.data)]
        end = field.offset + len(field.data)
    assert octets[end:] == found.rest


def test_ids_are_names_and_say_where_they_come_from():
    for name, form in FORMATS.items():
        assert name == form.id
        assert name == name.lower().replace(" ", "-")
        assert form.title
        assert form.source
        assert form.since
