"""What tshark shows of a capture, read back as values or refusals."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from tests.export.oracle import Case, Refusal, Values
from vhint.export.capture import Frame, write
from vhint.export.formats import Format
from vhint.export.rendering import arrays
from vhint.export.samples import dissector
from vhint.export.shape import Array, Bits, Field, Number, walk
from vhint.export.words import snake

_INDEX = re.compile(r"(\w+)\[(\d+)\]")


def frame(case: Case) -> Frame:
    return Frame(dissector(case.format, case.layout), case.data, case.id)


def dissect(
    tshark: str, script: Path, frames: list[Frame], *options: str
) -> list[ElementTree.Element]:
    """The packets of a capture as tshark describes them."""
    capture = script.with_suffix(".pcapng")
    capture.write_bytes(write(frames))
    done = subprocess.run(
        [tshark, "-r", capture, "-X", f"lua_script:{script}", "-T", "pdml", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    said = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    assert (done.returncode, said) == (0, [])
    return list(ElementTree.fromstring(done.stdout))  # noqa: S314 - of tshark


def read(packet: ElementTree.Element, case: Case) -> Values | Refusal:
    """What a packet says of a case."""
    protos = [each for each in packet if (each.get("name") or "").startswith("vhint.")]
    assert len(protos) == 1, [each.get("name") for each in packet]
    (proto,) = protos
    shown = {each.get("name"): each.get("show") or "" for each in proto.iter("field")}
    if "vhint.fault" in shown:
        return Refusal(
            shown["vhint.fault"],
            shown["vhint.fault.path"],
            int(shown["vhint.fault.offset"]),
            int(shown["vhint.fault.seen"]),
        )
    values: Values = {}
    _fields(proto, case.format, "", values)
    for array in arrays(case.format.tree):
        if not any(each.startswith(f"{array.name}.count") for each in values):
            found = {m[2] for key in values if (m := _INDEX.match(key)) and m[1] == array.name}
            if _is_there(array, case, values):
                values[f"{array.name}.count"] = str(len(found))
    return values


def _is_there(array: Array, case: Case, values: Values) -> bool:
    """Whether the array is in the case of the variant that the message has."""
    if array in case.format.tree:
        return True
    return values.get("type") == "1"


def _fields(node: ElementTree.Element, form: Format, place: str, values: Values) -> None:
    prefix = f"vhint.{snake(form.name)}."
    plain: dict[str, int] = {}
    for field in node.findall("field"):
        name = (field.get("name") or "").removeprefix(prefix)
        array = next((each for each in arrays(form.tree) if each.name == name.split(".")[0]), None)
        text = field.get("show") or ""
        if array and not place and array.is_plain:
            if array.stride == 1:
                data = bytes.fromhex(field.get("value") or "")
                values |= {f"{array.name}[{i}]": str(byte) for i, byte in enumerate(data)}
            else:
                index = plain[name] = plain.get(name, -1) + 1
                values[f"{array.name}[{index}]"] = text
        elif array and not place:
            match = _INDEX.match(field.get("showname") or field.get("show") or "")
            assert match, field.attrib
            _fields(field, form, f"{match[0]}.", values)
        else:
            inner = name.removeprefix(f"{place.partition('[')[0]}.") if place else name
            _value(field, form, place + inner, inner, values)


def _value(field: ElementTree.Element, form: Format, path: str, name: str, values: Values) -> None:
    kinds = {each.name: each for tree in form.trees.values() for each in _all(tree)}
    kind = kinds.get(name)
    if name.endswith(".count") and isinstance(kinds.get(name[:-6]), Bits):
        values[path[:-6]] = "?" * int(field.get("show") or "")
        return
    if isinstance(kind, Bits):
        count = len(values[path])
        number = int.from_bytes(bytes.fromhex(field.get("value") or ""), "little")
        values[path] = "".join("01"[number >> i & 1] for i in range(count))
        return
    if isinstance(kind, Number) and not kind.is_shown:
        return
    show = field.get("show") or ""
    values[path] = str(int(show, 16) if show.startswith("0x") else show)


def _all(fields: tuple[Field, ...]) -> list[Field]:
    found = []
    for field in walk(fields):
        found.append(field)
        if isinstance(field, Array):
            found += walk(field.element)
    return found
