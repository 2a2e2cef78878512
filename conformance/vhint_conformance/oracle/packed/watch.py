"""One packed ring under watch: whose each slot is, and what either side may not do with it.

Between the used and the available position lie the slots of outstanding lists, the device's; all
others are the driver's.  (VIRTIO 1.4, Packed Virtqueues)
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from vhint.ring import Chain, Fault, GuestMemory, PackedLayout, Position, RingError
from vhint.ring.packed_driver import is_available, is_used, wants
from vhint.ring.packed_layout import START
from vhint.wire import packed_vring as packed
from vhint.wire.packed_vring import EventFlag, PackedFlag
from vhint_conformance.oracle.chain_faults import FAULTS
from vhint_conformance.oracle.packed.image import Changes, RingImage, Side
from vhint_conformance.ring_words import in_packed

Find = Callable[[str, str, str, str], object]
"""Takes a finding: the requirement, what was expected, what was seen, and where in the ring."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A list that was made available: where it begins, how many slots it takes, its buffers."""

    at: Position
    slots: int
    chain: Chain


@dataclass(frozen=True, slots=True)
class _Latest:
    """The last used descriptor: its slot, its id, and all slots that it passed."""

    slot: int
    buffer_id: int
    passed: tuple[int, ...]


class PackedWatch:
    """Follows one ring from `begin` on, where nothing is outstanding.

    It is told of stores before they are made (`stored`), or looks for those of one side (`look`).
    `find` is told what either side did wrong, `came` of lists made available and `gone` of used
    ones with id and length.  Once a side has broken the ring so that nothing more can be said of
    it the watch is `blind`.  Raises `RingError` for a layout that no ring can have.
    """

    def __init__(
        self,
        memory: GuestMemory,
        layout: PackedLayout,
        *,
        event_idx: bool,
        indirect: bool,
        find: Find,
        came: Callable[[Listed], object] = lambda _: None,
        gone: Callable[[int, int], object] = lambda *_: None,
        begin: Position = START,
    ) -> None:
        self.layout = layout
        self.blind = False
        self.outstanding: dict[int, Listed] = {}
        #: Which list the other side asked to be notified of, and was not yet.
        self.owed: dict[Side, Listed] = {}
        self._event_idx = event_idx
        self._image = RingImage(memory, layout, indirect=indirect)
        self._find = find
        self._came = came
        self._gone = gone
        self._available = self._used = begin
        self._fresh = begin == START
        self._held = 0  # slots of outstanding lists
        self._known: set[int] = set()  # every id that there was
        self._unannounced: set[int] = set()  # slots of lists that the device has not heard of
        self._drafted = set(range(layout.size))  # free slots that the driver may have filled
        self._flagged: set[int] = set()  # of those, whose flags it has changed
        self._odd: set[int] = set()  # slots that the device changed and has not used
        self._latest: _Latest | None = None
        self._take_lists()

    # What happens

    def stored(self, side: Side, address: int, data: bytes) -> None:
        """Take note of a store that a side is about to make."""
        if self.blind or not self._image.touches(address, len(data)):
            return
        self.look(side.other)
        if not self.blind:
            self._moved(side, self._image.put(address, data))

    def look(self, side: Side) -> None:
        """Look what is different in memory; it is that side that has done it."""
        if not self.blind:
            self._moved(side, self._image.look())

    def notified(self, side: Side) -> None:
        """Take note that a side has notified the other."""
        self.owed.pop(side, None)
        if side is Side.DRIVER and not self.blind:
            self._unannounced.clear()
            self._check_counter()

    def rests(self, side: Side) -> None:
        """Judge what a side has begun and will not go on with."""
        if self.blind:
            return
        if side is Side.DRIVER:
            self._check_counter()
        else:
            self._device_rests()

    def owes(self, side: Side) -> str | None:
        """Return the requirement by which a side still has to notify the other."""
        if side not in self.owed:
            return None
        _, flags = packed.EVENT_STRUCT.unpack(self._image.event(side.other))
        by_event = self._event_idx and flags == EventFlag.DESC
        if side is Side.DRIVER:
            return f"ring.driver.packed-kick-{'at-event' if by_event else 'when-enabled'}"
        return f"ring.device.packed-notifies-{'at-event' if by_event else 'when-enabled'}"

    def _moved(self, side: Side, changes: Changes) -> None:
        if not changes:
            return
        if side is Side.DRIVER:
            if changes.driver_area:
                self._check_event(side)
            self._driver(changes)
            return
        if changes.device_area:
            self._check_event(side)
        if changes.driver_area:
            self._say(
                "ring.device.packed-driver-area-never-written",
                "the area as the driver wrote it",
                self._image.event(Side.DRIVER).hex(),
                "driver's area",
            )
        if changes.slots:
            self._odd |= changes.slots
            while not self.blind and self._take_used():
                pass
            # What comes of other fields shows with the flags, or when something else happens.
            late = {self._latest.slot} if self._latest else set()
            self._judge_strays(changes.flagged | late, changes.flagged)

    # The driver

    def _driver(self, changes: Changes) -> None:
        self._judge_strays(self._odd)
        if changes.slots:
            self._latest = None
        for slot in sorted(changes.slots):
            if self._is_held(slot):
                early = slot in self._unannounced
                slug = "no-change-after-available" if early else "no-change-before-used"
                self._break(
                    f"ring.driver.packed-{slug}",
                    "a descriptor left alone that is available",
                    "it changed",
                    f"slot {slot}",
                )
                return
        self._odd -= changes.slots
        self._drafted |= changes.slots
        self._flagged |= changes.flagged
        self._take_lists()

    def _take_lists(self) -> None:
        while not self.blind and self._held < self.layout.size:
            at = self._available
            if not is_available(self._image.flags(at.slot), at.wrap):
                return
            self._take_list(at)

    def _take_list(self, at: Position) -> None:
        size = self.layout.size
        where = f"slot {at.slot}"
        try:
            chain, slots = self._image.list_at(at)
        except RingError as error:
            slug = in_packed(FAULTS.get(error.fault, "ring.driver.no-loop"))
            if error.fault is Fault.NOT_AVAILABLE and self._has_other_counter(at):
                slug = "ring.driver.packed-wrap-counter"
            self._break(slug, "a list that a device can walk", str(error), where)
            return
        if self._held + slots > size:
            seen = f"{slots} in a ring with {size - self._held} free"
            self._break("ring.driver.packed-room-before-first", "room for a list", seen, where)
            return
        if chain.head in self.outstanding:
            seen = f"id {chain.head}, which is outstanding"
            self._break("ring.driver.packed-id-unique", "an id of its own", seen, where)
            return
        listed = self.outstanding[chain.head] = Listed(at, slots, chain)
        taken = {at.on(ahead, size).slot for ahead in range(slots)}
        self._known.add(chain.head)
        self._held += slots
        self._available = at.on(slots, size)
        self._fresh = False
        self._unannounced |= taken
        self._drafted -= taken
        self._flagged -= taken
        self._note_wish(Side.DRIVER, self._available, listed)
        self._came(listed)

    def _has_other_counter(self, at: Position) -> bool:
        """Whether the first descriptor of a list that is not available has the other counter."""
        for _ in range(self.layout.size):
            flags = self._image.flags(at.slot)
            if not is_available(flags, at.wrap):
                return is_available(flags, not at.wrap) and at.slot in self._flagged
            if not flags & PackedFlag.NEXT:
                break
            at = at.on(1, self.layout.size)
        return False

    def _check_counter(self) -> None:
        """Find the driver at fault if the next head has the other counter, and is its last word."""
        slot, wrap = self._available
        if slot in self._flagged and is_available(self._image.flags(slot), not wrap):
            slug = f"ring.driver.packed-wrap-counter{'-start' if self._fresh else ''}"
            seen = "a descriptor with the other one where the next is due"
            self._break(slug, "the driver's wrap counter", seen, f"slot {slot}")

    # The device

    def _take_used(self) -> bool:
        slot, wrap = at = self._used
        if slot not in self._odd or not is_used(self._image.flags(slot), wrap):
            return False
        length, buffer_id = self._image.used_part(slot)
        listed = self.outstanding.pop(buffer_id, None)
        if listed is None:
            slug, expected, seen = "used-id", "the id of an available list", "an id of none"
            if buffer_id in self._known:
                slug, expected, seen = "use-once", "each list to be used once", "an id once more"
            elif not self._held:
                slug, expected, seen = "use-only-available", "nothing used", "a used descriptor"
            where = f"slot {slot}, id {buffer_id}"
            self._break(f"ring.device.packed-{slug}", expected, seen, where)
            return False
        passed = [at.on(ahead, self.layout.size) for ahead in range(listed.slots)]
        for behind in passed[1:]:
            flags = self._image.flags(behind.slot)
            if behind.slot in self._odd and is_used(flags, behind.wrap):
                self._several(behind.slot)
        slots = tuple(each.slot for each in passed)
        self._odd -= set(slots)
        self._unannounced -= set(slots)
        self._held -= listed.slots
        self._used = at.on(listed.slots, self.layout.size)
        self._latest = _Latest(slot, buffer_id, slots)
        self._note_wish(Side.DEVICE, self._used, listed)
        self._gone(buffer_id, length)
        return True

    def _several(self, slot: int) -> None:
        self._say(
            "ring.device.packed-one-used-per-list",
            "one used descriptor for a list",
            "another in a slot that it passes",
            f"slot {slot}",
        )

    def _judge_strays(self, which: Collection[int], flagged: Collection[int] = ()) -> None:
        """Judge what the device did to these slots, as far as they are the driver's."""
        for slot in sorted(self._odd.intersection(which)):
            if not self.blind and not self._is_held(slot):
                self._odd.discard(slot)
                self._stray(slot, flagged=slot in flagged)

    def _stray(self, slot: int, *, flagged: bool) -> None:
        """Judge a store of the device into a slot that is the driver's."""
        where = f"slot {slot}"
        looks_used = flagged and self._image.flags(slot) & _BOTH in (0, _BOTH)
        _, buffer_id = self._image.used_part(slot)
        latest = self._latest
        if latest and slot in latest.passed[1:] and looks_used and buffer_id == latest.buffer_id:
            self._several(slot)
        elif looks_used and buffer_id in self.outstanding:
            self._misplaced(slot, buffer_id)
        elif latest and slot == latest.slot and not flagged:
            self._say(
                "ring.device.packed-fields-before-flags",
                "length and id in place before the flags say used",
                "one that came after them",
                where,
            )
        elif slot in self._drafted:
            self._say(
                "ring.device.packed-use-only-available",
                "a descriptor left alone until it is available",
                "a store of the device",
                where,
            )
        else:
            self._say(
                "ring.device.packed-no-change-after-used",
                "a descriptor left alone once it is used",
                "a store of the device",
                where,
            )

    def _misplaced(self, slot: int, buffer_id: int) -> None:
        self._say(
            "ring.device.packed-list-skipped",
            f"the next used descriptor in slot {self._used.slot}",
            f"id {buffer_id} in slot {slot}",
            f"slot {slot}",
        )

    def _device_rests(self) -> None:
        """Judge flags of outstanding descriptors that were changed and never became used ones."""
        self._judge_strays(self._odd)
        for slot in sorted(self._odd):
            ahead = (slot - self._used.slot) % self.layout.size
            at, flags = self._used.on(ahead, self.layout.size), self._image.flags(slot)
            if is_available(flags, at.wrap):
                continue  # the rest of it is the device's to change
            _, buffer_id = self._image.used_part(slot)
            if slot != self._used.slot and flags & _BOTH in (0, _BOTH):
                self._misplaced(slot, buffer_id)
            else:
                self._say(
                    "ring.device.packed-wrap-counter",
                    f"AVAIL and USED both the device's counter, which is {int(at.wrap)}",
                    f"flags {flags:#06x}",
                    f"slot {slot}, id {buffer_id}",
                )

    # Both

    def _check_event(self, side: Side) -> None:
        word, flags = packed.EVENT_STRUCT.unpack(self._image.event(side))
        if flags == EventFlag.DESC and self._event_idx:
            if Position.of(word).slot < self.layout.size:
                return
            seen = f"position {Position.of(word).slot} of {self.layout.size}"
        elif flags in (EventFlag.ENABLE, EventFlag.DISABLE):
            return
        else:
            seen = f"flags {flags:#06x}"
        allowed = (
            "enable, disable or a slot of the ring" if self._event_idx else "enable or disable"
        )
        self._say(f"ring.{side}.packed-event-valid", allowed, seen, f"{side}'s area")

    def _note_wish(self, side: Side, now: Position, listed: Listed) -> None:
        event = self._image.event(side.other)
        if wants(event, now, listed.slots, self.layout.size, event_idx=self._event_idx):
            self.owed[side] = listed

    def _is_held(self, slot: int) -> bool:
        return (slot - self._used.slot) % self.layout.size < self._held

    def _break(self, requirement: str, expected: str, seen: str, where: str) -> None:
        self.blind = True
        self._find(requirement, expected, seen, where)

    def _say(self, requirement: str, expected: str, seen: str, where: str) -> None:
        self._find(requirement, expected, seen, where)


_BOTH = int(PackedFlag.AVAIL | PackedFlag.USED)
