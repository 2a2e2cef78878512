"""`vhint export` as a user meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

from vhint.export import TARGETS, export, strace
from vhint.export.read import NotExportable
from vhint_conformance.cli.main import vhint_command

HEADER = r"\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"
REPLY = r"\x01\x00\x00\x00\x05\x00\x00\x00\x08\x00\x00\x00"
NUMBER = r"\x3f\x00\xc0\x70\x05\x00\x00\x00"
SENT = rf'{{iov_base="{REPLY}", iov_len=12}}, {{iov_base="{NUMBER}", iov_len=8}}'
ASKED = r'iov_base="\x15\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00", iov_len=12'
RIGHTS = "cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[10]"
LOG = rf"""
20 socket(AF_UNIX, SOCK_STREAM, 0) = 3
20 write(1, "\x76\x68\x69\x6e\x74\x20\x68\x6f\x73\x74\x3a\x20\x77\x61\x69\x74", 16) = 16
20 recvmsg(9, {{msg_name=0x7ff, msg_iov=[{{iov_base="{HEADER}", iov_len=12}}]}}, 0) = 12
20 recvmsg(9, {{msg_namelen=110}}, MSG_CMSG_CLOEXEC) = -1 EAGAIN (Resource temporarily unavailable)
20 sendmsg(9<socket:[77]>, {{msg_iov=[{SENT}]}}, 0) = 20
20 recvmsg(9,  <unfinished ...>
21 write(1, "\x2e", 1) = 1
20 <... recvmsg resumed>{{msg_iov=[{{{ASKED}}}], msg_control=[{{{RIGHTS}}}]}}, 0) = 12
20 sendto(10, "\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", 12, 0, NULL, 0) = 12
20 read(9, "\x08\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x02\x00\x00\x00", 64) = 16
20 read(9, "\x00\x01\x00\x00", 48) = 4
"""


def invoke(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(vhint_command, ["export", *words])
    return result.exit_code, result.output


def digests() -> str:
    made = (export(target, ["*"]) for target in TARGETS)
    return " ".join(
        sha256(each if isinstance(each, bytes) else each.encode()).hexdigest() for each in made
    )


def test_the_same_every_time() -> None:
    """Also in a process whose sets and dictionaries are in another order."""
    code = "from tests.export.test_command import digests; print(digests())"
    there = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout
    assert there.strip() == digests()


@pytest.mark.parametrize("target", [each for each in TARGETS if each != "pcap"])
def test_it_says_what_it_is(target: str) -> None:
    text = str(export(target))
    assert "BSD-3-Clause" in text
    assert "do not edit" in " ".join(text.split())
    lines = text.splitlines()
    assert not [line for line in lines if line != line.rstrip()]
    assert "\n\n\n" not in text
    assert "TODO" not in text


def test_only_what_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "vhint.h"
    assert invoke("--to", "c", "--format", "hint-*", "-o", str(path)) == (0, "")
    text = path.read_text()
    assert "vhint_hint_ack_parse(" in text
    assert "vhint_statistics_parse(" not in text
    assert "lal_v8" not in str(export("c"))
    assert "lal_v8" in str(export("c", ["*"]))


def test_names_that_are_wrong(tmp_path: Path) -> None:
    status, said = invoke("--to", "c", "--format", "hint-reqest")
    assert (status, "did you mean hint-request" in said) == (2, True)
    status, said = invoke("--to", "c", "--format", "zzz")
    assert (status, "`vhint formats` lists them" in said) == (2, True)
    status, said = invoke("--to", "c", "--format", "vhost-user-message")
    assert (status, "take its header and payloads" in said) == (2, True)
    status, said = invoke("--to", "c", "-o", str(tmp_path / "no" / "where"))
    assert (status, "no" in said) == (2, True)
    assert invoke("--to", "pascal")[0] == 2
    with pytest.raises(NotExportable):
        export("rust", ["vhost-user-message"])
    with pytest.raises(LookupError, match="pascal"):
        export("pascal")


def test_messages_out_of_a_log() -> None:
    """Calls in pieces, resumed, with descriptors, on the channel of the back end, and others."""
    found = [
        (each.dissector, each.data.hex(), each.comment) for each in strace.frames(LOG.split("\n"))
    ]
    message, backend = "vhint.vhost_user_message", "vhint.vhost_user_backend_message"
    assert found == [
        (message, "010000000100000000000000", "received on descriptor 9"),
        (message, "0100000005000000080000003f00c07005000000", "sent on descriptor 9"),
        (message, "150000000900000000000000", "received on descriptor 9, with descriptor 10"),
        (backend, "020000000100000000000000", "sent on descriptor 10"),
        (message, "0800000001000000080000000200000000010000", "received on descriptor 9"),
    ]


def test_logs_that_are_none(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("nothing of the kind\n")
    status, said = invoke("--to", "pcap", "--strace", str(log))
    assert (status, "no message of vhost-user" in said, "strace -f -xx" in said) == (2, True, True)
    log.write_text(rf'7 sendto(9, "{HEADER}"..., 120, 0, NULL, 0) = 120' + "\n")
    status, said = invoke("--to", "pcap", "--strace", str(log))
    assert (status, "cut off" in said) == (2, True)
    assert invoke("--to", "c", "--strace", str(log))[0] == 2
    log.write_text(LOG)
    out = tmp_path / "session.pcapng"
    assert invoke("--to", "pcap", "--strace", str(log), "-o", str(out)) == (0, "")
    assert out.read_bytes().count(b"vhint.vhost_user_message") == 4
