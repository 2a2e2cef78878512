"""A statement beside what the target offers: what it claims too much, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vhint.wire.features import Feature
from vhint_conformance.statement.claims import FEATURE_PROFILE, PROFILE_FEATURE
from vhint_conformance.statement.model import Statement
from vhint_conformance.statement.offered import Offered


@dataclass(frozen=True, slots=True)
class Comparison:
    """Each line of `too_much` makes the statement false; those of `left_out` are only told.

    `unknown` is what could not be compared, and why.
    """

    too_much: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    unknown: str = ""


def compare(statement: Statement, offered: Offered) -> Comparison:
    """Hold a statement against what was seen; what the target does not show is not compared."""
    shown = {"balloon", *PROFILE_FEATURE}
    unknown = ", ".join(profile for profile in statement.profiles if profile not in shown)
    return Comparison(
        tuple(_too_much(statement, offered)),
        tuple(dict.fromkeys(_left_out(statement, offered))),
        unknown=f"profiles: no case judges {unknown}" if unknown else "",
    )


def _too_much(statement: Statement, offered: Offered) -> Iterator[str]:
    offers = "offer" if offered.role == "device" else "accept"
    missing = set()
    for profile in statement.profiles:
        feature = PROFILE_FEATURE.get(profile)
        if feature is not None and feature not in offered.features:
            missing.add(feature)
            yield (
                f"profiles: {profile} is claimed, and the target does not {offers} {_bit(feature)}"
            )
    for feature in (statement.features or offered.features) - offered.features:
        if feature not in missing:
            yield f"features: {_bit(feature)} is claimed, and the target does not {offers} it"
    for rings in statement.rings:
        if rings not in offered.rings:
            yield f"rings: {rings} is claimed, and the target does not {offers} it"
    claimed, seen = statement.transports or (), offered.transports
    if claimed and seen and not set(claimed) & set(seen):
        yield f"transports: {', '.join(claimed)} claimed; the target is on {', '.join(seen)}"
    if offered.queue_mode not in (None, statement.queue_mode):
        yield f"queue_map_mode: {statement.queue_mode} claimed; seen {offered.queue_mode}"
    yield from _limits(statement, offered)


def _limits(statement: Statement, offered: Offered) -> Iterator[str]:
    if offered.page_size is not None and offered.page_size not in statement.page_sizes:
        sizes = ", ".join(map(str, statement.page_sizes))
        yield f"limits: pages of {sizes} bytes are claimed; the host's have {offered.page_size}"
    for queue, size in statement.queue_sizes.items():
        if offered.queue_sizes and size > (seen := offered.queue_sizes.get(queue, 0)):
            yield f"limits.queue_sizes: {queue} = {size} is claimed; the target offers {seen}"
    for name, better in (("hint_max_count", max), ("hint_min_order", min)):
        claimed, seen = getattr(statement, name), getattr(offered, name)
        if None not in (claimed, seen) and better(claimed, seen) != seen:
            yield f"limits.{name}: {claimed} is claimed; the target offers {seen}"


def _left_out(statement: Statement, offered: Offered) -> Iterator[str]:
    for feature in offered.features:
        profile = FEATURE_PROFILE.get(feature)
        if profile is not None and profile not in statement.profiles:
            yield f"the profile {profile} ({_bit(feature)})"
        elif statement.features is not None and feature not in statement.features:
            yield f"the feature {_bit(feature)}"
    for rings in offered.rings:
        if rings not in statement.rings:
            yield f"{rings} rings"
    for transport in offered.transports:
        if statement.transports is not None and transport not in statement.transports:
            yield f"the transport {transport}"


def _bit(feature: Feature) -> str:
    return f"{feature.name} (bit {feature.value})"
