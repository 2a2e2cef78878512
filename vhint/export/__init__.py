"""The formats for other languages and tools, generated from the declarations of `vhint.wire`.

A declaration says where the fields are, which values they may have, how many elements follow and
where the message ends; that is all that a parser in C, Rust, Kaitai Struct or Lua needs. So there
is no second list of fields: what is exported accepts and refuses what `vhint.wire` does, with the
same error at the same offset.

=====================  ===========================================================================
module                 subject
=====================  ===========================================================================
read, shape            a declaration as a tree of fields, in no language's terms
formats                the formats that there are, with their trees
constants, docstrings  enumerations and constants of the modules, and what is said of them
refusals               the requirements behind each refusal
rendering, words       what generators share
c, rust, kaitai        a language each; the text is in ``templates/``
wireshark              a dissector
capture, samples       capture files for it, and one with the vectors
strace                 messages of vhost-user out of a log of strace
=====================  ===========================================================================

>>> text = export("c", ["command-id"])
>>> "vhint_command_id_parse(" in text, "vhint_hint_request_parse(" in text
(True, False)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

TARGETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "c": "a header in C99 and C++",
        "rust": "a module in Rust that needs core only",
        "kaitai": "a Kaitai Struct specification (.ksy)",
        "wireshark": "a dissector for Wireshark and tshark in Lua",
        "pcap": "the vectors as a capture (pcapng), to try the dissector on",
    }
)
"""What there is to export to, and what it gives."""


def export(target: str, globs: Iterable[str] = ()) -> str | bytes:
    """Give the text for a target, or the bytes of a capture; the same ones every time.

    Args:
        target: a name in `TARGETS`.
        globs: names of formats, or globs over them; none stands for all but history.

    Raises:
        LookupError: with the glob that names no format.
        NotExportable: if all that is named is nothing that the target can express.

    """
    # Each is imported when it is asked for: together they are slow to load.
    from vhint.export.formats import select
    from vhint.export.read import NotExportable
    from vhint.export.rendering import Export

    formats = select(globs)
    if target not in ("wireshark", "pcap"):
        # What a payload is depends on the message around it: to be looked at, not parsed to.
        formats = tuple(each for each in formats if not each.payload)
    if not formats:
        raise NotExportable("a payload that depends on the message: take its header and payloads")
    chosen = Export(formats)
    match target:
        case "c":
            from vhint.export import c

            return c.render(chosen)
        case "rust":
            from vhint.export import rust

            return rust.render(chosen)
        case "kaitai":
            from vhint.export import kaitai

            return kaitai.render(chosen)
        case "wireshark":
            from vhint.export import wireshark

            return wireshark.render(chosen)
        case "pcap":
            from vhint.export import samples

            return samples.render(chosen)
    raise LookupError(target)
