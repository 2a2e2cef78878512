"""What is fed to the exports: every format vector, and mutants of them from a fixed seed."""

from __future__ import annotations

import random
from functools import cache

from tests.export.oracle import Case, judge
from tests.vectors.files import FORMATS
from vhint.export.formats import Format, catalogue
from vhint.wire.history import Layout

NOT_DECLARED = {"lal-v11-buffer-as-read"}
"""What QEMU made of a buffer of v11 is a function and no format."""
ELSEWHERE = {
    "hint-request-pfn": "hint-request",
    "hint-request-bitmap": "hint-request",
}
"""Files of vectors that are not called as the format is."""
EDGES = (0, 1, 2, 7, 8, 9, 0x7F, 0x80, 0xFF)


def format_of(file: str) -> Format:
    return catalogue()[ELSEWHERE.get(file, file)]


@cache
def vectors() -> tuple[Case, ...]:
    """All format vectors, once for each layout."""
    return tuple(
        Case(
            format_of(name),
            None if layout is None else Layout(layout),
            tuple(vector["parameters"].values()),
            bytes.fromhex(vector["hex"]),
            vector["id"],
        )
        for name, file in FORMATS.items()
        if name not in NOT_DECLARED
        for vector in file["vectors"]
        for layout in vector.get("layouts", (None,))
    )


OFTEN = {"hint-request": 20, "hint-ack": 15, "lal-v9-request": 4, "lal-v12-report": 15}
"""How many times more often than others formats with many rules are tried."""


@cache
def mutants(count: int, seed: int = 1) -> tuple[Case, ...]:
    """So many cases that nobody thought of, from all formats and layouts in turn."""
    rng = random.Random(seed)
    seeds: dict[tuple[str, Layout | None], list[Case]] = {
        (each.name, layout): []
        for each in catalogue().values()
        if not each.payload
        for layout in each.trees
    }
    for case in vectors():
        seeds[case.format.name, case.layout].append(case)
    places = [place for place in seeds for _ in range(OFTEN.get(place[0], 1))]
    return tuple(
        _mutant(rng, seeds[places[n % len(places)]], *places[n % len(places)], n)
        for n in range(count)
    )


def valid(cases: list[Case]) -> list[Case]:
    """Those cases that are messages."""
    return [case for case in cases if isinstance(judge(case), dict)] or cases


def _mutant(
    rng: random.Random, seeds: list[Case], name: str, layout: Layout | None, n: int
) -> Case:
    form = catalogue()[name]
    if seeds and rng.random() < 0.9:
        chosen = rng.choice(seeds if rng.random() < 0.2 else valid(seeds))
        data, given = bytearray(chosen.data[:512]), chosen.parameters
    else:
        data = bytearray(rng.choice((bytes(96), rng.randbytes(96)))[: rng.randrange(97)])
        given = tuple(rng.randrange(12) for _ in form.parameters)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        _mutate(rng, data)
    if given and rng.random() < 0.3:
        given = tuple(max(0, each + rng.choice((-8, -1, 1, 8, 1 << 40))) for each in given)
    return Case(form, layout, given, bytes(data), f"mutant {n}")


def _mutate(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    match rng.choice((0, 1, 2, *[3, 4] * 10)):
        case 0:
            del data[at:]
        case 1:
            data += rng.randbytes(rng.randrange(1, 20))
        case 2:
            data[at:at] = bytes(rng.choice((1, 2, 4, 8, 16)))
        case 3 if data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        case 4 if data:
            data[at % len(data)] = rng.choice(EDGES)
        case _:
            pass
