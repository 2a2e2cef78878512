"""Requests as bytes, from `struct` alone."""

from __future__ import annotations

import struct


def hint(*blocks: tuple[int, int], cookie: int = 1) -> bytes:
    body = b"".join(struct.pack("<QII", *block, 0) for block in blocks)
    return struct.pack("<HHIQ", 1, 0, len(blocks), cookie) + body


def entries(first: int, count: int) -> list[tuple[int, int]]:
    """So many single pages, every other one."""
    return [(first + 2 * index, 0) for index in range(count)]


def pfns(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def command(value: int) -> bytes:
    return struct.pack("<I", value)
