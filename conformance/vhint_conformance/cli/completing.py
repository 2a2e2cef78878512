"""What a shell can complete beside commands and options: names that the suite knows.

A parameter takes one of these functions as its `shell_complete`.  Everything is imported when a
shell asks, and not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from vhint_conformance.case import Case

Items = list[CompletionItem[str]]
FOR_PEOPLE = "PATH", "MODULE", "FACTORY", "COMMAND", "NAME"
"""What stands in the name of a target for something that nobody but the user knows."""


def targets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Complete a target; mutants once `mutant:` stands there, because they are many."""
    from vhint_conformance import targets as known

    names = {_until_a_gap(name): summary for name, summary in known.known().items()}
    if ":" not in incomplete:
        families = ("mutant:", "sound:")
        names = {name: text for name, text in names.items() if not name.startswith(families)}
        names |= dict.fromkeys(families, "see vhint mutants --list")
    return _starting(incomplete, names)


def mutants(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a mutant, or of something sound."""
    from vhint_conformance.kill_matrix import SUBJECTS

    return _starting(incomplete, {each.name: each.summary for each in SUBJECTS.values()})


def requirements(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Complete the slug of a requirement."""
    from vhint_spec import load

    return _starting(incomplete, {slug: item.text for slug, item in load().items()})


def cases(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete the id of a case or the slug of a requirement."""
    ids = {case.id: case.title for case in _cases()}
    return [*_starting(incomplete, ids), *requirements(ctx, param, incomplete)]


def errata(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Complete the id of an erratum."""
    from vhint_spec import errata as register

    return _starting(incomplete, {name: item.title for name, item in register.load().items()})


def systems(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a model."""
    from vhint_conformance.model.explore.catalogue import SYSTEMS

    return _starting(incomplete, {name: system.summary for name, system in SYSTEMS.items()})


def formats(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a wire format."""
    from vhint.wire.formats import FORMATS

    return _starting(incomplete, {name: form.title for name, form in FORMATS.items()})


def _cases() -> Iterable[Case]:
    """Yield the cases as they are marked, without their parameters."""
    from vhint_conformance import cases as package
    from vhint_conformance.case import MARK

    for found in walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.rpartition(".")[2].startswith("test_"):
            continue
        for function in vars(import_module(found.name)).values():
            for mark in getattr(function, "pytestmark", ()):
                if mark.name == MARK:
                    yield mark.args[0]


def _until_a_gap(name: str) -> str:
    """Return the part of a target's name that can be completed.

    >>> _until_a_gap("python:MODULE:FACTORY"), _until_a_gap("qemu:pci")
    ('python:', 'qemu:pci')
    """
    words = name.split(":")
    kept = [word for word in words if word not in FOR_PEOPLE]
    return ":".join(kept) + (":" if len(kept) < len(words) else "")


def _starting(incomplete: str, names: Mapping[str, str]) -> Items:
    return [
        CompletionItem(name, help=text.partition("\n")[0])
        for name, text in names.items()
        if name.startswith(incomplete)
    ]
