"""The quirks of Lal's series, shown."""

from __future__ import annotations

import pytest

from tests.wire.history.quirk_registry import runs, shows
from vhint.wire import OutOfRange, ShortInput, UnknownValue, WireError
from vhint.wire.history import (
    PROFILES,
    Layout,
    lal_hypercall,
    lal_v8,
    lal_v9,
    lal_v10,
    lal_v11,
    lal_v12,
)
from vhint.wire.history.descriptors import Descriptors


@shows("lal-hypercall", "no-revision")
def bytes_of_one_revision_are_of_all() -> None:
    record = bytes.fromhex("0100000000000000 02000000 03000000")
    assert lal_hypercall.parse(record)[0] == lal_hypercall.PageRun(1, 2)
    assert lal_hypercall.parse_order(record)[0] == lal_hypercall.FreedBlock(1, 2)
    assert lal_hypercall.parse_pages_order(record)[0] == lal_hypercall.PageRunOrder(1, 2, 3)


@shows("lal-hypercall", "native-long")
def hypercall_records_depend_on_the_long() -> None:
    runs = lal_hypercall.PageRuns.of([(1, 2)])
    assert len(lal_hypercall.build(runs)) == 16
    assert len(lal_hypercall.build(runs, layout=Layout.ILP32_LITTLE)) == 8


@shows("lal-v8", "length-counts-entries")
def v8_length_is_a_count() -> None:
    blocks = lal_v8.IsolatedBlocks.of([(512, 9), (1024, 9), (1536, 9)])
    memory = lal_v8.build(blocks)
    assert (len(memory), lal_v8.span(3)) == (48, 48)
    assert lal_v8.parse(memory, 3) == blocks
    with pytest.raises(WireError):
        lal_v8.parse(memory, len(memory))


@shows("lal-v8", "native-long")
def v8_ilp32_array_read_in_steps_of_16() -> None:
    guest = lal_v8.build(
        lal_v8.IsolatedBlocks.of([(512, 9), (1024, 10)]), layout=Layout.ILP32_LITTLE
    )
    assert len(guest) == 16
    # What the host saw as its first of two entries: both of the guest's in one.
    assert lal_v8.parse(guest, 1)[0] == lal_v8.IsolatedBlock(9 << 32 | 512, 1024)
    with pytest.raises(ShortInput):
        lal_v8.parse(guest, 2)


@shows("lal-v8", "native-order")
def v8_is_in_the_guests_order_on_either_interface() -> None:
    blocks = lal_v8.IsolatedBlocks.of([(512, 9)])
    legacy = lal_v8.build(blocks, layout=Layout.LP64_BIG)
    assert legacy == lal_v8.build(blocks, layout=Layout.LP64_BIG_MODERN)
    assert lal_v8.parse(legacy, 1)[0].pfn == 512 << 40


@shows("lal-v8", "int-shift")
def v8_shift_is_of_an_int() -> None:
    pages = [lal_v8.IsolatedBlock(0, order).coded_pages for order in (0, 30, 31, 2**32 - 1)]
    assert pages == [1, 1 << 30, None, None]


@shows("lal-v8", "used-head-zero")
def v8_used_length() -> None:
    assert lal_v8.USED_LENGTH == 0


@shows("lal-v9", "count-width", "no-swap")
def v9_count_seen_by_each_side() -> None:
    request = lal_v9.Request(0x12345000, 1000)
    little, big = Layout.LP64_LITTLE, Layout.LP64_BIG
    modern = Layout.LP64_BIG_MODERN
    assert lal_v9.parse_as_read(lal_v9.build(request, layout=little), layout=little) == request
    # A big-endian guest on a big-endian host: the address is right, the count is 0.
    seen = lal_v9.parse_as_read(lal_v9.build(request, layout=big), layout=big)
    assert seen == lal_v9.Request(0x12345000, 0)
    # On a little-endian host the address is swapped too, unless the driver converted it.
    seen = lal_v9.parse_as_read(lal_v9.build(request, layout=big), layout=little)
    assert seen == lal_v9.Request(0x0050341200000000, 0)
    seen = lal_v9.parse_as_read(lal_v9.build(request, layout=modern), layout=little)
    assert seen == lal_v9.Request(0x12345000, 0)
    # As the driver meant it, all three are the same.
    for layout in (little, big, modern):
        assert lal_v9.parse(lal_v9.build(request, layout=layout), layout=layout) == request


@shows("lal-v9", "native-long")
def v9_array_is_that_of_v8() -> None:
    blocks = lal_v9.IsolatedBlocks.of([(512, 9)])
    assert len(lal_v9.build_array(blocks)) == 16
    assert len(lal_v9.build_array(blocks, layout=Layout.ILP32_LITTLE)) == 8


@shows("lal-v9", "used-length")
def v9_used_length_is_what_was_read() -> None:
    data = lal_v9.build(lal_v9.Request(1, 2))
    assert (len(data), lal_v9.USED_LENGTH) == (16, 12)
    assert lal_v9.parse_as_read(data[:12]) == lal_v9.parse_as_read(data + b"more")
    with pytest.raises(ShortInput):
        lal_v9.parse_as_read(data[:11])


@shows("lal-v9", "int-shift")
def v9_shift_is_of_an_int() -> None:
    assert lal_v9.IsolatedBlock(0, 31).coded_pages is None


