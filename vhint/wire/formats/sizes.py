"""How long a message of a format can be, read out of its declaration."""

from __future__ import annotations

from construct import Construct, IfThenElse

from vhint.wire.formats.values import inner
from vhint.wire.schema import Bits, LeadingStruct, Repeat, Variant
from vhint.wire.sized import Sized


def sizes(con: Construct) -> tuple[int, int | None]:
    """Give the smallest and the largest size in bytes that a message can have; None: no limit.

    >>> from vhint.wire import config, hint_request, vring
    >>> sizes(vring.DESCRIPTOR), sizes(config.FORMAT), sizes(hint_request.FORMAT)
    ((16, 16), (8, 32), (16, None))
    """
    least, most = 0, 0
    open_end = False
    for number, field in enumerate(con.subcons):
        part = inner(field)
        if isinstance(part, (Repeat, Bits, Sized, IfThenElse)):
            open_end = True
        elif isinstance(part, Variant):
            cases = [sizes(inner(case)) for case in part.cases.values()]
            least += min(low for low, _ in cases)
            open_end = open_end or any(high is None for _, high in cases)
            most += max(high or 0 for _, high in cases)
        else:
            size = int(part.sizeof())
            most += size
            if not isinstance(con, LeadingStruct) or number < con.minimum:
                least += size
    return least, None if open_end else most
