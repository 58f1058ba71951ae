"""Files in released layouts, written for tests: safetensors of any number format, and GGUF by the gguf package."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from mlx_model.library.conversion import JOURNAL
from mlx_model.library.tensor_entry import TensorEntry
from mlx_model.library.tensor_files import LocalSource, TensorFile
from mlx_model.runtime import mx
from mlx_model.weights.config import (
    AutoencoderConfig,
    ClipConfig,
    ModelConfig,
    QuantizationConfig,
    T5Config,
    TransformerConfig,
)
from mlx_model.weights.convert import Converted
from tests.known_answers import CHECKPOINTS, GOLDEN, golden_config
from tests.mlx_model.tiny_model import tiny_config

Numbers = npt.NDArray[Any]
FOUR_BITS = QuantizationConfig(group_size=32, bits=4)
FULL_SIZE = replace(
    tiny_config(),
    transformer=TransformerConfig(
        448, 64, 3072, 24, (16, 56, 56), 10000.0, 768, 4096, 4.0, qkv_bias=True, depth=19, depth_single_blocks=38,
        guidance_embed=True,
    ),
    t5=T5Config(4096, 64, 10240, 24, 64, 32, 128, 32128, 1e-6),
    clip=ClipConfig(768, 3072, 12, 12, 49408, 77, 1e-5, "quick_gelu", 49407),
    autoencoder=AutoencoderConfig("full", 256, 3, 128, 3, (1, 2, 4, 4), 2, 16),
)  # fmt: skip
"""ACE++ FFT as released."""
_DTYPES = {mx.float32: "F32", mx.float16: "F16", mx.bfloat16: "BF16"}


def golden_model(in_channels: int = 448) -> ModelConfig:
    """Describe the golden transformers (tests/golden) as a model."""
    return replace(tiny_config(), transformer=golden_config(in_channels))


def opened(path: Path, sha256: str | None = None) -> TensorFile:
    """Open a file near."""
    return TensorFile(LocalSource(path, sha256))


def save(path: Path, tensors: Mapping[str, mx.array]) -> TensorFile:
    """Write a safetensors file and open it."""
    mx.save_safetensors(str(path), dict(tensors))
    return opened(path)


def save_raw(path: Path, tensors: Mapping[str, tuple[str, tuple[int, ...], bytes]]) -> TensorFile:
    """Write a safetensors file of (format, shape, bytes), in the order given, and open it."""
    header: dict[str, Any] = {}
    at = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data for _, _, data in tensors.values()))
    return opened(path)


def save_gguf(path: Path, tensors: Mapping[str, mx.array], packing: str) -> TensorFile:
    """Write a GGUF file as others do: matrices that fill whole blocks packed, all else in float32."""
    kind = gguf.GGMLQuantizationType[packing]
    block = gguf.GGML_QUANT_SIZES[kind][0]
    arrays = {name: np.array(tensor.astype(mx.float32)) for name, tensor in tensors.items()}
    return save_blocks(
        path,
        {
            name: gguf.quantize(array, kind) if array.ndim == 2 and array.shape[1] % block == 0 else array
            for name, array in arrays.items()
        },
        packing,
    )


def save_blocks(path: Path, tensors: Mapping[str, Numbers], packing: str) -> TensorFile:
    """Write a GGUF file of rows of blocks (uint8), and float32 numbers, with the gguf package."""
    writer = gguf.GGUFWriter(path, "flux")
    kind = gguf.GGMLQuantizationType[packing]
    for name, array in tensors.items():
        writer.add_tensor(name, array, raw_dtype=kind if array.dtype == np.uint8 else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return opened(path)


def entries_of(shapes: Mapping[str, tuple[int, ...]], dtype: str = "BF16") -> list[TensorEntry]:
    """Describe tensors that lie one behind the other, without a file."""
    entries: list[TensorEntry] = []
    at = 0
    for name, shape in shapes.items():
        stop = at + 2 * math.prod(shape)
        entries.append(TensorEntry(name, dtype, tuple(shape), at, stop))
        at = stop
    return entries


def released(checkpoint: str) -> list[TensorEntry]:
    """Describe a released file from its list of names and shapes."""
    return entries_of(json.loads((CHECKPOINTS / f"{checkpoint}.json").read_text()))


def golden_weights(name: str, prefix: str = "") -> dict[str, mx.array]:
    """Read golden weights, those of a common file by their prefix."""
    file = mx.load(str(GOLDEN / f"{name}.safetensors"))
    assert isinstance(file, dict)
    return {key.removeprefix(prefix): tensor for key, tensor in file.items() if key.startswith(prefix)}


def shards(folder: Path, tensors: Mapping[str, mx.array], count: int = 3) -> list[TensorFile]:
    """Deal tensors out to files, so that the pieces of a fused layer lie in several."""
    names = list(tensors)
    return [
        save(folder / f"model-{i + 1:05}-of-{count:05}.safetensors", {n: tensors[n] for n in names[i::count]})
        for i in range(count)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder but the journals."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.endswith(JOURNAL)}


def require_described(converted: Converted, folder: Path) -> None:
    """Assert that what is said of the files is true, and that nothing else lies there but the journal."""
    assert {file.name for file in converted.files} == set(contents(folder))
    for file in converted.files:
        data = (folder / file.name).read_bytes()
        assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        opened(folder / file.name)  # strict: no holes, no overlaps
