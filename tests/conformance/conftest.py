import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vhint_conformance import bench, runner, targets
from vhint_conformance.cli import main as command
from vhint_conformance.report.model import Report
from vhint_conformance.runner import RunOptions
from vhint_spec import registry

collect_ignore = ["fake_suite"]  # sources for the fixtures below
HERE = Path(__file__).parent / "fake_suite"
PREAMBLE = """
import importlib.util, sys
from pathlib import Path
from vhint_conformance import runner
runner.CASES = Path({cases!r})
spec = importlib.util.spec_from_file_location("fake", runner.CASES / "conftest.py")
fake = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fake)
fake.install()
from vhint_conformance.cli.main import main
main()
"""


@pytest.fixture
def fake_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of fake cases, which every run in this test takes for the real ones."""
    cases = tmp_path / "cases"
    cases.mkdir()
    (cases / "conftest.py").write_text((HERE / "fake.py").read_text())
    (cases / "test_cases.py").write_text((HERE / "cases.py").read_text())
    (cases / "pytest.ini").write_text("[pytest]\npython_files = test_*.py\n")
    monkeypatch.setattr(runner, "CASES", cases)
    monkeypatch.setattr(targets, "resolve", targets.resolve)
    monkeypatch.setattr(targets, "resolve_driver", targets.resolve_driver)
    monkeypatch.setattr(bench, "open_bench", bench.open_bench)
    monkeypatch.setattr(registry, "load", registry.load)
    monkeypatch.delenv("VHINT_DEBUG", raising=False)
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location("fake", cases / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    fake = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fake)
    fake.install()
    monkeypatch.syspath_prepend(str(cases))
    yield cases
    for name in set(sys.modules) - before:
        if str(cases) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def fake_script(fake_suite: Path) -> list[str]:
    """The start of a command line that runs `vhint` on the fake cases in a process of its own."""
    return [sys.executable, "-c", PREAMBLE.format(cases=str(fake_suite))]


@pytest.fixture
def judge_fake(fake_suite: Path) -> Callable[..., Report]:
    """Run selected fake cases in this process."""

    def judge(*select: str, target: str = "fake", **options: object) -> Report:
        return runner.run(RunOptions(target, select=select, **options))  # type: ignore[arg-type]

    return judge


@pytest.fixture
def write_expectations(tmp_path: Path) -> Callable[..., Path]:
    """Write an expectations file of (slug, message) entries."""

    def write(*entries: tuple[str, str], name: str = "expect.toml", versions: str = "") -> Path:
        lines = ['schema = "vhint-expectations/1"']
        for slug, message in entries:
            lines += ["[[expect]]", f'slug = "{slug}"', 'reason = "known"']
            lines += ['link = "https://example.org/1"']
            lines += [f'message = "{message}"'] if message else []
            lines += [f'versions = "{versions}"'] if versions else []
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def vhint_says(capfd, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """Call `vhint` in this process; return its exit status and what it printed."""
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vhint", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            command.main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def pytest_configure(config: pytest.Config) -> None:
    """Let tests import cases, which are marked."""
    config.addinivalue_line("markers", "vhint_case(case): a conformance case")
