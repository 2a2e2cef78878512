"""Targets that other distributions bring, by entry point.

A distribution names them in its `pyproject.toml`:

    [project.entry-points."vhint.targets"]
    my-vmm = "my_package.vhint:make_target"

`vhint conform my-vmm` and `vhint conform my-vmm:ANYTHING` then judge what `make_target("")` and
`make_target("ANYTHING")` return: a `Target`, a `DriverTarget` or a `PairTarget`.  Built-in names go
first.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from vhint_conformance.targets.base import Target
from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.targets.pair import PairTarget

GROUP = "vhint.targets"

AnyTarget = Target | DriverTarget | PairTarget


class BrokenPlugin(Exception):  # noqa: N818 - the name says it
    """A distribution offers a target and does not deliver it; the message is one line."""


def offered() -> dict[str, str]:
    """Return the name of every target that is offered, with who offers it."""
    return {found.name: f"offered by {_origin(found)}" for found in entry_points(group=GROUP)}


@lru_cache
def find(name: str) -> AnyTarget | None:
    """Return the target that `name` means, made once for each name, or None if there is none.

    Raises `BrokenPlugin` if what offers it cannot be used.
    """
    word, _, argument = name.partition(":")
    found = list(entry_points(group=GROUP, name=word))
    if not found:
        return None
    if len({each.value for each in found}) > 1:
        origins = " and by ".join(map(_origin, found))
        raise BrokenPlugin(f"{word} is offered by {origins}: remove one")
    (entry, *_) = found
    try:
        factory = entry.load()
    except Exception as error:
        raise BrokenPlugin(_complaint(entry, "cannot be loaded", error)) from error
    try:
        made = factory(argument)
    except Exception as error:
        raise BrokenPlugin(_complaint(entry, "did not make it", error)) from error
    if not isinstance(made, AnyTarget):
        kind = type(made).__name__
        raise BrokenPlugin(
            f"{word}: {entry.value} of {_origin(entry)} made a {kind}, expected a Target, a "
            "DriverTarget or a PairTarget"
        )
    return made


def _complaint(entry: EntryPoint, what: str, error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    seen = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return f"{entry.name}: {entry.value} of {_origin(entry)} {what}: {seen}"


def _origin(entry: EntryPoint) -> str:
    dist = entry.dist
    return f"{dist.name} {dist.version}" if dist is not None else "an unknown distribution"
