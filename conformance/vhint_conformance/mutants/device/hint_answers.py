"""Faults in the acknowledgements of the hinting queue."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

from vhint.host.hinting import Hinting
from vhint.ring import Chain
from vhint.spans import Span
from vhint.wire import hint_ack, hint_request
from vhint.wire.hint_ack import Status
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant, serving

HEAD = hint_ack.HEADER_SIZE
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Rewrites(Hinting):
    """Changes a sound answer before anybody has seen it."""

    def rewrite(self, answer: bytes, request: bytes) -> bytes:
        """Return what is answered instead; `request` is its beginning."""
        raise NotImplementedError

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Answer, and put another answer in its place."""
        memory = self.context.memory
        request = chain.read(memory, self._longest())
        length = yield from super().handle(chain)
        if length < HEAD:
            return length
        written = b"".join(memory.read(span) for span in chain.writable if span.length)[:length]
        return chain.write(memory, self.rewrite(written, request))


def rewriting(rewrite: Callable[[bytes, bytes], bytes]) -> type[Hinting]:
    """Return a handler whose answers are changed by a function of answer and request."""

    class Rewriting(Rewrites):
        """Changes answers as the function says."""

        def rewrite(self, answer: bytes, request: bytes) -> bytes:
            """Ask the function."""
            return rewrite(answer, request)

    return Rewriting


def _status(answer: bytes) -> int:
    return int.from_bytes(answer[8:12], "little")


def _with(answer: bytes, *, status: int | None = None, processed: int | None = None) -> bytes:
    """Return the answer with other numbers."""
    middle = answer[8:12] if status is None else status.to_bytes(4, "little")
    last = answer[12:16] if processed is None else processed.to_bytes(4, "little")
    return answer[:8] + middle + last + answer[16:]


def _count(request: bytes) -> int:
    return int.from_bytes(request[4:8], "little")


def _bitmap(request: bytes) -> bool:
    return request[:2] == b"\2\0"


def _accepted(answer: bytes) -> bool:
    return _status(answer) <= Status.PARTIAL and len(answer) > HEAD


def no_cookie(answer: bytes, _: bytes) -> bytes:
    """Answer with cookie 0."""
    return bytes(8) + answer[8:]


def twin_refused(answer: bytes, request: bytes) -> bytes:
    """Accept a block once that a request names twice in a row, and refuse it the second time."""
    first, second = request[16:28], request[32:44]
    if _bitmap(request) or not _accepted(answer) or _count(request) < 2 or first != second:
        return answer
    processed = int.from_bytes(answer[12:16], "little") - 1
    bits = bytes([answer[HEAD] & ~2]) + answer[HEAD + 1 :]
    return _with(answer[:HEAD], status=Status.PARTIAL, processed=processed) + bits


def half_cookie(answer: bytes, _: bytes) -> bytes:
    """Keep 32 bits of the cookie."""
    return answer[:4] + bytes(4) + answer[8:]


def cookie_big_endian(answer: bytes, _: bytes) -> bytes:
    """Turn the cookie round."""
    return answer[:8][::-1] + answer[8:]


def status_16_bit(answer: bytes, _: bytes) -> bytes:
    """Write the status as a big-endian number."""
    return answer[:8] + answer[8:12][::-1] + answer[12:]


def processed_big_endian(answer: bytes, _: bytes) -> bytes:
    """Turn the number of accepted blocks round."""
    return answer[:12] + answer[12:16][::-1] + answer[16:]


def processed_counts_all(answer: bytes, request: bytes) -> bytes:
    """Count every bit of a bitmap request, set or clear."""
    return _with(answer, processed=_count(request)) if _accepted(answer) else answer


def processed_zero(answer: bytes, _: bytes) -> bytes:
    """Count nothing."""
    return _with(answer, processed=0)


def processed_of_refusal(answer: bytes, request: bytes) -> bytes:
    """Count the entries of a refused request too."""
    refused = _status(answer) > Status.PARTIAL
    return _with(answer, processed=_count(request) & 0xFFFFFFFF) if refused else answer


