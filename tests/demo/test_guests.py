"""The two guests: real memory that comes back with hinting and stays without."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.demo.fake_guest import Silent
from tests.linux.uml_tools import need_uml
from vhint_conformance.demo.linux_guest import LinuxGuest
from vhint_conformance.demo.perform import Performance
from vhint_conformance.demo.plan import MIB, Mode, Plan
from vhint_conformance.demo.run import Ending, Stage
from vhint_conformance.demo.simulated_guest import SimulatedGuest

SMALL = Plan(size=4 * MIB, guests=1, budget=512 * MIB, cycles=1, hold=0.0, rest=0.0, period=0.0)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("mode", Mode)
def test_simulated_memory_is_real_and_comes_back_only_with_hinting(mode: Mode) -> None:
    before = descriptors()
    with SimulatedGuest(SMALL, mode, 1) as guest:
        rest = guest.figures().resident
        assert rest < MIB // 4, "its rings, and nothing else"
        guest.keep(MIB)
        guest.allocate(4 * MIB)
        full = guest.figures().resident
        assert full == rest + 5 * MIB
        guest.free()
        guest.live()
        figures = guest.figures()
        if mode is Mode.ON:
            assert figures.resident <= rest + MIB + MIB // 4
            assert figures.requests >= 1
            assert figures.pages >= 1024
        else:
            assert figures.resident == full
            assert (figures.requests, figures.pages) == (0, 0)
        assert guest.intact()
        guest.allocate(4 * MIB)
        assert guest.intact()
    assert descriptors() == before


def test_a_lost_page_of_what_is_kept_is_seen() -> None:
    with SimulatedGuest(SMALL, Mode.ON, 1) as guest:
        guest.keep(MIB)
        memory = guest._transport.memory
        written = next(pfn for pfn in sorted(guest._kept))
        memory.write(written * 4096, bytes(4096))
        assert not guest.intact()


def test_the_same_seed_is_the_same_guest() -> None:
    def history(seed: int) -> list[int]:
        with SimulatedGuest(replace(SMALL, seed=seed), Mode.ON, 1) as guest:
            guest.allocate(4 * MIB)
            order = list(guest._work)
            guest._order.shuffle(order)
            return [block.pfn for block in order]

    assert history(1) == history(1) != history(2)


@pytest.fixture
def _nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before, threads = descriptors(), threading.active_count()
    with tempfile.TemporaryDirectory(prefix="vd-") as folder:  # short: sockets lie in it
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
        assert list(Path(folder).iterdir()) == []
    assert threading.active_count() == threads
    assert descriptors() == before


@pytest.mark.long
@pytest.mark.usefixtures("_nothing_is_left")
def test_a_real_kernel_gives_back_what_it_frees() -> None:
    need_uml()
    plan = replace(SMALL, size=64 * MIB, modes=(Mode.ON,), cycles=0, period=12.0)
    performance = Performance(plan, LinuxGuest, Silent(), threading.Event())
    performance.play()
    run = performance.runs[-1]
    assert (run.ending, run.error) == (Ending.DONE, "")
    assert run.peak > (64 + 16) * MIB
    (freed,) = run.times(Stage.FREED)
    (settled,) = run.times(Stage.SETTLED)
    reclaim = run.reclaim(freed.at, settled.at)
    assert reclaim.reclaimed > 48 * MIB
    assert run.last.requests > 0
    assert run.last.pages > 48 * MIB // 4096
    assert [note.guest for note in run.times(Stage.INTACT)] == [1]
    assert performance.description.startswith("Linux ")
