"""Carries out the register accesses of a driver that has no I/O of its own."""

from __future__ import annotations

from collections.abc import Generator

from vhint.guest.driver import Emit
from vhint.guest.initialise import (
    Access,
    Negotiated,
    Notify,
    ReadConfig,
    ReadFeatures,
    ReadQueueMax,
    ReadStatus,
    Reply,
    SetUpQueue,
    WriteConfig,
    WriteFeatures,
    WriteStatus,
)
from vhint.trace.events import (
    ConfigWritten,
    FeaturesAccepted,
    FeaturesOffered,
    Notified,
    QueueReady,
    ResetDone,
    StatusRead,
    StatusWritten,
)
from vhint.transport.interface import Transport


def execute(
    transport: Transport, sequence: Generator[Access, Reply, Negotiated], emit: Emit
) -> Negotiated:
    """Run the sequence to its end over a transport, recording every access as an event."""
    reply: Reply = None
    while True:
        try:
            access = sequence.send(reply)
        except StopIteration as end:
            negotiated: Negotiated = end.value
            return negotiated
        reply = perform(transport, access, emit)


def perform(transport: Transport, access: Access, emit: Emit) -> Reply:
    """Do one access and return what it read."""
    match access:
        case ReadStatus():
            status = int(transport.read_status())
            emit(StatusRead(status))
            if status == 0:
                emit(ResetDone())
            return status
        case WriteStatus(value):
            emit(StatusWritten(value))
            transport.write_status(value)
        case ReadFeatures():
            bits = transport.read_features()
            emit(FeaturesOffered(bits))
            return bits
        case WriteFeatures(bits):
            emit(FeaturesAccepted(bits))
            transport.write_features(bits)
        case ReadQueueMax(index):
            return transport.queue_max(index)
        case SetUpQueue(queue, index, layout):
            ready = transport.set_up_queue(index, layout)
            emit(
                QueueReady(
                    queue,
                    index,
                    layout.size,
                    layout.descriptor_span,
                    layout.available_span,
                    layout.used_span,
                )
            )
            return ready
        case WriteConfig(offset, data):
            emit(ConfigWritten(offset, len(data), int.from_bytes(data, "little")))
            transport.write_config(offset, data)
        case ReadConfig(offset, length):
            return int.from_bytes(transport.read_config(offset, length), "little")
        case Notify(queue, index):
            emit(Notified(queue))
            transport.notify(index)
    return None
