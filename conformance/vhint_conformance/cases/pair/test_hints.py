"""Free page hints between a real driver and a real device: a guest that moves while it works."""

from __future__ import annotations

from vhint_conformance.cases.pair.tools import HINTS, pair_case
from vhint_conformance.pair_bench.bench import PairBench
from vhint_conformance.targets.pair import HINTS as WITH_HINTS

MIB = 1 << 20
BUSY = (
    "touch /tmp/go; want=$(cat /canary/* | sha1sum); (while [ -e /tmp/go ]; do "
    "cat /canary/* > /tmp/busy; "
    '[ "$(sha1sum < /tmp/busy)" = "$want" ] || echo bad >> /tmp/bad; rm /tmp/busy; '
    "done) >/dev/null 2>&1 &"
)
"""Has the guest write, check and remove a file again and again, until there is no /tmp/go."""


@pair_case(*HINTS, id="free-page-hint.pair-moves-while-busy")
def test_moves_while_busy(bench: PairBench) -> None:
    """A guest that is moved at work arrives whole, without the pages that it hinted."""
    bench.start(WITH_HINTS, *HINTS)
    bench.keep(16 * MIB)
    bench.scatter(groups=10, filler=MIB)
    filled = bench.fill()  # what is free now is full of what has been there: it costs to send it
    resident = bench.resident()
    bench.session.run(BUSY)
    sent = bench.move()
    bench.session.run("rm /tmp/go; wait")
    if bench.session.run("[ ! -e /tmp/bad ] || cat /tmp/bad"):
        bench.lost("files written meanwhile that read otherwise", "/tmp/busy")  # noqa: S108
    bench.check()
    bench.observations["figures"] = {
        "free page hints": "on",
        "of the guest's memory": f"{resident // MIB} MiB in use or used before",
        "was sent": f"{sent // MIB} MiB",
    }
    bench.need(
        sent < resident - filled // 2,
        f"{sent // MIB} MiB were sent of {resident // MIB}: hints seem to have been of no use",
    )
