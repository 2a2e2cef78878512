"""A conformance statement, and how it compares, as JSON in a report; and read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode
from vhint_conformance.case import Role
from vhint_conformance.expectations import Expectation
from vhint_conformance.report.model import Report
from vhint_conformance.selection import Level
from vhint_conformance.statement import Statement
from vhint_conformance.statement.comparison import Comparison
from vhint_conformance.variants import Rings


def as_json(report: Report) -> dict[str, Any] | None:
    """Return plain values, or None for a report without a statement."""
    stated, comparison = report.statement, report.comparison
    if stated is None:
        return None
    return {
        "source": stated.source,
        "name": stated.name,
        "version": stated.version,
        "role": stated.role.value,
        "level": stated.level.value,
        "profiles": list(stated.profiles),
        "rings": [each.value for each in stated.rings],
        "transports": None if stated.transports is None else list(stated.transports),
        "queue_map_mode": stated.queue_mode.value,
        "features": None if stated.features is None else [bit.name for bit in stated.features],
        "limits": {
            "page_sizes": list(stated.page_sizes),
            "queue_sizes": {queue.value: size for queue, size in stated.queue_sizes.items()},
            "hint_max_count": stated.hint_max_count,
            "hint_min_order": stated.hint_min_order,
        },
        "deviations": [
            {
                "slug": item.slug,
                "reason": item.reason,
                "link": item.link,
                "message": item.message or None,
            }
            for item in stated.deviations
        ],
        "claims_too_much": list(comparison.too_much) if comparison else [],
        "offered_and_not_claimed": list(comparison.left_out) if comparison else [],
        "not_compared": comparison.unknown if comparison else "the run did not come to it",
    }


def statement_in(values: Mapping[str, Any]) -> Statement:
    """Return the statement in values that the schema of reports has admitted."""
    limits, features, transports = values["limits"], values["features"], values["transports"]
    return Statement(
        source=values["source"],
        name=values["name"],
        version=values["version"],
        role=Role(values["role"]),
        level=Level(values["level"]),
        profiles=tuple(values["profiles"]),
        rings=tuple(Rings(each) for each in values["rings"]),
        queue_mode=QueueMode(values["queue_map_mode"]),
        transports=None if transports is None else tuple(transports),
        features=None if features is None else Features.of(*(Feature[bit] for bit in features)),
        page_sizes=tuple(limits["page_sizes"]),
        queue_sizes={Queue(queue): size for queue, size in limits["queue_sizes"].items()},
        hint_max_count=limits["hint_max_count"],
        hint_min_order=limits["hint_min_order"],
        deviations=tuple(
            Expectation(
                item["slug"],
                item["reason"],
                item["link"],
                item.get("message") or "",
                source=values["source"],
            )
            for item in values["deviations"]
        ),
    )


def comparison_in(values: Mapping[str, Any]) -> Comparison:
    """Return how the statement compared."""
    return Comparison(
        tuple(values["claims_too_much"]),
        tuple(values["offered_and_not_claimed"]),
        values["not_compared"],
    )
