"""The smoke test of a target, step by step; what goes wrong is laid at the harness's door."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial

from vhint.ring import RingError
from vhint.transport.interface import TransportError
from vhint.wire.features import Feature, Features
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.bench.opening import mode_of
from vhint_conformance.case import Capability, Case
from vhint_conformance.smoke.exchanges import PROFILE_FEATURE, problem_with
from vhint_conformance.targets.base import Control, Session, Target
from vhint_conformance.targets.stdio import Harness, StdioTarget
from vhint_conformance.verdict import Failed, NotApplicable, TargetError

PROBE = Case("target.smoke", "Find out whether the harness works", ())
ACCEPTED = DEFAULT | Features.of(Feature.FREE_PAGE_HINT)
SLOW = 0.05
"""Seconds that an answer takes on average, from which on it is worth a word."""

ANSWERS = (
    'is "use" among the effects of the answer to that buffer, with its queue and its id? Or does '
    "the device really not answer?"
)

WISHES: dict[Capability, Callable[[Control], object]] = {
    Capability.SETS_BALLOON_SIZE: lambda control: control.set_balloon_size(16),
    Capability.READS_BALLOON_SIZE: lambda control: control.balloon_size(),
    Capability.POLLS_STATISTICS: lambda control: control.poll_statistics(),
    Capability.READS_STATISTICS: lambda control: control.statistics(),
    Capability.STARTS_ROUNDS: lambda control: control.start_round(),
    Capability.STOPS_ROUNDS: lambda control: control.stop_round(),
    Capability.CANCELS_ROUNDS: lambda control: control.cancel_round(),
}
"""What a host asks of its device, once each, in an order that makes sense."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one step found: `said` tells what was seen, `advice` what to do if it is not well."""

    step: str
    well: bool
    said: str
    advice: str = ""
    seconds: float = 0.0


class _Stop(Exception):  # noqa: N818 - it ends the steps, and is no fault
    """The step before has failed, and the next ones would say nothing."""


def smoke(target: Target) -> Iterator[Found]:
    """Take the steps one after the other, up to the first that does not go well."""
    with closing(_Steps(target)) as steps, suppress(_Stop):
        yield from steps.all()


class _Steps:
    """The steps, and the session that they share."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session: Session | None = None
        self._bench: Bench | None = None

    def all(self) -> Iterator[Found]:
        """Yield what each step finds; a step that fails is the last."""
        yield from self._do("start", self._start)
        if isinstance(self._target, StdioTarget):
            yield from self._do("introduction", self._introduction)
        yield from self._do("configure", self._configure)
        yield from self._do("features", self._negotiate)
        for profile in self._profiles():
            yield from self._do(profile, partial(self._exchange, profile))
        for capability, wish in WISHES.items():
            if capability in self._opened.session.capabilities:
                yield from self._do(capability, partial(self._wish, wish))
        yield from self._do("reset", self._reset)
        yield from self._do("next device", self._next_device)
        if isinstance(self._target, StdioTarget):
            yield from self._do("stop", self._stop)
            yield from self._do("timing", self._timing)

    def _do(self, step: str, act: Callable[[], str]) -> Iterator[Found]:
        begun = time.monotonic()
        try:
            said, well, advice = act(), True, ""
        except _Unwell as error:
            said, well, advice = error.said, False, error.advice
        except NotApplicable as error:
            said, well, advice = f"not there, as it says: {error}", True, ""
        except Failed as error:
            said, well, advice = str(error.violations[0]), False, "the device, or how it is wired"
        except TargetError as error:
            said, well, advice = str(error), False, error.hint
        except (TransportError, RingError) as error:
            said, well, advice = str(error), False, ""
        yield Found(step, well, said, advice, time.monotonic() - begun)
        if not well:
            raise _Stop

    # The steps

    def _start(self) -> str:
        versions = self._target.versions()
        return ", ".join(f"{name} {version}" for name, version in versions.items())

    def _introduction(self) -> str:
        found, _ = self._harness.started()
        for profile, feature in PROFILE_FEATURE.items():
            if feature is None:
                continue
            listed, offered = profile in found.profiles, feature in found.features
            if listed and not offered:
                raise _Unwell(
                    f'"profiles" lists {profile}, and feature {feature.value} is not offered',
                    f'list {feature.value} in "features", or leave {profile} out',
                )
            if offered and not listed:
                raise _Unwell(
                    f'feature {feature.value} is offered, and "profiles" does not list {profile}',
                    "list both or neither, so that a report says what was judged",
                )
        return ", ".join(found.profiles) + ("" if found.issues else '; no "issues" address')

    def _configure(self) -> str:
        mode = mode_of(self._target)  # before: a target may serve one device at a time
        self._session = self._target.start()
        offered = Features(self._session.transport.read_features())
        self._bench = Bench(self._session, PROBE, 0, queue_mode=mode)
        names = [feature.name for feature in offered]
        return f"a device that offers {', '.join(names) or 'nothing'}"

    def _negotiate(self) -> str:
        driver = self._opened.start(accept=ACCEPTED & self._opened.offered)
        return f"accepted, with queues {', '.join(driver.negotiated.queues)}"

    def _exchange(self, profile: str) -> str:
        wrong = problem_with(self._opened, profile)
        if wrong:
            raise _Unwell(wrong, ANSWERS)
        return "answered"

    def _wish(self, wish: Callable[[Control], object]) -> str:
        wish(self._opened.control)
        self._opened.transport.settle()
        return "done"

    def _reset(self) -> str:
        self._opened.reset()
        self._negotiate()
        self._exchange("balloon")
        return "done, and it answers again"

    def _next_device(self) -> str:
        self.close()
        self._configure()
        self._negotiate()
        self._exchange("balloon")
        self.close()
        return "made, and it answers too"

    def _stop(self) -> str:
        _, connection = self._harness.started()
        status = connection.stop()
        if status is None:
            raise _Unwell("it answered and did not exit", "leave when stop has been answered")
        if status != 0:
            raise _Unwell(f"it exited with status {status}", "0 is what says that all went well")
        return "exited with status 0"

    def _timing(self) -> str:
        connection = self._harness.connection
        if connection is None or not connection.exchanges:
            return "nothing was asked"
        mean = connection.seconds / connection.exchanges
        slowest = f"{connection.slowest[1]} {1000 * connection.slowest[0]:.1f} ms"
        said = f"{connection.exchanges} answers, {1000 * mean:.2f} ms each; slowest {slowest}"
        # No fault: the machine may be busy.
        return f"{said}: slow, as a run asks some ten thousand times" if mean > SLOW else said

    # What they share

    def _profiles(self) -> list[str]:
        offered = self._opened.offered
        return [name for name, feature in PROFILE_FEATURE.items()
                if feature is None or feature in offered]  # fmt: skip

    @property
    def _opened(self) -> Bench:
        assert self._bench is not None  # noqa: S101 - configure is the step before
        return self._bench

    @property
    def _harness(self) -> Harness:
        assert isinstance(self._target, StdioTarget)  # noqa: S101 - asked before
        return self._target.harness

    def close(self) -> None:
        """Let the device go."""
        bench, self._bench = self._bench, None
        session, self._session = self._session, None
        if bench is not None:
            bench.memory.close()
        if session is not None:
            session.close()


class _Unwell(Exception):  # noqa: N818 - a finding
    """A step did not go well."""

    def __init__(self, said: str, advice: str) -> None:
        super().__init__(said)
        self.said = said
        self.advice = advice
