"""Canaries: found wherever they are in guest memory, and missed only when they are nowhere."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from hashlib import sha1

import pytest

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span
from vhint_conformance.pair_bench import canaries
from vhint_conformance.pair_bench.canaries import Aviary, Canary, digest, files, find, turning

SIZE = 12 << 20


@pytest.fixture
def memory() -> Iterator[GuestMemory]:
    with GuestMemory.create(SIZE) as made:
        yield made


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canaries, "BETWEEN", 0)


def put(memory: GuestMemory, canary: Canary, page: int) -> None:
    memory.write(page * PAGE, canary.content())


def test_they_are_found_by_number_and_turn_wherever_they_are(memory: GuestMemory) -> None:
    places = {Canary(0): 0, Canary(999): 1024, Canary(7): 1025, Canary(7, 128): 1023,
              Canary(7, 1): 3071, Canary(999, 255): 2000}  # fmt: skip
    for canary, page in places.items():
        put(memory, canary, page)
    put(memory, Canary(7), 5)
    assert find(memory) == {
        canary: sorted({page * PAGE, 5 * PAGE} if canary == Canary(7) else {page * PAGE})
        for canary, page in places.items()
    }


def test_what_only_looks_like_one_is_not_found(memory: GuestMemory) -> None:
    content = Canary(3).content()
    memory.write(0, content[:-1] + b"?")
    memory.write(2 * PAGE + 8, content)
    memory.write(8 * PAGE, content[:8] + (5000).to_bytes(8, "little") + content[16:])
    assert find(memory) == {}


def test_looking_makes_no_memory_of_holes(memory: GuestMemory) -> None:
    put(memory, Canary(1), 9)
    holes = memory.holes()
    aviary = Aviary(memory)
    assert aviary.add([Canary(1)]) == []
    assert aviary.look() == ()
    assert memory.holes() == holes


def test_one_that_was_moved_is_alive_and_one_that_is_gone_is_lost(memory: GuestMemory) -> None:
    aviary = Aviary(memory)
    for number in range(4):
        put(memory, Canary(number), 100 + number)
    assert aviary.add(map(Canary, range(5))) == [Canary(4)]
    put(memory, Canary(0), 2000)
    memory.discard(Span(100 * PAGE, PAGE))
    assert aviary.look() == ()
    assert aviary.places()[-1] == 2000 * PAGE
    memory.discard(Span(101 * PAGE, PAGE))
    memory.write(102 * PAGE, bytes(PAGE))
    memory.write(103 * PAGE + 4000, b"x")
    assert list(map(str, aviary.look())) == [
        f"canary 001, page at {101 * PAGE:#x}: a hole, discarded",
        f"canary 002, page at {102 * PAGE:#x}: zeros",
        f"canary 003, page at {103 * PAGE:#x}: other content",
    ]


def test_a_copy_that_is_gone_is_lost_though_its_original_is_there(memory: GuestMemory) -> None:
    aviary = Aviary(memory)
    put(memory, Canary(6), 1)
    put(memory, Canary(6, 128), 2)
    aviary.add([Canary(6), Canary(6, 128)])
    memory.discard(Span(2 * PAGE, PAGE))
    (loss,) = aviary.look()
    assert loss.canary == Canary(6, 128)
    assert str(loss).startswith("canary 006 turned by 128, page at 0x2000")


@pytest.mark.parametrize("turn", [1, 127, 128, 255])
def test_tr_turns_pages_as_they_are_expected(turn: int) -> None:
    turned = subprocess.run(
        ["sh", "-c", f"LC_ALL=C {turning(turn)}"],
        input=Canary(42).content(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    assert turned == Canary(42, turn).content()


def test_the_digest_is_that_of_the_files_in_the_order_of_their_names() -> None:
    made = files()
    joined = b"".join(made[name] for name in sorted(made))
    assert digest(map(Canary, range(len(made)))) == sha1(joined).hexdigest()  # noqa: S324
    assert len(set(made.values())) == len(made)
