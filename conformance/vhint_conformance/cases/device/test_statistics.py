"""The statistics queue: the device holds a buffer and uses it when the host wants figures."""

from __future__ import annotations

from collections.abc import Sequence

from vhint.guest import Draft, requests
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.raw import spend_id

STATS_ALIVE = "balloon.device.stats-alive-after-reset"
NEEDS = [Feature.STATS_VQ]
POLLS = [Capability.POLLS_STATISTICS]
READS = [Capability.POLLS_STATISTICS, Capability.READS_STATISTICS]

FREE, TOTAL = StatisticTag.MEMFREE, StatisticTag.MEMTOT
KNOWN = range(10)
"""The tags that every host has known for long."""

FIGURES = (Statistic(FREE, 123 << 20), Statistic(TOTAL, 456 << 20))


def poll(bench: Bench, entries: Sequence[Statistic], requirement: str = STATS_ALIVE) -> int:
    """Answer one request of the host with these figures; return the used length."""
    bench.transport.settle()  # the device must have the buffer that it asks with
    bench.control.poll_statistics()
    answer = bench.answer(Queue.STATS, requirement)
    bench.send(requests.give_statistics(entries))
    bench.transport.settle()
    return answer.length


def understands(bench: Bench, entries: Sequence[Statistic], requirement: str) -> None:
    """Send these figures when the host asks; fail unless it has understood those that it knows."""
    bench.start()
    bench.send(requests.give_statistics(FIGURES))
    poll(bench, entries)
    expect(bench, requirement, {each.tag: each.value for each in entries if each.tag in KNOWN})


def expect(bench: Bench, requirement: str, figures: dict[int, int]) -> None:
    """Fail unless the host understood these figures."""
    found: dict[int, int] = {}

    def understood() -> bool:
        found.update(bench.control.statistics())
        return all(found.get(tag) == value for tag, value in figures.items())

    bench.require(
        bench.transport.wait(understood, bench.limits.patience),
        requirement,
        expected=f"the host to have {figures}",
        seen=str({tag: found.get(tag) for tag in figures}),
    )


@case(
    "balloon.device.stats-used-length-zero",
    "balloon.device.stats-alive-after-reset",
    id="balloon.stats-polled",
    features=NEEDS,
    capabilities=POLLS,
)
def test_polled(bench: Bench) -> None:
    """The buffer is used, with length 0, each time the host asks, before and after a reset."""
    for _ in range(2):
        bench.start()
        bench.send(requests.give_statistics(FIGURES))
        for _ in range(5):
            length = poll(bench, FIGURES)
            bench.require(
                length == 0,
                "balloon.device.stats-used-length-zero",
                expected="a used length of 0",
                seen=str(length),
            )
        bench.reset()


@case(
    "balloon.device.stats-entry-size",
    id="balloon.stats-values",
    features=NEEDS,
    capabilities=READS,
)
def test_values(bench: Bench) -> None:
    """The host reads entries of 10 bytes: a 16-bit tag and a 64-bit value, little-endian."""
    slug = "balloon.device.stats-entry-size"
    understands(bench, (Statistic(FREE, 0x0102030405060708), Statistic(TOTAL, (1 << 62) + 5)), slug)
    unsigned = (Statistic(FREE, 0xFEDCBA9876543210), Statistic(TOTAL, 1 << 63))
    poll(bench, unsigned)
    expect(bench, slug, {each.tag: each.value for each in unsigned})


@case(
    "balloon.device.stats-any-order",
    id="balloon.stats-any-order",
    features=NEEDS,
    capabilities=READS,
)
def test_any_order(bench: Bench) -> None:
    """Tags may come in any order."""
    entries = [Statistic(StatisticTag(tag), 1000 + tag) for tag in KNOWN]
    bench.rng.shuffle(entries)
    understands(bench, entries, "balloon.device.stats-any-order")


@case(
    "balloon.device.stats-ignore-unknown-tags",
    id="balloon.stats-unknown-tags",
    features=NEEDS,
    capabilities=READS,
)
def test_unknown_tags(bench: Bench) -> None:
    """Unknown tags are skipped, and what follows them is read."""
    # Other figures than those of the first buffer: what is left of that must not do.
    entries = (
        Statistic(0x7FFF, 1),
        Statistic(FREE, 321 << 20),
        Statistic(0xFFFF, 2),
        Statistic(TOTAL, 654 << 20),
    )
    understands(bench, entries, "balloon.device.stats-ignore-unknown-tags")
    # A driver knows more of them every year: what the device knows may come after any number.
    many = [Statistic(tag, tag) for tag in range(0x4000, 0x4000 + 200)]
    later = [Statistic(each.tag, each.value + 1) for each in entries if each.tag in KNOWN]
    alike = [Statistic(0x0100 | tag, 3) for tag in KNOWN]  # but for the upper byte
    poll(bench, [*many, *later, *alike])
    figures = {each.tag: each.value for each in later}
    expect(bench, "balloon.device.stats-ignore-unknown-tags", figures)


