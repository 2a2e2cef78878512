"""For all tests: Hypothesis without chance or clock, and long tests only when asked for."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "vhint",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=80 if os.environ.get("VHINT_LONG") else 30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("vhint")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("VHINT_LONG"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes long: make long runs it"))
