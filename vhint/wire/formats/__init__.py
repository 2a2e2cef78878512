"""Every format by its id, and what can be done with any of them: decode, encode, annotate.

This is the one list of formats there is: `vhint formats`, `vhint decode`, `vhint encode`, the
exports and the documentation are made from it. A format's values are plain JSON here (`values`);
those who program against one format import its own module, which has classes for them.

>>> FORMATS["hint-request"].to_json(bytes.fromhex(
...     "01000000 01000000 0700000000000000 0002000000000000 09000000 00000000"))
{'type': 'PFN', 'cookie': '7', 'blocks': [{'pfn': '512', 'order': 9}]}
>>> FORMATS["command-id"].from_json({"value": 1}).hex()
'01000000'
>>> for field in annotate("vring-used-element", bytes([3, 0, 0, 0, 16, 0, 0, 0])).fields:
...     print(field.offset, field.data.hex(), field.path, field.value, field.unit)
0 03000000 id 3 head of the chain
4 10000000 len 16 bytes written
"""

from vhint.wire.formats.annotation import Annotation, Field, annotate
from vhint.wire.formats.catalogue import FORMATS
from vhint.wire.formats.framing import MessageTooLong, NotDelimited, message_size
from vhint.wire.formats.model import Format, Status

__all__ = [
    "FORMATS",
    "Annotation",
    "Field",
    "Format",
    "MessageTooLong",
    "NotDelimited",
    "Status",
    "annotate",
    "message_size",
]
