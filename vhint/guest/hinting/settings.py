"""The knobs of hinting, with the talk's values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HintSettings:
    """When a guest looks at what was freed, and when it tells the host.

    `first_threshold` entries in a per-CPU array wake the worker; `second_threshold` isolated
    blocks make a request.  `min_order` is the smallest block that is captured and reported.
    `follow_merges` says what becomes of an entry whose block has merged with its neighbours:
    report the whole, or leave it.  `time_limit`, in the units of the guest's clock, is how long
    entries and isolated blocks wait below a threshold before they are dealt with all the same.
    """

    array_size: int = 1000
    first_threshold: int = 1000
    second_threshold: int = 500
    min_order: int = 0
    follow_merges: bool = True
    time_limit: int = 2000

    def __post_init__(self) -> None:
        if not 1 <= self.first_threshold <= self.array_size:
            raise ValueError(
                f"first_threshold is 1 to array_size ({self.array_size}), "
                f"not {self.first_threshold}: the worker would never wake"
            )
        if self.second_threshold < 1:
            raise ValueError(f"second_threshold is at least 1, not {self.second_threshold}")
