"""Pages that are made before Sphinx looks which there are: they are written only if they differ.

For each profile and role one of Markdown with a directive, so that headings, search and incremental
builds are Sphinx's business. And the chapters, copied from the specification: a symbolic link would
do for Sphinx, but MyST looks for what they link to beside the file that it leads to.
None of it is under version control.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vhint_docs import api
from vhint_docs.material import SPEC, material
from vhint_spec import PROFILES, ROLES

if TYPE_CHECKING:
    from sphinx.application import Sphinx

TITLES = {
    "balloon": "Balloon",
    "reporting": "Free page reporting",
    "free-page-hint": "Free page hinting",
    "hint": "Hinting virtqueue",
    "hint-pfn": "Hinting by PFN",
    "hint-bitmap": "Hinting by bitmap",
    "shared-bitmap": "Shared bitmap",
    "ring": "Virtqueues",
    "virtio": "Virtio in general",
}
"""Profile to the title of its pages."""

PAGE = """\
# {title}: {role}

Profile `{profile}`, {count} requirements of the {role}.

```{{requirement-page}} {profile} {role}
```
"""


def pages() -> dict[str, str]:
    """Return the text of every page by its name."""
    found = {}
    for profile in PROFILES:
        for role in ROLES:
            chosen = [
                item
                for item in material().requirements.values()
                if item.profile == profile and item.role == role
            ]
            if chosen:
                found[f"{profile}-{role}"] = PAGE.format(
                    title=TITLES.get(profile, profile),
                    role=role,
                    profile=profile,
                    count=len(chosen),
                )
    return found


def chapters() -> dict[str, str]:
    """Return the text of every chapter by its name."""
    return {
        path.stem: path.read_text(encoding="utf-8") for path in (SPEC / "chapters").glob("*.md")
    }


def write(folder: Path, wanted: dict[str, str]) -> None:
    """Bring the pages of a folder up to date; what is there and not wanted goes, but the index."""
    for path in folder.glob("*.md"):
        if path.stem not in wanted and path.stem != "index":
            path.unlink()
    for name, text in wanted.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def make(app: Sphinx, _config: object) -> None:
    """Make the pages of the folders that the site has."""
    for name, wanted in (("requirements", pages), ("spec", chapters), ("api", api.pages)):
        folder = Path(app.srcdir) / name
        if folder.is_dir():
            write(folder, wanted())


def setup(app: Sphinx) -> None:
    """Make the pages before Sphinx looks which there are."""
    app.connect("config-inited", make)
