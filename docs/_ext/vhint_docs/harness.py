"""The messages between the suite and a harness, from the schema that both are held against."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from docutils import nodes

from vhint_conformance.targets.harness import SCHEMA_FILE
from vhint_docs.content import WIDE, VhintDirective, paragraph, section, table

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from vhint_docs.material import Material

ANSWERS = {
    "start": "answer-start",
    "configure": "answer-configure",
    "step-features": "answer-features",
    "step": "answer-step",
    "observe-config": "answer-config",
    "observe-statistics": "answer-statistics",
    "observe-balloon_size": "answer-balloon_size",
    "reset": "answer-reset",
    "stop": "answer-stop",
}
"""A request, or the start of its name, and what answers it; the longest name counts."""


class HarnessMessages(VhintDirective):
    """``{harness-messages} request``: each message of a kind, with an example and its members."""

    required_arguments = 1

    def make(self, material: Material) -> list[Node]:  # noqa: ARG002 - the schema says it all
        """Make a section for each definition of that kind."""
        self.env.note_dependency(str(SCHEMA_FILE))
        definitions = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))["$defs"]
        (kind,) = self.arguments
        found = {name: each for name, each in definitions.items() if name.startswith(f"{kind}-")}
        if not found:
            raise self.error(f"the schema has no message that begins with {kind}-")
        return [_message(name, each, kind, definitions) for name, each in found.items()]


def _message(
    name: str, definition: dict[str, Any], kind: str, definitions: dict[str, Any]
) -> nodes.section:
    title = (
        name.removeprefix(f"{kind}-").replace("step-", "step: ").replace("observe-", "observe: ")
    )
    parts: list[Node] = [paragraph(definition["description"])]
    (example,) = definition["examples"]
    if kind == "request":
        parts += [_example(example, "→ "), _example(_answer(name, definitions), "← ")]
    else:
        parts.append(_example(example))
    rows = [
        (
            [nodes.literal("", member)],
            _type(schema, definitions),
            "" if member in definition["required"] else "may be left out",
            schema.get("description", ""),
        )
        for member, schema in definition["properties"].items()
        if "const" not in schema and member != "seq"
    ]
    if rows:
        header = ("Member", "Type", "", "Meaning")
        parts.append(table(header, rows, widths=(16, 28, 12, 44), classes=WIDE))
    return section(f"harness-{nodes.make_id(name)}", title, *parts)


def _answer(name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as it might be; what a step does depends on the device."""
    request = name.removeprefix("request-")
    definition = ANSWERS[max((each for each in ANSWERS if request.startswith(each)), key=len)]
    answer: dict[str, Any] = definitions[definition]["examples"][0]
    if definition == "answer-step" and request != "step-buffer":
        return {"seq": answer["seq"], "effects": []}
    return answer


def _example(example: dict[str, Any], mark: str = "") -> nodes.literal_block:
    text = mark + json.dumps(example)
    return nodes.literal_block(text, text, language="text", classes=["vh-line"])


def _type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return {"hex": "string of hex digits", "u32": "integer below 2^32", "queue": "queue",
                "range": "[address, length]", "features": "numbers of bits",
                "effect": "effect"}.get(name) or _type(definitions[name], definitions)  # fmt: skip
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"array: {_type(schema['items'], definitions)}"
    if "prefixItems" in schema:
        inner = ", ".join(_type(item, definitions) for item in schema["prefixItems"])
        return f"[{inner}]"
    return str(schema.get("type", ""))


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("harness-messages", HarnessMessages)
