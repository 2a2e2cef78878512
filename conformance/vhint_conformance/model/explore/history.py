"""A counterexample of a hinting system as what driver and device do: steps of a stateful vector.

What happens inside the guest cannot be seen from outside and is left out.  A device that is judged
by the vector is to blame only where the fault is the device's.
"""

from __future__ import annotations

from vhint.guest import requests
from vhint.spans import PAGE, block
from vhint.wire import hint_ack
from vhint.wire.bitmap import Bitmap
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint_conformance.model.explore.rules import Act, Deed
from vhint_conformance.model.explore.search import Counterexample
from vhint_conformance.vectors import steps

BASE = 0x10_0000 // PAGE
"""The PFN of a model's page 0."""

FEATURES = (Feature.HINTING, Feature.VERSION_1)


class _History:
    def __init__(self) -> None:
        self.steps: list[steps.Step] = []
        self._count = 0
        self._drafts: dict[int, tuple[str, requests.Draft]] = {}
        self._start()

    def _start(self) -> None:
        self.steps += [steps.reset(), steps.negotiate(FEATURES, FEATURES), steps.driver_ok()]

    def take(self, act: Act) -> None:
        spans = [block(BASE + page) for page in act.pages]
        match act.deed:
            case Deed.WRITE:
                self.steps.append(steps.write(*spans))
            case Deed.OFFER:
                self._count += 1
                name = f"r{self._count}"
                draft = requests.hint_blocks(self._count, [(BASE + page, 0) for page in act.pages])
                self._drafts[act.request] = name, draft
                self.steps.append(steps.offer_draft(name, draft))
            case Deed.DISCARD:
                self.steps.append(steps.discard(*spans))
            case Deed.USE:
                name, draft = self._drafts[act.request]
                results = Bitmap.from_indices(draft.count, range(draft.count))
                ack = Acknowledgement(draft.cookie, Status.OK, draft.count, results)
                self.steps.append(steps.answer(name, hint_ack.build(ack)))
            case Deed.RESET:
                self._start()


def history(found: Counterexample) -> list[steps.Step]:
    """Return the steps of a run, without an end; a system without a wire has none.

    Every page of the model is named by itself, as a block of order 0.
    """
    made = _History()
    for step in found.steps:
        if step.act is not None:
            made.take(step.act)
    return made.steps
