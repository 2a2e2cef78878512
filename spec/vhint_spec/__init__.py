"""What vhint requires of drivers and devices: data and prose, and loaders for the data.

Four registers, each a directory of TOML files and a module that reads it: requirements
(`load`), the standard's `clauses`, real `bugs`, and `errata`. ``python -m vhint_spec`` checks
them all against each other.

>>> from vhint_spec import load, clauses
>>> load()["reporting.device.containment"].level
'MUST NOT'
>>> clauses.load()["PR-D2"].slugs
('reporting.device.poison-preserved',)

.. PYTEST_DONT_REWRITE, of which pytest would complain where this is imported before it starts.
"""

from vhint_spec.records import RegistryError
from vhint_spec.registry import (
    INVARIANTS,
    LEVELS,
    OBSERVATIONS,
    PROFILES,
    ROLES,
    STATUSES,
    Invariant,
    Level,
    Observation,
    Profile,
    Requirement,
    Role,
    Status,
    load,
    schema,
)

__all__ = [
    "INVARIANTS",
    "LEVELS",
    "OBSERVATIONS",
    "PROFILES",
    "ROLES",
    "STATUSES",
    "Invariant",
    "Level",
    "Observation",
    "Profile",
    "RegistryError",
    "Requirement",
    "Role",
    "Status",
    "load",
    "schema",
]
