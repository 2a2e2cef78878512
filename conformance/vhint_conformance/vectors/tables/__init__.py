"""The vectors, as tables: a file of vectors is one entry here."""

from __future__ import annotations

from typing import Final

from vhint_conformance.vectors.model import VectorFile
from vhint_conformance.vectors.tables import (
    balloon,
    balloon_lives,
    features,
    hint_ack,
    hint_bitmap,
    hint_pfn,
    hint_round_lives,
    history_chunks,
    history_lal,
    history_lal_late,
    history_li,
    lives,
    rings,
)

FILES: Final[tuple[VectorFile, ...]] = (
    hint_pfn.FILE,
    hint_bitmap.FILE,
    hint_ack.FILE,
    balloon.PFN_ARRAY,
    balloon.STATISTICS,
    balloon.COMMAND_ID,
    balloon.CONFIG_SPACE,
    rings.REPORTING,
    rings.DESCRIPTOR,
    rings.AVAIL,
    rings.USED,
    rings.USED_ELEMENT,
    features.FEATURES,
    features.NEGOTIATION,
    features.QUEUE_MAP,
    lives.FILE,
    balloon_lives.REPORTING,
    balloon_lives.BALLOONS,
    hint_round_lives.FILE,
    *history_lal.FILES,
    *history_lal_late.FILES,
    *history_li.FILES,
    *history_chunks.FILES,
)

RETIRED: Final[dict[str, str]] = {}
"""Ids that were published and are gone, each with the reason; they are never used again."""
