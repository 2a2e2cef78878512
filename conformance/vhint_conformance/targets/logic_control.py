"""The host's side of protocol logic: its administrator's wishes become calls."""

from __future__ import annotations

from vhint_conformance.logic import LogicDevice
from vhint_conformance.targets.base import Control


class LogicControl(Control):
    """Passes wishes on to a `LogicDevice` in this process."""

    def __init__(self, device: LogicDevice) -> None:
        self._device = device

    def set_balloon_size(self, pages: int) -> None:
        """Change num_pages."""
        self._device.set_balloon_size(pages)

    def balloon_size(self) -> int:
        """Return how large the device takes the balloon to be."""
        return self._device.balloon_size()

    def poll_statistics(self) -> None:
        """Ask for statistics."""
        self._device.poll_statistics()

    def statistics(self) -> dict[int, int]:
        """Return the last ones."""
        return self._device.statistics()

    def start_round(self) -> None:
        """Ask for hints; under which id, config space shows."""
        self._device.start_round()

    def stop_round(self) -> None:
        """Want no more."""
        self._device.stop_round()

    def finish_round(self) -> None:
        """Be done with all hints."""
        self._device.finish_round()

    def cancel_round(self, *, broken: bool = False) -> None:  # noqa: ARG002 - it is all the same
        """Give up what hints were for."""
        self._device.cancel_round()

    def inhibit(self, on: bool) -> None:
        """Be where hints are of no use, or no longer."""
        self._device.inhibit(on)
