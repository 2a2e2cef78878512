"""The talk's system: allocator, free hook, per-CPU workers, ring and host, step by step.

What is chosen by a policy is left open here, so that every policy is explored at once: which free
block is allocated, whether a single page is freed to a per-CPU list or to the buddy lists, when a
list is drained, whether a block may be isolated (a zone below its watermark), at which threshold a
worker wakes or reports, in which order a device uses requests.  A proof holds for all of them.

What a page, a worker and a request may do comes from the tables of the reference
(`vhint_conformance.model.explore.systems.tables`).
"""

from __future__ import annotations

from dataclasses import asdict

from vhint.guest.page_life import PageState
from vhint_conformance.model.explore.rules import Model
from vhint_conformance.model.explore.systems import tables
from vhint_conformance.model.explore.systems.bounds import Bounds, Design
from vhint_conformance.model.explore.systems.hint.allocator import allocator, hooks
from vhint_conformance.model.explore.systems.hint.driver import resets, returns
from vhint_conformance.model.explore.systems.hint.host import host
from vhint_conformance.model.explore.systems.hint.ownership import ownership as owned
from vhint_conformance.model.explore.systems.hint.renaming import symmetries
from vhint_conformance.model.explore.systems.hint.state import HintingSystem
from vhint_conformance.model.explore.systems.hint.worker import check, report, wake


def hinting(name: str, bounds: Bounds, design: Design, *, ownership: bool = True) -> Model:
    """Return the model of a design, all of whose pages are allocated at first.

    A violation is the loss of a page's content and, with `ownership`, also any state in which a
    page is named to the device that is not the device's: what leads to a loss sooner or later.
    """
    system = HintingSystem(bounds, design)
    if ownership:
        owned(system)
    allocator(system)
    for cpu in range(bounds.cpus):
        hooks(system, cpu)
        wake(system, cpu)
        check(system, cpu)
        report(system, cpu)
    host(system)
    returns(system)
    if bounds.resets:
        resets(system)
    initial = {field.name: tables.PLACES.index(PageState.ALLOCATED) for field in system.page}
    return system.build.model(
        name,
        initial,
        asdict(bounds),
        system.describe,
        symmetries=list(symmetries(system))[1:],
        settled=system.settled(),
    )
