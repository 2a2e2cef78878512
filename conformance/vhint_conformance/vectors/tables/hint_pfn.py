"""Vectors of hinting requests with an array of (pfn, order)."""

from __future__ import annotations

from collections.abc import Mapping

from vhint.wire import hint_request
from vhint.wire.hint_request import Blocks, PfnRequest
from vhint_conformance.vectors.model import Codec, Expected, FormatFile, Json
from vhint_conformance.vectors.tables.common import EITHER, MALFORMED, UNSUPPORTED, accepts, refuses
from vhint_conformance.vectors.tables.hint_pfn_broken import INVALID
from vhint_conformance.vectors.tables.hint_pfn_message import FOUR, LIMIT, ONE, TWO, valid

RAM = "hint.device.refuse-outside-ram"
MISALIGNED = "hint-pfn.device.refuse-misaligned"
PAST = "hint.device.refuse-past-address-limit"
NO_CAUSE = ("hint.device.no-refusal-without-cause",)
OUTSIDE = {"default": refuses(MALFORMED, RAM)}


VALID = (
    valid("empty", "no block", (), requirements=("hint.device.count-zero-ok",)),
    valid("one-page", "one block of order 0", ONE, requirements=NO_CAUSE),
    valid("page-zero", "the page at address 0", ((0, 0),), notes=("address-zero",)),
    valid("two-orders", "two blocks of different orders", TWO),
    valid("adjacent", "blocks that follow one another", ((0x100, 0), (0x101, 0), (0x102, 1))),
    valid("unsorted", "blocks in no order", ((0x1F0, 2), (0x100000, 0), (0x90, 4), (0x8, 3))),
    valid(
        "max-count",
        "as many entries as hint_max_count allows",
        FOUR,
        requirements=("hint-pfn.device.refuse-count-over-limit", *NO_CAUSE),
    ),
    valid("order-9", "a block of 2 MiB", ((0x100000, 9),)),
    valid("order-10", "a block of 4 MiB that fills a region", ((0x100000, 10),)),
    valid("last-page", "the last page of a region", ((0x1FF, 0), (0x1003FF, 0))),
    valid(
        "above-4-gib",
        "a page above 4 GiB whose address in 32 bits is another page of RAM",
        ((0x100100, 0),),
        notes=("above-4-gib",),
    ),
    valid("cookie-one", "the smallest cookie that a driver uses", ONE, cookie=1),
    valid(
        "cookie-max",
        "the largest cookie",
        ONE,
        cookie=(1 << 64) - 1,
        requirements=("hint.device.cookie-echo",),
        notes=("above-2-53",),
    ),
    valid(
        "cookie-odd-above-2-53",
        "a cookie that floating point would round",
        ONE,
        cookie=(1 << 53) + 1,
        requirements=("hint.device.cookie-echo",),
        notes=("above-2-53",),
    ),
    valid(
        "cookie-zero",
        "a cookie that no sound driver uses",
        ONE,
        cookie=0,
        requirements=("hint.driver.cookie-nonzero", *NO_CAUSE),
        notes=("driver-breaks-rule",),
    ),
    valid(
        "same-block-twice",
        "a block that is named twice",
        (*ONE, *ONE),
        requirements=("hint.device.overlap-union", "hint.driver.no-overlap-in-request"),
        notes=("driver-breaks-rule",),
    ),
    valid(
        "block-in-block",
        "a block inside another one",
        ((0x100, 4), (0x104, 1)),
        requirements=("hint.device.overlap-union", "hint.driver.no-overlap-in-request"),
        notes=("driver-breaks-rule",),
    ),
    valid(
        "order-4-host-page",
        "blocks of exactly a host page",
        ((0x100, 4), (0x1F0, 4)),
        {name: accepts((0x100, 4), (0x1F0, 4)) for name in ("default", "order-4")},
        requirements=("hint.device.round-inward",),
        notes=("host-page",),
    ),
    valid(
        "order-9-host-page",
        "a block of exactly a host page of 2 MiB",
        ((0x100200, 9),),
        {"order-9": accepts((0x100200, 9))},
        requirements=("hint.device.round-inward",),
        notes=("host-page",),
    ),
    valid(
        "poisoned",
        "a block while pages must keep poison_val",
        ONE,
        {
            "default": accepts(*ONE),
            "poison": Expected(
                statuses=("INHIBITED", "OK", "PARTIAL"),
                may_discard=(),
                requirements=("hint.device.poison-inhibited", "hint.device.poison-preserved"),
            ),
        },
        requirements=("hint.device.poison-inhibited", "hint.device.poison-preserved"),
        notes=("poison",),
    ),
)

