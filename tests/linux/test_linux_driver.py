"""The Linux kernel's own driver, judged; one boot for all of it."""

from collections.abc import Iterator

import pytest

from tests.linux.uml_tools import need_uml
from vhint_conformance import runner
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level
from vhint_conformance.targets.linux import target as linux
from vhint_conformance.targets.linux.target import LinuxTarget
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import Verdict

SPLIT = (Rings.SPLIT,)  # the other format doubles every case


@pytest.fixture
def _booted() -> Iterator[None]:
    need_uml()
    yield
    linux.let_go()


@pytest.mark.usefixtures("_booted")
def test_linux_conforms_in_what_is_quick_to_see() -> None:
    select = (
        "reporting.driver-ownership",
        "free-page-hint.driver-round",
        "balloon.driver-stats-first",
        "hint.driver-form*",
        "virtio.driver-initialisation",
    )
    report = runner.run(RunOptions("linux", select=select, level=Level.SHOULD, rings=SPLIT))
    verdicts = {outcome.id: outcome.verdict for outcome in report.outcomes}
    assert report.exit_status is ExitStatus.CONFORMS
    assert report.versions["linux"].split(".")[0].isdecimal()
    assert [verdicts[name] for name in select[:3]] == [Verdict.PASS] * 3
    unseen = next(o for o in report.outcomes if o.id == "virtio.driver-initialisation")
    assert unseen.verdict is Verdict.NOT_APPLICABLE
    assert "shows no device status" in unseen.message
    held = next(o for o in report.outcomes if o.id == select[0])
    assert held.effectiveness is not None
    assert held.effectiveness["offered_pages"] > 1000


def test_a_missing_uml_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux, "missing", lambda: "linux.uml is not installed")
    report = runner.run(RunOptions("linux", rings=SPLIT))
    assert report.exit_status is ExitStatus.TARGET
    assert "apt install user-mode-linux busybox-static" in report.target_hint
    assert LinuxTarget().deviations().is_file()
