"""Harnesses to start from, one folder a language; `vhint init` copies them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
NAME = "my-device"
"""What stands in the templates for the name of what is judged."""

LANGUAGES = tuple(
    sorted(folder.name for folder in HERE.iterdir() if (folder / "README.md").exists())
)


@dataclass(frozen=True, slots=True)
class AlreadyThere(Exception):  # noqa: N818 - the name says it
    """Files that would be overwritten; nothing was written."""

    paths: tuple[Path, ...]


def write(language: str, folder: Path) -> list[Path]:
    """Write a harness into a folder, which is made if there is none; return its files.

    It is called after the folder.  Raises `AlreadyThere` and `OSError`; no file is overwritten,
    and either all are written or, for a file that is there, none.
    """
    templates = [path for path in sorted((HERE / language).iterdir()) if path.is_file()]
    wanted = [folder / template.name for template in templates]
    there = tuple(path for path in wanted if path.exists() or path.is_symlink())
    if there:
        raise AlreadyThere(there)
    folder.mkdir(parents=True, exist_ok=True)
    name = device_name(folder)
    for template, path in zip(templates, wanted, strict=True):
        with path.open("x") as file:
            file.write(template.read_text().replace(NAME, name))
        if path.suffix == ".py":
            path.chmod(0o755)
    return wanted


def device_name(folder: Path) -> str:
    """Return a name for the device: that of the folder, as far as it is letters and digits.

    >>> device_name(Path("/tmp/My balloon"))
    'My-balloon'
    """
    return re.sub("[^A-Za-z0-9_.]+", "-", folder.absolute().name).strip("-.") or NAME
