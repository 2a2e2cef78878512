r"""Messages of vhost-user out of what strace has seen of one of the two processes.

No tool captures Unix sockets as tcpdump does networks. But ``strace -f -xx -s 65536 -e
trace=sendmsg,recvmsg,sendto,recvfrom,read,write`` prints every byte that a process sends and
receives. Here the calls of each descriptor are put together into a stream for each direction, and
the streams are taken apart into messages. Descriptors on which something else is spoken are passed
over.

>>> line = r'7 sendto(9, "\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00", 12, 0, NULL, 0) = 12'
>>> [(frame.dissector, len(frame.data), frame.comment) for frame in frames([line])]
[('vhint.vhost_user_message', 12, 'sent on descriptor 9')]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from vhint.export.capture import Frame
from vhint.wire.vhost_user import header
from vhint.wire.vhost_user.names import Request

CALLS: Final = ("sendmsg", "recvmsg", "sendto", "recvfrom", "read", "write")
_SENT: Final = ("sendmsg", "sendto", "write")
_NAMES: Final = "|".join(CALLS)
_START: Final = rf"^(?:\[?(?:pid )?\s*(?P<pid>\d+)\]?\s+)?(?:[\d:.]+ )?(?P<call>{_NAMES})\("
_WHOLE: Final = re.compile(_START + r"(?P<fd>\d+)(?P<rest>.*)\) += (?P<result>\d+)$")
_UNFINISHED: Final = re.compile(_START + r"(?P<fd>\d+)(?P<rest>.*)<unfinished \.\.\.>$")
_RESUMED: Final = re.compile(
    rf"^(?:\[?(?:pid )?\s*(?P<pid>\d+)\]?\s+)?(?:[\d:.]+ )?<\.\.\. (?P<call>{_NAMES}) resumed>"
    r"(?P<rest>.*)\) += (?P<result>\d+)$"
)
_TEXT: Final = re.compile(r'(?:iov_base=|^, )"(?P<text>(?:\\x[0-9a-f]{2})*)"(?P<cut>\.\.\.)?')
_RIGHTS: Final = re.compile(r"SCM_RIGHTS, cmsg_data=\[(?P<fds>[\d, ]+)\]")
_LONGEST: Final = 1 << 16


class CutOff(ValueError):  # noqa: N818 - what the bytes are
    """Strace has not printed all the bytes of a call."""


@dataclass(slots=True)
class _Stream:
    """What went one way over a descriptor and is not a whole message yet."""

    data: bytearray = field(default_factory=bytearray)
    rights: list[str] = field(default_factory=list)
    is_other: bool = False


def frames(lines: Iterable[str]) -> Iterator[Frame]:
    """Yield the messages in the order in which they were complete; raises `CutOff`.

    The descriptor that comes first is the one between front end and back end; one on which requests
    go the other way is the back end's own channel.
    """
    streams: dict[tuple[str, bool], _Stream] = {}
    towards: bool | None = None
    for fd, is_sent, data, rights in _calls(lines):
        stream = streams.setdefault((fd, is_sent), _Stream())
        stream.data += data
        stream.rights += rights
        for message in _messages(stream):
            head = header.parse(message[: header.SIZE])
            forward = is_sent != head.is_reply
            if towards is None:
                towards = forward
            kind = "message" if forward == towards else "backend_message"
            said = f"{'sent' if is_sent else 'received'} on descriptor {fd}"
            if stream.rights:
                said += f", with descriptor {', '.join(stream.rights)}"
                stream.rights.clear()
            yield Frame(f"vhint.vhost_user_{kind}", message, said)


def _messages(stream: _Stream) -> Iterator[bytes]:
    while len(stream.data) >= header.SIZE and not stream.is_other:
        head = header.parse(bytes(stream.data[: header.SIZE]))
        if (
            head.version != header.VERSION
            or not 1 <= head.request <= max(Request)
            or head.size > _LONGEST
        ):
            stream.is_other = True
        else:
            end = header.SIZE + head.size
            if len(stream.data) < end:
                return
            message = bytes(stream.data[:end])
            del stream.data[:end]
            yield message


def _calls(lines: Iterable[str]) -> Iterator[tuple[str, bool, bytes, list[str]]]:
    """Yield the descriptor, whether it was sent, the bytes and the descriptors with them."""
    begun: dict[tuple[str, str], tuple[str, str]] = {}
    for line in lines:
        text = line.rstrip("\n")
        if match := _UNFINISHED.match(text):
            begun[match["pid"] or "", match["call"]] = match["fd"], match["rest"]
            continue
        if match := _WHOLE.match(text):
            fd, rest = match["fd"], match["rest"]
        elif match := _RESUMED.match(text):
            fd, before = begun.pop((match["pid"] or "", match["call"]), ("?", ""))
            rest = before + match["rest"]
        else:
            continue
        # With -y the descriptor is followed by what it is: 9<socket:[1234]>.
        rest = re.sub(r"^<[^>]*>", "", rest)
        size = int(match["result"])
        data = b""
        for part in _TEXT.finditer(rest):
            if part["cut"] and len(data) < size:
                raise CutOff(text[:60])
            data += bytes.fromhex(part["text"].replace("\\x", ""))
        rights = [fds for found in _RIGHTS.finditer(rest) for fds in found["fds"].split(", ")]
        yield fd, match["call"] in _SENT, data[:size], rights
