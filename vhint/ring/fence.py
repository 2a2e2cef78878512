"""An order between a store and a later load, for two processes that share memory.

A processor may let a load overtake an earlier store to another address.  Where each side stores an
index and then looks at the other's wish to be told of it (EVENT_IDX), both could then see the old
value, and both would sleep.
"""

from __future__ import annotations

import threading

_LOCK = threading.Lock()


def fence() -> None:
    """Let no later load go before an earlier store.

    Taking a lock is a locked instruction, which is a full barrier on x86; elsewhere the system's
    own synchronisation in it serves.
    """
    with _LOCK:
        pass
