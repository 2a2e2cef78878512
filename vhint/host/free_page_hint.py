"""The queue of free page hinting: command ids and the pages that come under them."""

from __future__ import annotations

from collections.abc import Generator

from vhint.host.context import Context, Handler
from vhint.host.rounds import Rounds
from vhint.ring import Chain
from vhint.wire import command


class FreePageHint(Handler):
    """Serves commands and pages, in one chain or in several.

    What is device-readable is one command id, however it is split
    (`free-page-hint.device.id-any-fragmentation`); each device-writable buffer is a range of
    pages, and comes after the command that is in its chain.
    """

    def __init__(self, context: Context, rounds: Rounds) -> None:
        super().__init__(context)
        self._rounds = rounds

    def handle(self, chain: Chain) -> Generator[None, None, int]:
        """Take what the chain says; nothing is written, so the used length is 0.

        A command of another size is used like any chain
        (`free-page-hint.device.bad-command-answered`).
        """
        data = chain.read(self.context.memory, command.SIZE)
        yield
        if chain.readable_size:
            exact = chain.readable_size == command.SIZE
            self._rounds.take_command(command.parse(data).value if exact else None)
        if chain.writable:
            yield
            self._rounds.take_pages(chain.writable)
            yield
        return 0
