"""Implementation conformance statements (``vhint-ics/1``): what somebody claims, held to account.

A statement is read (`reading`), decides which cases are run (`claims`), is compared with what the
target offers (`offered`, `comparison`), and can be drafted from that (`drafting`).

Source: the chapter on conformance, "The statement".
"""

from vhint_conformance.statement.model import Statement
from vhint_conformance.statement.reading import (
    StatementError,
    load,
    problems,
    report_problems,
    role_of,
    schema,
)

__all__ = [
    "Statement",
    "StatementError",
    "load",
    "problems",
    "report_problems",
    "role_of",
    "schema",
]
