"""Which cases a statement speaks of, and why it does not speak of the others."""

from __future__ import annotations

from collections.abc import Iterable

from vhint.wire.features import Feature
from vhint_conformance.case import Case
from vhint_conformance.selection import Level
from vhint_conformance.statement.model import Statement

PROFILE_FEATURE = {
    "reporting": Feature.PAGE_REPORTING,
    "free-page-hint": Feature.FREE_PAGE_HINT,
    "hint-pfn": Feature.HINTING,
    "hint-bitmap": Feature.HINTING_BITMAP,
}
"""The feature without which there is no such profile; a balloon needs none."""

FEATURE_PROFILE = {feature: profile for profile, feature in PROFILE_FEATURE.items()}

GROUPS = {
    "balloon": "balloon",
    "reporting": "reporting",
    "free-page-hint": "free-page-hint",
    "hint": "hint-pfn",
    "hint-pfn": "hint-pfn",
    "hint-bitmap": "hint-bitmap",
    "shared-bitmap": "shared-bitmap",
}
"""The profile to which the requirements of a group belong; `virtio` and `ring` belong to all."""


def why_not(statement: Statement, case: Case, level: Level = Level.MUST) -> str:
    """Say why a statement does not speak of a case of that level; empty if it does."""
    if case.role is not statement.role:
        return f"the role {case.role} is not claimed"
    if level is Level.SHOULD and statement.level is not Level.SHOULD:
        return "the level should is not claimed"
    for feature in case.features:
        profile = FEATURE_PROFILE.get(feature)
        if profile is not None and profile not in statement.profiles:
            return f"the profile {profile} is not claimed"
        if statement.features is not None and feature not in statement.features:
            return f"the feature {feature.name} is not claimed"
    profiles = profiles_of(case.requirements)
    if profiles and not any(profile in statement.profiles for profile in profiles):
        return f"the profile {profiles[0]} is not claimed"
    variant = case.variant
    if case.rings and variant.rings not in statement.rings:
        return f"{variant.rings} rings are not claimed"
    bounded = statement.transports is not None and bool(variant.bus)
    if bounded and variant.bus not in (statement.transports or ()):
        return f"the transport {variant.bus} is not claimed"
    return ""


def profiles_of(requirements: Iterable[str]) -> list[str]:
    """Return the profiles to which requirements belong.

    >>> profiles_of(["virtio.device.x", "hint.device.y", "hint-bitmap.device.z"])
    ['hint-pfn', 'hint-bitmap']
    """
    groups = (slug.partition(".")[0] for slug in requirements)
    return list(dict.fromkeys(GROUPS[group] for group in groups if group in GROUPS))