def ok_with_clear_bits(answer: bytes, _: bytes) -> bytes:
    """Leave the first block out and say OK."""
    if not _accepted(answer) or not answer[16] & 1:
        return answer
    fewer = int.from_bytes(answer[12:16], "little") - 1
    changed = answer[:16] + bytes([answer[16] & 0xFE]) + answer[17:]
    return _with(changed, processed=fewer)


def partial_for_all(answer: bytes, _: bytes) -> bytes:
    """Say PARTIAL where everything was accepted."""
    return _with(answer, status=Status.PARTIAL) if _accepted(answer) else answer


def most_significant_first(answer: bytes, _: bytes) -> bytes:
    """Turn the bits of every byte round."""
    return answer[:HEAD] + answer[HEAD:].translate(REVERSED)


def bits_shifted(answer: bytes, _: bytes) -> bytes:
    """Count result bits from one."""
    size = len(answer) - HEAD
    bits = int.from_bytes(answer[HEAD:], "little") << 1
    return answer[:HEAD] + (bits & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def bytes_swapped(answer: bytes, _: bytes) -> bytes:
    """Write the result bitmap as big-endian words of 64 bits."""
    words = [answer[at : at + 8][::-1] for at in range(HEAD, len(answer), 8)]
    return answer[:HEAD] + b"".join(words)


def padding_set(answer: bytes, request: bytes) -> bytes:
    """Set the bits behind the last block's."""
    count = _count(request)
    if not _accepted(answer) or not count % 8 or len(answer) - HEAD < -(-count // 8):
        return answer
    return answer[:-1] + bytes([answer[-1] | 0xFF << count % 8 & 0xFF])


def compact_results(answer: bytes, request: bytes) -> bytes:
    """Give the results of a bitmap request for its set bits alone."""
    if not _bitmap(request) or not _accepted(answer):
        return answer
    ones = int.from_bytes(answer[12:16], "little")
    size = len(answer) - HEAD
    return answer[:HEAD] + (((1 << ones) - 1) & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def clear_bits_accepted(answer: bytes, request: bytes) -> bytes:
    """Set the result bits of blocks that a bitmap does not name."""
    if not _bitmap(request) or not _accepted(answer):
        return answer
    count = _count(request)
    size = len(answer) - HEAD
    return answer[:HEAD] + (((1 << count) - 1) & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def entries_reversed(answer: bytes, request: bytes) -> bytes:
    """Put the first block's result last."""
    count = _count(request)
    size = len(answer) - HEAD
    if not _accepted(answer) or size < -(-count // 8):
        return answer
    bits = int.from_bytes(answer[HEAD:], "little")
    turned = int(f"{bits:0{count}b}"[::-1], 2)
    return answer[:HEAD] + turned.to_bytes(size, "little")


class LengthWithoutResults(Rewrites):
    """Uses the buffer with 16 although it wrote result bits."""

    def rewrite(self, answer: bytes, request: bytes) -> bytes:  # noqa: ARG002
        """Change nothing."""
        return answer

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Say 16."""
        return min(HEAD, (yield from super().handle(chain)))


class LengthOfRoom(Hinting):
    """Uses the buffer with all the room that there was."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Say how much there was."""
        length = yield from super().handle(chain)
        return chain.writable_size if length else 0


class LengthOfResults(Hinting):
    """Leaves the header out of the used length."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Count the result bits only."""
        return max(0, (yield from super().handle(chain)) - HEAD)


class NoResults(Hinting):
    """Never writes result bits."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Answer in the first 16 bytes."""
        room: list[Span] = []
        left = HEAD
        for span in chain.writable:
            part = Span(span.start, min(left, span.length))
            left -= part.length
            room.append(part)
        return (yield from super().handle(replace(chain, writable=tuple(room))))


class RefusalWithResults(Rewrites):
    """Adds empty result bits to a refusal."""

    def rewrite(self, answer: bytes, request: bytes) -> bytes:
        """Lengthen it."""
        if _status(answer) <= Status.PARTIAL:
            return answer
        return answer + bytes(max(1, min(-(-_count(request) // 8), 16)))


class WritesHeaderAnyhow(Hinting):
    """Writes as much of an answer as there is room for."""

    claims = False

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Write a part of it."""
        length = yield from super().handle(chain)
        if chain.writable_size < HEAD:
            written = chain.write(self.context.memory, bytes([1] * HEAD))
            return written if self.claims else length
        return length


class WritesPartAndSaysSo(WritesHeaderAnyhow):
    """Writes as much as there is room for and counts it."""

    claims = True


class ClaimsWithoutRoom(Hinting):
    """Uses a chain with too little room with 16 all the same."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Claim an answer."""
        length = yield from super().handle(chain)
        return length if chain.writable_size >= HEAD else HEAD


class DiscardsWithoutRoom(Hinting):
    """Carries a request out although it cannot answer it."""

    def _answer(self, chain: Chain) -> Generator[None, None, bytes]:
        if chain.writable_size < HEAD:
            data = chain.read(self.context.memory, self._longest() + 1)
            if len(data) >= HEAD:
                request = self._validated(hint_request.peek_header(data), data)
                self.context.discard(self._named(request))
        return (yield from super()._answer(chain))


class ShortHeaderSilent(Hinting):
    """Uses a request of less than a header with length 0."""

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Answer nothing."""
        length = yield from super().handle(chain)
        return length if chain.readable_size >= HEAD else 0


class ShortHeaderUnsupported(Rewrites):
    """Calls a request of less than a header unsupported."""

    def rewrite(self, answer: bytes, request: bytes) -> bytes:
        """Change the status."""
        if len(request) >= HEAD:
            return answer
        return _with(answer, status=Status.UNSUPPORTED)


def _mutant(
    name: str,
    summary: str,
    violates: tuple[str, ...],
    how: type[Hinting] | Callable[[bytes, bytes], bytes],
    bugs: tuple[str, ...] = (),
) -> Mutant:
    handler = how if isinstance(how, type) else rewriting(how)
    return Mutant(name, summary, violates, serving(Queue.HINTING, handler), bugs)


PROCESSED = "hint.device.processed-counts-accepted"
LENGTH = "hint.device.used-length-with-results"
ORDERS = ("hint-pfn.device.result-order", "hint-bitmap.device.result-order")
RESULTS = (*ORDERS, "hint-bitmap.device.result-only-named", "hint.device.ok-means-all", PROCESSED)

MUTANTS = (
    _mutant("answer-cookie-zero", "answers with cookie 0", ("hint.device.cookie-echo",), no_cookie),
    _mutant(
        "cookie-32-bit",
        "keeps 32 bits of a cookie",
        ("hint.device.cookie-echo",),
        half_cookie,
        ("N4",),
    ),
    _mutant(
        "twin-refused",
        "discards a block that a request names twice, and says that it refused it the second time",
        ("hint.device.overlap-union",),
        twin_refused,
    ),
    _mutant(
        "cookie-big-endian",
        "writes the cookie most significant byte first",
        ("hint.device.cookie-echo",),
        cookie_big_endian,
        ("N5",),
    ),
    _mutant(
        "status-big-endian",
        "writes the status most significant byte first",
        ("hint.device.little-endian", "hint.device.status-known"),
        status_16_bit,
        ("N5", "B2"),
    ),
    _mutant(
        "processed-big-endian",
        "writes the number of accepted blocks most significant byte first",
        (PROCESSED, "hint.device.little-endian"),
        processed_big_endian,
        ("N5",),
    ),
    _mutant(
        "processed-counts-clear-bits",
        "counts the clear bits of a bitmap among the accepted blocks",
        (PROCESSED,),
        processed_counts_all,
    ),
    _mutant(
        "processed-zero",
        "says that no block was accepted",
        (PROCESSED, "hint.device.ok-means-all"),
        processed_zero,
    ),
    _mutant(
        "refusal-counts-blocks",
        "counts the blocks of a request that it refuses",
        ("hint.device.refusal-processed-zero", PROCESSED),
        processed_of_refusal,
    ),
    _mutant(
        "ok-with-clear-bit",
        "answers OK with the result bit of the first block clear",
        ("hint.device.ok-means-all", PROCESSED),
        ok_with_clear_bits,
    ),
    _mutant(
        "partial-for-all",
        "answers PARTIAL where it accepted every block",
        ("hint.device.partial-not-all", "hint.device.ok-means-all"),
        partial_for_all,
    ),
    _mutant(
        "results-most-significant-first",
        "writes result bits most significant first",
        RESULTS,
        most_significant_first,
        ("B5",),
    ),
    _mutant("results-from-one", "counts result bits from one", RESULTS, bits_shifted),
    _mutant(
        "results-big-endian-words",
        "writes the result bitmap as big-endian words",
        RESULTS,
        bytes_swapped,
        ("B5", "N3"),
    ),
    _mutant(
        "result-padding-set",
        "sets the bits behind that of the last block",
        ("hint.device.result-padding-zero",),
        padding_set,
        ("B5", "B4"),
    ),
    _mutant(
        "bitmap-results-compact",
        "numbers the results of a bitmap request by its set bits",
        ("hint-bitmap.device.result-order", "hint-bitmap.device.result-only-named",
         "hint.device.ok-means-all"),
        compact_results,
    ),
    _mutant(
        "clear-bits-accepted",
        "sets the result bits of blocks that a bitmap does not name",
        ("hint-bitmap.device.result-only-named", PROCESSED),
        clear_bits_accepted,
    ),
    _mutant(
        "results-without-length",
        "writes result bits and uses the buffer with 16",
        ("hint.device.result-fills-room",),  # what it wrote behind the length is scratch
        LengthWithoutResults,
    ),
    _mutant(
        "length-of-room",
        "uses the buffer with all the room that there was",
        (LENGTH, "hint.device.refusal-length-16", "ring.device.len-truthful"),
        LengthOfRoom,
    ),
    _mutant(
        "length-without-header",
        "leaves the header out of the used length",
        (LENGTH, "hint.device.refusal-length-16"),
        LengthOfResults,
        ("N15",),
    ),
    _mutant(
        "no-results",
        "never writes result bits, though there is room",
        ("hint.device.result-fills-room",),
        NoResults,
    ),
    _mutant(
        "refusal-with-results",
        "adds result bits to a refusal",
        ("hint.device.refusal-length-16",),
        RefusalWithResults,
    ),
    _mutant(
        "no-room-written-in",
        "writes a part of an answer where there is no room for one",
        ("hint.device.no-room-writes-nothing",),
        WritesHeaderAnyhow,
    ),
    _mutant(
        "no-room-written-and-counted",
        "writes a part of an answer where there is no room for one, and counts it",
        ("hint.device.no-room-length-zero", "hint.device.no-room-writes-nothing"),
        WritesPartAndSaysSo,
    ),
    _mutant(
        "no-room-claimed",
        "claims to have answered where there was no room",
        ("hint.device.no-room-length-zero", "ring.device.len-truthful"),
        ClaimsWithoutRoom,
    ),
    _mutant(
        "no-room-carried-out",
        "discards the blocks of a request that it cannot answer",
        ("hint.device.no-room-touches-nothing",),
        DiscardsWithoutRoom,
    ),
    _mutant(
        "short-header-unanswered",
        "uses a request of less than a header with length 0",
        ("hint.device.short-header-malformed", "hint.device.refusal-length-16",
         "hint.device.used-length-with-results"),
        ShortHeaderSilent,
        ("N19",),
    ),
    _mutant(
        "short-header-unsupported",
        "answers a request of less than a header with UNSUPPORTED",
        ("hint.device.short-header-malformed",),
        ShortHeaderUnsupported,
    ),
)  # fmt: skip
"""Mutants that answer wrongly."""
