"""The buddy allocator against a model that knows nothing but sets of pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vhint.guest.memory.buddy import Buddy, cover
from vhint.wire.blocks import Block

FIRST, PAGES, MAX_ORDER = 3, 42, 3


def pages(block: Block) -> set[int]:
    return set(range(block.pfn, block.pfn + (1 << block.order)))


def all_blocks(buddy: Buddy) -> list[Block]:
    return [block for order in range(buddy.max_order + 1) for block in buddy.blocks(order)]


def maximal(free: set[int]) -> set[Block]:
    """Return the blocks that a set of free pages merges to: by brute force, largest first."""
    left, found = set(free), set()
    for order in range(MAX_ORDER, -1, -1):
        for pfn in range(0, FIRST + PAGES, 1 << order):
            block = Block(pfn, order)
            if pages(block) <= left:
                found.add(block)
                left -= pages(block)
    return found


class BuddyMachine(RuleBasedStateMachine):
    """Free pages are a set; the reported mark is a set of pages that the host knows of."""

    def __init__(self) -> None:
        super().__init__()
        self.buddy = Buddy(FIRST, PAGES, MAX_ORDER)
        self.free = set(range(FIRST, FIRST + PAGES))
        self.taken: list[Block] = []
        self.known: set[int] = set()

    @rule(order=st.integers(0, MAX_ORDER))
    def take(self, order: int) -> None:
        fits = any(block.order >= order for block in maximal(self.free))
        assert self.buddy.can_take(order) == fits
        block = self.buddy.take(order)
        assert (block is not None) == fits
        if block is not None:
            smallest = min(b.order for b in maximal(self.free) if b.order >= order)
            assert any(pages(block) <= pages(b) for b in maximal(self.free) if b.order == smallest)
            self.free -= pages(block)
            self.known -= pages(block)
            self.taken.append(block)

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), reported=st.booleans(), oldest=st.booleans())
    def put(self, data: st.DataObject, reported: bool, oldest: bool) -> None:
        block = data.draw(st.sampled_from(self.taken))
        self.taken.remove(block)
        before = set(self.known)
        self.free |= pages(block)
        merged = self.buddy.put(block, reported=reported, oldest=oldest)
        assert pages(block) <= pages(merged.block)
        whole = reported and pages(merged.block) - pages(block) <= before
        assert merged.reported == whole
        self.known = (before | pages(block) if reported else before) - (
            set() if whole else pages(merged.block)
        )
        lost = set().union(*map(pages, merged.unmarked)) if merged.unmarked else set()
        expected = (before | (pages(block) if reported else set())) & pages(merged.block)
        assert lost == (set() if whole else expected)

    @precondition(lambda self: self.free)
    @rule(data=st.data())
    def take_this(self, data: st.DataObject) -> None:
        block = data.draw(st.sampled_from(sorted(maximal(self.free), key=lambda b: b.pfn)))
        order = data.draw(st.integers(0, block.order))
        part = Block(data.draw(st.sampled_from(sorted(pages(block)))) >> order << order, order)
        assert self.buddy.take_block(part)
        self.free -= pages(part)
        self.known -= pages(part)
        self.taken.append(part)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def what_is_taken_cannot_be_taken(self, data: st.DataObject) -> None:
        block = data.draw(st.sampled_from(self.taken))
        key = self.buddy.key()
        assert not self.buddy.take_block(block)
        assert self.buddy.key() == key

    @precondition(lambda self: self.free)
    @rule(data=st.data(), order=st.integers(0, MAX_ORDER))
    def a_double_free_is_refused(self, data: st.DataObject, order: int) -> None:
        pfn = data.draw(st.sampled_from(sorted(self.free))) >> order << order
        with pytest.raises(ValueError, match=r"freed twice|outside"):
            self.buddy.put(Block(pfn, order))

    @invariant()
    def the_lists_are_the_maximal_blocks(self) -> None:
        blocks = all_blocks(self.buddy)
        assert len(blocks) == len(set(blocks))
        assert set(blocks) == maximal(self.free)
        assert self.buddy.free_pages == len(self.free)
        assert [self.buddy.count(o) for o in range(MAX_ORDER + 1)] == [
            sum(block.order == o for block in blocks) for o in range(MAX_ORDER + 1)
        ]

    @invariant()
    def marks_are_kept_on_split_and_lost_on_merge(self) -> None:
        marked = [block for block in all_blocks(self.buddy) if self.buddy.is_reported(block)]
        assert set().union(*map(pages, marked)) == self.known if marked else not self.known

    @invariant()
    def a_page_is_found_in_its_block(self) -> None:
        for pfn in range(FIRST, FIRST + PAGES):
            found = self.buddy.block_at(pfn)
            assert (found is not None) == (pfn in self.free)
            assert found is None or pfn in pages(found)


TestBuddy = BuddyMachine.TestCase


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 10))
def test_cover_is_exact_aligned_and_as_coarse_as_can_be(first: int, size: int, top: int) -> None:
    blocks = list(cover(first, first + size, top))
    assert [pfn for b in blocks for pfn in sorted(pages(b))] == list(range(first, first + size))
    for block in blocks:
        assert block.pfn % (1 << block.order) == 0
        assert block.order <= top
        up = block.order + 1
        larger = Block(block.pfn >> up << up, up)
        assert up > top or not pages(larger) <= set(range(first, first + size))


def test_the_newest_block_is_handed_out_first_and_reported_ones_last() -> None:
    """reporting.driver.avoid-needless-access."""
    buddy = Buddy(0, 8, max_order=0)
    taken = [buddy.take(0) for _ in range(8)]
    for block in taken[:3]:
        assert block is not None
        buddy.put(block)
    known = taken[3]
    assert known is not None
    buddy.put(known, reported=True, oldest=True)
    assert [buddy.take(0) for _ in range(4)] == [taken[2], taken[1], taken[0], known]


def test_the_key_tells_order_and_marks_apart() -> None:
    one, two = Buddy(0, 4, 0), Buddy(0, 4, 0)
    assert one.key() == two.key()
    taken = two.take(0)
    assert taken is not None
    two.put(taken, oldest=True)
    assert one.key() != two.key()
    before = one.key()
    one.mark(Block(1, 0))
    assert one.key() != before
    with pytest.raises(ValueError, match="not a free block"):
        one.mark(Block(7, 0))


@pytest.mark.parametrize("block", [Block(1, 1), Block(0, 9), Block(64, 0)])
def test_what_is_no_block_is_refused(block: Block) -> None:
    buddy = Buddy(0, 8, max_order=3)
    with pytest.raises(ValueError, match=r"no block|outside"):
        buddy.put(block)
