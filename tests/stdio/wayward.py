"""The scaffold's harness with one fault: `python wayward.py FAULT [WHERE] [FILE]`.

WHERE is the request at which it happens, `buffer` for example; FILE, if given, is made the first
time, so that a fault happens once in all.
"""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

from vhint_conformance.scaffold import HERE


def load():
    spec = importlib.util.spec_from_file_location("harness", HERE / "python" / "harness.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def misbehave(fault: str, answer: dict) -> dict | None:
    """Return another answer, or none if all was said."""
    match fault:
        case "exit":
            print("these are my last words", file=sys.stderr, flush=True)
            os._exit(3)
        case "abort":
            os.abort()
        case "hang":
            time.sleep(1000)
        case "close":
            os.close(1)
            os.close(0)
            time.sleep(1000)
        case "print":
            say("got it\n")
        case "print-after":
            say(json.dumps(answer) + "\nand done\n")
            return None
        case "no-json":
            say("{'seq': 1}\n")
            return None
        case "list":
            say("[]\n")
            return None
        case "deep":
            say("[" * 100_000 + "\n")
            return None
        case "endless":
            while True:
                say("x" * 65536)
        case "seq":
            return {**answer, "seq": answer["seq"] + 1}
        case "no-effects":
            return {"seq": answer["seq"]}
        case "more-for-ever":
            return {"seq": answer["seq"], "effects": [], "more": True}
        case "typo":
            return {**answer, "efects": []}
        case "error":
            return {"seq": answer["seq"], "error": "ValueError: it broke"}
        case "skip":
            return {"seq": answer["seq"], "skip": "not yet", "issue": "https://example.org/7"}
        # What the device does wrong, and the harness passes on.
        case "use-twice":
            return {**answer, "effects": answer["effects"] + answer["effects"][-1:]}
        case "use-absent":
            return {**answer, "effects": [{"do": "use", "queue": "reporting", "id": 77}]}
        case "overflow":
            return {**answer, "effects": [{**answer["effects"][-1], "data": "00" * 100_000}]}
        case "discard-outside":
            return {**answer, "effects": [{"do": "discard", "address": 1 << 63, "length": 4096}]}
        case "discard-late":
            first, *rest = answer["effects"]
            return {**answer, "effects": [*rest, first]}
        case "write-outside":
            return {**answer, "effects": [{"do": "write", "address": 1 << 63, "data": "00"}]}
        case "write":
            stored = {"do": "write", "address": 0x700000, "data": "ff"}
            return {**answer, "effects": [stored, *answer["effects"]]}
        case "needs-reset":
            return {**answer, "effects": [{"do": "needs_reset"}]}
        case "config":
            return {"seq": answer["seq"], "data": "00" * 5000}
        # What it says of itself.
        case "protocol":
            return {**answer, "protocol": "vhint-harness/9"}
        case "too-many-profiles":
            return {**answer, "profiles": [*answer["profiles"], "hint-bitmap"]}
        case "too-few-profiles":
            return {**answer, "profiles": ["balloon", "reporting"]}
    return answer


def main() -> None:
    fault, where, *once = sys.argv[1:]
    harness = load()
    served = harness.Harness()
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"seq": request["seq"], **harness.guarded(served.answer, request)}
        here = where in (request["cmd"], request.get("event"), request.get("queue"))
        here = here or request.get("event") == "continue"
        if here and once:
            here = not Path(once[0]).exists()
            Path(once[0]).touch()
        said = misbehave(fault, answer) if here else answer
        if said is not None:
            say(json.dumps(said) + "\n")
        if request["cmd"] == "stop":
            sys.exit(7 if fault == "status" else 0)


if __name__ == "__main__":
    main()
