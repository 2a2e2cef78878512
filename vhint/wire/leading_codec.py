"""The codec of a `LeadingStruct`: a message that may end after any field from some field on."""

# ruff: noqa: ARG002 - the interface is of Codec

from __future__ import annotations

import struct
from typing import Any, cast

from vhint.wire.codec import Codec, Data, F
from vhint.wire.derive import NotDerivable, leaves, to_struct
from vhint.wire.schema import LeadingStruct


class LeadingCodec(Codec[F]):
    """As `Codec`, with one derived `struct.Struct` for each length that the message may have."""

    sizes: tuple[int, ...]
    """The lengths in bytes, ascending."""

    def _prepare(self) -> None:
        con = self.declaration
        if type(con) is not LeadingStruct:
            raise NotDerivable(f"not a LeadingStruct: {con!r}")
        parts = leaves(con)
        if any(leaf.rule and leaf.rule.high != (1 << 8 * leaf.size) - 1 for leaf in parts):
            raise NotDerivable("a field that may be missing and has bounds as well")
        self._names = [leaf.name for leaf in parts]
        # The struct of the first n fields is a prefix of the format of all of them.
        whole = to_struct(con).format
        self._by_count = {
            n: struct.Struct(whole[: n + 1]) for n in range(con.minimum, len(parts) + 1)
        }
        self._by_size = {layout.size: layout for layout in self._by_count.values()}
        self.sizes = tuple(self._by_size)
        self._cls = self._faces[None].cls
        self.parse = self._parse
        self.build = self._build

    def _parse(self, data: Data) -> F:
        data = self._copied(data)
        layout = self._by_size.get(len(data))
        if layout is None:
            self._reject_data(data)
        return cast(F, self._cls(*layout.unpack(data)))

    def _build(self, face: F) -> bytes:
        if type(face) is not self._cls:
            return self._reject_face(face)
        values = [getattr(face, name) for name in self._names]
        while values and values[-1] is None:
            values.pop()
        layout = self._by_count.get(len(values))
        try:
            return layout.pack(*values) if layout else self._reject_face(face)
        except struct.error:
            return self._reject_face(face)

    def _face_of(self, values: Any) -> F:
        return cast(F, self._cls(**values))

    def _values_of(
        self, face: F, parameters: tuple[Any, ...], *, plain: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        self._description(face)
        return {name: getattr(face, name) for name in self._names}, {}
