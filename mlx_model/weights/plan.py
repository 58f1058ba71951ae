"""What a conversion will write, worked out from the names and shapes of its sources alone.

A :class:`Plan` has the whole of every file that comes out but its numbers: the header, and which rows of which source
tensor go where. Row by row is possible because quantization is per row, so nothing has to be joined in memory.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from mlx_model.library.errors import LibraryError
from mlx_model.library.tensor_entry import TensorEntry
from mlx_model.weights.config import ModelConfig, QuantizationConfig
from mlx_model.weights.gguf_blocks import STRAIGHT
from mlx_model.weights.layouts import Place
from mlx_model.weights.model_folder import misfits
from mlx_model.weights.number_formats import is_known
from mlx_model.weights.part_tensors import part_tensors
from mlx_model.weights.policy import Part, fills_groups, keeping, require_supported
from mlx_model.weights.source_layouts import Layout, recognise, with_twin

SIZES: Final = {"F32": 4, "F16": 2, "BF16": 2, "U32": 4}
"""Bytes of a number, by the types that our files hold."""
_PLAIN: Final = ("F32", "F16", "BF16")
_SCALES: Final = (".scale_weight", ".weight_scale")
_SCALES_BESIDE: Final = (".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8")


@dataclass(frozen=True)
class Storage:
    """How a tensor lies in our file: plain in ``dtype``, or packed, with scales and biases in ``dtype``.

    ``straight`` names the GGUF packing whose blocks are taken over as they are.
    """

    dtype: str
    packing: QuantizationConfig | None = None
    straight: str | None = None


@dataclass(frozen=True)
class Output:
    """A tensor of a file that is written; ``start`` counts from the file's first byte."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return math.prod(self.shape[1:]) * SIZES[self.dtype]

    @property
    def stop(self) -> int:
        """Where its bytes end."""
        return self.start + self.shape[0] * self.row_bytes


@dataclass(frozen=True)
class PlannedFile:
    """A file that is written: its first bytes, its tensors by name, its whole size."""

    name: str
    header: bytes
    outputs: Mapping[str, Output]
    size: int


@dataclass(frozen=True)
class Move:
    """``rows`` rows of a source tensor, from ``first`` on, go to the rows from ``at`` on."""

    first: int
    rows: int
    at: int


