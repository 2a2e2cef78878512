"""Which requirement a driver breaks whose chain a device cannot walk."""

from __future__ import annotations

from collections.abc import Mapping

from vhint.ring import Fault

FAULTS: Mapping[Fault, str] = {
    Fault.NOT_AVAILABLE: "ring.driver.packed-head-last",
    Fault.OUTSTANDING: "ring.driver.packed-no-change-before-used",
    Fault.SAME_ID: "ring.driver.packed-id-unique",
    Fault.AVAILABLE_JUMP: "ring.driver.avail-idx-never-back",
    Fault.HEAD_RANGE: "ring.driver.no-loop",
    Fault.NEXT_RANGE: "ring.driver.no-loop",
    Fault.LOOP: "ring.driver.chain-within-queue-size",
    Fault.ORDER: "ring.driver.readable-before-writable",
    Fault.TOO_LONG: "ring.driver.no-loop",
    Fault.INDIRECT_OFF: "ring.driver.indirect-only-negotiated",
    Fault.INDIRECT_LENGTH: "ring.driver.indirect-not-chained",
    Fault.INDIRECT_NESTED: "ring.driver.indirect-not-nested",
    Fault.INDIRECT_NEXT: "ring.driver.indirect-not-chained",
    Fault.LAYOUT: "ring.driver.parts-aligned",
    Fault.ADDRESS: "virtio.driver.physical-addresses",
}