@shows("lal-v10", "unpacked")
def v10_size_of_the_structure() -> None:
    request = lal_v10.Request(0x1000, 1)
    lp64, i386 = lal_v10.build(request), lal_v10.build(request, layout=Layout.ILP32_LITTLE)
    assert (len(lp64), len(i386)) == (16, 12)
    assert lal_v10.parse_as_read(lp64) == lal_v10.parse_as_read(i386) == request
    ranges = lal_v10.HintedRanges.of([(0x200000, 0x1000), (0x400000, 0x2000), (0x600000, 0x3000)])
    guest = lal_v10.build_array(ranges, layout=Layout.ILP32_LITTLE)
    assert len(guest) == 36
    # A host that reads in steps of 16 is 4 bytes off from the second entry on.
    assert lal_v10.parse_array(guest[:32], 2)[1].phys_addr == 0x2000 << 32
    with pytest.raises(WireError):
        lal_v10.build(request, layout=Layout.ILP32_BIG)


@shows("lal-v10", "two-meanings")
def v10_same_bytes_as_request_and_entry() -> None:
    data = lal_v10.build(lal_v10.Request(0x1000, 16))
    assert lal_v10.parse(data).size == 16  # entries
    assert lal_v10.parse_array(data, 1)[0].size == 16  # bytes


@shows("lal-v10", "entries-native")
def v10_only_the_request_is_converted() -> None:
    modern = Layout.LP64_BIG_MODERN
    request = lal_v10.build(lal_v10.Request(1, 2), layout=modern)
    entry = lal_v10.build_array(lal_v10.HintedRanges.of([(1, 2)]), layout=modern)
    assert (request[0], request[8], entry[7], entry[11]) == (1, 2, 1, 2)


@shows("lal-v10", "size-wraps")
def v10_size_has_32_bits() -> None:
    with pytest.raises(OutOfRange):
        lal_v10.HintedRanges.of([(0, 1 << 32)])


@shows("lal-v10", "used-length")
def v10_used_length_is_what_was_read() -> None:
    assert lal_v10.USED_LENGTH == 12


@shows("lal-v10", "queue-index")
@shows("lal-v11", "queue-index")
def v10_and_v11_have_two_indices() -> None:
    for profile in ("lal-v10", "lal-v11"):
        assert [queue.index for queue in PROFILES[profile].queues] == [3, 4]


@shows("lal-v11", "zero-ends")
def v11_address_zero_hides_the_rest() -> None:
    memory = lal_v11.IsolatedMemory.of([(0, 0x200000), (0x400000, 0x200000)])
    assert len(lal_v11.parse(lal_v11.build(memory))) == 2
    assert lal_v11.walk(lal_v11.build(memory)) == lal_v11.Walk((), 0)


@shows("lal-v11", "stale-tail")
def v11_tail_of_an_earlier_request() -> None:
    earlier = lal_v11.IsolatedMemory.of([(0x200000, 0x1000), (0x400000, 0x1000)]).padded()
    buffer = bytearray(lal_v11.build(earlier))
    assert len(buffer) == 256
    buffer[:16] = lal_v11.build(lal_v11.IsolatedMemory.of([(0x600000, 0x1000)]))
    freed = [item.phys_addr for item in lal_v11.walk(bytes(buffer)).ranges]
    assert freed == [0x600000, 0x400000]


@shows("lal-v11", "short-read")
def v11_size_of_the_entry_before() -> None:
    data = lal_v11.build(lal_v11.IsolatedMemory.of([(0x200000, 0x1122334455667788)]))
    addr = (0x400000).to_bytes(8, "little")
    assert lal_v11.walk(data + addr).ranges[1] == lal_v11.WalkedRange(
        0x400000, 0x1122334455667788, is_stale=True
    )
    assert lal_v11.walk(data + addr + b"\xff").ranges[1].size == 0x11223344556677FF
    assert lal_v11.walk(addr).ranges == (lal_v11.WalkedRange(0x400000, None, is_stale=True),)
    with pytest.raises(ShortInput):
        lal_v11.parse(data + addr)
    assert lal_v11.walk(data + addr[:7]).used_length == 16


@shows("lal-v11", "native-order")
def v11_big_endian_guest_on_a_little_endian_host() -> None:
    data = lal_v11.build(lal_v11.IsolatedMemory.of([(0x200000, 0x1000)]), layout=Layout.LP64_BIG)
    assert lal_v11.walk(data).ranges[0].phys_addr == 0x200000000000
    assert lal_v11.walk(data, layout=Layout.LP64_BIG).ranges[0].phys_addr == 0x200000


@shows("lal-v11", "used-length")
def v11_used_length_is_what_was_parsed() -> None:
    memory = lal_v11.IsolatedMemory.of([(0x200000, 1), (0x400000, 1)])
    assert lal_v11.walk(lal_v11.build(memory.padded())).used_length == 32
    full = lal_v11.IsolatedMemory.of([(1, 1)] * 16)
    assert lal_v11.walk(lal_v11.build(full)).used_length == 256


@shows("lal-v12", "no-payload")
def v12_message_is_its_descriptors() -> None:
    report = Descriptors.of([(0x200000, 0x200000, 2, 0)])
    assert lal_v12.buffers(lal_v12.parse(lal_v12.build(report))) == (
        lal_v12.Buffer(0x200000, 0x200000),
    )
    for flags in (0, 1, 4, 6):
        with pytest.raises(UnknownValue, match="device-writable"):
            lal_v12.parse(lal_v12.build(Descriptors.of([(0x200000, 0x200000, flags, 0)])))


@shows("lal-v12", "unaligned-skipped")
def v12_unaligned_buffers_are_unusual() -> None:
    assert lal_v12.check([lal_v12.Buffer(0x1000, 0x200000)], 0x1000) == ()
    assert len(lal_v12.check([lal_v12.Buffer(0x1000, 0x200000)], 0x10000)) == 1
    many = [lal_v12.Buffer(i << 21, 1 << 21) for i in range(33)]
    assert lal_v12.check(many, 4096) == ("33 buffers, more than 32",)


test_quirk = runs(__name__)
