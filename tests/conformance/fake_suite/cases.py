"""Cases that end in every way a case can end; copied to `test_cases.py` by `fake_suite`."""

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from vhint.transport.interface import TransportError
from vhint_conformance.case import Role, case
from vhint_conformance.verdict import (
    Failed,
    Inconclusive,
    NotApplicable,
    TargetDied,
    Violation,
    fail,
)


@case("fake.device.first", id="sound.passes")
def test_passes(bench):
    """It is as it should be."""
    bench.observations["kept"] = {"odd": float("nan"), "bytes": b"ab"}


@case("fake.device.first", id="sound.sizes")
@pytest.mark.parametrize("size", [1, 2])
def test_sizes(bench, size):
    """It works in every size."""


@case("fake.device.first", id="sound.absent")
def test_absent(bench):
    """It is about something that is not there."""
    raise AssertionError("not reached")


@case("mild.device.free", id="mild.free")
def test_free(bench):
    """It may do as it likes."""


@case("mild.device.polite", id="mild.polite")
def test_polite(bench):
    """It is polite."""
    raise fail("mild.device.polite", expected="a greeting", seen="silence")


@case("fake.device.second", id="bad.one")
def test_one(bench):
    """It breaks one requirement."""
    raise fail("fake.device.second", expected="4", seen="[bold]5[/bold]\x1b[31m", where="page 7")


@case("fake.device.second", "fake.device.third", id="bad.two")
def test_two(bench):
    """It breaks two requirements."""
    raise Failed(
        [Violation("fake.device.second", "nothing", "something", f"page {n}") for n in range(5)]
        + [Violation("fake.device.third", "x " * 60, "y", "")]
    )


@case("fake.device.first", id="bad.late")
def test_late(bench):
    """What is wrong shows only at the end."""
    bench.late.append(Violation("fake.device.first", "rest", "motion"))


@case("fake.device.third", id="open.inconclusive")
def test_inconclusive(bench):
    """Nobody can tell."""
    raise Inconclusive("no answer could be seen")


@case("mild.device.polite", id="mild.inconclusive")
def test_mild_inconclusive(bench):
    """Nobody can tell, and it matters little."""
    raise Inconclusive("no answer could be seen")


@case("fake.device.third", id="open.fault")
def test_fault(bench):
    """The suite is wrong."""
    raise ValueError("boom\nand more")


@case("fake.device.third", id="open.assertion")
def test_assertion(bench):
    """A plain assertion is a fault of the suite too."""
    assert bench.observations == {}


@case("fake.device.third", id="open.late-inapplicable")
def test_late_inapplicable(bench):
    """It finds out late that it does not apply."""
    raise NotApplicable("FEATURE is not offered")


@case("fake.device.third", id="lost.died")
def test_died(bench):
    """The target dies."""
    raise TargetDied("signal 11", "look at its log")


@case("fake.device.third", id="lost.gone")
def test_gone(bench):
    """The connection breaks."""
    raise TransportError("end of file")


@case("fake.device.third", id="slow.hangs")
def test_hangs(bench):
    """The target does not answer, and somebody hides that it took too long."""
    try:
        time.sleep(30)
    except BaseException as error:
        raise ValueError("hidden") from error


@case("fake.device.third", id="slow.swallows")
def test_swallows(bench):
    """The target does not answer, and the case ends as if all were well."""
    with suppress(BaseException):
        time.sleep(30)


@case("fake.device.third", id="slow.waits")
def test_waits(bench):
    """It waits until somebody interrupts."""
    Path(os.environ["FAKE_LOG"]).write_text("waiting\n")
    time.sleep(30)


@case("fake.device.third", id="crash.exits")
def test_exits(bench):
    """It takes its process down."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os._exit(7)


@case("fake.device.first", id="driver.passes", role=Role.DRIVER)
def test_driver(bench):
    """A driver is as it should be."""


@pytest.fixture
def broken():
    raise OSError("no such fixture")


@pytest.fixture
def messy():
    yield
    raise OSError("cannot tidy up")


@case("fake.device.third", id="fixture.setup")
def test_setup(bench, broken):
    """A fixture breaks before it."""


@case("fake.device.third", id="fixture.teardown")
def test_teardown(bench, messy):
    """A fixture breaks after it."""


@case("fake.device.third", id="bare.passes")
def test_bare():
    """It needs no target."""


@case("fake.device.first", "mild.device.polite", id="mixed.early")
def test_mixed_early(bench):
    """It is polite, and then more."""
    raise fail("mild.device.polite", expected="a greeting", seen="silence")


@case("fake.device.first", id="mixed.late")
def test_mixed_late(bench):
    """It does more, and a monitor sees that it was not polite."""
    bench.late.append(Violation("mild.device.polite", "a greeting", "silence"))


@case("fake.device.first", "mild.device.polite", id="mixed.both")
def test_mixed_both(bench):
    """It is not polite, and worse."""
    impolite = Violation("mild.device.polite", "a greeting", "silence")
    raise Failed([impolite, Violation("fake.device.first", "rest", "motion")])
