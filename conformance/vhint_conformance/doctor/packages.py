"""vhint itself, Python, and the packages that it needs."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import vhint
from vhint_conformance.doctor.finding import Finding, Health

GROUP = "vhint"
PYTHON = ">=3.11"
OPTIONAL = {
    "matplotlib": ("charts: vhint demo --chart", "pip install 'vhint[chart]'"),
}


def findings() -> Iterator[Finding]:
    """Yield what concerns the installation."""
    where = Path(vhint.__file__).parent
    yield Finding(GROUP, "vhint", Health.OK, f"{vhint.__version__} in {where}")
    right = SpecifierSet(PYTHON).contains(platform.python_version(), prereleases=True)
    yield Finding(
        GROUP,
        "Python",
        Health.OK if right else Health.BROKEN,
        f"{platform.python_version()} ({sys.executable})",
        "everything",
        "" if right else f"use Python {PYTHON}",
    )
    for requirement in _required():
        yield _package(requirement)
    for name, (purpose, remedy) in OPTIONAL.items():
        version = _version(name)
        health = Health.OK if version else Health.ABSENT
        yield Finding(GROUP, name, health, version or "not installed", purpose, remedy)


def _required() -> Iterator[Requirement]:
    """Yield what the installed package says that it needs; nothing from a bare source tree."""
    try:
        declared = metadata.requires("vhint") or []
    except metadata.PackageNotFoundError:
        return
    for text in declared:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _package(requirement: Requirement) -> Finding:
    version = _version(requirement.name)
    right = version is not None and requirement.specifier.contains(version, prereleases=True)
    return Finding(
        GROUP,
        requirement.name,
        Health.OK if right else Health.BROKEN,
        version or "not installed",
        "" if right else "everything",
        "" if right else f"pip install '{requirement}'",
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
