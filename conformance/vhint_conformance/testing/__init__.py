"""What other projects import into their own tests: machines that walk their driver or device.

A device is an object with the methods of `DeviceUnderTest`, made by a factory that is given guest
memory; a guest has those of `GuestUnderTest`, and its factory is given a `GuestPlace`.  Whichever
side you do not bring is the reference.

    from vhint_conformance.testing import check_device

    def test_my_device() -> None:
        for result in check_device(MyBalloon):
            assert result.sound, result

Or take a machine into your own Hypothesis tests, with your own settings::

    from vhint_conformance.testing import HintPages, with_device

    TestHintPages = with_device(HintPages, MyBalloon).TestCase
"""

from vhint_conformance.model.guest_protocol import GuestFactory, GuestPlace, GuestUnderTest
from vhint_conformance.model.machines import (
    MACHINES,
    BadAnswers,
    BalloonPages,
    CachedPages,
    CpusAndZones,
    FullRing,
    GuestMachine,
    HintBitmaps,
    HintPages,
    HintResets,
    HintRounds,
    PlainPages,
    ReportedPages,
    RequirementBroken,
    ResetsAnywhere,
)
from vhint_conformance.model.run import Result, random_seed, run_machine
from vhint_conformance.model.setup import Setup
from vhint_conformance.targets.device_protocol import DeviceUnderTest
from vhint_conformance.testing.checks import (
    DeviceFactory,
    check_device,
    check_guest,
    with_device,
    with_guest,
)

__all__ = [
    "MACHINES",
    "BadAnswers",
    "BalloonPages",
    "CachedPages",
    "CpusAndZones",
    "DeviceFactory",
    "DeviceUnderTest",
    "FullRing",
    "GuestFactory",
    "GuestMachine",
    "GuestPlace",
    "GuestUnderTest",
    "HintBitmaps",
    "HintPages",
    "HintResets",
    "HintRounds",
    "PlainPages",
    "ReportedPages",
    "RequirementBroken",
    "ResetsAnywhere",
    "Result",
    "Setup",
    "check_device",
    "check_guest",
    "random_seed",
    "run_machine",
    "with_device",
    "with_guest",
]
