"""Which back end fits which memory."""

from __future__ import annotations

from typing import Final

from vhint.host.reclaim.base import Reclaimer
from vhint.host.reclaim.kernel import DropAnonymous, KernelReclaimer, PunchHoles
from vhint.ring import Backing, GuestMemory

BACK_ENDS: Final[dict[Backing, type[KernelReclaimer]]] = {
    back_end.backing: back_end for back_end in (PunchHoles, DropAnonymous)
}


def reclaimer_for(memory: GuestMemory) -> Reclaimer:
    """Return the back end that really frees memory of this kind.

    >>> with GuestMemory.create(0x4000) as memory:
    ...     type(reclaimer_for(memory)).__name__
    'PunchHoles'
    """
    return BACK_ENDS[memory.backing](memory)
