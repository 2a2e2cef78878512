"""Acknowledgements that cannot be: the driver believes none of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from vhint.spans import Span
from vhint.wire import hint_ack
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.tools import (
    WORK,
    check_all_back,
    driver_case,
    measure,
    press,
    provoke,
)
from vhint_conformance.driver_bench import answers
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.verdict import NotApplicable

HINTING = Queue.HINTING
FEATURES = (Feature.HINTING,)
UNINITIALISED = "hint.driver.content-uninitialised"
KEEP = "hint.driver.keep-isolated-on-bad-acknowledgement"
RESET = "hint.driver.reset-on-bad-acknowledgement"


MOST = 40
"""Rounds of answers after which a driver has nothing more to hint, if nobody frees anything."""


class Aftermath:
    """What a driver does after an answer: whether it lets go of the device, and of what before.

    Where a reset is seen it is held, and what the guest uses meanwhile shows.  Over vhost-user the
    driver has its blocks back when the ring has stopped, so only what it uses before that counts.
    """

    def __init__(self, bench: DriverBench, gone: Sequence[Span]) -> None:
        self._bench = bench
        self._gone = gone
        self._let_go = bench.device.let_go
        self._used = 0
        self.held = bench.device.holds_reset = bench.can(Capability.SEES_STATUS)

    @property
    def let_go(self) -> bool:
        """Whether the driver has asked for a reset, or stopped the ring."""
        device = self._bench.device
        return device.reset_waits or device.let_go > self._let_go

    def wait(self) -> None:
        """Give the driver time to let go of the device."""
        self._bench.run(self._looked, self._bench.session.limits.rest)

    def _looked(self) -> bool:
        if self.let_go:
            return True
        self._used = self._bench.hole_bytes(self._gone, filled=True)
        return False

    def used(self) -> int:
        """Return how many bytes of the blocks have content again that was discarded."""
        press(self._bench)
        if self.held or not self.let_go:
            self._used = self._bench.hole_bytes(self._gone, filled=True)
        return self._used

    def end(self) -> None:
        """Complete the reset, and let the driver go on."""
        device = self._bench.device
        device.holds_reset = False
        if device.reset_waits:
            device.finish_reset()
        self._bench.idle(1.0)


@pytest.mark.parametrize("name", answers.BAD_ANSWERS)
@driver_case(
    "hint.driver.bad-cookie-detected",
    "hint.driver.bad-status-detected",
    "hint.driver.short-acknowledgement-detected",
    "hint.driver.long-acknowledgement-detected",
    "hint.driver.refusal-with-results-detected",
    "hint.driver.processed-contradiction-detected",
    KEEP,
    "hint.driver.no-trust-after-bad-acknowledgement",
    RESET,
    id="hint.driver-bad-answer",
    features=FEATURES,
)
def test_bad_answer(bench: DriverBench, name: str) -> None:
    """After a bad acknowledgement the driver keeps everything isolated and resets the device."""
    device = bench.start(offers.HINTS, hold=[HINTING])
    request = provoke(bench, HINTING)
    gone = [span for each in bench.waiting(HINTING) for span in bench.discard(each)]
    bad = answers.bad_answers(request).get(name)
    if bad is None:
        raise NotApplicable("the driver leaves no room for result bits")
    tickets = set(device.outstanding)
    after = Aftermath(bench, gone)
    bench.stake = RESET
    bench.answer(request, bad.data, bad.length)
    after.wait()
    more = [each for each in bench.waiting(HINTING) if each.ticket not in tickets]
    used = after.used()
    bench.require(
        after.let_go or not used,
        bad.requirement,
        expected=f"a bad acknowledgement ({name}) not believed",
        seen=f"no reset, and {used} bytes of outstanding blocks with content again",
    )
    bench.require(
        not used,
        KEEP,
        expected="outstanding blocks left alone until the reset is complete",
        seen=f"{used} bytes with content again",
    )
    sees_all = bench.can(Capability.FILLS_MEMORY)  # what came back would have been used by now
    bench.require(
        after.let_go,
        RESET if sees_all else bad.requirement,
        expected=f"a reset of the device that sent a bad acknowledgement ({name})",
        seen="none",
    )
    bench.require(
        not more or not after.held,
        "hint.driver.no-trust-after-bad-acknowledgement",
        expected="no request before the reset is complete",
        seen=f"{len(more)} requests",
    )
    after.end()


@driver_case(
    "hint.driver.bad-id-detected",
    RESET,
    id="hint.driver-bad-id",
    features=FEATURES,
)
def test_bad_id(bench: DriverBench) -> None:
    """A used id under which no request is outstanding makes the driver reset the device."""
    device = bench.start(offers.HINTS, hold=[HINTING])
    provoke(bench, HINTING)
    after = Aftermath(bench, ())
    heads = {each.taken.chain.head for each in bench.waiting(HINTING)}
    stray = next(n for n in range(device.queues[HINTING].layout.size) if n not in heads)
    bench.stake = "hint.driver.bad-id-detected"
    device.push(HINTING, stray, 16)
    device.signal(HINTING)
    after.wait()
    bench.require(
        after.let_go,
        "hint.driver.bad-id-detected",
        expected="a reset of the device",
        seen="none",
    )
    after.end()


@driver_case(
    "hint.driver.bad-id-detected",
    "ring.driver.used-id-checked",
    RESET,
    id="hint.driver-stale-id",
    features=FEATURES,
)
def test_stale_id(bench: DriverBench) -> None:
    """A used id whose request was answered before says no more than one that never was."""
    device = bench.start(offers.PFN_HINTS, hold=[HINTING])
    provoke(bench, HINTING)
    bench.requests(HINTING, 2)
    known: set[int] = set()
    for _ in range(MOST):
        waiting = bench.waiting(HINTING)
        known |= {each.taken.chain.head for each in waiting}
        for each in waiting[:-1]:
            bench.answer(each)
        bench.idle(0.5)
        stale = known - {each.taken.chain.head for each in bench.waiting(HINTING)}
        if bench.waiting(HINTING) == waiting[-1:] and stale:
            break
    else:
        raise NotApplicable("the driver goes on to make requests under ids that were answered")
    gone = [span for each in bench.waiting(HINTING) for span in bench.discard(each)]
    after = Aftermath(bench, gone)
    bench.stake = "hint.driver.bad-id-detected"
    device.push(HINTING, min(stale), answers.HEADER.size)
    device.signal(HINTING)
    after.wait()
    used = after.used()
    bench.require(
        after.let_go and not used,
        "hint.driver.bad-id-detected",
        expected="a reset of the device, and nothing back before it",
        seen=f"{'a' if after.let_go else 'no'} reset, {used} bytes with content again",
    )
    after.end()


@driver_case(
    "hint.driver.used-id-selects",
    KEEP,
    id="hint.driver-swapped-cookies",
    features=FEATURES,
)
def test_swapped_cookies(bench: DriverBench) -> None:
    """An answer with another request's cookie gives neither of the two back."""
    bench.start(offers.PFN_HINTS, hold=[HINTING])
    provoke(bench, HINTING)
    first, second = bench.requests(HINTING, 2)[:2]
    gone = [span for each in bench.waiting(HINTING) for span in bench.discard(each)]
    after = Aftermath(bench, gone)
    bench.answer(first, answers.sound(second)[: answers.HEADER.size])
    after.wait()
    used = after.used()
    bench.require(
        not used,
        "hint.driver.used-id-selects",
        expected="neither request's blocks back",
        seen=f"{used} bytes with content again",
    )
    after.end()


