r"""Count the normative statements of the standard's own source, section by section.

``python -m vhint_spec.recount CHECKOUT`` compares a checkout of the standard's repository at
`clauses.REVISION` with what the clause register says of it (``clauses/standard.json``), so that
anybody can see that nothing was left out; ``--write`` records what was counted. A statement is
an occurrence of an RFC 2119 word in capitals; comments of the source do not count.

>>> source = r"\drivernormative{\section}{Tea}{Drinks / Tea} It MUST boil, and MAY be stirred."
>>> [(section.label, section.counted) for section in sections(source, "tea.tex")]
[('drivernormative:Drinks / Tea', 2)]
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from vhint_spec.clauses import REVISION, SNAPSHOT, SOURCES, Section

_WORD = re.compile(
    r"\b(?:(?:MUST|SHALL|SHOULD)(?:\s+NOT)?|MAY|(?:NOT\s+)?(?:REQUIRED|RECOMMENDED)|OPTIONAL)\b"
)
_COMMENT = re.compile(r"(?<!\\)%.*")
_HEADING = re.compile(
    r"\s*\\(?:part|chapter|(?:sub){0,2}section|(?:sub)?paragraph)\*?(?=\{)"
    r"|\s*\\(?P<side>driver|device)normative\s*(?=\{)"
)
_LABEL = re.compile(r"\s*\\label\s*(?=\{)")


def sections(source: str, file: str) -> Iterator[Section]:
    """Yield the sections of a LaTeX source that have normative statements, in their order."""
    lines = [_COMMENT.sub("", line) for line in source.split("\n")]
    starts = [number for number, line in enumerate(lines) if _HEADING.match(line)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        title, label, body = _heading("\n".join(lines[start:end]))
        if counted := len(_WORD.findall(body)):
            yield Section(label, title, file, start + 1, counted)


def _heading(text: str) -> tuple[str, str, str]:
    """Return the title and label of a section, and the text behind them."""
    match = _HEADING.match(text)
    assert match, "a section begins with its heading"  # noqa: S101
    side = match["side"]
    if side:
        _, rest = _argument(text[match.end() :])
        title, rest = _argument(rest)
        label, rest = _argument(rest)
        return f"{side.capitalize()} Requirements: {title}", f"{side}normative:{label}", rest
    title, rest = _argument(text[match.end() :])
    labels = []
    while found := _LABEL.match(rest):
        label, rest = _argument(rest[found.end() :])
        labels.append(label)
    return title, min(labels, default=""), rest


def _argument(text: str) -> tuple[str, str]:
    """Return the first braced argument of a text, white space made single, and the rest."""
    text = text.lstrip()
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            inner = re.sub(r"\\field\{(\w+)\}", r"\1", text[1:position])
            return " ".join(inner.split()), text[position + 1 :]
    raise ValueError(f"braces do not balance: {text[:60]}")


def count(checkout: Path) -> list[Section]:
    """Return the sections with normative statements of a checkout, for all `SOURCES`."""
    return [
        section
        for name in SOURCES
        for section in sections((checkout / name).read_text(encoding="utf-8"), name)
    ]


def compare(counted: Sequence[Section], recorded: Sequence[Section]) -> list[str]:
    """Return what differs, one line a section."""
    now = {section.label: section for section in counted}
    then = {section.label: section for section in recorded}
    return [
        f"{(now.get(label) or then[label]).file}: {label}: "
        f"recorded {then.get(label)}, counted {now.get(label)}"
        for label in {**then, **now}
        if now.get(label) != then.get(label)
    ]


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    write = "--write" in arguments
    paths = [argument for argument in arguments if argument != "--write"]
    if len(paths) != 1 or not all((Path(paths[0]) / name).is_file() for name in SOURCES):
        print(
            "usage: python -m vhint_spec.recount CHECKOUT [--write]\n"
            f"CHECKOUT: the repository oasis-tcs/virtio-spec, checked out at {REVISION}",
            file=sys.stderr,
        )
        return 2
    counted = count(Path(paths[0]))
    snapshot = Path(str(SNAPSHOT))
    if write:
        lines = ",\n".join(f"  {json.dumps(asdict(section))}" for section in counted)
        snapshot.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    recorded = [Section(**entry) for entry in json.loads(snapshot.read_text(encoding="utf-8"))]
    differences = compare(counted, recorded)
    total = sum(section.counted for section in counted)
    for line in (*differences, f"{len(counted)} sections, {total} normative statements"):
        print(line)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