@case(
    "balloon.device.stats-accept-subset",
    id="balloon.stats-subset",
    features=NEEDS,
    capabilities=READS,
)
def test_subset(bench: Bench) -> None:
    """A buffer with one figure is as good as any."""
    understands(bench, [Statistic(FREE, 77 << 20)], "balloon.device.stats-accept-subset")


@case(
    "balloon.device.stats-no-stale-answer",
    id="balloon.stats-left-out",
    features=NEEDS,
    capabilities=READS,
)
def test_left_out(bench: Bench) -> None:
    """A figure that the newest buffer leaves out is not told as it was in the one before."""
    fresh = [Statistic(FREE, 77 << 20)]
    understands(bench, fresh, "balloon.device.stats-accept-subset")
    old = {each.tag: each.value for each in FIGURES}
    found = bench.control.statistics().get(TOTAL)
    bench.require(
        found != old[TOTAL],
        "balloon.device.stats-no-stale-answer",
        expected="no figure for what the newest buffer leaves out",
        seen=f"{found}, which the buffer before had",
    )


@case(
    "balloon.device.stats-partial-entry-ignored",
    id="balloon.stats-partial-entry",
    features=NEEDS,
    capabilities=POLLS,
)
def test_partial_entry(bench: Bench) -> None:
    """Bytes after the last whole entry are ignored and the buffer is used."""
    bench.start()
    draft = requests.give_statistics(FIGURES)
    bench.send(Draft(Queue.STATS, draft.readable + b"\1\2\3"))
    poll(bench, FIGURES, "balloon.device.stats-partial-entry-ignored")


@case(
    "balloon.device.stats-partial-entry-ignored",
    id="balloon.stats-partial-entry-understood",
    features=NEEDS,
    capabilities=[*POLLS, Capability.READS_STATISTICS],
)
def test_partial_entry_understood(bench: Bench) -> None:
    """The whole entries before an incomplete one count."""
    bench.start()
    bench.send(requests.give_statistics(FIGURES))
    bench.transport.settle()
    bench.control.poll_statistics()
    bench.answer(Queue.STATS, STATS_ALIVE)
    fresh = [Statistic(each.tag, each.value + 1) for each in FIGURES]
    draft = requests.give_statistics(fresh)
    bench.send(Draft(Queue.STATS, draft.readable + b"\1\2\3"))
    bench.transport.settle()
    expect(
        bench,
        "balloon.device.stats-partial-entry-ignored",
        {each.tag: each.value for each in fresh if each.tag in KNOWN},
    )


@case(
    "balloon.device.stats-bounded-work",
    id="balloon.stats-huge-buffer",
    features=NEEDS,
    capabilities=POLLS,
)
def test_huge_buffer(bench: Bench) -> None:
    """A buffer far larger than any set of figures is used all the same."""
    bench.start()
    bench.send(requests.give_statistics([FIGURES[0]] * 20_000))
    poll(bench, FIGURES, "balloon.device.stats-bounded-work")
    poll(bench, FIGURES, "balloon.device.stats-bounded-work")


@case(
    "balloon.device.stats-second-buffer-survived",
    id="balloon.stats-second-buffer",
    features=NEEDS,
    capabilities=POLLS,
)
def test_second_buffer(bench: Bench) -> None:
    """A second buffer, against the rules, neither stops the device nor loses a buffer."""
    bench.start()
    bench.send(requests.give_statistics(FIGURES))
    bench.send(requests.give_statistics(FIGURES))
    bench.transport.settle()
    slug = "balloon.device.stats-second-buffer-survived"
    back = 0
    for _ in range(3):
        bench.transport.settle()
        bench.control.poll_statistics()
        while bench.waits(Queue.STATS, 0.2):
            bench.answer(Queue.STATS, slug)
            back += 1
    alive = not bench.status() & DeviceStatus.NEEDS_RESET
    bench.require(
        back == 2 and alive,
        slug,
        expected="both buffers used in the end",
        seen=f"{back} used, status {bench.status()!r}",
    )


@case(
    "balloon.device.stats-alive-after-reset",
    "ring.device.use-only-available",
    id="balloon.stats-reset-while-held",
    features=NEEDS,
    capabilities=POLLS,
)
def test_reset_while_held(bench: Bench) -> None:
    """A buffer that is held over a reset is forgotten, and the protocol starts afresh."""
    bench.start()
    bench.send(requests.give_statistics(FIGURES))
    bench.transport.settle()
    bench.reset()
    ring = bench.start().rings[Queue.STATS]
    if ring.layout.size > 1:
        spend_id(ring, 0)  # so that the old buffer's id is nobody's now
    with bench.blaming(STATS_ALIVE, "only the buffer that was given after the reset to be used"):
        bench.send(requests.give_statistics(FIGURES))
        for _ in range(2):
            poll(bench, FIGURES)
