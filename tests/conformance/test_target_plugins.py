"""Targets that an installed distribution brings by entry point, and what a broken one costs."""

import importlib
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vhint_conformance import targets
from vhint_conformance.case import Role
from vhint_conformance.targets import plugins

MODULE = """
from vhint_conformance.targets import PythonTarget, resolve, resolve_driver

asked = []

def make(argument):
    asked.append(argument)
    return resolve("reference:" + argument if argument else "reference")

def make_driver(argument):
    return resolve_driver("reference")

def wrong_kind(argument):
    return 5

def raises(argument):
    raise RuntimeError("no licence\\nfor this machine")
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install distributions that offer targets: metadata and a module, in a folder of the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(dist: str, **offers: str) -> None:
        module = f"{dist.replace('-', '_')}_targets"
        (tmp_path / f"{module}.py").write_text(MODULE)
        info = tmp_path / f"{dist.replace('-', '_')}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.5\n")
        lines = [f"{name.replace('_', '-')} = {module}:{what}" for name, what in offers.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{plugins.GROUP}]", *lines, ""]))
        importlib.invalidate_caches()
        plugins.find.cache_clear()

    yield add
    plugins.find.cache_clear()
    for name in [name for name in sys.modules if name.endswith("_targets")]:
        del sys.modules[name]


def test_a_target_of_a_distribution_is_judged_by_its_name(install: Install) -> None:
    install("their-vmm", their_vmm="make")
    assert targets.resolve("their-vmm").name == "reference"
    assert targets.resolve("their-vmm:plain").name == "reference:plain"
    assert list(targets.judged("their-vmm")) == [Role.DEVICE]
    assert sys.modules["their_vmm_targets"].asked == ["", "plain"]  # made once for each name


def test_it_can_be_a_driver(install: Install) -> None:
    install("their-guest", their_guest="make_driver")
    assert list(targets.judged("their-guest")) == [Role.DRIVER]
    with pytest.raises(targets.UnknownTarget, match="as a driver only, not as a device"):
        targets.judged("their-guest", Role.DEVICE)


def test_it_is_listed_and_guessed(install: Install) -> None:
    install("their-vmm", their_vmm="make")
    assert targets.known()["their-vmm"] == "offered by their-vmm 1.5"
    with pytest.raises(targets.UnknownTarget, match="Did you mean their-vmm") as caught:
        targets.resolve("their-vm")
    assert "their-vmm" in str(caught.value).partition("Known:")[2]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nothing_there", "cannot be loaded: AttributeError: module 'bad_targets' has no"),
        ("wrong_kind", "made a int, expected a Target, a DriverTarget or a PairTarget"),
        ("raises", "did not make it: RuntimeError: no licence"),
    ],
)
def test_a_broken_one_is_told_in_a_line(install: Install, what: str, said: str) -> None:
    install("bad", bad=what)
    with pytest.raises(targets.UnknownTarget) as caught:
        targets.judged("bad")
    assert said in str(caught.value)
    assert "bad 1.5" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_one_costs_the_others_nothing(install: Install) -> None:
    install("bad", bad="nothing_there")
    assert targets.resolve("reference").name == "reference"
    assert "bad" in targets.known()


def test_a_name_that_two_offer_is_told(install: Install) -> None:
    install("one", same="make")
    install("two", same="make")
    with pytest.raises(
        targets.UnknownTarget, match=r"offered by .* 1\.5 and by .* 1\.5: remove one"
    ):
        targets.resolve("same")


def test_what_is_built_in_goes_first(install: Install) -> None:
    install("bad", reference="raises")
    assert targets.resolve("reference").name == "reference"
    assert "offered by" not in targets.known()["reference"]


@pytest.mark.long
def test_the_command_judges_it(install: Install, tmp_path: Path) -> None:
    install("their-vmm", their_vmm="make")
    code = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        sys.argv = ["vhint", "conform", "their-vmm:plain", "--select", "balloon.inflate-one-page"]
        from vhint_conformance.cli.main import main
        main()
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "conforms: 1 passed" in done.stdout
