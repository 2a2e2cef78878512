"""The bytes of a fuzzed message, sound or flawed, and what a sound device may answer to them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span
from vhint.wire import config, hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import MAX_ORDER, PFN_LIMIT
from vhint.wire.errors import WireError
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import Status
from vhint.wire.statistics import Statistic, StatisticTag
from vhint_conformance.fuzz.moves import UNITS, Flaw, Kind, Offer

if TYPE_CHECKING:
    from vhint_conformance.fuzz.setting import Setting

HEADER = hint_request.HEADER_SIZE
REFUSED = (Status.MALFORMED, Status.UNSUPPORTED)
TAKEN = (Status.OK, Status.PARTIAL, Status.INHIBITED)
REFUSALS = {
    Flaw.TYPE: "hint.device.refuse-unknown-type",
    Flaw.FLAGS: "hint.device.refuse-nonzero-flags",
    Flaw.RESERVED: "hint.device.refuse-nonzero-reserved",
    Flaw.ORDER: "hint.device.refuse-order-over-40",
    Flaw.OUTSIDE: "hint.device.refuse-outside-ram",
    Flaw.COUNT: "hint.device.refuse-inexact-length",
    Flaw.SHORT: "hint.device.refuse-inexact-length",
    Flaw.TAIL: "hint.device.refuse-inexact-length",
}
"""What a device breaks that accepts a request with that flaw."""
ENTRY = struct.Struct("<QII")


def pieces(draft: Draft, cut: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sizes of the buffers of both sides of a message that is cut."""
    if not cut:
        return (), ()
    return (cut,) * (len(draft.readable) // cut), (cut,) * (draft.room // cut)


def descriptors(draft: Draft, cut: int) -> int:
    """Return how many buffers the chain of a message has that is cut."""
    sides = [-(-size // (cut or size or 1)) for size in (len(draft.readable), draft.room)]
    return sum(sides) + (len(draft.blocks) if draft.pages_are_buffers else 0)


@dataclass(frozen=True, slots=True)
class Message:
    """A message, whether a device must be able to use it, and what it may answer.

    `statuses` are those of the answer to a request for hints, and `requirement` is what another
    status breaks.  A request that must be refused names no blocks: it gives none away.
    """

    draft: Draft
    valid: bool = True
    statuses: tuple[str, ...] = ()
    requirement: str = ""


def build(move: Offer, setting: Setting, accepted: Features, cookie: int) -> Message:
    """Return the message that a move makes available."""
    blocks = [setting.unit(unit) for unit in move.units]
    match move.kind:
        case Kind.STATISTICS:
            sound = requests.give_statistics([Statistic(StatisticTag.MEMFREE, move.amount)])
            return Message(_tailed(sound, move))
        case Kind.INFLATE:
            numbers = [block.start // PAGE for block in blocks]
            numbers += numbers[:1] if move.flaw is Flaw.TWICE else []
            if move.flaw is Flaw.SHORT:
                return Message(_short(requests.inflate(numbers), move))
            sound = requests.inflate(numbers)
            if move.flaw is not Flaw.OUTSIDE:
                return Message(_tailed(sound, move))
            outside = (setting.end // PAGE + move.amount) & 0xFFFFFFFF
            raw = sound.readable + outside.to_bytes(4, "little")
            return Message(replace(sound, readable=raw), valid=False)
        case Kind.DEFLATE:
            sound = requests.deflate([block.start // PAGE for block in blocks])
            short = move.flaw is Flaw.SHORT
            return Message(_short(sound, move) if short else _tailed(sound, move))
        case Kind.REPORT:
            return _report(blocks, move, setting)
        case _:
            return _judged(_hint(blocks, move, setting, cookie), move, setting, accepted)


def _judged(draft: Draft, move: Offer, setting: Setting, accepted: Features) -> Message:
    """Return a request for hints with what it may be answered."""
    nothing = replace(draft, blocks=(), positions=())
    if move.flaw is Flaw.NO_ROOM:
        return Message(nothing)
    if not must_refuse(draft.readable, setting, accepted):
        names = tuple(status.name for status in TAKEN)
        return Message(draft, statuses=names, requirement="hint.device.no-refusal-without-cause")
    slug = REFUSALS.get(move.flaw, "hint.device.validate-before-touch")
    if move.flaw is Flaw.MISALIGNED:
        slug = f"hint-{'pfn' if move.kind is Kind.PFNS else 'bitmap'}.device.refuse-misaligned"
    if move.kind is Kind.BITMAP and Feature.HINTING_BITMAP not in accepted:
        slug = "hint-bitmap.device.refuse-not-negotiated"
    names = tuple(status.name for status in REFUSED)
    return Message(nothing, statuses=names, requirement=slug)


def _tailed(draft: Draft, move: Offer) -> Draft:
    if move.flaw is not Flaw.TAIL:
        return draft
    return replace(draft, readable=draft.readable + b"\1" * (1 + move.amount % 3))


def _short(draft: Draft, move: Offer) -> Draft:
    """Return an array whose last page number is not all there, and so names no page."""
    lost = 1 + move.amount % 3
    return replace(draft, readable=draft.readable[:-lost], blocks=draft.blocks[:-1])


def _report(blocks: list[Span], move: Offer, setting: Setting) -> Message:
    match move.flaw:
        case Flaw.OUTSIDE:
            outside = Span(setting.end + move.amount * PAGE, PAGE)
            return Message(requests.report([*blocks, outside]), valid=False)
        case Flaw.ODD:
            inside = 1 + move.amount % (PAGE // 2)
            odd = [Span(each.start + inside, each.length - inside - 1) for each in blocks]
            return Message(requests.report(odd))
        case Flaw.TWICE:
            return Message(requests.report([*blocks, blocks[0]]))
        case _:
            return Message(requests.report(blocks))


def _hint(blocks: list[Span], move: Offer, setting: Setting, cookie: int) -> Draft:
    order = setting.order
    if move.kind is Kind.PFNS:
        if move.flaw is Flaw.TWICE and len(blocks) < setting.count:
            blocks = [*blocks, blocks[0]]
        draft = requests.hint_blocks(cookie, [(each.start // PAGE, order) for each in blocks])
    else:
        bits = Bitmap.from_indices(UNITS, sorted(set(move.units)))
        draft = requests.hint_bitmap(cookie, setting.base // PAGE, order, bits)
    raw = bytearray(draft.readable)
    match move.flaw:
        case Flaw.TYPE:
            raw[0:2] = (3 + move.amount).to_bytes(2, "little")
        case Flaw.FLAGS:
            raw[2:4] = (1 + move.amount).to_bytes(2, "little")
        case Flaw.RESERVED:
            raw[HEADER + 12] = 1 + move.amount % 255
        case Flaw.ORDER:
            raw[HEADER + 8 : HEADER + 12] = (MAX_ORDER + 1 + move.amount).to_bytes(4, "little")
        case Flaw.MISALIGNED:
            pfn, was, _ = ENTRY.unpack_from(raw, HEADER)
            ENTRY.pack_into(raw, HEADER, pfn | 1, max(1, was), 0)
        case Flaw.OUTSIDE:
            pfn = -(-setting.end // (PAGE << order)) << order
            ENTRY.pack_into(raw, HEADER, pfn, order, 0)
        case Flaw.COUNT:
            count = int.from_bytes(raw[4:8], "little")
            raw[4:8] = (count + 8 if move.kind is Kind.BITMAP else count + 1).to_bytes(4, "little")
        case Flaw.SHORT:
            del raw[-1 - move.amount % (len(raw) - 1) :]
        case Flaw.TAIL:
            raw += b"\0" * (1 + move.amount % 20)
        case Flaw.NO_ROOM:
            return replace(draft, room=move.amount % 16)
        case _:
            pass
    return replace(draft, readable=bytes(raw))


def must_refuse(data: bytes, setting: Setting, accepted: Features) -> bool:
    """Whether a device must refuse these bytes (vhint, The hinting virtqueue, rule 3)."""
    try:
        request = hint_request.parse(data)
    except WireError:
        return True
    if isinstance(request, hint_request.PfnRequest):
        over = len(request.blocks) > setting.count
        named = [(block.pfn, block.order) for block in request.blocks]
    else:
        over = request.bits.count > setting.count * config.BITMAP_COUNT_FACTOR
        over |= Feature.HINTING_BITMAP not in accepted
        step = 1 << min(request.order, MAX_ORDER)
        if request.start_pfn % step:
            return True
        named = [(request.start_pfn + n * step, request.order) for n in request.bits.indices()]
        named += [] if named else [(setting.base // PAGE, request.order)]
    return over or any(_refused(pfn, order, setting) for pfn, order in named)


def _refused(pfn: int, order: int, setting: Setting) -> bool:
    if order > MAX_ORDER or order < setting.order:
        return True
    size = 1 << order
    return bool(pfn % size) or pfn + size > min(PFN_LIMIT, setting.end // PAGE)
