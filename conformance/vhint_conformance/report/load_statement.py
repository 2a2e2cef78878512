"""Reading back the conformance statement that a saved report has in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode
from vhint_conformance.case import Role
from vhint_conformance.report.load_expectation import expectation
from vhint_conformance.selection import Level
from vhint_conformance.statement import Statement
from vhint_conformance.statement.comparison import Comparison
from vhint_conformance.variants import Rings


def statement(values: Mapping[str, Any]) -> tuple[Statement, Comparison]:
    """Return the statement and how it compared; the values fit the report's schema.

    Raises `ValueError`, `KeyError` or `TypeError` for what that leaves open and is not so.
    """
    limits = values.get("limits", {})
    transports, features = values.get("transports"), values.get("features")
    stated = Statement(
        source=values["source"],
        name=values["name"],
        version=values["version"],
        role=Role(values["role"]),
        level=Level(values["level"]),
        profiles=tuple(values["profiles"]),
        rings=tuple(Rings(each) for each in values["rings"]),
        queue_mode=QueueMode(values["queue_map_mode"]),
        transports=None if transports is None else tuple(transports),
        features=None if features is None else Features.of(*(Feature[name] for name in features)),
        page_sizes=tuple(map(int, limits.get("page_sizes", ()))),
        queue_sizes={Queue(q): int(size) for q, size in limits.get("queue_sizes", {}).items()},
        hint_max_count=limits.get("hint_max_count"),
        hint_min_order=limits.get("hint_min_order"),
        deviations=tuple(map(expectation, values.get("deviations", ()))),
    )
    comparison = Comparison(
        too_much=tuple(values["claims_too_much"]),
        left_out=tuple(values["offered_and_not_claimed"]),
        unknown=values["not_compared"],
    )
    return stated, comparison
