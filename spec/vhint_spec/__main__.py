"""``python -m vhint_spec [DIRECTORY]``: check the registers; 1 if something is wrong."""

import sys
from pathlib import Path

from vhint_spec import lint

if len(sys.argv) > 2:
    sys.exit("usage: python -m vhint_spec [DIRECTORY]")
directory = Path(sys.argv[1]) if len(sys.argv) == 2 else None
found = lint.problems(directory)
for problem in found:
    print(problem)
if found:
    sys.exit(f"{len(found)} problem{'s' if len(found) > 1 else ''}")
registers = lint.read(directory)
print(
    f"{len(registers.requirements)} requirements, {len(registers.clauses)} clauses under "
    f"{len(registers.labels)} labels, {len(registers.bugs)} bugs, {len(registers.errata)} errata: "
    "no problem found"
)
