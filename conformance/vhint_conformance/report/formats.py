"""The forms in which reports are written to files, by name and by the file's ending."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from vhint_conformance.report import files
from vhint_conformance.report.model import Report

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The environment variable that names the summary of a step of GitHub Actions."""


@dataclass(frozen=True, slots=True)
class Format:
    """One form; `module` has a function `dumps(reports, site)`, and is loaded when it is needed."""

    name: str
    module: str
    endings: tuple[str, ...]

    def dumps(self, reports: Sequence[Report], site: str = "") -> str:
        """Return the text of a file with these reports, as UTF-8 can hold it."""
        dumps: Callable[[Sequence[Report], str], str] = import_module(self.module).dumps
        return dumps(reports, site).encode("utf-8", "replace").decode()


FORMATS: dict[str, Format] = {
    name: Format(name, f"vhint_conformance.report.{module}", endings)
    for name, module, endings in (
        ("html", "html.page", (".html", ".htm")),
        ("markdown", "markdown", (".md", ".markdown")),
        ("sarif", "sarif", (".sarif", ".sarif.json")),
        ("junit", "junit", (".xml",)),
        ("badge", "badge", (".badge.json",)),
    )
}


def format_of(path: Path) -> Format | None:
    """Return the format that a file's name tells, if it does.

    >>> format_of(Path("a.sarif.json")).name
    'sarif'
    """
    name = path.name.lower()
    return next((each for each in FORMATS.values() if name.endswith(each.endings)), None)


def write(form: Format, path: Path, reports: Sequence[Report], site: str = "") -> None:
    """Write reports to a file, whole or not at all; raises `files.Unwritable`.

    The summary of a CI step is added to: others write there too.
    """
    put(path, form.dumps(reports, site), is_markdown=form.name == "markdown")


def put(path: Path, text: str, *, is_markdown: bool) -> None:
    """Write a text to a file, or add Markdown to the summary of a CI step."""
    if is_markdown and is_step_summary(path):
        files.append(path, text)
    else:
        files.write(path, text)


def is_step_summary(path: Path) -> bool:
    """Whether the path is that of the CI step's summary."""
    summary = os.environ.get(STEP_SUMMARY)
    return summary is not None and path.absolute() == Path(summary).absolute()
