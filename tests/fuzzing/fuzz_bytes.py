"""Files spoilt at random, byte by byte and by what their formats call sizes; the same for the same generator."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np

Random = np.random.Generator
Mutation = Callable[[Random, bytes], bytes]

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 9999, 100_000)
HEAD = 96  # bytes in which most formats say what they are


def mutate_bytes(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """A file after one to three mutations.

    Args:
        random: decides which.
        data: the file.
        others: files that a piece may be taken from.
    """
    for _ in range(int(random.integers(1, 4))):
        mutations: list[Mutation] = [flip, flip, put_extreme, put_extreme, cut, insert, overwrite, swap, repeat]
        if others:
            other = others[int(random.integers(len(others)))]
            mutations += [lambda random, data, other=other: splice(random, data, other)]
        data = mutations[int(random.integers(len(mutations)))](random, data)
    return data


def _place(random: Random, data: bytes) -> int:
    """A place within a file, one time in two among its first bytes."""
    end = min(len(data), HEAD) if random.random() < 0.5 else len(data)
    return int(random.integers(end)) if end else 0


def flip(random: Random, data: bytes) -> bytes:
    """Bits of one to eight bytes."""
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 9))):
        if changed:
            changed[_place(random, data)] ^= 1 << int(random.integers(8))
    return bytes(changed)


def put_extreme(random: Random, data: bytes) -> bytes:
    """A number of one, two, four or eight bytes where any may have been."""
    form = str(random.choice(["B", "<H", ">H", "<I", ">I", "<Q", ">Q"]))
    number = EXTREMES[int(random.integers(len(EXTREMES)))] & (256 ** struct.calcsize(form) - 1)
    start = _place(random, data)
    piece = struct.pack(form, number)
    return data[:start] + piece + data[start + len(piece) :]


def cut(random: Random, data: bytes) -> bytes:
    """Broken off, or without a piece."""
    start = _place(random, data)
    end = len(data) if random.random() < 0.6 else start + int(random.integers(1, 200))
    return data[:start] + data[end:]


def insert(random: Random, data: bytes) -> bytes:
    """Some bytes more."""
    start = _place(random, data)
    return data[:start] + random.bytes(int(random.integers(1, 300))) + data[start:]


def overwrite(random: Random, data: bytes) -> bytes:
    """Zeros, ones or noise over a piece."""
    start, length = _place(random, data), int(random.integers(1, 64))
    piece = [bytes(length), b"\xff" * length, random.bytes(length)][int(random.integers(3))]
    return data[:start] + piece + data[start + length :]


def swap(random: Random, data: bytes) -> bytes:
    """Two neighbouring blocks, exchanged."""
    places = sorted(int(random.integers(len(data) + 1)) for _ in range(3))
    return data[: places[0]] + data[places[1] : places[2]] + data[places[0] : places[1]] + data[places[2] :]


def repeat(random: Random, data: bytes) -> bytes:
    """A block, up to fifty times."""
    start = _place(random, data)
    block = data[start : start + int(random.integers(1, 120))]
    return data[:start] + block * int(random.integers(2, 50)) + data[start + len(block) :]


def splice(random: Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: _place(random, data)] + other[_place(random, other) :]


def claim_size(random: Random, data: bytes) -> bytes:
    """An image file that claims other sides than it has: one pixel more, or more than memory holds."""
    sides = [_side(random), _side(random)]
    changed = bytearray(data)
    if data.startswith(b"\x89PNG"):
        changed[16:24] = struct.pack(">II", *sides)
        changed[29:33] = struct.pack(">I", zlib.crc32(changed[12:29]))
    elif data.startswith(b"\xff\xd8"):
        if frame := re.search(rb"\xff[\xc0-\xc2]\x00", data):
            changed[frame.start() + 5 : frame.start() + 9] = struct.pack(">HH", *(side & 0xFFFF for side in sides))
    elif data.startswith(b"GIF8"):
        changed[6:10] = struct.pack("<HH", *(side & 0xFFFF for side in sides))
    elif data.startswith(b"BM"):
        changed[18:26] = struct.pack("<II", *sides)
    elif data.startswith(b"RIFF"):
        changed[24:30] = struct.pack("<IH", sides[0], sides[1] & 0xFFFF)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        _claim_in_tiff(changed, sides)
    elif (place := data.find(b"ispe")) >= 0:
        changed[place + 8 : place + 16] = struct.pack(">II", *sides)
    return bytes(changed)


def _side(random: Random) -> int:
    sides = (0, 1, 2, 47, 49, 1000, 5000, 16_383, 20_000, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
    return sides[int(random.integers(len(sides)))]


def _claim_in_tiff(data: bytearray, sides: Sequence[int]) -> None:
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from(f"{order}H", data, start)[0], 12):
        tag = struct.unpack_from(f"{order}H", data, entry)[0]
        if tag in (256, 257):
            struct.pack_into(f"{order}HII", data, entry + 2, 4, 1, sides[tag - 256])


def change_chunks(random: Random, data: bytes) -> bytes:
    """A PNG with a chunk left out, doubled, moved or spoilt, whose checksums are right."""
    chunks, place = [], 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    if not data.startswith(b"\x89PNG") or not chunks:
        return flip(random, data)
    at, action = int(random.integers(len(chunks))), int(random.integers(4))
    kind, body = chunks[at]
    if action == 0:
        del chunks[at]
    elif action == 1:
        chunks.insert(int(random.integers(len(chunks) + 1)), (kind, body))
    elif action == 2:
        chunks.insert(int(random.integers(len(chunks))), chunks.pop(at))
    else:
        chunks[at] = (kind, mutate_bytes(random, body) if body else random.bytes(20))
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
