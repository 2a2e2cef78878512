"""Wire diagrams are drawn from the declarations, and from nothing else."""

import importlib
import pkgutil

import pytest
from construct import Struct, this
from hypothesis import given
from hypothesis import strategies as st

import vhint.wire
import vhint.wire.history
from tests.docs.svg_tools import boxes, words
from vhint.wire import hint_ack, hint_request, vring
from vhint.wire.derive import offsets
from vhint.wire.schema import (
    BitFields,
    Bits,
    Bounded,
    End,
    LeadingStruct,
    Repeat,
    RepeatToEnd,
    Reserved,
    be32,
    le16,
    le32,
    le64,
    u8,
)
from vhint_docs import wire, wire_svg
from vhint_docs.wire_model import Field, NotDrawable, Open, layouts


def drawing(con):
    (layout,) = layouts(con)
    return wire_svg.draw(layout, "a format")


def test_another_declaration_is_another_drawing():
    before = words(drawing(Struct("tag" / le16, "value" / le64, "end" / End)))
    renamed = words(drawing(Struct("mark" / le16, "value" / le64, "end" / End)))
    assert "tag" in before
    assert "tag" not in renamed
    assert "mark" in renamed


def test_a_wider_field_is_a_wider_box():
    narrow = boxes(drawing(Struct("tag" / le16, "rest" / le16)))
    wide = boxes(drawing(Struct("tag" / le32, "rest" / le16)))
    assert wide[0][2] == 2 * narrow[0][2]
    assert wide[1][0] == wide[0][0] + wide[0][2]


def test_a_field_over_the_end_of_a_row_goes_on_in_the_next():
    tag, first, rest = boxes(drawing(Struct("tag" / le16, "value" / le64)))
    assert first[0] == tag[0] + tag[2]
    assert rest[0] == tag[0]
    assert rest[1] == tag[1] + tag[3]
    assert first[2] + rest[2] == 4 * tag[2]


def test_the_hinting_request_has_a_drawing_for_each_variant():
    pfn, bitmap = layouts(hint_request.FORMAT)
    assert pfn.case == "type = 1 (PFN)"
    assert bitmap.case == "type = 2 (BITMAP)"
    assert pfn.size == "16 + 16 · count"
    assert bitmap.size == "32 + ⌈count / 8⌉"
    assert {"pfn", "order", "reserved", "blocks", "× count"} <= set(words(wire_svg.draw(pfn, "r")))


def test_limits_stand_in_the_table():
    (layout,) = layouts(
        Struct("order" / Bounded(le32, 0, 40), "flags" / Reserved(le16), "status" / be32)
    )
    order, flags, status = layout.parts
    assert order.allowed == "0 to 40"
    assert (flags.allowed, flags.is_reserved) == ("0", True)
    assert status.type == "be32"


def test_a_count_may_be_a_field_a_parameter_or_the_end():
    (ack,) = layouts(hint_ack.FORMAT)
    assert ack.parts[-1].length == "0 to ⌈count / 8⌉"
    (ring,) = layouts(vring.USED_RING)
    assert [part.name for part in ring.parts] == ["flags", "idx", "ring", "avail_event"]
    assert ring.parts[2].count == "queue_size"
    (rest,) = layouts(Struct("entries" / RepeatToEnd(le32), "end" / End))
    assert rest.parts[0].count == "to the end"


def test_fields_that_may_be_missing_are_marked():
    (layout,) = layouts(LeadingStruct(1, "there" / le32, "perhaps" / le32))
    assert [part.is_optional for part in layout.parts] == [False, True]
    assert layout.has_optional


def test_records_may_end_with_what_varies():
    head = BitFields(u8, ("low", 3), ("count", 5))
    record = Struct("head" / head, "bits" / Bits(this.head.count * 8))
    (layout,) = layouts(Struct("records" / RepeatToEnd(record), "end" / End))
    (part,) = layout.parts
    assert part.tail is not None
    assert part.tail.length == "head.count"
    assert part.fields[0].bits == (("low", 0, 3), ("count", 3, 5))
    assert "bits" in words(wire_svg.draw(layout, "records"))


def test_what_cannot_be_read_is_refused():
    with pytest.raises(NotDrawable, match="says nothing to a reader"):
        layouts(Struct("n" / le16, "rest" / Repeat(lambda context: context.n, le16)))


@given(st.lists(st.sampled_from([u8, le16, le32, le64]), min_size=1, max_size=12))
def test_offsets_are_those_of_the_derived_layout(kinds):
    con = Struct(*(f"f{number}" / kind for number, kind in enumerate(kinds)))
    (layout,) = layouts(con)
    assert {part.name: (part.offset, part.size) for part in layout.parts} == offsets(con)
    drawn = boxes(wire_svg.draw(layout, "numbers"))
    assert sum(width for _, _, width, _ in drawn) == sum(p.size for p in layout.parts) * 62
    assert len(set(drawn)) == len(drawn)


def modules():
    for package in (vhint.wire, vhint.wire.history):
        for found in pkgutil.iter_modules(package.__path__):
            yield importlib.import_module(f"{package.__name__}.{found.name}")


@pytest.mark.parametrize("module", list(modules()), ids=lambda module: module.__name__)
def test_every_declaration_can_be_drawn_with_all_its_fields(module):
    for name, shapes in wire.distinct(wire.declarations(module, [])):
        for layout in shapes:
            written = " ".join(words(wire_svg.draw(layout, name)))
            for part in layout.parts:
                inner = part.fields if isinstance(part, Open) else (part,)
                assert all(field.name[:6] in written for field in inner)
            rows = wire.tabular(layout).astext()
            assert all(part.name in rows for part in layout.parts if isinstance(part, Field))


def test_layouts_that_look_alike_are_drawn_once():
    same, other = Struct("a" / le16), Struct("a" / le32)
    declared = {"FORMATS, X": same, "FORMATS, Y": Struct("a" / le16), "FORMATS, Z": other}
    assert [name for name, _ in wire.distinct(declared)] == ["FORMATS, X, Y", "FORMATS, Z"]
