"""Finding out how a target numbers its queues, when it does not say.

Three rules are in use and all of them are sound (vhint, Queue numbers), so a device must not be
judged by another rule than its own.  A queue that does not exist shows size 0; from that alone,
asked with everything accepted and with one late queue alone, the rules can be told apart.  Where
sizes are not shown either, one late queue is set up alone and given something to do, at each number
that some rule gives it: the number at which it answers tells.
"""

from __future__ import annotations

from collections.abc import Callable

from vhint.guest import Draft, requests
from vhint.guest.initialise import RESET_READS
from vhint.ring import RingError
from vhint.transport.interface import Transport, TransportError
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue, QueueMode, queue_map
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench.exchange import Bench
from vhint_conformance.case import Case
from vhint_conformance.targets.base import Session
from vhint_conformance.verdict import Failed, NotApplicable, TargetError

PREFERENCE = (QueueMode.COMPACT_OFFERED, QueueMode.SPEC_FIXED, QueueMode.COMPACT_ACCEPTED)
"""Which rule is taken if several explain what is seen; the first also if none does."""

PROBES = (Queue.HINTING, Queue.REPORTING)
"""Queues that answer for themselves, best first: only the hinting queue knows a cookie."""

COOKIE = 0x5EED
PROBE = Case("target.numbering", "Find out how the target numbers its queues", ())

QUEUES = {feature for feature in QUEUE_FEATURE.values() if feature is not None}


def find_mode(transport: Transport) -> QueueMode:
    """Return the rule that explains which queues the target shows; leaves it reset.

    Nothing is judged here: a target that follows none of the rules fails later, by name.
    """
    offered = Features(transport.read_features())
    queues = [feature for feature in offered if feature in QUEUES]
    needed = Features.of(Feature.VERSION_1, Feature.HINTING) & offered  # what others depend on
    candidates = list(PREFERENCE)
    for accepted in (needed | Features.of(*queues), needed | Features.of(*queues[-1:])):
        shown = set(shown_sizes(transport, accepted))
        maps = {mode: set(queue_map(mode, offered, accepted).values()) for mode in candidates}
        possible = [mode for mode in candidates if maps[mode] <= shown]
        # A device may show queues that nobody asked for, but hardly one behind its last.
        closest = [mode for mode in possible if max(maps[mode]) == max(shown, default=-1)]
        candidates = closest or possible
    transport.write_status(0)
    return candidates[0] if candidates else PREFERENCE[0]


def shown_sizes(transport: Transport, accepted: Features) -> dict[int, int]:
    """Return the largest sizes of the queues that exist once these features are accepted."""
    transport.write_status(0)
    for _ in range(RESET_READS):
        if transport.read_status() == 0:
            break
    transport.write_status(DeviceStatus.ACKNOWLEDGE)
    transport.write_status(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER)
    transport.write_features(accepted.bits)
    transport.write_status(DeviceStatus.LIVE & ~DeviceStatus.DRIVER_OK)
    sizes = {index: transport.queue_max(index) for index in range(len(Queue))}
    return {index: size for index, size in sizes.items() if size}


def probe_mode(offered: Features, start: Callable[[], Session]) -> QueueMode | None:
    """Return the rule under which a late queue answers; every attempt has a session of its own.

    Nothing is judged here either.  If no attempt succeeds it is None; if all rules come to the
    same, the first of `PREFERENCE`.
    """
    told_apart = False
    for queue in PROBES:
        feature = QUEUE_FEATURE[queue]
        if feature is None or feature not in offered:
            continue
        accepted = Features.of(Feature.VERSION_1, feature) & offered
        rules: dict[int, QueueMode] = {}  # where several give one number, the preferred one
        for mode in PREFERENCE:
            rules.setdefault(queue_map(mode, offered, accepted)[queue], mode)
        if len(rules) == 1:
            continue
        told_apart = True
        for mode in rules.values():
            if _answers(start, queue, accepted, mode):
                return mode
    return None if told_apart else PREFERENCE[0]


def _answers(
    start: Callable[[], Session], queue: Queue, accepted: Features, mode: QueueMode
) -> bool:
    """Return whether the queue answers at the number that the rule gives it."""
    try:
        with start() as session:
            bench = Bench(session, PROBE, 0, queue_mode=mode)
            try:
                bench.start(accept=accepted)
                bench.send(_question(bench, queue))
                if not bench.waits(queue):
                    return False
                answer = bench.driver.collect(queue)
                if answer is None:
                    return False
                cookie = answer.data[:8] if queue is Queue.HINTING else None
                return cookie in (None, COOKIE.to_bytes(8, "little"))
            finally:
                bench.memory.close()
    except (TransportError, TargetError, Failed, NotApplicable, RingError):
        return False  # whatever is wrong, it is not wrong with the right number


def _question(bench: Bench, queue: Queue) -> Draft:
    if queue is Queue.HINTING:
        return requests.hint_blocks(COOKIE, [])
    return requests.report(bench.blocks(1))
