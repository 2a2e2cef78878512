"""The pair bench: one guest with its device under one case, and what is seen of its memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from typing import Any, NoReturn

from vhint.spans import PAGE, Span, subtract
from vhint.trace import Recorder
from vhint.trace.events import Discarded
from vhint.wire.features import Feature
from vhint_conformance.case import Case
from vhint_conformance.pair_bench.canaries import (
    COPY,
    FOLDER,
    NUMBER,
    Aviary,
    Canary,
    digest,
    files,
    find,
    turning,
)
from vhint_conformance.targets.driver import Holding, UpperTester
from vhint_conformance.targets.pair import PairLimits, PairSession, PairTarget, Setup
from vhint_conformance.verdict import Failed, Inconclusive, NotApplicable, Violation, fail
from vhint_conformance.witness import Witness

POLL = 0.1
"""Seconds between two looks at guest memory."""

COPIES = "/tmp/canary"  # noqa: S108 - in the guest
FILLERS = "/tmp/filler"  # noqa: S108
PLAIN_FILE = "/tmp/file"  # noqa: S108
FILL = "/tmp/fill"  # noqa: S108
MARGIN = 40 << 20
"""Bytes that `fill` leaves to the guest, so that nothing in it has to be killed."""

_turns = cycle(range(1, COPY))
"""How each fill turns its canaries, so that none is taken for what is left of another."""


class PairBench:
    """A guest and its device under one case; `open_pair_bench` makes it.

    `suspects` are the requirements of which one is broken when the guest loses content.  From
    outside it is not seen which: the driver gave away a page in use, or the device took one that
    nobody had given it.
    """

    def __init__(self, target: PairTarget, info: Case) -> None:
        self.target = target
        self.info = info
        self.observations: dict[str, Any] = {}
        self.effectiveness: dict[str, int] = {"discarded_pages": 0}
        self.recorder = Recorder()
        self.witness = Witness(self.recorder)
        self.suspects: tuple[str, ...] = ()
        self.kept: list[Holding] = []
        self._session: PairSession | None = None
        self._holes: tuple[Span, ...] = ()
        self._folders: dict[str, list[Canary]] = {}

    # Beginning

    @property
    def session(self) -> PairSession:
        """The session with the guest; `start` begins it."""
        if self._session is None:
            raise RuntimeError("the case has not started a guest")
        return self._session

    @property
    def limits(self) -> PairLimits:
        """Sizes of the guest."""
        return self.session.limits

    @property
    def tester(self) -> UpperTester:
        """What can be done in the guest."""
        return self.session.tester

    def start(self, setup: Setup, *suspects: str) -> None:
        """Take a guest that is set up so; not applicable if its driver declines a feature of it."""
        self.suspects = suspects
        self._session = self.target.connect(
            Setup(setup.name, setup.features, files={**setup.files, **files()})
        )
        accepted = self.session.accepted
        for feature in map(Feature, setup.features):
            if feature not in accepted:
                raise NotApplicable(f"driver and device do not agree on {feature.name}")
        self.aviary = Aviary(self.session.memory)
        self._holes = self.session.memory.holes()
        self._raise(FOLDER, [Canary(number) for number in range(NUMBER)])

    # Looking

    def resident(self) -> int:
        """Return how many bytes of guest memory have host memory behind them."""
        holes = self.session.memory.holes()
        fresh = subtract(holes, self._holes)
        if fresh:
            self.effectiveness["discarded_pages"] += sum(span.length for span in fresh) // PAGE
            self.recorder.emit(Discarded(fresh, self.recorder.last))
        self._holes = holes
        return self.limits.ram - sum(span.length for span in holes)

    def look(self) -> None:
        """Look at every canary, and at what the guest's kernel says; fail if something is wrong."""
        self.resident()
        violations = self.violations()
        if violations:
            self.session.spoil()
            raise Failed(violations)

    def violations(self) -> list[Violation]:
        """Return what is wrong with the guest, as seen from outside and as it says itself."""
        if self._session is None:
            return []
        found: list[Violation] = []
        losses = self.aviary.look()
        if losses:
            more = f" and {len(losses) - 3} more" if len(losses) > 3 else ""
            found += self._blame(
                f"{len(losses)} live pages without their content",
                where="; ".join(map(str, losses[:3])) + more,
            )
        for line in self.session.complaints():
            found += self._blame(f"the guest's kernel: {line}")
        return found

    def check(self) -> None:
        """Look from outside and inside: files have their hashes, canaries too."""
        self.look()
        for holding in self.kept:
            self.check_content(holding)
        for folder in self._folders:
            self._check_inside(folder)

    def check_content(self, holding: Holding) -> None:
        """Fail if a file has lost what it was filled with."""
        if not self.tester.intact(holding):
            self.lost(f"{holding.size} bytes of a file that read otherwise", holding.name)

    def _raise(self, folder: str, canaries: list[Canary]) -> None:
        """Look after canaries from now on, which the guest has in that folder."""
        self._folders[folder] = canaries
        unseen = self.aviary.add(canaries)
        self.look()
        if unseen:
            self._check_inside(folder)
            raise Inconclusive(
                f"{len(unseen)} of {len(canaries)} pages that the guest reads in {folder} are not "
                "found in its memory from outside"
            )

    def _check_inside(self, folder: str) -> None:
        """Fail if the guest reads canaries otherwise than they were written."""
        seen = self.session.run(f"cat {folder}/* | sha1sum").split()[0]
        if seen != digest(self._folders[folder]):
            self.lost("canaries that read otherwise in the guest", folder)

    def lost(self, seen: str, where: str) -> NoReturn:
        """Fail: the guest has lost content."""
        self.session.spoil()
        raise Failed(self._blame(seen, where=where))

    def _blame(self, seen: str, where: str = "") -> list[Violation]:
        """Return a violation of every suspect: which of them it is is not seen from outside."""
        others = "this" if len(self.suspects) == 1 else f"one of {', '.join(self.suspects)}"
        expected = f"all that is in use to keep its content ({others} is broken)"
        return [Violation(suspect, expected, seen, where) for suspect in self.suspects]

    # Working the guest

    def wait(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Let the guest run, looking at it, until the condition holds; return whether it does."""
        until = time.monotonic() + (self.limits.patience if seconds is None else seconds)
        while not condition():
            if time.monotonic() > until:
                return False
            time.sleep(POLL)
            self.look()
        return True

    def idle(self, seconds: float | None = None) -> None:
        """Let the guest run for a while, looking at it."""
        self.wait(lambda: False, self.limits.rest if seconds is None else seconds)

    def keep(self, size: int) -> Holding:
        """Have a file written that is to keep its content to the end of the case."""
        holding = self.tester.allocate(size)
        self.kept.append(holding)
        return holding

    def settle(self) -> int:
        """Wait until memory comes back no more; return how much is resident then, in bytes."""
        last = self.resident()
        while True:
            self.idle(self.limits.rest)
            now = self.resident()
            if now + (1 << 20) > last:
                return now
            last = now

    def returned(self, before: int, least: int) -> float | None:
        """Wait until `least` bytes less than `before` are resident; return the seconds it took."""
        begun = time.monotonic()
        if self.wait(lambda: self.resident() <= before - least):
            return round(time.monotonic() - begun, 2)
        return None

    def need_returned(self, before: int, least: int) -> float:
        """Wait for that; without it the case has put nothing at risk, and is not decided."""
        seconds = self.returned(before, least)
        if seconds is None:
            raise Inconclusive(
                f"of memory that was freed, {max(0, before - self.resident()) >> 20} MiB came back "
                f"within {self.limits.patience:g} s, where {least >> 20} were waited for"
            )
        return seconds

    def scatter(self, groups: int, filler: int) -> Holding:
        """Have copies of canaries strewn among files; return the files, to be freed.

        `groups` times a file of `filler` bytes is written and after it as many canaries as there
        are for a group, so that their pages come to lie among those of the files.
        """
        self.session.run(f"mkdir -p {COPIES} {FILLERS}")
        # A command is one line of limited length, so the groups are counted in the guest.
        width = {10: 1, 100: 2, 1000: 3}[groups]
        rest = "?" * (3 - width)
        count, unit = (filler >> 20, "1M") if filler >= 1 << 20 else (filler >> 12, "4k")
        self.session.run(
            f"for i in $(seq -w 0 {groups - 1}); do "
            f"dd if=/dev/zero of={FILLERS}/$i bs={unit} count={count} 2>/dev/null; "
            f"cat {FOLDER}/$i{rest} | {turning(COPY)} > {COPIES}/$i; done"
        )
        self._raise(COPIES, [Canary(number, COPY) for number in range(NUMBER)])
        return Holding(FILLERS, groups * filler)

    def move(self) -> int:
        """Have the guest moved to another host while it runs; return how many bytes were sent.

        Every canary has to arrive.
        """
        sent = self.session.move()
        self.aviary = Aviary(self.session.memory)
        self._holes = self.session.memory.holes()
        for folder, canaries in list(self._folders.items()):
            self._raise(folder, canaries)
        return sent

    def file(self, size: int) -> Holding:
        """Have a file of zeros written, which takes less time than one that is to be checked."""
        self.session.run(f"dd if=/dev/zero of={PLAIN_FILE} bs=1M count={size >> 20} 2>/dev/null")
        self.look()
        return Holding(PLAIN_FILE, size)

    def total(self) -> int:
        """Return how many bytes of memory the guest says that it has."""
        return int(self.session.run("grep MemTotal /proc/meminfo").split()[1]) << 10

    def beside_holes(self) -> int:
        """Return how many live canaries have a neighbour page that was discarded."""
        holes = self.session.memory.holes()
        edges = {address for span in holes for address in (span.start - PAGE, span.end)}
        return sum(place in edges for place in self.aviary.places())

    def free(self, holding: Holding) -> None:
        """Have a file, or the files of `scatter`, removed."""
        if holding.name == FILLERS:
            self.session.run(f"rm -rf {FILLERS}")
        else:
            self.tester.free(holding)
        self.look()

    def fill(self) -> int:
        """Have all memory filled that the guest has left, look at it, and free it.

        Return how many bytes that was.  It is filled with canaries of a turn of its own, so that
        every page of it can be looked for from outside.
        """
        turn = next(_turns)
        pages = [Canary(number, turn) for number in range(NUMBER)]
        self.session.run(
            f"echo 3 > /proc/sys/vm/drop_caches; cat {FOLDER}/* | {turning(turn)} > {FILL}.0"
        )
        available = int(self.session.run("grep MemAvailable /proc/meminfo").split()[1]) << 10
        times = max(0, available - MARGIN) // (NUMBER * PAGE)
        self.session.run(
            f"i=0; while [ $i -lt {times} ]; do cat {FILL}.0 || break; i=$((i+1)); done > {FILL}"
        )
        size = int(self.session.run(f"stat -c %s {FILL}"))
        self.look()
        found = find(self.session.memory)
        missing = sum(max(0, size // (NUMBER * PAGE) + 1 - len(found.get(p, ()))) for p in pages)
        if missing:
            self.lost(f"{missing} pages that do not hold what was written to them", FILL)
        self.session.run(f"rm -f {FILL} {FILL}.0")
        self.look()
        return size

    def check_fill(self, whole: int, requirement: str) -> None:
        """Fail if the guest cannot fill as much memory as it could before, which was `whole`."""
        again = self.fill()
        least = whole - self.limits.slack
        self.observations["fills_mib"] = [whole >> 20, again >> 20]
        self.require(
            again >= least,
            requirement,
            expected=f"at least {least >> 20} MiB that can be allocated",
            seen=f"{again >> 20} MiB",
        )

    # Judging

    def need(self, condition: bool, otherwise: str) -> None:
        """Leave the case undecided unless the condition holds: it has put nothing at risk."""
        if not condition:
            raise Inconclusive(otherwise)

    def require(
        self, condition: bool, requirement: str, *, expected: str, seen: str, where: str = ""
    ) -> None:
        """Fail by `requirement` unless the condition holds."""
        if not condition:
            raise fail(requirement, expected=expected, seen=seen, where=where)

    def finish(self) -> None:
        """Check everything once more."""
        if self._session is None:
            raise RuntimeError("the case ends without having started a guest")
        self.check()
        self.observations["canaries"] = {
            "pages": len(self.aviary.alive),
            "looks": self.aviary.looks,
        }

    def spoil(self) -> None:
        """Have the guest ended after this case."""
        if self._session is not None:
            self._session.spoil()

    def close(self) -> None:
        """Let go of the guest."""
        if self._session is not None:
            self._session.close()
