"""What other projects import into their own tests: machines that walk their driver or device.

A device is made by a factory that is given guest memory.  It is `ProtocolLogic`, to which vhint
adds virtqueues and registers, or a whole device of your own with the methods of
`DeviceUnderTest`.  A guest has the methods of `GuestUnderTest`, and its factory is given a
`GuestPlace`.  Whichever side you do not bring is the reference.

    from vhint_conformance.testing import check_device

    def test_my_device() -> None:
        for result in check_device(MyBalloon):
            assert result.sound, result

Or take a machine into your own Hypothesis tests, with your own settings::

    from vhint_conformance.testing import HintPages, with_device

    TestHintPages = with_device(HintPages, MyBalloon).TestCase

The names in `__all__` are stable: within a major version none goes, and none asks for more.
"""

from vhint_conformance.case import Capability
from vhint_conformance.logic import (
    CAN,
    Buffer,
    ConfigChanged,
    Discard,
    Effect,
    Effects,
    LogicDevice,
    NeedsReset,
    ProtocolLogic,
    Use,
    Write,
)
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
    PackedRings,
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
    "CAN",
    "MACHINES",
    "BadAnswers",
    "BalloonPages",
    "Buffer",
    "CachedPages",
    "Capability",
    "ConfigChanged",
    "CpusAndZones",
    "DeviceFactory",
    "DeviceUnderTest",
    "Discard",
    "Effect",
    "Effects",
    "FullRing",
    "GuestFactory",
    "GuestMachine",
    "GuestPlace",
    "GuestUnderTest",
    "HintBitmaps",
    "HintPages",
    "HintResets",
    "HintRounds",
    "LogicDevice",
    "NeedsReset",
    "PackedRings",
    "PlainPages",
    "ProtocolLogic",
    "ReportedPages",
    "RequirementBroken",
    "ResetsAnywhere",
    "Result",
    "Setup",
    "Use",
    "Write",
    "check_device",
    "check_guest",
    "random_seed",
    "run_machine",
    "with_device",
    "with_guest",
]
