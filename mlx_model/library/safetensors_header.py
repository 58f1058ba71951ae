"""The header of a safetensors file: where its tensors lie, each size, offset and name checked before it is used.

Nothing is allocated on the word of a number: the header's length is compared with the file's, and read only up to
:data:`HEADER_BYTES`.
"""

import json
import math
from typing import Any, Final

from mlx_model.library.errors import Damaged
from mlx_model.library.tensor_entry import Headed, Sized, TensorEntry, checked_entry

HEADER_BYTES: Final = 16 << 20
"""The longest safetensors header that is read; those of the released models have 0.1 MB."""
_BYTES_PER_NUMBER: Final = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip


def safetensors_entries(source: Sized, start: bytes | None = None) -> Headed:
    """Read a safetensors header; ``start`` is the file's first 8 bytes, if they were read already.

    Raises:
        Damaged: the file is none, or its header does not agree with itself or with the file's size.
    """
    start = source.read(0, min(8, source.size)) if start is None else start
    if len(start) < 8:
        raise Damaged(f"{source.title} is not a safetensors or GGUF file")
    length = int.from_bytes(start, "little")
    if not 2 <= length <= min(HEADER_BYTES, source.size - 8):
        raise Damaged(f"{source.title} is not a safetensors or GGUF file, or it is cut short")
    text = source.read(8, 8 + length)
    if len(text) != length:
        raise Damaged(f"{source.title} is cut short")
    return _safetensors(source, start + text)


def _safetensors(source: Sized, header: bytes) -> Headed:
    try:
        values = json.loads(header[8:], object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{source.title} has a header that cannot be read; fetch or copy it again") from error
    if not isinstance(values, dict):
        raise Damaged(f"{source.title} has a header that is not a table")
    metadata = values.pop("__metadata__", None) or {}  # MLX writes null where there is nothing to say
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Damaged(f"{source.title} says unreadable things about itself")
    entries = [_entry(source, str(name), value, len(header)) for name, value in values.items()]
    at = len(header)
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.stop)):
        if entry.start != at:
            raise Damaged(f"{source.title} has tensors that overlap or leave holes, at {entry.name[:80]!r}")
        at = entry.stop
    if at != source.size:
        raise Damaged(f"{source.title} has {source.size} bytes, but its tensors end at {at}; fetch or copy it again")
    return Headed(entries, header, {str(name): value for name, value in metadata.items()})


def _entry(source: Sized, name: str, value: Any, base: int) -> TensorEntry:
    wrong = Damaged(f"{source.title} describes the tensor {name[:80]!r} in a way that makes no sense")
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise wrong
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or not isinstance(shape, list) or not isinstance(offsets, list):
        raise wrong
    if (
        len(shape) > 8
        or len(offsets) != 2
        or not all(type(number) is int and number >= 0 for number in [*shape, *offsets])
    ):
        raise wrong
    if dtype not in _BYTES_PER_NUMBER:
        raise Damaged(f"{source.title} holds {name[:80]!r} as {dtype[:20]!r}, a number format that is not known")
    entry = TensorEntry(name, dtype, tuple(shape), base + offsets[0], base + offsets[1])
    if entry.stop - entry.start != math.prod(shape) * _BYTES_PER_NUMBER[dtype]:
        raise wrong
    return checked_entry(entry, source)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands twice")
    return values
