"""Measure parsing and building of wire formats, side by side with four other ways of doing it.

    python benchmarks/wire.py [--rounds N]

What is measured, and how, is in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import struct
import time
from collections.abc import Callable
from typing import Any

import construct
import numpy as np
from construct import Array, Bytes, Int16ul, Int32ul, Int64ul, Struct, Switch, this
from rich.console import Console
from rich.table import Table

from vhint.wire import hint_ack, hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import Blocks
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.hint_request import BitmapRequest, PfnRequest
from vhint.wire.schema import parameter

PFN_LIMIT, MAX_ORDER = 1 << 52, 40
PEERS = ("vhint", "numpy", "struct", "construct", "compiled")

# --- construct as anyone would write it: without validation, and compiled as it stands -----------

PLAIN_REQUEST = Struct(
    "type" / Int16ul,
    "flags" / Int16ul,
    "count" / Int32ul,
    "cookie" / Int64ul,
    "body"
    / Switch(
        this.type,
        {
            1: Array(this.count, Struct("pfn" / Int64ul, "order" / Int32ul, "reserved" / Int32ul)),
            2: Struct(
                "start_pfn" / Int64ul,
                "order" / Int32ul,
                "reserved" / Int32ul,
                "bits" / Bytes((this._.count + 7) // 8),
            ),
        },
    ),
)
PLAIN_ACK = Struct(
    "cookie" / Int64ul, "status" / Int32ul, "processed" / Int32ul, "results" / Bytes(parameter("k"))
)

# --- by hand: numpy, with every check that vhint makes, and giving the same values ----------------

HEADER = struct.Struct("<HHIQ")
BITMAP_FIELDS = struct.Struct("<QII")
ACK = struct.Struct("<QII")
ENTRY = np.dtype([("pfn", "<u8"), ("order", "<u4"), ("reserved", "<u4")])
OCTET = np.dtype("u1")
STATUSES = {int(status): status for status in Status}


def numpy_parse_request(data: bytes) -> PfnRequest | BitmapRequest:
    if type(data) is not bytes:
        data = bytes(data)
    if len(data) < 16:
        raise ValueError("short")
    kind, flags, count, cookie = HEADER.unpack_from(data)
    if flags:
        raise ValueError("flags")
    if kind == 1:
        if len(data) != 16 + 16 * count:
            raise ValueError("length")
        if not count:
            return PfnRequest(cookie, Blocks.of([]))
        entries = np.frombuffer(data, ENTRY, count, 16)
        check_entries(entries)
        return PfnRequest(cookie, Blocks.over(entries))
    if kind != 2:
        raise ValueError("type")
    start_pfn, order, reserved = BITMAP_FIELDS.unpack_from(data, 16)
    if start_pfn >= PFN_LIMIT or order > MAX_ORDER or reserved:
        raise ValueError("field")
    octets = (count + 7) // 8
    if len(data) != 32 + octets:
        raise ValueError("length")
    if count % 8 and data[-1] >> count % 8:
        raise ValueError("padding")
    bits = Bitmap.over(count, np.frombuffer(data, OCTET, octets, 32))
    return BitmapRequest(cookie, start_pfn, order, bits)


def check_entries(entries: np.ndarray[Any, Any]) -> None:
    # A maximum over a column is the fastest exact test that numpy has: no array of booleans.
    if (
        np.maximum.reduce(entries["pfn"]) >= PFN_LIMIT
        or np.maximum.reduce(entries["order"]) > MAX_ORDER
        or np.maximum.reduce(entries["reserved"])
    ):
        raise ValueError("entry")


def numpy_build_request(request: PfnRequest | BitmapRequest) -> bytes:
    if isinstance(request, PfnRequest):
        entries: Any = request.blocks.records
        if len(entries):
            check_entries(entries)
        return b"".join((HEADER.pack(1, 0, len(entries), request.cookie), entries))
    if request.start_pfn >= PFN_LIMIT or request.order > MAX_ORDER:
        raise ValueError("field")
    head = HEADER.pack(2, 0, request.bits.count, request.cookie)
    octets: Any = request.bits.octets
    return b"".join((head, BITMAP_FIELDS.pack(request.start_pfn, request.order, 0), octets))


def numpy_parse_ack(data: bytes, count: int) -> Acknowledgement:
    if type(data) is not bytes:
        data = bytes(data)
    k = len(data) - 16
    if k < 0 or k > (count + 7) // 8:
        raise ValueError("length")
    cookie, status, processed = ACK.unpack_from(data)
    if status not in STATUSES:
        raise ValueError("status")
    results = None
    if k:
        covered = min(8 * k, count)
        if covered % 8 and data[-1] >> covered % 8:
            raise ValueError("padding")
        results = Bitmap.over(covered, np.frombuffer(data, OCTET, k, 16))
    return Acknowledgement(cookie, STATUSES[status], processed, results)


def numpy_build_ack(ack: Acknowledgement, count: int) -> bytes:
    if ack.status not in STATUSES:
        raise ValueError("status")
    head = ACK.pack(ack.cookie, ack.status, ack.processed)
    if ack.results is None:
        return head
    octets: Any = ack.results.octets
    if not ack.results.count or ack.results.count != min(8 * len(octets), count):
        raise ValueError("results")
    return b"".join((head, octets))


# --- by hand: struct, giving tuples, without validation -------------------------------------------

PAIR = struct.Struct("<QII")


def struct_parse_pfns(data: bytes) -> tuple[Any, ...]:
    return (*HEADER.unpack_from(data), list(PAIR.iter_unpack(memoryview(data)[16:])))


def struct_build_pfns(value: tuple[Any, ...]) -> bytes:
    pack = PAIR.pack
    return HEADER.pack(*value[:4]) + b"".join([pack(*entry) for entry in value[4]])


def struct_parse_bitmap(data: bytes) -> tuple[Any, ...]:
    return (*HEADER.unpack_from(data), *BITMAP_FIELDS.unpack_from(data, 16), data[32:])


def struct_build_bitmap(value: tuple[Any, ...]) -> bytes:
    return b"".join((HEADER.pack(*value[:4]), BITMAP_FIELDS.pack(*value[4:7]), value[7]))


def struct_parse_ack(data: bytes) -> tuple[Any, ...]:
    return (*ACK.unpack_from(data), data[16:])


def struct_build_ack(value: tuple[Any, ...]) -> bytes:
    return b"".join((ACK.pack(*value[:3]), value[3]))


# --- the measurement ------------------------------------------------------------------------------

Work = Callable[[], Any]


def subjects() -> dict[str, dict[str, Work]]:
    """Each row of the table: what every peer has to do."""
    compiled_ack = PLAIN_ACK.compile()
    rows: dict[str, dict[str, Work]] = {}
    for count in (1000, 100_000):
        blocks = Blocks.from_columns(np.arange(count) * 512, np.full(count, 9))
        request = PfnRequest(0x1234, blocks)
        rows |= request_rows(f"{count} PFN entries", request, struct_parse_pfns, struct_build_pfns)
    bits = np.random.default_rng(1).integers(0, 256, 128 << 10, np.uint8)
    bitmap = BitmapRequest(0x1234, 1 << 20, 9, Bitmap(8 * len(bits), bits.tobytes()))
    rows |= request_rows("128 KiB bitmap", bitmap, struct_parse_bitmap, struct_build_bitmap)

    ack = Acknowledgement(0x1234, Status.PARTIAL, 9, Bitmap.from_indices(16, range(9)))
    data = hint_ack.build(ack)
    pair = struct_parse_ack(data)
    assert numpy_parse_ack(data, 16) == hint_ack.parse(data, 16) == ack
    assert numpy_build_ack(ack, 16) == struct_build_ack(pair) == data
    container = PLAIN_ACK.parse(data, k=2)
    rows["acknowledgement: parse"] = {
        "vhint": lambda: hint_ack.parse(data, 16),
        "numpy": lambda: numpy_parse_ack(data, 16),
        "struct": lambda: struct_parse_ack(data),
        "construct": lambda: PLAIN_ACK.parse(data, k=2),
        "compiled": lambda: compiled_ack.parse(data, k=2),
    }
    rows["acknowledgement: build"] = {
        "vhint": lambda: hint_ack.build(ack, 16),
        "numpy": lambda: numpy_build_ack(ack, 16),
        "struct": lambda: struct_build_ack(pair),
        "construct": lambda: PLAIN_ACK.build(container, k=2),
        "compiled": lambda: compiled_ack.build(container, k=2),
    }
    return rows


def request_rows(
    title: str,
    request: PfnRequest | BitmapRequest,
    by_struct: Callable[[bytes], tuple[Any, ...]],
    to_struct: Callable[[tuple[Any, ...]], bytes],
) -> dict[str, dict[str, Work]]:
    data = hint_request.build(request)
    compiled = PLAIN_REQUEST.compile()
    values, container = by_struct(data), PLAIN_REQUEST.parse(data)
    assert hint_request.parse(data) == numpy_parse_request(data) == request
    assert numpy_build_request(request) == to_struct(values) == data
    assert PLAIN_REQUEST.build(container) == compiled.build(container) == data
    return {
        f"{title}: parse": {
            "vhint": lambda: hint_request.parse(data),
            "numpy": lambda: numpy_parse_request(data),
            "struct": lambda: by_struct(data),
            "construct": lambda: PLAIN_REQUEST.parse(data),
            "compiled": lambda: compiled.parse(data),
        },
        f"{title}: build": {
            "vhint": lambda: hint_request.build(request),
            "numpy": lambda: numpy_build_request(request),
            "struct": lambda: to_struct(values),
            "construct": lambda: PLAIN_REQUEST.build(container),
            "compiled": lambda: compiled.build(container),
        },
    }


def seconds(work: Work, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def measure(peers: dict[str, Work], rounds: int) -> dict[str, list[float]]:
    """Time all peers in turn, round by round, so that a slow moment hits them all."""
    # About 10 ms a turn; what takes longer is done once a turn, and the slow ones in fewer rounds.
    repeats = {
        peer: max(1, int(0.01 / max(seconds(work, 1), 1e-7))) for peer, work in peers.items()
    }
    repeats = {
        peer: max(1, int(0.01 / seconds(work, repeats[peer]))) for peer, work in peers.items()
    }
    times: dict[str, list[float]] = {peer: [] for peer in peers}
    for turn in range(rounds):
        for peer, work in peers.items():
            if times[peer] and times[peer][-1] > 0.05 and turn >= 5:
                continue
            times[peer].append(seconds(work, repeats[peer]))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    table = Table(
        title=f"microseconds, median of {rounds} interleaved rounds",
        caption=(
            f"Python {platform.python_version()}, numpy {np.__version__}, "
            f"construct {construct.__version__}. vhint and numpy validate, the others do not."
        ),
    )
    table.add_column("", no_wrap=True)
    for peer in PEERS:
        table.add_column(peer, justify="right")
    table.add_column("vhint / numpy", justify="right")
    table.add_column("compiled / vhint", justify="right")
    for title, peers in subjects().items():
        gc.collect()
        times = measure(peers, rounds)
        # The ratio of neighbours in time, round by round, then its median.
        ratio = statistics.median(
            a / b for a, b in zip(times["vhint"], times["numpy"], strict=True)
        )
        medians = {peer: statistics.median(values) for peer, values in times.items()}
        table.add_row(
            title,
            *(f"{medians[peer] * 1e6:,.2f}" for peer in PEERS),
            f"{ratio:.2f}",
            f"{medians['compiled'] / medians['vhint']:,.0f}",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
