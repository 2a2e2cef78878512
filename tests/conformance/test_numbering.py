"""Which rule a device numbers its queues by is found out, not assumed."""

from collections.abc import Callable

import pytest

from vhint.host import ALL_FEATURES, Device, DeviceOptions
from vhint.transport.loopback import Loopback
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QueueMode
from vhint_conformance.bench.numbering import find_mode

SOME = ALL_FEATURES - Features.of(Feature.FREE_PAGE_HINT)  # with all, two rules agree
OFFERS = {
    "no-free-page-hints": SOME,
    "no-statistics": SOME - Features.of(Feature.STATS_VQ),
    "hinting-alone": Features.of(Feature.VERSION_1, Feature.HINTING),
    "everything": ALL_FEATURES,
}


def found(make: Callable[..., Device]) -> QueueMode:
    transport = Loopback(make, 1 << 20)
    try:
        return find_mode(transport)
    finally:
        transport.close()


@pytest.mark.parametrize("mode", QueueMode)
@pytest.mark.parametrize("offer", ["no-free-page-hints", "no-statistics"])
def test_the_rule_is_found(mode: QueueMode, offer: str) -> None:
    options = DeviceOptions(offered=OFFERS[offer], queue_mode=mode)
    assert found(lambda memory: Device(memory, options)) is mode


@pytest.mark.parametrize("offer", ["hinting-alone", "everything"])
def test_of_rules_that_agree_any_will_do(offer: str) -> None:
    options = DeviceOptions(offered=OFFERS[offer], queue_mode=QueueMode.COMPACT_OFFERED)
    assert found(lambda memory: Device(memory, options)) is QueueMode.COMPACT_OFFERED


def test_a_device_that_shows_absent_queues_is_judged_by_its_last_one() -> None:
    class ShowsAll(Device):
        def queue_max(self, index: int) -> int:
            return 256 if index < 6 else 0

    options = DeviceOptions(offered=SOME, queue_mode=QueueMode.SPEC_FIXED)
    assert found(lambda memory: ShowsAll(memory, options)) is QueueMode.SPEC_FIXED


def test_a_device_that_follows_no_rule_gets_the_usual_one() -> None:
    class ShowsNone(Device):
        def queue_max(self, index: int) -> int:
            return 0

    assert found(ShowsNone) is QueueMode.COMPACT_OFFERED
