"""The reference guest, without I/O.

`Driver` is the lowest layer: requests into rings and answers out.  `Guest` is all of it: memory,
hinting as the talk has it, and the device-facing half of every profile, in steps.
"""

from vhint.guest.arena import Arena
from vhint.guest.direct_port import DirectPort
from vhint.guest.driver import Answer, Driver, Request
from vhint.guest.guest import Guest, GuestOptions
from vhint.guest.initialise import InitialisationError, Negotiated, Wish, initialise
from vhint.guest.port import Port, RingPort
from vhint.guest.requests import Draft
from vhint.guest.step import Step
from vhint.guest.wishes import wish_for

__all__ = [
    "Answer",
    "Arena",
    "DirectPort",
    "Draft",
    "Driver",
    "Guest",
    "GuestOptions",
    "InitialisationError",
    "Negotiated",
    "Port",
    "Request",
    "RingPort",
    "Step",
    "Wish",
    "initialise",
    "wish_for",
]
