"""Why vectors exist, by the keys that they carry; with real faults where some are known."""

from __future__ import annotations

from vhint_conformance.vectors.model import Note

NOTES: dict[str, Note] = {
    "above-4-gib": Note(
        "An address computed in 32 bits wraps around and hits innocent memory; the page that it "
        "would hit is in RAM here.",
        ("cloud-hypervisor 50da100af",),
    ),
    "address-zero": Note("Page 0 is memory like any other, not the end of a list."),
    "alignment-by-order": Note(
        "Aligned to the order, not to 2^order: a confusion of a posted prototype.",
        ("free page hinting RFC v10 (2019)",),
    ),
    "shift-width": Note(
        "2^order shifted in 32 bits is 0 or negative; on some machines the shift wraps to order 0.",
        ("free page hinting RFC v8 to v10 (2019)",),
    ),
    "above-2-53": Note(
        "Numbers that a JSON parser with floating-point numbers cannot keep: hence the strings."
    ),
    "all-or-nothing": Note(
        "One bad block refuses the whole request: it is validated before a block is touched.",
        ("free page hinting RFC v8 to v10 (2019): aborted half-way, acknowledged all the same",),
    ),
    "padding": Note(
        "Bits after the last one are zero; a reader that takes whole words would see blocks in "
        "them.",
        ("bitmap posting (2016) v1: length no multiple of a word",),
    ),
    "empty-bitmap": Note(
        "A count of 0 names nothing, so no block can be at fault; start_pfn and order belong to "
        "the request and are judged all the same (erratum bitmap-clear-bits)."
    ),
    "bit-order": Note(
        "Bit N is bit N % 8 of byte N / 8, the least significant first; the other order is a "
        "different set of blocks.",
        ("bitmap posting (2026): most significant bit first",),
    ),
    "byte-order": Note(
        "Read in the other byte order, this is another valid-looking number.",
        ("Linux 5dc92eb41",),
    ),
    "count-overflow": Note(
        "16 times this count is 0 in 32 bits; a length check done there passes.",
    ),
    "unbounded-count": Note(
        "Memory and time are bounded before the count is believed.",
        ("Firecracker ed96b50d2", "cloud-hypervisor cfec13077"),
    ),
    "several-faults": Note(
        "Faults of both kinds: a device may check in any order, so either status is right. A "
        "parser still reports the first in byte order."
    ),
    "driver-breaks-rule": Note(
        "A sound driver does not send this, but a device has no reason to refuse it."
    ),
    "not-ram": Note(
        "What is not RAM belongs to a device, to ROM or to nobody.",
        ("QEMU f2fd57db36",),
    ),
    "host-page": Note(
        "Discards come in host pages: rounded outward they take the neighbours along.",
        ("QEMU ed48c59875", "cloud-hypervisor 9dd169855"),
    ),
    "poison": Note(
        "With PAGE_POISON negotiated pages go on reading as poison_val, which a discarded page "
        "does not.",
        ("QEMU 68627d664c", "Linux eb9170dbb"),
    ),
    "partial-entry": Note(
        "A parser refuses the incomplete entry; a device ignores it and uses the buffer."
    ),
    "leading-results": Note(
        "The driver left room for part of the results only; a block without a result bit counts as "
        "accepted, because its content may be gone.",
        ("bitmap posting (2026): used length not limiting",),
    ),
    "not-the-format": Note(
        "Sound as a format; that processed is the number of set bits is another requirement."
    ),
    "used-id": Note(
        "What returns is chosen by the used id. A cookie that does not fit shows a device that "
        "mixes requests up, so nothing is taken back before a reset."
    ),
    "more-than-256": Note(
        "A buffer as long as drivers really send; a device uses it however long it is."
    ),
    "six-or-ten": Note(
        "An entry has 10 bytes; the standard's 'multiple of 6' is a leftover that no buffer of "
        "one or two entries meets."
    ),
    "known-at-least": Note(
        "`figures` are those that every device knows; one that knows more tags may know more."
    ),
    "longer-config": Note(
        "A parser of the whole space refuses what it has no field for; a driver reads single "
        "fields and does not mind."
    ),
    "unknown-bits": Note("Bits without a name are kept and ignored; nobody fails because of them."),
    "queue-numbers": Note(
        "The rules differ here: driver and device that follow different ones talk past each other.",
        (
            "Linux ddbeac07a39a",
            "Linux 2ccd42b959aa",
            "crosvm 14a0ab90a and 4ce4bbc22",
            "arcbox pull request 392",
            "kubevirt issue 14516",
        ),
    ),
    "discard-then-acknowledge": Note(
        "The order matters: first discard, then give back. The other way round a page that is in "
        "use again is lost.",
        ("QEMU b27b323914",),
    ),
    "no-false-alarm": Note("A judge that blames the device here blames a sound one."),
    "used-length": Note(
        "The used length is what the device wrote, no more and no less.",
        ("cloud-hypervisor ff78eb8fb", "free page hinting RFC v9 to v11 (2019)"),
    ),
    "state-over-reset": Note(
        "Whatever a device remembers about pages ends with a reset.",
        ("QEMU 9a7ca8a7c9", "QEMU a8cd64d488"),
    ),
    "partial-page": Note(
        "Where a host page is larger than 4 KiB its parts are counted; a part that was taken back "
        "counts no more.",
        ("QEMU b27b323914", "QEMU 9a7ca8a7c9"),
    ),
    "native-long": Note(
        "A C structure as the compiler laid it out: size and padding depend on the guest's long.",
        ("free page hinting RFC v8 to v10 (2019)",),
    ),
    "guest-order": Note("Numbers that nobody converts are in the guest's own byte order."),
    "padding-kept": Note("Padding of a structure says nothing, whatever is in it."),
    "unchecked": Note("Nobody looked: old traces may have this, and a reader must live with it."),
    "length-counts-entries": Note(
        "The length of a descriptor counted entries, not bytes.",
        ("free page hinting RFC v8 (2019)",),
    ),
    "length-counts-pages": Note(
        "The length of a descriptor counted pages of 4 KiB, not bytes.",
        ("balloon page chunks v11 (2017)",),
    ),
    "count-width": Note(
        "Written as 32 converted bits into a field of 64, read as 32: the count of a big-endian "
        "guest is in the other half.",
        ("free page hinting RFC v9 (2019)",),
    ),
    "not-looked-at": Note("The host read a fixed number of bytes, whatever the buffer's length."),
    "two-meanings": Note(
        "One field, `size`, counts entries in the request and bytes in an entry.",
        ("free page hinting RFC v10 (2019)",),
    ),
    "size-wraps": Note(
        "A size computed in 32 bits: 4 GiB becomes 0.", ("free page hinting RFC v10 (2019)",)
    ),
    "zero-ends": Note("Address 0 ends the list, so the page there can never be hinted."),
    "stale-tail": Note(
        "The buffer was sent whole and not cleared, so an earlier request's entries count again.",
        ("free page hinting RFC v11 (2019)",),
    ),
    "short-read": Note(
        "A buffer that ends early was not refused: what a variable held before was used.",
        ("free page hinting RFC v11 (2019)",),
    ),
    "order-in-address": Note(
        "The low 8 bits of an address are an order; nobody looked at 8 to 11."
    ),
    "length-rounding": Note(
        "The bitmap was rounded up to longs here and down to bytes there.",
        ("balloon page bitmap v1 to v3 (2016)",),
    ),
    "bit-fields": Note(
        "C bit fields, which compilers for the two byte orders lay out from opposite ends.",
        ("balloon page bitmap v5 and v6 (2016)",),
    ),
    "exactly-4096": Note(
        "The driver compared with > where >= was meant, so that 4096 overflowed into the PFN.",
        ("balloon page ranges v6 (2016)",),
    ),
}
