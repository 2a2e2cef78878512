"""A target that needs nothing, so that what surrounds the cases can be tested by itself.

The fixture `fake_suite` copies this file to `conftest.py` beside the cases, so that every process
of a run, xdist's workers too, judges the fake.
"""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from vhint.trace import Recorder
from vhint_conformance import bench, targets
from vhint_conformance.tracing import write_trace
from vhint_conformance.variants import RING_VARIANTS, SPLIT
from vhint_conformance.verdict import Failed, NotApplicable, TargetNotStarted
from vhint_conformance.witness import Witness
from vhint_spec import Requirement, registry

LEVELS = {
    "fake.device.first": "MUST",
    "fake.device.second": "MUST NOT",
    "fake.device.third": "MUST",
    "mild.device.polite": "SHOULD",
    "mild.device.free": "MAY",
}


def requirement(slug: str, level: str) -> Requirement:
    return Requirement(
        slug=slug,
        profile="balloon",
        role="device",
        level=level,
        text=f"A device {level} do what {slug} says.",
        rationale="Because.",
        source="VIRTIO 1.4, Fake Device",
        since="0.1",
        status="stable",
        invariants=(),
    )


class FakeTarget:
    """`fake` works, `fake-missing` is not installed, `fake-broken` does not start.

    `fake-variants` is judged with both formats of rings.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.variants = RING_VARIANTS if name == "fake-variants" else (SPLIT,)

    def in_variant(self, variant: object) -> "FakeTarget":
        return self

    def versions(self) -> dict[str, str]:
        if self.name == "fake-missing":
            raise TargetNotStarted("there is no program called fake", "install fake")
        return {"fake": "7.2.22 (Debian 1:7.2)", "other": "1"}

    def close(self) -> None:
        pass

    def deviations(self) -> Path | None:
        path = os.environ.get("FAKE_DEVIATIONS")
        return Path(path) if path else None


class FakeBench:
    def __init__(self) -> None:
        self.observations: dict[str, object] = {}
        self.effectiveness: dict[str, object] = {"pages": 0}
        self.late: list = []
        self.recorder = Recorder()
        self.witness = Witness(self.recorder)


@contextmanager
def open_bench(target, info, seed, trace):
    if target.name == "fake-broken":
        raise TargetNotStarted("it exits at once", "look at its log")
    if "absent" in info.id:
        raise NotApplicable("FEATURE is not offered")
    made = FakeBench()
    made.observations["seed"] = seed
    log = os.environ.get("FAKE_LOG")
    try:
        yield made
        if made.late:
            raise Failed(made.late)
    finally:
        write_trace(made.recorder, trace, made.observations)
        if log:
            with Path(log).open("a") as file:
                file.write(f"closed {info.id}\n")


def resolve(name: str, settings: object = None) -> FakeTarget:
    if not name.startswith("fake"):
        raise targets.UnknownTarget(f"there is no target {name!r}; did you mean fake? Known: fake")
    return FakeTarget(name)


def resolve_driver(name: str) -> FakeTarget:
    if name != "fake-both":
        raise targets.UnknownTarget(f"{name!r} is no driver")
    return FakeTarget(name)


def install() -> None:
    """Put the fake in the place of the real thing, in this process."""
    targets.resolve = resolve
    targets.resolve_driver = resolve_driver
    bench.open_bench = open_bench
    registry.load = lambda: {slug: requirement(slug, level) for slug, level in LEVELS.items()}


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    install()
