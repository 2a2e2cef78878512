"""Histories of the hinting queue: what devices answer, and when they keep to it."""

from __future__ import annotations

from vhint.spans import block
from vhint_conformance.vectors.steps import answer, check, discard, offer, use, violating
from vhint_conformance.vectors.tables import hint_ack
from vhint_conformance.vectors.tables.hint_pfn_message import request
from vhint_conformance.vectors.tables.lives_common import (
    COOKIES,
    INHIBITED,
    MALFORMED,
    OK,
    PARTIAL,
    A,
    B,
    C,
    ack,
    hint,
    history,
)

CONTAINMENT = "hint.device.containment"
LENGTHS = "hint.device.used-length-with-results"

ANSWERS = (
    history(
        "partial",
        "the second block was not accepted and is as it was",
        hint("a", A, B),
        discard(A),
        ack("a", PARTIAL, 1, "10"),
        check(driver_owns=[A, B]),
        slugs=("hint.device.unaccepted-untouched",),
    ),
    history(
        "partial-refused-discarded",
        "the block that was not accepted had been discarded",
        hint("a", A, B),
        discard(A, B),
        violating(ack("a", PARTIAL, 1, "10"), "hint.device.unaccepted-untouched"),
    ),
    history(
        "partial-no-room",
        "without result bits every block may be gone",
        hint("a", A, B, room=16),
        discard(A, B),
        ack("a", PARTIAL, 1),
        slugs=("hint.driver.uncovered-results-lost",),
    ),
    history(
        "partial-all",
        "PARTIAL although all blocks were accepted",
        hint("a", A, B),
        violating(ack("a", PARTIAL, 2, "11"), "hint.device.partial-not-all"),
    ),
    history(
        "ok-not-all",
        "OK although a block was not accepted",
        hint("a", A, B),
        violating(ack("a", OK, 1, "10"), "hint.device.ok-means-all"),
    ),
    history(
        "processed-wrong",
        "processed is not the number of result bits",
        hint("a", A, B, C),
        violating(ack("a", PARTIAL, 1, "110"), "hint.device.processed-counts-accepted"),
    ),
    history(
        "padding-set",
        "a result bit for a block that was not named",
        hint("a", A, B),
        violating(ack("a", OK, 2, "111"), "hint.device.result-padding-zero"),
    ),
    history(
        "inhibited",
        "INHIBITED, and nothing was touched",
        hint("a", A, B),
        ack("a", INHIBITED, 0),
        check(driver_owns=[A, B], must_not_discard=[A, B]),
        slugs=("hint.device.refusal-touches-nothing",),
    ),
    history(
        "refused-discarded",
        "a refused request whose blocks were discarded",
        hint("a", A, B),
        discard(A),
        violating(ack("a", INHIBITED, 0), "hint.device.refusal-touches-nothing"),
        notes=("all-or-nothing",),
    ),
    history(
        "refused-then-discarded",
        "a refused request whose blocks are discarded afterwards",
        hint("a", A),
        ack("a", INHIBITED, 0),
        violating(discard(A), "hint.device.refusal-touches-nothing"),
    ),
    history(
        "refused-processed",
        "a refusal with a number of processed blocks",
        hint("a", A, B),
        violating(ack("a", INHIBITED, 2), "hint.device.refusal-processed-zero"),
    ),
    history(
        "refused-with-results",
        "a refusal with result bits",
        hint("a", A, B),
        violating(ack("a", INHIBITED, 0, "00"), "hint.device.refusal-length-16"),
    ),
    history(
        "wrong-cookie",
        "the cookie of the other request",
        hint("a", A),
        hint("b", B),
        violating(ack("a", OK, 1, "1", cookie=COOKIES["b"]), "hint.device.cookie-echo"),
        ack("b", OK, 1, "1"),
        notes=("used-id",),
    ),
    history(
        "unknown-status",
        "a status that is not defined",
        hint("a", A),
        violating(ack("a", 5, 0), "hint.device.status-known"),
    ),
    history(
        "short-length",
        "fewer than 16 bytes although there was room",
        hint("a", A),
        violating(use("a", 12, hint_ack.ack(OK, 1, "", COOKIES["a"]).data[:12]), LENGTHS),
        notes=("used-length",),
    ),
    history(
        "length-zero",
        "nothing was written although there was room",
        hint("a", A),
        violating(use("a", 0), LENGTHS),
        notes=("used-length",),
    ),
    history(
        "length-over-room",
        "more bytes than the driver left room for",
        hint("a", A, room=16),
        violating(
            use("a", 17, hint_ack.ack(OK, 1, "1", COOKIES["a"]).data), "ring.device.len-truthful"
        ),
        notes=("used-length",),
    ),
    history(
        "too-many-results",
        "more result bytes than blocks have bits",
        hint("a", A, room=32),
        violating(answer("a", hint_ack.ack(OK, 1, "1" + "0" * 15, COOKIES["a"]).data), LENGTHS),
    ),
    history(
        "no-room",
        "no room for an answer: used with length 0, and nothing was touched",
        hint("a", A, room=8),
        use("a", 0),
        check(driver_owns=[A]),
        slugs=("hint.device.no-room-length-zero", "hint.device.no-room-touches-nothing"),
    ),
    history(
        "malformed",
        "a request with an unaligned block is refused",
        offer("a", "hinting", request(((0x101, 1),), cookie=COOKIES["a"]).data, 17),
        ack("a", MALFORMED, 0),
        slugs=("hint-pfn.device.refuse-misaligned",),
    ),
    history(
        "malformed-discarded",
        "a request with an unaligned block is refused after it was acted upon",
        offer("a", "hinting", request(((0x101, 1),), cookie=COOKIES["a"]).data, 17),
        violating(discard(block(0x101), block(0x102)), CONTAINMENT),
        ack("a", MALFORMED, 0),
        notes=("all-or-nothing",),
    ),
)
