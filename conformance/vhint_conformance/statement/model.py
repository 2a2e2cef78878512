"""A statement as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode
from vhint_conformance.case import Role
from vhint_conformance.expectations import Expectation
from vhint_conformance.selection import Level
from vhint_conformance.variants import Rings


@dataclass(frozen=True, slots=True)
class Statement:
    """What an implementation is claimed to be, in one role.

    `transports` and `features` are None if the statement does not bound them.  Page sizes are in
    bytes, queue sizes in entries.  `source` is the file that it stands in.
    """

    source: str
    name: str
    version: str
    role: Role
    level: Level
    profiles: tuple[str, ...]
    rings: tuple[Rings, ...]
    queue_mode: QueueMode
    transports: tuple[str, ...] | None = None
    features: Features | None = None
    page_sizes: tuple[int, ...] = ()
    queue_sizes: Mapping[Queue, int] = field(default_factory=dict)
    hint_max_count: int | None = None
    hint_min_order: int | None = None
    deviations: tuple[Expectation, ...] = ()

    @classmethod
    def of(cls, value: Mapping[str, Any], source: str) -> Self:
        """Make a statement of values that satisfy the schema."""
        limits = value["limits"]
        transports = value.get("transports")
        features = value.get("features")
        return cls(
            source=source,
            name=value["implementation"]["name"],
            version=value["implementation"]["version"],
            role=Role(value["role"]),
            level=Level(value["level"]),
            profiles=tuple(value["profiles"]),
            rings=tuple(Rings(each) for each in value["rings"]),
            queue_mode=QueueMode(value["queue_map_mode"]),
            transports=None if transports is None else tuple(transports),
            features=None if features is None else Features.of(*(Feature[f] for f in features)),
            page_sizes=tuple(limits.get("host_page_sizes") or limits.get("guest_page_sizes", ())),
            queue_sizes={Queue(q): size for q, size in limits.get("queue_sizes", {}).items()},
            hint_max_count=limits.get("hint_max_count"),
            hint_min_order=limits.get("hint_min_order"),
            deviations=tuple(
                Expectation(
                    slug=entry["slug"],
                    reason=entry["reason"],
                    link=entry["link"],
                    message=entry.get("message", ""),
                    source=source,
                )
                for entry in value.get("deviations", ())
            ),
        )

    @property
    def title(self) -> str:
        """What it is about, in a few words."""
        return f"{self.name} {self.version}, {self.role}, level {self.level}"
