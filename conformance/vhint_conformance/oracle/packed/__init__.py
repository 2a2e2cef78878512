"""Packed rings seen from outside: what each side stores, when, and which rule that breaks.

Drivers and devices are judged by the same eye, in state machines (where every store is seen) and
on live targets (where the other side's stores are found by looking).
"""

from vhint_conformance.oracle.packed.image import Side
from vhint_conformance.oracle.packed.rules import PackedRules
from vhint_conformance.oracle.packed.watch import Listed, PackedWatch

__all__ = ["Listed", "PackedRules", "PackedWatch", "Side"]
