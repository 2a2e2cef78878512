"""The formats as generators see them: a tree for each layout, what is said of them, constants."""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from vhint.export import docstrings, refusals
from vhint.export.read import read
from vhint.export.shape import End, Field, Number, Variant, everything, walk
from vhint.export.words import snake
from vhint.wire.history import PROFILES, Layout


@dataclass(frozen=True, slots=True)
class Group:
    """Layouts in which the same fields are the same bytes."""

    layouts: tuple[Layout | None, ...]
    tree: tuple[Field, ...]

    @property
    def suffix(self) -> str:
        """What tells functions for these layouts from others, in snake case; "" if there are none.

        It is the name of the first layout.
        """
        first = self.layouts[0]
        return f"_{snake(first.value)}" if first else ""


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: such as ``"hint-request"``; unique and permanent.
        docs: the first paragraph of what its module says.
        source: where it comes from, "" if that is not said.
        module: the full name of the module.
        parameters: names of numbers that are needed besides the bytes.
        declarations: the construct for each layout that guests wrote it in; only None if no layout
            makes a difference.
        trees: the fields for each of them.
        is_history: whether it was posted only, and is for reading old traces.
        is_open: whether more bytes may follow, which nobody looks at.

    """

    name: str
    docs: str
    source: str
    module: str
    parameters: tuple[str, ...]
    declarations: Mapping[Layout | None, Any] = field(repr=False)
    trees: Mapping[Layout | None, tuple[Field, ...]] = field(repr=False)
    is_history: bool = False
    refusals: refusals.Refusals = field(default_factory=dict, repr=False)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts to choose from; none if no layout makes a difference."""
        return tuple(layout for layout in self.trees if layout is not None)

    @property
    def tree(self) -> tuple[Field, ...]:
        """The fields of the first layout."""
        return next(iter(self.trees.values()))

    def widest(self, name: str) -> int:
        """Give the largest size in bytes that a number has in any layout."""
        return max(
            each.size
            for tree in self.trees.values()
            for each in everything(tree)
            if isinstance(each, Number) and each.name == name
        )

    @property
    def groups(self) -> tuple[Group, ...]:
        """The layouts that share a tree, together."""
        found: dict[tuple[Field, ...], tuple[Layout | None, ...]] = {}
        for layout, tree in self.trees.items():
            found[tree] = (*found.get(tree, ()), layout)
        return tuple(Group(layouts, tree) for tree, layouts in found.items())

    @property
    def is_open(self) -> bool:
        """Whether bytes may follow that nobody looks at."""
        return not any(isinstance(each, (End, Variant)) for each in walk(self.tree))


def select(globs: Iterable[str]) -> tuple[Format, ...]:
    """Give the formats that globs name, in the order of the catalogue; all but history for none.

    Raises `LookupError` with the first glob that names nothing.
    """
    chosen = set()
    for glob in globs:
        found = fnmatch.filter(catalogue(), glob)
        if not found:
            raise LookupError(glob)
        chosen.update(found)
    return tuple(
        each
        for each in catalogue().values()
        if each.name in chosen or (not chosen and not each.is_history)
    )


@cache
def catalogue() -> Mapping[str, Format]:
    """Give all formats by name."""
    found = {each.name: each for each in _current()}
    return found | {each.name: each for each in _history()}


def _current() -> list[Format]:
    from construct import Struct

    from vhint.wire import schema, vring

    def closed(con: Any) -> Any:
        return Struct(*con.subcons, "end" / schema.End)

    from vhint.wire import (
        command, config, features, hint_ack, hint_request, packed_vring, pci, pfn_array,
        statistics, virtio_pci,
    )
    from vhint.wire.vhost_user import config as vconfig
    from vhint.wire.vhost_user import header, memory, u64
    from vhint.wire.vhost_user import vring as vvring

    table = [
        ("hint-request", hint_request, hint_request.FORMAT, ()),
        ("hint-ack", hint_ack, hint_ack.FORMAT, ("count",)),
        ("pfn-array", pfn_array, pfn_array.FORMAT, ()),
        ("statistics", statistics, statistics.FORMAT, ()),
        ("command-id", command, command.FORMAT, ()),
        ("config-space", config, config.FORMAT, ()),
        ("features", features, features.FORMAT, ()),
        ("vring-descriptor", vring, closed(vring.DESCRIPTOR), ()),
        ("vring-avail", vring, closed(vring.AVAIL_RING), ("queue_size",)),
        ("vring-used", vring, closed(vring.USED_RING), ("queue_size",)),
        ("vring-used-element", vring, closed(vring.USED_ELEMENT), ()),
        ("packed-descriptor", packed_vring, closed(packed_vring.DESCRIPTOR), ()),
        ("packed-event", packed_vring, closed(packed_vring.EVENT_SUPPRESSION), ()),
        ("vhost-user-header", header, header.FORMAT, ()),
        ("vhost-user-u64", u64, u64.FORMAT, ()),
        ("vhost-user-vring-state", vvring, vvring.STATE, ()),
        ("vhost-user-vring-address", vvring, vvring.ADDRESS, ()),
        ("vhost-user-vring-file", vvring, vvring.FILE, ()),
        ("vhost-user-memory-table", memory, memory.FORMAT, ()),
        ("vhost-user-memory-region", memory, memory.SINGLE, ()),
        ("vhost-user-config", vconfig, vconfig.FORMAT, ()),
        ("virtio-pci-capability", virtio_pci, virtio_pci.FORMAT, ()),
        ("pci-msix", pci, pci.MSIX, ()),
    ]
    return [_made(n, m.__name__, c, p) for n, m, c, p in table]


def _made(name, module, con, parameters, docs=None, history=False):
    about = docstrings.about(importlib.import_module(module).__doc__)
    cons = con if isinstance(con, Mapping) else {None: con}
    trees = {k: read(v) for k, v in cons.items()}
    return Format(name, docs or about.text, about.source, module, parameters, cons, trees, history,
                  refusals.requirements(name))


def _history() -> list[Format]:
    from vhint.export.constants import module_words
    out = []
    import vhint.wire.history as h
    for profile in PROFILES.values():
        module = "vhint.wire.history." + profile.name.replace("-", "_")
        for message in profile.messages:
            out.append(_made(f"{profile.name}-{message.name}", module, message.formats, message.parameters,
              docs=f"{profile.summary} ({profile.date}): {message.text}.", history=True))
    return out
