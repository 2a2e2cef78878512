"""The numbers that formats are used with: enumerations and constants of `vhint.wire`, as they are.

>>> [(each.name, each.value) for each in enumerations(["vhint.wire.hint_request"])[0].members]
[('PFN', 1), ('BITMAP', 2)]
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum, IntFlag
from types import ModuleType

from vhint import wire
from vhint.export import docstrings
from vhint.export.words import words
from vhint.wire.features import Features
from vhint.wire.queues import Queue, QueueMode, queue_map

_DROPPED = ("vhint", "wire", "history", "names")
_LIMIT = 1 << 64


@dataclass(frozen=True, slots=True)
class Constant:
    """A number with a name; `name` is in capitals, without what it belongs to."""

    name: str
    value: int
    docs: str = ""


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Numbers that belong together; `name` is its words, such as ``("hint", "request", "type")``.

    `source` is where the numbers come from; `is_flags` says that they are bits of one number.
    """

    name: tuple[str, ...]
    members: tuple[Constant, ...]
    docs: str
    source: str
    is_flags: bool = False
    python: type[IntEnum | IntFlag] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The constants of one module; `name` is its words."""

    name: tuple[str, ...]
    constants: tuple[Constant, ...]
    docs: str
    source: str

    def full_name(self, constant: Constant) -> str:
        """Give a constant's name with the module's, unless it begins like that anyway.

        >>> group = Group(("vhost", "user"), (), "", "")
        >>> group.full_name(Constant("VHOST_F_LOG_ALL", 26)), group.full_name(Constant("SIZE", 8))
        ('VHOST_F_LOG_ALL', 'VHOST_USER_SIZE')
        """
        if constant.name.split("_")[0].lower() == self.name[0]:
            return constant.name
        return f"{'_'.join(self.name).upper()}_{constant.name}"


def enumerations(modules: Iterable[str]) -> list[Enumeration]:
    """Give the enumerations that modules define, in the order of the source."""
    return [found for name in modules for found in _enumerations(importlib.import_module(name))]


def constants(modules: Iterable[str]) -> list[Group]:
    """Give the constants that modules define, in the order of the source."""
    found = [_constants(importlib.import_module(name)) for name in modules]
    return [group for group in found if group.constants]


def queues() -> Enumeration:
    """Give the queues of the balloon device, at the indices that the standard's list has."""
    everything = Features((1 << 64) - 1)
    places = queue_map(QueueMode.SPEC_FIXED, everything, everything)
    module = importlib.import_module("vhint.wire.queues")
    about = docstrings.about(Queue.__doc__)
    docs = f"{about.text[:-1]}; the indices are those of the standard's fixed list."
    source = docstrings.about(module.__doc__).source
    members = tuple(Constant(queue.name, index) for queue, index in places.items())
    return Enumeration(("queue",), members, docs, source or "VIRTIO 1.4, 5.5.2 Virtqueues")


def module_words(module: str) -> tuple[str, ...]:
    """Give the words of a module's name that tell it from others.

    >>> module_words("vhint.wire.vhost_user.names")
    ('vhost', 'user')
    """
    parts = [part for part in module.split(".") if part not in _DROPPED]
    return tuple(word for part in parts for word in part.split("_"))


def _enumerations(module: ModuleType) -> list[Enumeration]:
    found = []
    docs = docstrings.of_assignments(module)
    for name, value in vars(module).items():
        if not isinstance(value, type) or not issubclass(value, IntEnum | IntFlag):
            continue
        if value.__module__ != module.__name__ or name.startswith("_"):
            continue
        members = tuple(
            Constant(member, int(number), docs.get(f"{name}.{member}", ""))
            for member, number in value.__members__.items()
        )
        about = docstrings.about(value.__doc__)
        source = about.source or docstrings.about(module.__doc__).source
        is_flags = issubclass(value, IntFlag)
        title = enumeration_words(value)
        found.append(Enumeration(title, members, about.text, source, is_flags, value))
    return found


def enumeration_words(enum: type) -> tuple[str, ...]:
    """Give the words of an enumeration's name: those of its module that it lacks, then its own.

    >>> from vhint.wire import features, hint_request, status
    >>> for enum in (features.Feature, hint_request.RequestType, status.DeviceStatus):
    ...     print(enumeration_words(enum))
    ('feature',)
    ('hint', 'request', 'type')
    ('device', 'status')
    """
    own = words(enum.__name__)
    before = [
        word
        for word in module_words(enum.__module__)
        if word not in own and word.removesuffix("s") not in own
    ]
    return (*before, *own)


def _constants(module: ModuleType) -> Group:
    found = []
    for name, docs in docstrings.of_assignments(module).items():
        if not docs or not name.isupper() or name.startswith("_"):
            continue
        value = getattr(module, name)
        if is_dataclass(value) and len(fields(value)) == 1:
            value = getattr(value, fields(value)[0].name)
        if type(value) in (int, *IntFlag.__subclasses__()) and 0 <= value < _LIMIT:
            found.append(Constant(name, int(value), docs))
    about = docstrings.about(module.__doc__)
    return Group(module_words(module.__name__), tuple(found), about.text, about.source)


def modules(needed: Iterable[str]) -> tuple[str, ...]:
    """Give the modules whose constants go with those formats, sorted.

    All that are not of history, and of history those that are needed and what they share.
    """
    chosen = set(needed)
    found = [each.name for each in pkgutil.walk_packages(wire.__path__, "vhint.wire.")]
    history = "vhint.wire.history."
    shared = {
        value.__module__
        for name in chosen
        if name.startswith(history)
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, type) and issubclass(value, IntEnum | IntFlag)
    }
    return tuple(
        name
        for name in sorted(found)
        if not name.startswith(history) or name in chosen or name in shared
    )
