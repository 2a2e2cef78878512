"""A copy of the sources to break things in, and the real tools run on it.

All that is done to one copy is done by one interpreter: starting them is most of the time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PARTS = ("vhint", "spec", "conformance", "tests", "docs/_ext")

PROBE = """
import contextlib, io, json, runpy, sys
def vhint(*words):
    from vhint_conformance.cli.main import main
    sys.argv = ["vhint", *words]
    main()
def lint(*words):
    sys.argv = ["vhint_spec"]
    runpy.run_module("vhint_spec", run_name="__main__")
def pytest(*words):
    import pytest
    sys.exit(pytest.main(["-q", "-n", "0", "--no-header", "--tb=short", *words]))
def draw(module, declaration):
    sys.path.insert(0, "docs/_ext")
    from importlib import import_module
    from vhint_docs import wire_svg
    from vhint_docs.wire_model import layouts
    for layout in layouts(getattr(import_module(module), declaration)):
        print(layout, wire_svg.draw(layout, "a format"))
answers = []
for tool, *words in json.loads(sys.argv[1]):
    said, status = io.StringIO(), 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            globals()[tool](*words)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            print("" if isinstance(ended.code, int) or ended.code is None else ended.code)
        except Exception as error:
            status = 70
            print(f"{type(error).__name__}: {error}")
    answers.append([status, said.getvalue()])
print("\\n" + json.dumps(answers))
"""


class Said(NamedTuple):
    """What a tool said; the status 70 stands for an exception."""

    status: int
    text: str


class Tree:
    """The copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def copy(cls, folder: Path) -> Tree:
        for part in PARTS:
            shutil.copytree(ROOT / part, folder / part)  # with what is compiled, to be quick
        shutil.copy(ROOT / "pyproject.toml", folder)
        return cls(folder)

    def edit(self, path: str, pattern: str, replacement: str) -> None:
        """Replace the first place at which a pattern matches."""
        file = self.folder / path
        text, times = re.subn(pattern, replacement, file.read_text(), count=1, flags=re.S)
        assert times == 1, f"{pattern} is not in {path}"
        file.write_text(text)

    def run(self, *tools: tuple[str, ...]) -> list[Said]:
        """Run tools: ``vhint``, ``lint``, ``pytest`` and ``draw``, each with its arguments."""
        paths = [str(self.folder / part) for part in ("", "spec", "conformance")]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "300",
        }
        done = subprocess.run(
            [sys.executable, "-c", PROBE, json.dumps(tools)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return [Said(*each) for each in json.loads(done.stdout.splitlines()[-1])]
