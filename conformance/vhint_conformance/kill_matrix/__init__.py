"""The kill matrix: every mutant held against the suite, and every sound implementation too."""

from vhint_conformance.kill_matrix.result import FORMAT, Kill, Matrix, Row, Verdict
from vhint_conformance.kill_matrix.run import Options, run_matrix
from vhint_conformance.kill_matrix.subjects import SUBJECTS, Subject

__all__ = [
    "FORMAT",
    "SUBJECTS",
    "Kill",
    "Matrix",
    "Options",
    "Row",
    "Subject",
    "Verdict",
    "run_matrix",
]
