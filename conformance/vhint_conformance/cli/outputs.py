"""The files that `vhint conform` writes its report to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vhint_conformance.collection import UsageError
from vhint_conformance.report import files, json_report
from vhint_conformance.report.formats import FORMATS, write
from vhint_conformance.report.model import Report

STDOUT = Path("-")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the report goes, as JSON and in other forms by their names; `site` is for links."""

    json: Path | None
    others: Mapping[str, Path]
    site: str = ""

    @property
    def named(self) -> dict[str, Path]:
        """Every file by the option that names it."""
        own = {"json": self.json} if self.json else {}
        return {f"--{name}": path for name, path in {**own, **self.others}.items()}

    @property
    def to_stdout(self) -> bool:
        """Whether one of them goes to the standard output, and people's text must not."""
        return STDOUT in self.named.values()

    def check(self) -> None:
        """Raise `Unwritable` or `UsageError` before hours of work are lost."""
        seen: dict[Path, str] = {}
        for option, path in self.named.items():
            other = seen.setdefault(path.absolute(), option)
            if other != option:
                raise UsageError(f"{other} and {option} both name {path}")
            if path != STDOUT:
                files.check_file(path)

    def write(self, report: Report) -> list[str]:
        """Write them all; return a complaint for each that could not be written."""
        complaints = []
        for option, path in self.named.items():
            form = FORMATS.get(option.removeprefix("--"))
            try:
                if form is None:
                    files.write(path, json_report.dumps(report))
                else:
                    write(form, path, [report], self.site)
            except files.Unwritable as error:
                complaints.append(str(error))
        return complaints
