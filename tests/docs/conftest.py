"""The extension of the site is no installed package: it is found as `docs/conf.py` finds it."""

import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

sys.path.insert(0, str(DOCS / "_ext"))
