"""What one half of a ring can find wrong with what the other half did."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """A kind of broken ring; the value is the phrase that an error message uses."""

    NOT_AVAILABLE = "descriptor of a list is not available"
    OUTSTANDING = "more descriptors are outstanding than the queue has"
    AVAILABLE_JUMP = "available index is further ahead than the queue is long"
    HEAD_RANGE = "head is not a descriptor of the queue"
    NEXT_RANGE = "next is not a descriptor of the table"
    LOOP = "descriptor chain is longer than its table"
    ORDER = "device-readable buffer after a device-writable one"
    ADDRESS = "buffer is not inside guest memory"
    INDIRECT_OFF = "indirect descriptor although the feature was not negotiated"
    INDIRECT_LENGTH = "indirect table is not a whole number of descriptors"
    INDIRECT_NESTED = "indirect descriptor inside an indirect table"
    INDIRECT_NEXT = "descriptor with both INDIRECT and NEXT"
    TOO_LONG = "chain has more descriptors than the queue, or more than 2^32 bytes"
    LAYOUT = "queue parts are not inside guest memory or not aligned"
    SAME_ID = "a list has the id of another that is outstanding"
    USED_ID = "used id is not the head of an outstanding chain"
    USED_JUMP = "used index is further ahead than buffers are outstanding"


class RingError(Exception):
    """The other side broke the ring: `fault` is what, `detail` where and with which value."""

    def __init__(self, fault: Fault, detail: str) -> None:
        self.fault = fault
        self.detail = detail
        super().__init__(f"{fault}: {detail}")
