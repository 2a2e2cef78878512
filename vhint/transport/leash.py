"""A program that does not outlive the process which started it, however that ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

_IF_STILL_OURS = 'test "$PPID" = "$0" && exec "$@"'


def leashed(command: Sequence[str]) -> list[str]:
    """Return the command for a program that the system kills when this process ends.

    The shell looks whether we are there still, because who ends before the system was asked has
    nobody killed.  Without util-linux the command stays as it is, and only whoever started it ends
    it.

    >>> leashed(["qemu", "--version"])[-2:]
    ['qemu', '--version']
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return [*command]
    shell = ("/bin/sh", "-c", _IF_STILL_OURS, str(os.getpid()))
    return [setpriv, "--pdeathsig", "KILL", "--", *shell, *command]
