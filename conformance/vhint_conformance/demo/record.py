"""Everything that was seen, as JSON: `vhint-demo/1`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import vhint
from vhint_conformance.demo.plan import Plan
from vhint_conformance.demo.run import Run

SCHEMA = "vhint-demo/1"


def as_data(plan: Plan, runs: Sequence[Run], guest: str, description: str) -> dict[str, Any]:
    """Return the plan, and the samples, notes and figures of every run; bytes and seconds."""
    return {
        "schema": SCHEMA,
        "vhint": vhint.__version__,
        "guest": {"kind": guest, "description": description},
        "plan": {**asdict(plan), "kept": plan.kept, "patience": plan.patience},
        "runs": [_run(run) for run in runs],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "scene": run.scene,
        "hinting": run.mode,
        "budget": run.budget,
        "ending": run.ending.name.lower() if run.ending else None,
        "error": run.error,
        "peak": run.peak,
        "fitted": run.fitted if run.budget is not None else None,
        "is_bound": run.is_bound if run.budget is not None else None,
        "reclaims": [asdict(each) for each in run.reclaims()] if run.budget is None else None,
        "samples": [asdict(sample) for sample in run.samples],
        "notes": [asdict(note) for note in run.notes],
    }
