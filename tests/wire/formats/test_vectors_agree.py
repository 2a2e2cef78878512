"""The published vectors, read through the catalogue: the same values, and the same errors."""

import json
import re

import pytest

from vhint.wire import errors
from vhint.wire.formats import FORMATS
from vhint_conformance.vectors import store

FILES = sorted((store.directory() / "format").glob("*.json"))
SEVERAL_FILES = {"hint-request-pfn": "hint-request", "hint-request-bitmap": "hint-request"}
NO_FORMAT = {"lal-v11-buffer-as-read"}
"""What QEMU made of a buffer by walking it: nobody's format."""
OTHERWISE = {"duyck-pa-order-hints", "features", "li-bitmap-2016-report", "li-packed-v5-response"}
OTHERWISE |= {"li-range-v6-response"}
"""Whose decoded values in the vectors are not the fields of the declaration."""


def vectors():
    for file in FILES:
        if file.stem in NO_FORMAT:
            continue
        form = FORMATS[SEVERAL_FILES.get(file.stem, file.stem)]
        yield pytest.param(form, json.loads(file.read_text()), id=file.stem)


def plain(value):
    """Without absent fields and padding; numbers as numbers, however wide."""
    if isinstance(value, dict):
        shown = {key: plain(each) for key, each in value.items() if each is not None}
        return {key: each for key, each in shown.items() if key != "padding"}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return int(value) if isinstance(value, str) and value.isdigit() else value


@pytest.mark.parametrize(("form", "file"), list(vectors()))
def test_every_vector(form, file):
    for vector in file["vectors"]:
        data = bytes.fromhex(vector["hex"])
        for layout in vector.get("layouts", [None]):
            if layout not in (None, *form.layouts):
                continue
            given = {"layout": layout, **vector["parameters"]}
            if vector["result"] == "valid":
                made = form.to_json(data, **given)
                assert form.from_json(made, **given) == data[: form.reads], vector["id"]
                if file["id"] not in OTHERWISE:
                    shown = {key: value for key, value in made.items() if key != "type"}
                    assert plain(shown) == plain(vector["decoded"]), vector["id"]
            else:
                with pytest.raises(errors.WireError) as caught:
                    form.to_json(data, **given)
                kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(caught.value).__name__).lower()
                found = {"kind": kind, "path": caught.value.path, "offset": caught.value.offset}
                assert found == vector["error"], vector["id"]
