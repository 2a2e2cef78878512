"""Everything that the page on adapters tells to type is typed, as written, from top to bottom."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import peers

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-an-adapter.md"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r'^"""([\w/]+\.py): ')


@pytest.mark.long
def test_the_page_as_written(tmp_path: Path) -> None:
    peers.program("make", "make")
    peers.program("cc", "gcc libc6-dev")
    commands = 0
    for kind, text in BLOCK.findall(PAGE.read_text()):
        if kind == "python":
            path = tmp_path / FILE.match(text)[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            continue
        for command, shown in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", text, re.MULTILINE):
            done = _typed(command, tmp_path)
            said = " ".join(done.stdout.split())
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            for line in shown.splitlines():
                assert " ".join(line.split()) in said, (command, done.stdout)
            commands += 1
    assert commands >= 8


def _typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    here = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    return subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=here,
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
