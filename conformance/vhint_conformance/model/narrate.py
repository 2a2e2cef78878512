"""What a step of the reference guest does, as a sentence: how scenarios come to be readable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vhint.wire.blocks import Block

if TYPE_CHECKING:
    from vhint.guest.guest import Guest
    from vhint.guest.step import Step

PLAIN = {
    ("reporting", "run"): "begins a pass",
    ("reporting", "kick"): "notifies the device",
    ("reporting", "collect"): "sees that the report was used",
    ("reporting", "finish"): "ends the pass",
    ("free_page_hint", "look"): "reads the command id",
    ("free_page_hint", "kick"): "notifies the device",
    ("free_page_hint", "collect"): "sees a used buffer",
    ("free_page_hint", "send_stop"): "sends STOP",
    ("balloon", "look"): "reads the target",
    ("balloon", "kick"): "notifies the device",
    ("balloon", "collect_inflate"): "sees that the inflate request was used",
    ("balloon", "collect_deflate"): "sees that the deflate request was used",
    ("balloon", "write_actual"): "writes how large it is",
    ("statistics", "give"): "gives statistics",
    ("statistics", "kick"): "notifies the device",
    ("statistics", "collect"): "sees that new statistics are wanted",
    ("device", "start"): "is started",
    ("device", "begin_reset"): "is reset: 0 is written to the status",
    ("device", "finish_reset"): "shows status 0: what it had is the driver's",
    ("worker", "wake"): "wakes",
    ("worker", "unlock"): "releases the lock",
    ("worker", "report"): "begins a request",
    ("worker", "kick"): "notifies the device",
    ("worker", "await"): "waits for the answer",
    ("worker", "answered"): "has its answer",
    ("worker", "done"): "goes to sleep",
    ("hinting", "collect"): "reads an answer",
}


def block_text(blocks: Iterable[Block]) -> str:
    """Name blocks as readers of a scenario want them.

    >>> block_text([Block(256, 0), Block(258, 1)])
    'page 0x100, block 0x102 of order 1'
    """
    return ", ".join(
        f"block {each.pfn:#x} of order {each.order}" if each.order else f"page {each.pfn:#x}"
        for each in blocks
    )


def narrate(guest: Guest, step: Step) -> str:
    """Say what a step is about to do, without the actor's name."""
    actor = step.actor.rstrip("0123456789")
    plain = PLAIN.get((actor, step.action))
    if plain:
        return plain
    match actor, step.action:
        case "worker", _:
            return _of_worker(guest, int(step.actor.removeprefix("worker")), step.action)
        case "hinting", "return":
            request = guest.hinting.returning()
            back = request.to_return[:1] if request else []
            return f"returns {block_text(back)}" if back else "is done with a request"
        case "cpu", "capture":
            hooks = guest.applications.hooks[int(step.actor.removeprefix("cpu"))]
            return f"captures {block_text([hooks[0]])}"
        case "cpu", "drain":
            return "gives its per-CPU lists to the allocator"
        case "cpu", "drop":
            return "drops a cached page"
        case "reporting", "return":
            return f"returns {block_text(guest.reporting.isolated[:1])}"
        case "reporting", "offer":
            return f"reports {block_text(guest.reporting.isolated)}"
        case "reporting", "search":
            return "looks for the next free block"
        case "free_page_hint", "send_id":
            return f"sends command id {guest.rounds.new_id}"
        case "free_page_hint", "supply":
            return "supplies a block, if it can spare one"
        case "free_page_hint", "release":
            return f"releases {block_text([each.block for each in guest.rounds.held[:1]])}"
        case "balloon", "return":
            return f"returns {block_text(guest.balloon.returning[:1])}"
        case "balloon", action:
            size, target = guest.balloon.size, guest.balloon.target
            return f"{action}s from {size} towards {target} pages"
        case _:
            return step.action


def _of_worker(guest: Guest, number: int, action: str) -> str:
    worker = guest.hinting.workers[number]
    entry = block_text(list(worker.entries)[:1])
    match action:
        case "lock":
            return f"takes the lock for {entry}"
        case "find":
            return f"finds {entry} free"
        case "pass_over":
            return f"passes over {entry}"
        case "isolate":
            return f"isolates {block_text([worker.found] if worker.found else [])}"
        case "append":
            return "puts it into its second array"
        case "offer":
            return f"offers {block_text(worker.waiting)}"
        case _:
            return action
