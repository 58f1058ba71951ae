"""The header of a GGUF file (versions 2 and 3, little-endian): where its tensors lie and how they are packed.

Layout as in the format's public specification: counts, then metadata (skipped here but for the alignment), then one
record per tensor, then padding up to the data. Nothing is allocated on the word of a count: every value is read from
bytes that are there, and at most :data:`HEADER_BYTES` of them.
"""

import math
import struct
from itertools import pairwise
from typing import Final

from mlx_model.library.errors import Damaged
from mlx_model.library.tensor_entry import Headed, Sized, TensorEntry, checked_entry

HEADER_BYTES: Final = 16 << 20
"""The longest header that is read; T5's with its vocabulary has 2 MB."""
_CHUNK: Final = 1 << 20
_PACKINGS: Final = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 20: ("IQ4_NL", 32, 18), 23: ("IQ4_XS", 256, 136),
    28: ("F64", 1, 8), 30: ("BF16", 1, 2),
}  # fmt: skip
"""By number: name, numbers in a block, bytes of a block."""
_SCALARS: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a metadata value by its type; 8 is a string, 9 an array."""
_STRING, _ARRAY, _UINT32 = 8, 9, 4


class _Cursor:
    """Reads a file's beginning step by step."""

    def __init__(self, source: Sized) -> None:
        self.data = bytearray()
        self.at = 0
        self._source = source
        self._limit = min(source.size, HEADER_BYTES)

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > self._limit:
            raise Damaged(f"{self._source.title} has a header that goes beyond its end; fetch or copy it again")
        while len(self.data) < end:
            have = len(self.data)
            more = self._source.read(have, min(self._limit, max(end, have + _CHUNK)))
            if not more:
                raise Damaged(f"{self._source.title} is cut short")
            self.data += more
        taken = bytes(self.data[self.at : end])
        self.at = end
        return taken

    def number(self, format_: str) -> int:
        return int(struct.unpack("<" + format_, self.take(struct.calcsize(format_)))[0])

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")


def gguf_entries(source: Sized) -> Headed:
    """Read a GGUF header; shapes are rows first, as everywhere here.

    Raises:
        Damaged: the header does not agree with itself or with the file's size, or is of an unknown version.
    """
    cursor = _Cursor(source)
    cursor.take(4)
    version = cursor.number("I")
    if version not in (2, 3):
        raise Damaged(f"{source.title} is a GGUF file of version {version}, which cannot be read")
    tensors, values = cursor.number("Q"), cursor.number("Q")
    alignment = 32
    for _ in range(values):
        name, kind = cursor.text(), cursor.number("I")
        if name == "general.alignment" and kind == _UINT32:
            alignment = cursor.number("I")
        else:
            _skip(cursor, kind, source)
    if alignment not in (1 << power for power in range(3, 17)):
        raise Damaged(f"{source.title} has an alignment that makes no sense")
    records = [_record(cursor, source) for _ in range(tensors)]
    if len({name for name, _, _, _ in records}) != len(records):
        raise Damaged(f"{source.title} has two tensors of one name")
    start = -(-cursor.at // alignment) * alignment
    if records:
        cursor.take(start - cursor.at)
    entries = sorted((_place(record, start, alignment, source) for record in records), key=lambda entry: entry.start)
    for before, after in pairwise(entries):
        if after.start < before.stop:
            raise Damaged(f"{source.title} has tensors that overlap, at {after.name[:80]!r}")
    return Headed(entries, bytes(cursor.data[: cursor.at]), {})


def _skip(cursor: _Cursor, kind: int, source: Sized) -> None:
    if kind == _STRING:
        cursor.take(cursor.number("Q"))
    elif kind == _ARRAY:
        inner, count = cursor.number("I"), cursor.number("Q")
        if inner in _SCALARS:
            cursor.take(_SCALARS[inner] * count)
        elif inner == _STRING:
            for _ in range(count):
                cursor.take(cursor.number("Q"))
        else:
            raise Damaged(f"{source.title} has metadata of an unknown kind")
    elif kind in _SCALARS:
        cursor.take(_SCALARS[kind])
    else:
        raise Damaged(f"{source.title} has metadata of an unknown kind")


def _record(cursor: _Cursor, source: Sized) -> tuple[str, tuple[int, ...], int, int]:
    name, rank = cursor.text(), cursor.number("I")
    if rank > 4:
        raise Damaged(f"{source.title} describes the tensor {name[:80]!r} in a way that makes no sense")
    shape = tuple(cursor.number("Q") for _ in range(rank))[::-1]  # GGUF writes the columns first
    return name, shape, cursor.number("I"), cursor.number("Q")


def _place(record: tuple[str, tuple[int, ...], int, int], base: int, alignment: int, source: Sized) -> TensorEntry:
    name, shape, packing, offset = record
    if packing not in _PACKINGS:
        raise Damaged(f"{source.title} packs the tensor {name[:80]!r} in a way that this program does not know")
    dtype, numbers, size = _PACKINGS[packing]
    if (shape[-1] if shape else 1) % numbers or offset % alignment:
        raise Damaged(f"{source.title} describes the tensor {name[:80]!r} in a way that makes no sense")
    start = base + offset
    stop = start + math.prod(shape) // numbers * size
    return checked_entry(TensorEntry(name, dtype, shape, start, stop), source)
