"""Hooks that collect the cases whatever a project's pytest takes for a test.

A project may say `python_files = check_*.py`, or collect doctests from every module; that is about
its own files and not about the suite's.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parent / "cases"


class CaseModule(pytest.Module):
    """A file of the suite: its cases are the functions called `test_...`."""

    def funcnamefilter(self, name: str) -> bool:
        """Whether a function of this name is a case."""
        return name.startswith("test_")

    def classnamefilter(self, name: str) -> bool:  # noqa: ARG002 - none is
        """Whether a class of this name holds cases."""
        return False


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> CaseModule | None:
    """Make a module of ours for a file of ours."""
    return _collector(module_path, parent) if is_case_file(module_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect a file of ours once, and in no other way."""
    found = yield
    if not is_case_file(file_path):
        return found
    ours: list[pytest.Collector] = [each for each in found if isinstance(each, CaseModule)]
    return ours or [_collector(file_path, parent)]


def is_case_file(path: Path) -> bool:
    """Whether a file holds cases of the suite as it is installed."""
    return path.match("test_*.py") and path.is_relative_to(CASES)


def _collector(path: Path, parent: pytest.Collector) -> CaseModule:
    made: CaseModule = CaseModule.from_parent(parent, path=path)
    return made
