"""Whether this project's codecs say of a vector what the vector says."""

from __future__ import annotations

from vhint.wire import errors
from vhint.wire.errors import WireError
from vhint_conformance.vectors.model import Codec, ErrorKind, Json
from vhint_conformance.vectors.values import to_json

KIND = {
    errors.ShortInput: ErrorKind.SHORT_INPUT,
    errors.TrailingBytes: ErrorKind.TRAILING_BYTES,
    errors.OutOfRange: ErrorKind.OUT_OF_RANGE,
    errors.ReservedNotZero: ErrorKind.RESERVED_NOT_ZERO,
    errors.UnknownValue: ErrorKind.UNKNOWN_VALUE,
    errors.PaddingNotZero: ErrorKind.PADDING_NOT_ZERO,
    errors.WrongLength: ErrorKind.WRONG_LENGTH,
}
"""The codecs' errors that bytes can cause, as vectors name them."""


def disagreement(codec: Codec, types: Json, vector: Json) -> str | None:
    """Say how a codec and a format vector, as it stands in its file, disagree; None if not."""
    if "layouts" not in vector:
        return _disagreement(codec, types, vector, vector["parameters"])
    for layout in vector["layouts"]:
        given = vector["parameters"] | {"layout": layout}
        if what := _disagreement(codec, types, vector, given):
            return f"{layout}: {what}"
    return None


def _disagreement(codec: Codec, types: Json, vector: Json, given: Json) -> str | None:
    data = bytes.fromhex(vector["hex"])
    try:
        found = to_json(codec.parse(data, given), types)
    except WireError as error:
        if vector["result"] == "valid":
            return f"the codec refuses it: {error}"
        seen = {"kind": KIND.get(type(error)), "offset": error.offset, "path": error.path}
        return None if seen == vector["error"] else f"the codec's error is {seen}"
    except (AttributeError, KeyError) as error:
        return f"the codec takes it for something else, without {error}"
    if vector["result"] == "invalid":
        return f"the codec accepts it, as {found}"
    if found != vector["decoded"]:
        return f"the codec reads {found}"
    if codec.build is None:
        return None if vector.get("one_way") else "it is not one_way, and there is no builder"
    built = codec.build(vector["decoded"], given)
    if vector.get("one_way"):
        return _other_bytes(codec, types, vector, given, built)
    return None if built == data else f"the codec builds {built.hex()}"


def _other_bytes(codec: Codec, types: Json, vector: Json, given: Json, built: bytes) -> str | None:
    if built.hex() == vector["hex"]:
        return "it is one_way, but the codec builds the same bytes"
    again = to_json(codec.parse(built, given), types)
    return (
        None if again == vector["decoded"] else f"the codec builds {built.hex()}, read as {again}"
    )
