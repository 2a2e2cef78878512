"""The options that the pytest plugin adds to pytest."""

from __future__ import annotations

import argparse

import pytest

from vhint.wire.queues import QueueMode
from vhint_conformance.case import Role
from vhint_conformance.pytest_entry import pytest_addoption as add_target
from vhint_conformance.targets.base import SpawnPer, TargetSettings
from vhint_conformance.variants import ANY_RINGS, Rings


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; whichever plugin comes first declares that for the target."""
    add_target(parser)
    add = parser.getgroup("vhint").addoption
    add("--vhint-role", choices=[role.value for role in Role], help="only cases of this role")
    add(
        "--vhint-select",
        action="append",
        default=[],
        metavar="GLOB",
        help="only cases whose id, or one of whose requirements, matches (repeatable)",
    )
    add(
        "--vhint-level",
        choices=["must", "should"],
        help="weakest level to run (default: the statement's, or must)",
    )
    add(
        "--vhint-ics",
        metavar="FILE",
        help="conformance statement: run what it claims, expect what it lists (TOML)",
    )
    add("--vhint-trace", metavar="DIR", help="write the trace of every case into this directory")
    add(
        "--vhint-expect",
        action="append",
        default=[],
        metavar="FILE",
        help="expected failures (TOML; repeatable)",
    )
    add(
        "--vhint-no-expect",
        action="store_true",
        help="do not apply the deviations that ship with the target",
    )
    add("--vhint-spawn", metavar="COMMAND", help="start the target so; {socket} is its socket")
    add(
        "--vhint-spawn-per",
        choices=[each.value for each in SpawnPer],
        default=SpawnPer.CASE.value,
        help="how long what --vhint-spawn starts lives",
    )
    add(
        "--vhint-queue-map",
        choices=[mode.value for mode in QueueMode],
        help="how the target numbers its queues (default: found out)",
    )
    add("--vhint-in-band", action="store_true", help="notify by messages, where the target can")
    add(
        "--vhint-validate", action="store_true", help="hold a harness's messages against the schema"
    )
    add(
        "--vhint-answer-within",
        type=float,
        metavar="SECONDS",
        help="give a harness up that takes longer for one answer",
    )
    add(
        "--vhint-rings",
        default=",".join(ANY_RINGS),
        metavar="FORMATS",
        help="formats of virtqueues to run the cases with: split, packed",
    )
    add("--vhint-seed", type=int, default=0, metavar="N", help="seed of all random choices")
    add(
        "--vhint-deadline",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="give a case up after this long (0: never)",
    )


def rings_in(text: str) -> tuple[Rings, ...]:
    """Return the formats of virtqueues that a text names; raises `ValueError` for anything else.

    >>> rings_in("packed, split")
    (<Rings.PACKED: 'packed'>, <Rings.SPLIT: 'split'>)
    """
    try:
        return tuple(dict.fromkeys(Rings(word.strip()) for word in text.split(",")))
    except ValueError:
        known = ", ".join(ANY_RINGS)
        raise ValueError(f"the formats of rings are {known}, one or more; seen {text!r}") from None


def settings_in(option: argparse.Namespace) -> TargetSettings:
    """Return what the options say about the target beside its name."""
    return TargetSettings(
        spawn=option.vhint_spawn,
        spawn_per=SpawnPer(option.vhint_spawn_per),
        queue_mode=QueueMode(option.vhint_queue_map) if option.vhint_queue_map else None,
        in_band=option.vhint_in_band,
        validate=option.vhint_validate,
        answer_within=option.vhint_answer_within,
    )
