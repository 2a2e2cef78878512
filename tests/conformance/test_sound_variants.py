"""Devices with other bounds and other habits are as sound as the reference: no false alarm."""

import pytest

from vhint.host import ALL_FEATURES, Device, DeviceOptions
from vhint.spans import PAGE
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QueueMode
from vhint_conformance import runner, targets
from vhint_conformance.mutants import SOUND
from vhint_conformance.report.model import Report
from vhint_conformance.selection import Level
from vhint_conformance.targets.reference import LoopbackTarget
from vhint_conformance.verdict import Verdict


def judge(
    monkeypatch: pytest.MonkeyPatch, make: object, *select: str, host_page: int = PAGE
) -> Report:
    target = LoopbackTarget("variant", make, host_page=host_page)  # type: ignore[arg-type]
    monkeypatch.setattr(targets, "REFERENCES", {"variant": target})
    monkeypatch.setattr("vhint_conformance.bench.opening._offers", {})
    monkeypatch.setattr("vhint_conformance.bench.opening._modes", {})
    return runner.run(runner.RunOptions("variant", select=select, level=Level.SHOULD, seed=3))


def assert_sound(report: Report) -> None:
    bad = report.having(Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)
    assert {each.id: each.message for each in bad} == {}
    assert report.summary[Verdict.PASS] > 0


QUEUES = (
    "ring.heads",
    "ring.one-kick-for-many",
    "ring.indirect*",
    "ring.event-idx-batch",
    "hint.fragmented",
    "hint.many-outstanding",
    "reporting.chain-length",
    "reporting.many-outstanding",
    "balloon.inflate-fragmented",
    "ring.malformed-harmless[loop]",
)


LONG = pytest.mark.long  # `make matrix` judges such devices by all cases


@pytest.mark.parametrize("size", [1, pytest.param(8, marks=LONG)])
def test_small_queues(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    options = DeviceOptions(queue_size=size)
    assert_sound(judge(monkeypatch, lambda memory: Device(memory, options), *QUEUES))


HINTS = (
    "hint.sound-request",
    "hint.count-at-limit",
    "hint.refuse-count",
    "hint.refuse-misaligned",
    "hint.refuse-outside-ram",
    "hint.overlap",
    "hint-pfn.mixed-orders",
    "hint-bitmap.clear-bits-outside",
    "virtio.identity",
)


@pytest.mark.parametrize(
    ("limit", "order"),
    [
        (1, 0),
        (8, 13),
        *(
            pytest.param(*each, marks=LONG)
            for each in [(2, 0), (100_000, 0), (0xFFFFFFFF, 0), (1024, 9), (8, 40)]
        ),
    ],
)
def test_hinting_limits(monkeypatch: pytest.MonkeyPatch, limit: int, order: int) -> None:
    options = DeviceOptions(hint_max_count=limit, hint_min_order=order)
    report = judge(
        monkeypatch,
        lambda memory: Device(memory, options),
        *HINTS,
        "hint-bitmap.clear*",
        "virtio.id*",
    )
    assert_sound(report)


@pytest.mark.parametrize("mode", [QueueMode.SPEC_FIXED, QueueMode.COMPACT_ACCEPTED])
def test_queue_numbers_that_nobody_told(monkeypatch: pytest.MonkeyPatch, mode: QueueMode) -> None:
    options = DeviceOptions(offered=ALL_FEATURES - Features.of(Feature.STATS_VQ), queue_mode=mode)
    report = judge(
        monkeypatch,
        lambda memory: Device(memory, options),
        "balloon.queue*",
        "virtio.feature-subsets",
        "virtio.absent-queue",
        "balloon.unaccepted-queue",
    )
    assert_sound(report)


def test_pages_that_come_back_by_the_use_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without MUST_TELL_HOST and EVENT_IDX no event comes between a look and the next use.
    options = DeviceOptions(offered=Features.of(Feature.VERSION_1))
    assert_sound(judge(monkeypatch, lambda memory: Device(memory, options), "ring.one-kick*"))


@pytest.mark.parametrize(
    ("name", "select"),
    [
        ("accepts-half", ("hint.sound*", "hint.overlap", "hint.result-*")),
        ("slow-reset", ("ring.after-reset", "hint.config-constant", "hint-bitmap.refuse-alone")),
        ("out-of-order", ("hint.many*", "reporting.many*", "ring.one-kick*", "ring.event-idx-b*")),
    ],
)
def test_habits(name: str, select: tuple[str, ...]) -> None:
    """Habits of sound implementations in the kill matrix; `make matrix` runs every case on all."""
    options = runner.RunOptions(SOUND[name].target, select=select, level=Level.SHOULD, seed=3)
    assert_sound(runner.run(options))
