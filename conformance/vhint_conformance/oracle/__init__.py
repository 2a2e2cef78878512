"""Monitors over traces: page lifetime, ring discipline, features and queues."""

from vhint_conformance.oracle.features import FeatureMonitor
from vhint_conformance.oracle.lifetime import LifetimeMonitor
from vhint_conformance.oracle.monitor import Monitor
from vhint_conformance.oracle.ring import RingMonitor

__all__ = ["FeatureMonitor", "LifetimeMonitor", "Monitor", "RingMonitor", "device_monitors"]


def device_monitors(*, legacy: bool = False) -> list[Monitor]:
    """Return fresh monitors of everything that a device can do wrong.

    `legacy` says that it is driven by its legacy interface.
    """
    return [LifetimeMonitor(), RingMonitor(early_use=legacy), FeatureMonitor()]
