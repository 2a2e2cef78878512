"""A Linux guest: User-Mode Linux, and a vhost-user server of our own device for it.

The application is a file in the guest's tmpfs, which is memory and nothing else: writing it
allocates and touches pages, removing it frees them.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from vhint.host import ALL_FEATURES
from vhint.transport.vhost_user import ListeningSocket, Server, ServerOptions
from vhint.wire.features import Feature, Features
from vhint_conformance.demo.guest import DemoGuest, GuestFailed, GuestFigures
from vhint_conformance.demo.plan import MIB, Mode, Plan
from vhint_conformance.targets.linux.shell import GuestError
from vhint_conformance.targets.linux.uml import Uml, UmlOptions

TICK = 0.05
"""Seconds between two looks at the memory of a guest."""

HEADROOM = 224 * MIB
"""Memory that a guest has beside what it allocates: the kernel leaves a zone alone that has less
free than a whole report, 128 MiB."""

GRAIN = 32 * MIB
BOOTS = 2
"""How often a guest is started before it is given up."""

PIECE = "/piece"
KEPT, WORK = "/tmp/kept", "/tmp/work"  # noqa: S108 - in the guest

RINGS = Features.of(*(feature for feature in ALL_FEATURES if feature >= Feature.INDIRECT_DESC))


class LinuxGuest(DemoGuest):
    """A booted kernel whose driver runs on a device that takes free page reports, or does not."""

    kind: ClassVar[str] = "linux"

    def __init__(self, plan: Plan, mode: Mode, number: int) -> None:
        self._piece = random.Random(f"{plan.seed}/{number}").randbytes(MIB)  # noqa: S311
        self._digest = ""
        self._figures = GuestFigures()
        self._said: list[str] = []
        self._ending = False
        offered = Features.of(Feature.PAGE_REPORTING) if mode is Mode.ON else Features(0)
        memory = -(-(plan.size + plan.kept + HEADROOM) // GRAIN) * GRAIN
        for attempt in range(1, BOOTS + 1):
            try:
                self._start(offered | RINGS, memory)
                return
            except GuestError as error:
                if attempt == BOOTS:
                    raise GuestFailed(f"the Linux guest does not start: {error}") from error

    def _start(self, features: Features, memory: int) -> None:
        self._said.clear()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vhint-")))
            listening = ListeningSocket(folder / "s")
            stack.callback(listening.close)
            server = Server(ServerOptions(features=features), listening, self._said.append)
            self._look_at(server)
            server.every(TICK, lambda: self._look_at(server))
            thread = threading.Thread(target=server.run, name="vhint-demo-device", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.stop)  # it wakes at its next look at the memory
            files = {PIECE: self._piece}
            options = UmlOptions(balloons=(listening.path,), memory=memory, files=files)
            self._uml = stack.enter_context(Uml(options))
            self._uml.load_driver()
            stack.callback(self._note_end)
            self._stack = stack.pop_all()
        self.description = f"Linux {self._uml.release} (User-Mode Linux)"

    def _look_at(self, server: Server) -> None:
        """Take the figures, in the server's own thread."""
        if not self._ending:
            seen = server.figures()
            self._figures = GuestFigures(seen.resident_bytes, seen.requests, seen.pages)

    def _note_end(self) -> None:
        self._ending = True

    def figures(self) -> GuestFigures:
        """Return what the server saw last."""
        return self._figures

    def keep(self, size: int) -> None:
        """Write a file of the guest's own piece, again and again."""
        digest = hashlib.sha1(usedforsecurity=False)
        for _ in range(size // MIB):
            digest.update(self._piece)
        self._digest = digest.hexdigest()
        self._write(KEPT, size)

    def allocate(self, size: int) -> None:
        """Write another such file."""
        self._write(WORK, size)

    def _write(self, name: str, size: int) -> None:
        count = size // MIB
        self._run(f"cat $(yes {PIECE} | head -n {count}) > {name}", 20 + count / 10)

    def free(self) -> None:
        """Remove the file."""
        self._run(f"rm {WORK}", 20)

    def intact(self) -> bool:
        """Have the guest work out the digest of what it kept."""
        return self._run(f"sha1sum {KEPT}", 60).split()[0] == self._digest

    def live(self) -> None:
        """Look whether the kernel and its device are still there."""
        if self._said:
            raise GuestFailed(f"the guest's device: {self._said[-1]}")
        if not self._uml.alive:
            raise GuestFailed("the guest's kernel has ended by itself")

    def _run(self, command: str, seconds: float) -> str:
        try:
            said = self._uml.run(command, seconds)
        except GuestError as error:
            raise GuestFailed(f"the Linux guest: {error}") from error
        self.live()
        return said

    def close(self) -> None:
        """End the kernel, then its device."""
        self._stack.close()
