"""A QEMU for the next case is started while this one runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import peers
from vhint.transport.qtest import Bus
from vhint_conformance.targets.qemu import ON_BUS, QemuTarget
from vhint_conformance.verdict import TargetNotStarted


def children() -> set[str]:
    return set(Path("/proc/thread-self/children").read_text().split())


def test_what_was_prepared_is_what_starts() -> None:
    peers.qemu()
    before = children()
    target = QemuTarget()
    other = target.in_variant(ON_BUS[Bus.PCI])
    target.prepare()
    target.prepare()
    other.prepare()
    (mmio, pci) = sorted(children() - before, key=int)
    with target.start() as session:
        assert children() - before == {mmio, pci}
        assert session.transport.device_id() == 5
    assert children() - before == {pci}
    target.close()
    assert children() == before


def test_a_program_that_is_not_there_is_told_by_the_start() -> None:
    target = QemuTarget("/none/qemu")
    target.prepare()
    with pytest.raises(TargetNotStarted, match="/none/qemu was not found"):
        target.start()
    target.close()
