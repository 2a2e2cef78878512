"""What our codecs make of format vectors, by faces built from `decoded`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from construct import Struct

from tests.vectors import consume_history
from vhint.wire import (
    command,
    config,
    features,
    hint_ack,
    hint_request,
    pfn_array,
    statistics,
    vring,
)
from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import WireError
from vhint.wire.schema import End, RepeatToEnd

Json = dict[str, Any]
Parse = Callable[..., Any]


def bitmap(bits: str) -> Bitmap:
    return Bitmap.from_indices(len(bits), [n for n, bit in enumerate(bits) if bit == "1"])


def pfn_request(value: Json) -> hint_request.PfnRequest:
    blocks = [(int(block["pfn"]), block["order"]) for block in value["blocks"]]
    return hint_request.PfnRequest(int(value["cookie"]), hint_request.Blocks.of(blocks))


def bitmap_request(value: Json) -> hint_request.BitmapRequest:
    return hint_request.BitmapRequest(
        int(value["cookie"]), int(value["start_pfn"]), value["order"], bitmap(value["bits"])
    )


def acknowledgement(value: Json) -> hint_ack.Acknowledgement:
    results = None if value["results"] is None else bitmap(value["results"])
    status = hint_ack.Status[value["status"]]
    return hint_ack.Acknowledgement(int(value["cookie"]), status, value["processed"], results)


def figures(value: Json) -> statistics.Statistics:
    return statistics.Statistics.of((e["tag"], int(e["value"])) for e in value["entries"])


def descriptor(value: Json) -> vring.Descriptor:
    return vring.Descriptor(int(value["addr"]), value["len"], value["flags"], value["next"])


FACES: dict[str, tuple[Any, Callable[[Json], Any]]] = {
    "hint-request-pfn": (hint_request.CODEC, pfn_request),
    "hint-request-bitmap": (hint_request.CODEC, bitmap_request),
    "hint-ack": (hint_ack.CODEC, acknowledgement),
    "pfn-array": (pfn_array.CODEC, lambda value: pfn_array.PfnArray.of(value["pfns"])),
    "statistics": (statistics.CODEC, figures),
    "command-id": (command.CODEC, lambda value: command.CommandId(value["value"])),
    "config-space": (config.CODEC, lambda value: config.BalloonConfig(**value)),
    "features": (features.CODEC, lambda value: features.Features.of(*value["bits"])),
    "vring-descriptor": (vring.DESCRIPTOR_CODEC, descriptor),
    "vring-used-element": (
        vring.USED_ELEMENT_CODEC,
        lambda value: vring.UsedElement(value["id"], value["len"]),
    ),
}
"""Formats that have a face: the codec, and `decoded` to face."""

CONTAINERS: dict[str, Struct] = {
    "reporting-chain": Struct("descriptors" / RepeatToEnd(vring.DESCRIPTOR), "end" / End),
    "vring-avail": Struct(*vring.AVAIL_RING.subcons, "end" / End),
    "vring-used": Struct(*vring.USED_RING.subcons, "end" / End),
}
"""Formats that are a bare declaration."""


def functions(name: str) -> tuple[list[Parse], Callable[[Json], Any], list[Callable[..., bytes]]]:
    """The ways to parse, the expected value of `decoded`, and the ways to build."""
    if name in FACES:
        codec, face = FACES[name]
        return (
            [codec.parse, codec.parse_interpreted],
            face,
            [codec.build, codec.build_interpreted],
        )
    declaration = CONTAINERS[name]

    def parse(data: bytes, *size: int) -> Any:
        return plain(declaration.parse(data, **dict(zip(["queue_size"], size, strict=False))))

    def build(value: Any, *size: int) -> bytes:
        return declaration.build(value, **dict(zip(["queue_size"], size, strict=False)))

    return [parse], numbers, [build]


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if not k.startswith("_") and k != "end"}
    return [plain(each) for each in value] if isinstance(value, list) else value


def numbers(value: Any) -> Any:
    """The same with 64-bit strings as numbers."""
    if isinstance(value, dict):
        return {key: numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [numbers(each) for each in value]
    return int(value) if isinstance(value, str) else value


def parse_problem(file: Json, vector: Json) -> str | None:
    """How the codecs and the vector disagree; None if they do not."""
    if file["status"] == "informative":
        return consume_history.problem(file, vector)
    parsers, expected, builders = functions(file["id"])
    data, parameters = bytes.fromhex(vector["hex"]), tuple(vector["parameters"].values())
    for parse in parsers:
        try:
            found = parse(data, *parameters)
        except WireError as error:
            if vector["result"] != "invalid":
                return str(error)
            wanted = vector["error"]
            seen = (type(error).__name__, error.path, error.offset)
            if seen != (consume_history.KINDS[wanted["kind"]], wanted["path"], wanted["offset"]):
                return f"{seen}"
        else:
            if vector["result"] != "valid":
                return f"accepted as {found}"
            try:
                value = expected(vector["decoded"])
            except (WireError, ValueError) as error:
                return f"no value of this format: {error}"
            if found != value:
                return f"read as {found}"
            if any(build(value, *parameters) != data for build in builders):
                return "built otherwise"
    return None