REFUSED = (
    valid(
        "over-max-count",
        "one entry more than hint_max_count",
        (*FOUR, (0x110, 0)),
        {"default": refuses(UNSUPPORTED, "hint-pfn.device.refuse-count-over-limit")},
        requirements=("hint-pfn.device.refuse-count-over-limit",),
    ),
    valid(
        "order-under-minimum",
        "an order below hint_min_order",
        ((0x100, 3),),
        {
            "default": accepts((0x100, 3)),
            "order-4": refuses(UNSUPPORTED, "hint.device.refuse-order-under-minimum"),
            "order-9": refuses(UNSUPPORTED, "hint.device.refuse-order-under-minimum"),
        },
        requirements=("hint.device.refuse-order-under-minimum",),
    ),
    valid(
        "second-order-under-minimum",
        "the second order is below hint_min_order",
        ((0x100, 4), (0x180, 0)),
        {
            "default": accepts((0x100, 4), (0x180, 0)),
            "order-4": refuses(UNSUPPORTED, "hint.device.refuse-order-under-minimum"),
        },
        requirements=("hint.device.refuse-order-under-minimum",),
        notes=("all-or-nothing",),
    ),
    valid(
        "misaligned",
        "a pfn that is no multiple of 2^order",
        ((0x101, 1),),
        {"default": refuses(MALFORMED, MISALIGNED)},
        requirements=(MISALIGNED,),
    ),
    valid(
        "misaligned-multiple-of-order",
        "a multiple of the order, 4, but not of 2^4",
        ((0x104, 4),),
        {"default": refuses(MALFORMED, MISALIGNED)},
        requirements=(MISALIGNED,),
        notes=("alignment-by-order",),
    ),
    valid(
        "misaligned-by-half",
        "aligned to half of the block only",
        ((0x100100, 9),),
        {"default": refuses(MALFORMED, MISALIGNED)},
        requirements=(MISALIGNED,),
    ),
    valid(
        "misaligned-and-under-minimum",
        "misaligned, and an order below hint_min_order",
        ((0x101, 1),),
        {"order-4": refuses(EITHER, MISALIGNED, "hint.device.refuse-order-under-minimum")},
        requirements=(
            MISALIGNED,
            "hint.device.refuse-order-under-minimum",
            "hint.device.several-faults-either-status",
        ),
        notes=("several-faults",),
    ),
    valid(
        "second-misaligned",
        "a good block, then a misaligned one",
        ((0x100, 4), (0x181, 1)),
        {"default": refuses(MALFORMED, MISALIGNED)},
        requirements=(MISALIGNED, "hint.device.validate-before-touch"),
        notes=("all-or-nothing",),
    ),
    valid(
        "after-ram", "the first page behind a region", ((0x200, 0),), OUTSIDE, requirements=(RAM,)
    ),
    valid(
        "before-ram", "the last page before a region", ((0xFFFFF, 0),), OUTSIDE, requirements=(RAM,)
    ),
    valid(
        "second-outside-ram",
        "a good block, then one in a hole of the memory map",
        ((0x100, 0), (0x200, 0)),
        OUTSIDE,
        requirements=(RAM, "hint.device.validate-before-touch"),
        notes=("all-or-nothing", "not-ram"),
    ),
    valid(
        "crosses-end-of-ram",
        "a block that begins in RAM and ends outside",
        ((0, 10),),
        OUTSIDE,
        requirements=(RAM,),
        notes=("not-ram",),
    ),
    valid(
        "order-40",
        "the largest order, from page 0: more than there is RAM",
        ((0, 40),),
        OUTSIDE,
        requirements=(RAM,),
        notes=("shift-width",),
    ),
    valid(
        "order-40-high",
        "the last block of order 40",
        (((1 << 52) - (1 << 40), 40),),
        {"default": refuses(MALFORMED, RAM), "top": refuses(MALFORMED, RAM)},
        requirements=(RAM,),
        notes=("above-2-53",),
    ),
    valid(
        "order-31",
        "an order at which 2^order is negative in a signed 32-bit number",
        ((0, 31),),
        OUTSIDE,
        requirements=(RAM,),
        notes=("shift-width",),
    ),
    valid(
        "order-32",
        "an order at which 2^order is 0, or 1, in 32 bits",
        ((0, 32),),
        OUTSIDE,
        requirements=(RAM,),
        notes=("shift-width",),
    ),
    valid(
        "last-pfn",
        "the last page that there can be",
        ((LIMIT - 1, 0),),
        {"default": refuses(MALFORMED, RAM), "top": accepts((LIMIT - 1, 0))},
        requirements=(RAM, *NO_CAUSE),
        notes=("above-2-53",),
    ),
    valid(
        "ends-at-limit",
        "a block that ends exactly at page 2^52",
        ((LIMIT - 16, 4),),
        {"default": refuses(MALFORMED, RAM), "top": accepts((LIMIT - 16, 4))},
        requirements=(RAM, PAST, *NO_CAUSE),
        notes=("above-2-53",),
    ),
    valid(
        "ends-past-limit",
        "a block of 2 pages from the last page on",
        ((LIMIT - 1, 1),),
        {name: refuses(MALFORMED, PAST, MISALIGNED, RAM) for name in ("default", "top")},
        requirements=(MISALIGNED, PAST, RAM),
        notes=("above-2-53",),
    ),
)


def _parse(data: bytes, parameters: Mapping[str, int]) -> object:  # noqa: ARG001
    return hint_request.parse(data)


def _build(decoded: Json, parameters: Mapping[str, int]) -> bytes:  # noqa: ARG001
    blocks = Blocks.of([(int(item["pfn"]), item["order"]) for item in decoded["blocks"]])
    return hint_request.build(PfnRequest(int(decoded["cookie"]), blocks))


FILE = FormatFile(
    "hint-request-pfn",
    "Hinting requests with an array of (pfn, order)",
    "vhint, The hinting virtqueue",
    {"blocks": [{"order": "u32", "pfn": "u64"}], "cookie": "u64"},
    Codec(_parse, _build),
    (*VALID, *REFUSED, *INVALID),
    queue="hinting",
)
