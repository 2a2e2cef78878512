"""Memory over time in characters: a column for each stretch of time, eighths of a row high."""

from __future__ import annotations

from collections.abc import Sequence

from vhint_conformance.demo.run import Sample

EIGHTHS = " ▁▂▃▄▅▆▇█"
LINE = "╌"


def columns(samples: Sequence[Sample], seconds: float, count: int) -> list[int | None]:
    """Return the most that was in use in each of `count` stretches of the first `seconds`.

    A stretch without a sample has the value of the one before; what is yet to come is None.

    >>> columns([Sample(0.0, 5), Sample(1.5, 9), Sample(1.6, 7)], 4, 4)
    [5, 9, None, None]
    """
    most: list[int | None] = [None] * count
    for sample in samples:
        place = min(count - 1, int(sample.at / seconds * count))
        most[place] = max(most[place] or 0, sample.used)
    seen = [place for place, value in enumerate(most) if value is not None]
    for place in range(1, seen[-1] if seen else 0):
        if most[place] is None:
            most[place] = most[place - 1]
    return most


def rows(values: Sequence[int | None], top: int, height: int, line: int | None = None) -> list[str]:
    """Return `height` rows of text, the uppermost first, for values from 0 to `top`.

    With `line` a dashed one is drawn behind the columns at that value.

    >>> rows([0, 2, 4, None], top=4, height=2, line=4)
    ['╌╌█╌', ' ██ ']
    """
    at = None if line is None else min(height - 1, max(0, -(-line * height // top) - 1))
    drawn = []
    for row in reversed(range(height)):
        cells = ""
        for value in values:
            eighths = 0 if value is None else round(value * height * 8 / top) - row * 8
            cell = EIGHTHS[max(0, min(8, eighths))]
            cells += LINE if cell == " " and row == at else cell
        drawn.append(cells)
    return drawn