@dataclass(frozen=True)
class Step:
    """What is done with one source tensor: its rows go into the tensor ``target`` (and its scales and biases)."""

    target: str
    file: str
    storage: Storage
    moves: tuple[Move, ...]
    scale: TensorEntry | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the tensors that it writes into."""
        layer = self.target.removesuffix(".weight")
        return (self.target, f"{layer}.scales", f"{layer}.biases") if self.storage.packing else (self.target,)


@dataclass(frozen=True)
class Plan:
    """A whole conversion. Source tensors with no step are known and not needed."""

    part: Part
    layout: str
    files: tuple[PlannedFile, ...]
    steps: Mapping[str, Step] = field(repr=False)

    @cached_property
    def outputs(self) -> dict[str, Output]:
        """The tensors of all files by name."""
        return {name: output for file in self.files for name, output in file.outputs.items()}

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def plan(
    part: Part, entries: Sequence[TensorEntry], config: ModelConfig, quantization: QuantizationConfig | None
) -> Plan:
    """Plan the conversion of a part from the tensors of all its source files together.

    Raises:
        LibraryError: the sources hold something else, a tensor has no place, is missing or has a wrong shape (all of
            them are named), or the sources are fp8 and are to be quantized.
        RequestError: there is no such quantization.
    """
    require_supported(quantization)
    found = _by_name(entries)
    layout = recognise(found)
    if layout is None or part not in layout.parts:
        holds = f", but a {_words(layout.parts[0])} in the layout of {layout.name}" if layout else " that is known"
        raise LibraryError(f"the files hold no {_words(part)}{holds}; choose other files")
    files = part_tensors(part, config, entries)
    shapes = {name: shape for tensors in files.values() for name, shape in tensors.items()}
    places = with_twin(layout, layout.places(shapes, config), found)
    scales = _require_fit(part, layout, places, shapes, found)
    sources: dict[str, list[str]] = defaultdict(list)
    for name, place in places.items():
        sources[place.name].append(found[name].dtype)
    storage = {name: _storage(part, name, shape, sources[name], quantization) for name, shape in shapes.items()}
    file_of = {name: file for file, tensors in files.items() for name in tensors}
    steps = {
        source: Step(place.name, file_of[place.name], storage[place.name], _moves(place), scales.get(source))
        for source, place in places.items()
    }
    return Plan(part, layout.name, tuple(_file(file, tensors, storage) for file, tensors in files.items()), steps)


def _words(part: Part) -> str:
    return part.replace("_", " ")


def _by_name(entries: Iterable[TensorEntry]) -> dict[str, TensorEntry]:
    found: dict[str, TensorEntry] = {}
    for entry in entries:
        if entry.name in found:
            raise LibraryError(f"the files hold the tensor {entry.name} twice; choose those of one model")
        found[entry.name] = entry
    return found


def _require_fit(
    part: Part,
    layout: Layout,
    places: Mapping[str, Place],
    shapes: Mapping[str, tuple[int, ...]],
    found: Mapping[str, TensorEntry],
) -> dict[str, TensorEntry]:
    """Check that sources and places agree; return the fp8 scales by the name of their weight."""
    beside = None if part == "autoencoder" else layout.beside  # the encoder is of no use to a preview decoder only
    scales: dict[str, TensorEntry] = {}
    rest: dict[str, tuple[int, ...]] = {}
    wanted = {
        name: (sum(rows for _, rows in place.pieces), *shapes[place.name][1:]) for name, place in places.items()
    }
    for name, entry in found.items():
        suffix = next((suffix for suffix in _SCALES if name.endswith(suffix)), None)
        weight = f"{name.removesuffix(suffix)}.weight" if suffix else ""
        if suffix and weight in wanted and math.prod(entry.shape) == 1 and entry.dtype in _PLAIN:
            scales[weight] = entry
        elif name in wanted or not (name.endswith(_SCALES_BESIDE) or (beside and beside.search(name))):
            # a convolution of one pixel may be written as a matrix
            same = name in wanted and len(wanted[name]) == 4 and (*entry.shape, 1, 1) == wanted[name]
            rest[name] = wanted[name] if same else entry.shape
    if problems := misfits(wanted, rest):
        raise LibraryError(f"the files do not fit the model's {_words(part)} ({problems}); choose other files")
    for name in wanted:
        if not is_known(found[name].dtype, found[name].shape):
            raise LibraryError(
                f"{name} is held as {found[name].dtype}, which is no format of weights; choose other files"
            )
    return scales


def _moves(place: Place) -> tuple[Move, ...]:
    moves: list[Move] = []
    first = 0
    for at, rows in place.pieces:
        moves.append(Move(first, rows, at))
        first += rows
    return tuple(moves)


def _storage(
    part: Part, name: str, shape: tuple[int, ...], sources: Sequence[str], quantization: QuantizationConfig | None
) -> Storage:
    kept = keeping(part, name)
    if kept == "source":
        return Storage(sources[0] if len(set(sources)) == 1 and sources[0] in _PLAIN else "BF16")
    if kept == "bfloat16" or quantization is None:
        return Storage("BF16")
    if any(dtype.startswith("F8") for dtype in sources):
        raise LibraryError(
            f"{name} is fp8 in these files, too coarse to be quantized again; choose bf16, or files of more precision"
        )
    packing = STRAIGHT.get(sources[0])
    if packing and len(set(sources)) == 1 and packing.bits <= quantization.bits:
        return Storage("F16", packing, sources[0])
    return Storage("BF16", quantization if fills_groups(shape, quantization.group_size) else None)


def _file(name: str, tensors: Mapping[str, tuple[int, ...]], storage: Mapping[str, Storage]) -> PlannedFile:
    """Lay out a safetensors file: tensors in the order of the modules."""
    described: dict[str, tuple[str, tuple[int, ...]]] = {}
    for tensor, shape in tensors.items():
        stored = storage[tensor]
        if packing := stored.packing:
            layer, (rows, inputs) = tensor.removesuffix(".weight"), shape
            groups = (stored.dtype, (rows, inputs // packing.group_size))
            described[tensor] = ("U32", (rows, inputs * packing.bits // 32))
            described |= {f"{layer}.scales": groups, f"{layer}.biases": groups}
        else:
            described[tensor] = (stored.dtype, shape)
    at = 0
    table: dict[str, object] = {"__metadata__": {"format": "mlx"}}
    for tensor, (dtype, shape) in described.items():
        size = math.prod(shape) * SIZES[dtype]
        table[tensor] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    header = len(text).to_bytes(8, "little") + text
    outputs: dict[str, Output] = {}
    start = len(header)
    for tensor, (dtype, shape) in described.items():
        outputs[tensor] = Output(tensor, dtype, shape, start)
        start = outputs[tensor].stop
    return PlannedFile(name, header, outputs, start)
