"""`vhint completion`: the script that lets a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
)

from vhint_conformance.report.console import say

PROGRAM = "vhint"
VARIABLE = "_VHINT_COMPLETE"
"""The environment variable by which the script asks; click derives it from the program's name."""

SHELLS = ("bash", "zsh", "fish")


class Bash(BashComplete):
    """Bash breaks words at colons, and the names of targets have some: `mutant:stale-round`."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the complete words and the incomplete one, each put together again."""
        args, incomplete = super().get_completion_args()
        *complete, last = _joined([*args, incomplete])
        return complete, last

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return what follows the last colon that is already there: bash replaces only that."""
        _, incomplete = self.get_completion_args()
        item.value = item.value[incomplete.rfind(":") + 1 :]
        return super().format_completion(item)


def _joined(words: list[str]) -> list[str]:
    """Put words together that were broken at colons.

    >>> _joined(["conform", "mutant", ":", "sta"]), _joined(["conform", "mutant", ":"])
    (['conform', 'mutant:sta'], ['conform', 'mutant:'])
    """
    found: list[str] = []
    for word in words:
        if found and (word.startswith(":") or found[-1].endswith(":")):
            found[-1] += word
        else:
            found.append(word)
    return found


add_completion_class(Bash)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script with which SHELL completes vhint's commands, options and names.

    Targets, cases, requirements and mutants are completed too.

    \b
    To have it for good:
      eval "$(vhint completion bash)"     in ~/.bashrc
      eval "$(vhint completion zsh)"      in ~/.zshrc, after compinit
      vhint completion fish > ~/.config/fish/completions/vhint.fish
    """  # noqa: D301 - click wants the character itself
    root = ctx.find_root()
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no shell {shell}")
    say(kind(root.command, {}, PROGRAM, VARIABLE).source().rstrip("\n"))
