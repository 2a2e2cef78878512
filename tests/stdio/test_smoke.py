"""`vhint smoke` blames the harness, and says what to do."""

import shlex

import pytest

from tests.stdio.tools import nothing_left, vhint, wayward


def smoke(command: str, *options: str) -> tuple[int, str]:
    with nothing_left():
        found = vhint("smoke", f"stdio:{command}", *options)
    assert found.exception is None, found.exception
    return found.return_value, " ".join(found.output.split())


@pytest.mark.parametrize(
    ("fault", "where", "said", "advice"),
    [
        ("no-json", "reporting", "BAD reporting its answer to step-buffer is not JSON", "example"),
        (
            "use-absent",
            "reporting",
            "BAD reporting ring.device.use-only",
            "how it is wired",
        ),
        (
            "config",
            "observe",
            "BAD hint-pfn its answer to observe-config has 5000 bytes",
            "example",
        ),
        ("more-for-ever", "reporting", "the buffer was not used", 'is "use" among the effects'),
        ("skip", "set_balloon_size", "not there, as it says: not yet (https://example.org/7)", ""),
        ("status", "stop", "BAD stop it exited with status 7", "0 is what says"),
        ("too-many-profiles", "start", '"profiles" lists hint-bitmap', 'list 23 in "features"'),
    ],
)
def test_each_fault_is_named_with_advice(fault: str, where: str, said: str, advice: str) -> None:
    status, output = smoke(wayward(fault, where))
    assert said in output
    assert advice in output
    assert status == (0 if fault == "skip" else 3)
    assert ("nothing was judged" in output) is (status == 3)


def test_a_slow_one_is_given_up_in_time() -> None:
    status, output = smoke(wayward("hang", "driver_ok"), "--answer-within", "0.5")
    assert status == 3
    assert "it did not answer step-driver_ok within 0.5 s" in output
    assert "flush" in output


def test_other_targets_can_be_tried_too() -> None:
    found = vhint("smoke", "reference")
    assert found.return_value == 0
    assert "ok hint-bitmap answered" in " ".join(found.output.split())


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere", "there is no target 'nowhere'"),
        ("stdio:", "write stdio:COMMAND"),
        ("linux", "can be judged as a driver only"),
    ],
)
def test_a_wrong_target_is_wrong_usage(target: str, said: str) -> None:
    found = vhint("smoke", target)
    assert said in str(found.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("conform reference --validate", "--validate: only stdio:COMMAND takes this"),
        ("conform vhost-user:/x --answer-within 3", "--answer-within: only stdio:COMMAND"),
        ("conform stdio:cat --in-band", "--in-band: vhost-user:PATH takes this"),
        ("conform stdio:cat --role driver", "not as a driver"),
    ],
)
def test_options_are_for_the_targets_that_take_them(words: str, said: str) -> None:
    found = vhint(*shlex.split(words))
    assert said in str(found.exception)
