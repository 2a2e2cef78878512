"""A missing peer is a skip, a failure where peers are required, and a skip where that is known."""

import pytest

from tests import peers


@pytest.fixture
def _gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("VHINT_REQUIRE_PEERS", raising=False)
    monkeypatch.delenv("VHINT_ABSENT_PEERS", raising=False)


@pytest.mark.usefixtures("_gone")
def test_it_is_skipped() -> None:
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        peers.browser()
    with pytest.raises(pytest.skip.Exception, match="pip install some-package"):
        peers.module("no_such_module", "some-package")


@pytest.mark.usefixtures("_gone")
def test_it_fails_where_peers_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VHINT_REQUIRE_PEERS", "1")
    monkeypatch.setenv("VHINT_ABSENT_PEERS", "zsh kaitai-struct-compiler")
    with pytest.raises(pytest.fail.Exception, match="VHINT_ABSENT_PEERS=chromium"):
        peers.browser()


@pytest.mark.usefixtures("_gone")
def test_it_is_skipped_where_its_absence_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VHINT_REQUIRE_PEERS", "1")
    monkeypatch.setenv("VHINT_ABSENT_PEERS", "zsh chromium")
    with pytest.raises(pytest.skip.Exception):
        peers.browser()
    with pytest.raises(pytest.skip.Exception):
        peers.program("zsh", "zsh")
