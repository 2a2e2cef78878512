"""What a case runs on: a fresh target, a driver for it, and monitors that look on."""

from vhint_conformance.bench.exchange import Bench, Fate
from vhint_conformance.bench.life import DEFAULT
from vhint_conformance.bench.opening import open_bench
from vhint_conformance.bench.watched import STRUCTURES

__all__ = ["DEFAULT", "STRUCTURES", "Bench", "Fate", "open_bench"]
