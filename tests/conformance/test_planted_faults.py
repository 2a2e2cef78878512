"""Faults that end in no verdict, which no mutant may have: crashes, endless loops, no start."""

from collections.abc import Iterator

import pytest

from vhint.host import Device
from vhint.host.reporting import Reporting
from vhint.ring import Chain
from vhint.wire.queues import Queue
from vhint_conformance import runner, targets
from vhint_conformance.report.model import Fault, Report
from vhint_conformance.targets.reference import LoopbackTarget
from vhint_conformance.verdict import Verdict


def judge(
    monkeypatch: pytest.MonkeyPatch, make: object, *select: str, deadline: float = 60.0
) -> Report:
    monkeypatch.setattr(targets, "REFERENCES", {"faulty": LoopbackTarget("faulty", make)})  # type: ignore[arg-type]
    monkeypatch.setattr("vhint_conformance.bench.opening._offers", {})
    monkeypatch.setattr("vhint_conformance.bench.opening._modes", {})
    return runner.run(runner.RunOptions("faulty", select=select, deadline=deadline))


class Handles(Device):
    """Serves one queue with another handler."""

    queue: Queue
    handler: type

    def _begin(self) -> None:
        super()._begin()
        self._handlers[self.queue] = self.handler(self.context)


class Raises(Handles):
    queue = Queue.REPORTING

    class handler(Reporting):  # noqa: N801
        def handle(self, chain: Chain) -> Iterator[None]:
            raise KeyError(chain.head)
            yield


def test_a_device_that_raises_has_died_and_the_rest_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = judge(monkeypatch, Raises, "reporting.one-page", "balloon.inflate-one-page")
    by_id = {each.id: each for each in report.outcomes}
    assert by_id["reporting.one-page"].fault is Fault.DIED
    assert "the device raised KeyError" in by_id["reporting.one-page"].message
    assert "test_planted_faults.py" in by_id["reporting.one-page"].message
    assert by_id["balloon.inflate-one-page"].verdict is Verdict.PASS
    assert report.exit_status == 3


class Hangs(Handles):
    queue = Queue.REPORTING

    class handler(Reporting):  # noqa: N801
        def handle(self, chain: Chain) -> Iterator[None]:
            while True:
                pass
            yield


def test_a_device_that_hangs_costs_one_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    report = judge(monkeypatch, Hangs, "reporting.one-page", "balloon.inflate-one-page", deadline=3)
    by_id = {each.id: each for each in report.outcomes}
    assert by_id["reporting.one-page"].fault is Fault.DEADLINE
    assert by_id["balloon.inflate-one-page"].verdict is Verdict.PASS
    assert report.exit_status == 4


def test_a_device_that_cannot_be_made_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(_memory: object) -> Device:
        raise ValueError("no such backing")

    report = judge(monkeypatch, make, "virtio.identity")
    assert report.exit_status == 3
    assert "no such backing" in report.stopped