@driver_case(
    "hint.driver.return-outstanding-after-reset",
    RESET,
    id="hint.driver-memory-after-bad-answer",
    features=FEATURES,
    capabilities=[WORK, Capability.SEES_STATUS, Capability.FILLS_MEMORY],
)
def test_memory_after_bad_answer(bench: DriverBench) -> None:
    """After the reset that a bad acknowledgement leads to, the guest has all its memory."""
    device = bench.start(offers.HINTS)
    bench.idle(1.0)
    whole = measure(bench)
    bench.idle(1.0)
    bench.held.add(HINTING)
    request = provoke(bench, HINTING)
    bad = answers.bad_answers(request)["cookie"]
    bench.answer(request, bad.data, bad.length)
    bench.run(lambda: not device.live, bench.session.limits.rest)
    bench.require(not device.live, RESET, expected="a reset", seen=repr(device.status))
    bench.idle(1.0)
    check_all_back(bench, whole, HINTING, "hint.driver.return-outstanding-after-reset")


@pytest.mark.parametrize("status", [Status.OK, Status.PARTIAL], ids=lambda each: each.name)
@driver_case(
    "hint.driver.uncovered-results-lost",
    UNINITIALISED,
    id="hint.driver-uncovered-results",
    features=FEATURES,
)
def test_uncovered_results(bench: DriverBench, status: Status) -> None:
    """An answer of 16 bytes, without result bits, is good: every block counts as taken."""
    device = bench.start(offers.HINTS, hold=[HINTING])
    request = provoke(bench, HINTING)
    bench.discard(request)
    taken = len(request.blocks) - (status is Status.PARTIAL)
    answer = Acknowledgement(answers.header(request).cookie, status, taken)
    bench.answer(request, hint_ack.build(answer))
    bench.idle(1.0)
    lost = [each for each in bench.tester.complaints() if each.requirement == UNINITIALISED]
    bench.require(
        not lost,
        "hint.driver.uncovered-results-lost",
        expected="every block of an answer without result bits taken for lost",
        seen=lost[0].seen if lost else "",
    )
    bench.require(
        device.live and not device.reset_waits,
        "hint.driver.uncovered-results-lost",
        expected="an answer without result bits taken for a good one",
        seen="the device reset",
    )
    bench.held.clear()
    bench.idle(1.0)


@driver_case(
    "ring.driver.nothing-beyond-len",
    "hint.driver.uncovered-results-lost",
    UNINITIALISED,
    id="hint.driver-results-beyond-length",
    features=FEATURES,
)
def test_results_beyond_length(bench: DriverBench) -> None:
    """Result bits that stand behind the used length say nothing: every block counts as taken."""
    bench.start(offers.HINTS, hold=[HINTING])
    request = provoke(bench, HINTING)
    bench.discard(request)
    bench.answer(request, answers.sound(request, accept=1), answers.HEADER.size)
    bench.idle(1.0)
    lost = [each for each in bench.tester.complaints() if each.requirement == UNINITIALISED]
    bench.require(
        not lost,
        "ring.driver.nothing-beyond-len",
        expected="result bits beyond the used length not looked at",
        seen=lost[0].seen if lost else "",
    )
    bench.held.clear()
    bench.idle(1.0)
