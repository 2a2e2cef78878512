"""What stands in `vhint.toml`, or under `[tool.vhint]` in `pyproject.toml`, instead of options.

    target = "vhost-user"                 # options of `vhint conform`; those that are about the
    spawn = "./balloon --socket {socket}" # target go to every command that has them
    ics = "balloon-ics.toml"              # paths are as seen from the file
    select = ["reporting.*", "balloon.*"]

    [mutants]                             # options of another command
    jobs = 2

The nearest file counts, from the working directory up.  The command line wins; if it names another
target, nothing of what the file says about its own applies.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from vhint_conformance import toml_text

NAMES = ("vhint.toml", "pyproject.toml")
MAIN = "conform"
TARGET = "target"
OF_TARGET = ("spawn", "spawn-per", "queue-map", "in-band", "validate", "answer-within")
"""What says more about the target, to every command that takes it."""
ONLY_FOR_TARGET = (*OF_TARGET, "ics", "expect", "no-expect", "role", "rings")
"""What does not apply to another target than the file's."""
NOT_HERE = ("help", "list", "version")


class ConfigError(click.UsageError):
    """A configuration that cannot be used; the text says where and why."""


@dataclass(frozen=True)
class Config:
    """The settings of one file; `table` is where in it they stand."""

    path: Path
    text: str
    values: Mapping[str, Any]
    table: tuple[str, ...] = ()

    def error(self, place: Sequence[str], what: str) -> ConfigError:
        """Make a complaint about a place in the file."""
        line = toml_text.line_of(self.text, (*self.table, *place))
        return ConfigError(f"{self.path}: line {line}: {what}")

    def defaults(
        self, root: click.Group, ctx: click.Context, name: str, args: Sequence[str]
    ) -> dict[str, Any]:
        """Return what the file says about a command, by parameter; raise `ConfigError`."""
        own = {
            key: value
            for key, value in self.values.items()
            if key not in root.commands or not isinstance(value, dict)
        }
        for key, value in own.items():
            if isinstance(value, dict):
                raise self.error([key], f"there is no command {key!r}; {_hint(key, root.commands)}")
        main = _command(root, ctx, MAIN)
        found = self._options(main, own, ())
        command = _command(root, ctx, name)
        if name != MAIN:
            found = self._for_other(command, own)
        elif _given_target(command, args) not in (None, own.get(TARGET)):
            found = {name: found[name] for name in _kept(main, found)}
        table = self.values.get(name)
        if not isinstance(table, dict):  # an option may have the name of a command: ics
            return found
        return found | self._of_command(command, table, (name,))

    def _for_other(self, command: click.Command, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is about the target, for a command (or those in a group) that takes it."""
        if isinstance(command, click.Group):
            inner = {name: self._for_other(each, own) for name, each in command.commands.items()}
            return {name: values for name, values in inner.items() if values}
        shared = {key: own[key] for key in (TARGET, *OF_TARGET) if key in own}
        params = _params(command)
        return self._options(command, {k: v for k, v in shared.items() if k in params}, ())

    def _of_command(
        self, command: click.Command, table: Mapping[str, Any], place: tuple[str, ...]
    ) -> dict[str, Any]:
        if not isinstance(command, click.Group):
            return self._options(command, table, place)
        found: dict[str, Any] = {}
        for key, value in table.items():
            if key not in command.commands or not isinstance(value, dict):
                known = list(command.commands)
                raise self.error([*place, key], f"no command {key!r}; {_hint(key, known)}")
            found[key] = self._of_command(command.commands[key], value, (*place, key))
        return found

    def _options(
        self, command: click.Command, table: Mapping[str, Any], place: tuple[str, ...]
    ) -> dict[str, Any]:
        params = _params(command)
        found: dict[str, Any] = {}
        for key, value in table.items():
            if key not in params:
                hint = _hint(key, params)
                raise self.error([*place, key], f"there is no setting {key!r}; {hint}")
            param = params[key]
            if param.name is not None:
                found[param.name] = self._value(param, value, [*place, key])
        return found

    def _value(self, param: click.Parameter, value: Any, place: Sequence[str]) -> Any:
        if param.multiple and not isinstance(value, list):
            value = [value]
        several = value if isinstance(value, list) else [value]
        flag = isinstance(param, click.Option) and param.is_flag
        right = bool if flag else (str, int, float)
        for each in several:
            if not isinstance(each, right) or (isinstance(each, bool) and not flag):
                wanted = "true or false" if flag else "text or a number"
                raise self.error(place, f"{place[-1]}: expected {wanted}; seen {each!r}")
        if isinstance(value, list) and not param.multiple and param.nargs == 1:
            if not all(isinstance(each, str) for each in value) or place[-1] != "rings":
                raise self.error(place, f"{place[-1]}: expected one value; seen {value!r}")
            return ",".join(value)
        if isinstance(param.type, click.Path):
            here = [each if each == "-" else self._from_here(each) for each in several]
            return here if isinstance(value, list) else here[0]
        try:
            for each in several:
                param.type.convert(each, param, None)
        except click.BadParameter as error:
            raise self.error(place, f"{place[-1]}: {error.message}") from error
        return value

    def _from_here(self, value: Any) -> str:
        """Return a path that is meant from the file, as seen from the working directory."""
        return os.path.relpath(self.path.parent / str(value))


def find(start: Path) -> Config | None:
    """Return the nearest configuration at or above a directory, or raise `ConfigError`."""
    for folder in (start, *start.parents):
        for name in NAMES:
            path = folder / name
            if path.is_file() and (config := read(path)) is not None:
                return config
    return None


def read(path: Path) -> Config | None:
    """Return the configuration in a file; None if it is a `pyproject.toml` without one."""
    shown = Path(os.path.relpath(path))
    try:
        data = path.read_bytes()
        values = toml_text.parse(data)
    except OSError as error:
        raise ConfigError(f"{shown}: {error.strerror or error}") from error
    except toml_text.NotToml as error:
        if path.name == NAMES[1]:
            return None  # whoever else reads it will say so
        raise ConfigError(f"{shown}: {error}") from error
    if path.name != NAMES[1]:
        return Config(shown, data.decode(), values)
    tool = values.get("tool", {})
    own = tool.get("vhint") if isinstance(tool, dict) else None
    if own is None:
        return None
    config = Config(shown, data.decode(), own, ("tool", "vhint"))
    if not isinstance(own, dict):
        raise config.error([], "expected a table: write [tool.vhint]")
    return config


def _command(root: click.Group, ctx: click.Context, name: str) -> click.Command:
    _, command, _ = root.resolve_command(ctx, [name])
    if command is None:
        raise ValueError(f"there is no command {name}")
    return command


def _params(command: click.Command) -> dict[str, click.Parameter]:
    """Return the parameters by the names that they have in a file."""
    found: dict[str, click.Parameter] = {}
    for param in command.params:
        longest = max((name for name in param.opts), key=len)
        key = longest.removeprefix("--")
        if key not in NOT_HERE:
            found[key] = param
    return found


def _kept(command: click.Command, found: Mapping[str, Any]) -> Iterator[str]:
    """Yield those of the parameters found that apply to any target."""
    for key, param in _params(command).items():
        if key not in (TARGET, *ONLY_FOR_TARGET) and param.name in found:
            yield param.name


def _given_target(command: click.Command, args: Sequence[str]) -> str | None:
    """Return the target that a command line names, if it names one."""
    before = args[: list(args).index("--")] if "--" in args else args
    try:
        parser = command.make_parser(click.Context(command, resilient_parsing=True))
        named = parser.parse_args(list(before))[0].get(TARGET)
    except click.UsageError:
        return None  # which is said when the command itself is called
    return named if isinstance(named, str) else None


def _hint(key: str, known: Mapping[str, object] | Sequence[str]) -> str:
    close = get_close_matches(key.replace("_", "-"), list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
