"""Formats that were posted before or beside the standard, for reading old traces.

Each module has one profile. All are informative: nothing new is to be built of them. Their faults
are reproduced, and listed as data (`Profile.quirks`) with how each is known.

==================  ==========  ===================================================================
module              posted      a message is
==================  ==========  ===================================================================
li_bitmap_2016      2016        a header, then a bitmap
li_packed_v5        2016-11-30  heads of bit fields with short bitmaps
li_range_v6         2016-12     words of PFN and number of pages
lal_hypercall       2017        records for a hypercall that did nothing
wang_chunks_v9      2017-04-13  a 32-bit count, then (base, size)
wang_chunks_v10     2017-05     a 64-bit count, then (base, size)
wang_chunks_v11     2017-06-09  an indirect table whose lengths count pages
lal_v8              2019-02-04  an array of (pfn, order), in the guest's memory
lal_v9              2019-03-06  a request that points to such an array
lal_v10             2019-06-03  a request that points to an array of (address, size)
duyck_pa_order      2019-06-19  addresses with an order in the low bits
lal_v11             2019-07-10  an array of (address, size), ended by address 0
lal_v12             2019-08-12  no payload: the buffers are the pages
mst_init_2026       2026-04-22  PFNs, and a bitmap of the initialised ones
==================  ==========  ===================================================================

`profile` says what is said of each, `layout` which guests there are, `entries` and `interpreted`
are the codecs; `chunks`, `descriptors`, `leading` and `li_response` are shared by several formats.
All but Li's v5 and v6 run code derived from their declaration.

>>> decode("lal-v8", bytes.fromhex("00020000 09000000"), desc_len=1, layout="ilp32-little")
IsolatedBlocks([IsolatedBlock(pfn=512, order=9)])
>>> PROFILES["lal-v9"].quirks[0].bug
'N4'
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from vhint.wire.codec import Data
from vhint.wire.history import (
    duyck_pa_order,
    lal_hypercall,
    lal_v8,
    lal_v9,
    lal_v10,
    lal_v11,
    lal_v12,
    li_bitmap_2016,
    li_packed_v5,
    li_range_v6,
    mst_init_2026,
    wang_chunks_v9,
    wang_chunks_v10,
    wang_chunks_v11,
)
from vhint.wire.history.layout import Layout
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)

__all__ = [
    "PROFILES",
    "Confidence",
    "FeatureBit",
    "Layout",
    "Message",
    "Profile",
    "QueueIndex",
    "Quirk",
    "decode",
]

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        module.PROFILE.name: module.PROFILE
        for module in (
            li_bitmap_2016,
            li_packed_v5,
            li_range_v6,
            lal_hypercall,
            wang_chunks_v9,
            wang_chunks_v10,
            wang_chunks_v11,
            lal_v8,
            lal_v9,
            lal_v10,
            duyck_pa_order,
            lal_v11,
            lal_v12,
            mst_init_2026,
        )
    }
)
"""All profiles by name, in the order of their dates."""


def decode(
    profile: str,
    data: Data,
    *,
    message: str | None = None,
    layout: str | None = None,
    **parameters: int,
) -> Any:
    """Parse a message of a profile; the face it gives is described in the profile's module.

    Args:
        profile: a name in `PROFILES`.
        data: the bytes.
        message: the name of one of the profile's messages; None for the first.
        layout: the guest's, see `Layout`; None for a little-endian LP64 guest.
        parameters: the numbers that the message needs besides its bytes, by name.

    Raises:
        WireError: if the bytes, or the numbers, are not such a message.
        ValueError: if there is no such profile, message or layout, or a number is missing or one
            too many. (A `WireError` is one as well.)

    """
    chosen = _choose(profile, message)
    if parameters.keys() != set(chosen.parameters):
        needed = ", ".join(chosen.parameters) or "no number"
        given = ", ".join(parameters) or "none"
        raise ValueError(f"{profile} {chosen.name}: needs {needed} besides the bytes, got {given}")
    options = {}
    if layout is not None:
        if layout not in chosen.layouts:
            known = ", ".join(chosen.layouts) or "none, as it is the same for all guests"
            raise ValueError(f"{profile} {chosen.name}: no layout {layout!r}; there is {known}")
        options["layout"] = Layout(layout)
    return chosen.parse(data, *(parameters[name] for name in chosen.parameters), **options)


def _choose(profile: str, message: str | None) -> Message:
    if profile not in PROFILES:
        raise ValueError(f"no profile {profile!r}; there is {', '.join(PROFILES)}")
    messages = {item.name: item for item in PROFILES[profile].messages}
    name = next(iter(messages)) if message is None else message
    if name not in messages:
        raise ValueError(f"{profile}: no message {name!r}; there is {', '.join(messages)}")
    return messages[name]
