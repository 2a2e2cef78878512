"""An exploration in words: a summary, the scenario, the same as data and as a diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vhint_conformance.model.explore.liveness import Liveness
from vhint_conformance.model.explore.search import Counterexample, Exploration, Verdict

SCHEMA = "vhint-exploration/1"


def bounds_text(exploration: Exploration) -> str:
    """Return the bounds in words; the word *proved* never stands without them."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in exploration.model.bounds.items()
    )


def summary(exploration: Exploration, liveness: Liveness) -> list[tuple[str, str]]:
    """Return the verdict with its bounds, the figures, and what becomes of what is owed."""
    figures = (
        f"{exploration.states:,} states, {exploration.transitions:,} transitions, "
        f"depth {exploration.depth}, {exploration.seconds:.2f} s, {exploration.rate:,.0f} states/s"
    )
    if exploration.reduced:
        figures += f"; one state for all of {1 + len(exploration.model.symmetries)} renamings"
    lines = [("bounds", bounds_text(exploration)), ("explored", figures)]
    lines.append(("safety", _safety(exploration)))
    if exploration.verdict is not Verdict.REFUTED and exploration.model.settled is not None:
        lines.append(("liveness", _liveness(liveness)))
    return lines


def _safety(exploration: Exploration) -> str:
    match exploration.verdict:
        case Verdict.PROVED:
            return "proved within these bounds: no run violates anything that is watched"
        case Verdict.REFUTED:
            assert exploration.counterexample is not None  # noqa: S101 - the verdict says so
            found = exploration.counterexample
            return f"refuted in {len(found.steps)} steps: {found.slug}: {found.problem}"
    return "undetermined: a limit was reached before every state was seen; this is no pass"


def _liveness(liveness: Liveness) -> str:
    match liveness.verdict:
        case Verdict.PROVED:
            return (
                "proved within these bounds: left alone, the system settles "
                f"in at most {liveness.longest} steps, with nothing owed"
            )
        case Verdict.REFUTED if liveness.endless:
            return "refuted: left alone, the system can go on for ever"
        case Verdict.REFUTED:
            return "refuted: left alone, the system can stop while something is owed"
    return "undetermined"


def scenario(found: Counterexample) -> list[tuple[int, str, str]]:
    """Return (number, actor, what it does) for every step of a counterexample."""
    return [(number, step.actor, step.label) for number, step in enumerate(found.steps, 1)]


def mermaid(found: Counterexample) -> str:
    """Return a counterexample as a sequence diagram in Mermaid's notation."""
    names = {actor: f"p{i}" for i, actor in enumerate(_actors(found))}
    lines = ["sequenceDiagram"]
    lines += [f"    participant {name} as {actor}" for actor, name in names.items()]
    lines += [f"    Note over {names[step.actor]}: {step.label}" for step in found.steps]
    lines.append(
        f"    Note over {','.join([*names.values()][:: max(1, len(names) - 1)])}: {found.slug}"
    )
    return "\n".join(lines) + "\n"


def _actors(found: Counterexample) -> Sequence[str]:
    return list(dict.fromkeys(step.actor for step in found.steps))


def as_data(
    exploration: Exploration, liveness: Liveness, loss: Counterexample | None
) -> dict[str, Any]:
    """Return the outcome as plain data, of the schema `SCHEMA`."""
    return {
        "schema": SCHEMA,
        "system": exploration.model.name,
        "bounds": dict(exploration.model.bounds),
        "verdict": exploration.verdict.name.lower(),
        "liveness": liveness.verdict.name.lower(),
        "states": exploration.states,
        "transitions": exploration.transitions,
        "depth": exploration.depth,
        "seconds": round(exploration.seconds, 3),
        "renamings": 1 + len(exploration.model.symmetries) if exploration.reduced else 1,
        "counterexample": _data(exploration, exploration.counterexample),
        "loss": _data(exploration, loss),
    }


def _data(exploration: Exploration, found: Counterexample | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "requirement": found.slug,
        "problem": found.problem,
        "steps": [
            {"actor": step.actor, "does": step.label, "then": exploration.model.describe(state)}
            for step, state in zip(found.steps, found.states[1:], strict=True)
        ],
    }
