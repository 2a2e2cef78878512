"""User-Mode Linux as a guest: commands, their output, and an end that leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.linux.uml_tools import need_uml
from vhint_conformance.targets.linux.shell import GuestError
from vhint_conformance.targets.linux.uml import Uml, UmlOptions, missing, no_room
from vhint_conformance.targets.process_group import living_members


def test_a_missing_program_is_named_with_its_package() -> None:
    assert "user-mode-linux" in str(missing("no-such-uml"))
    with pytest.raises(GuestError, match="no-such-uml is not installed"):
        Uml(UmlOptions(program="no-such-uml"))


def test_a_memory_that_does_not_fit_is_refused_before_the_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert no_room(1 << 12) is None
    assert f"{tmp_path} has " in str(no_room(1 << 60))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    assert "No such file" in str(no_room(1 << 12))


def test_commands_run_in_the_guest_and_nothing_is_left_of_it() -> None:
    need_uml()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Uml(UmlOptions(memory=128 << 20, files={"/etc/greeting": b"hello\n"})) as guest:
        group = guest._process.pid
        assert guest.release in guest.run("uname -r")
        assert guest.run("cat /etc/greeting; echo world") == "hello\nworld"
        assert guest.run("echo $((6 * 7)) | tee /tmp/answer") == "42"
        assert guest.run("cat /tmp/answer") == "42"
        with pytest.raises(GuestError, match="ended with status 1 in the guest: ls: /none"):
            guest.run("ls /none")
        assert guest.run("false", check=False) == ""
        with pytest.raises(ValueError, match="one line"):
            guest.run("true\ntrue")
        with pytest.raises(GuestError, match=r"sleep 9: no answer within 0\.1 s"):
            guest.run("sleep 9", 0.1)
        assert guest.alive
        assert living_members(group)
    assert not living_members(group)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_kernel_that_panics_is_an_error_with_its_last_words() -> None:
    need_uml()
    with pytest.raises(GuestError, match=r"the guest died|no answer within"):
        Uml(UmlOptions(memory=128 << 20, kernel=("rdinit=/none", "panic=-1"), patience=8))
