"""Small released models for the hub of the tests: names and layouts of the real files, hardly any numbers in them.

The catalogue has two families that share their text encoders, autoencoder and tokenizers, at two bit widths each.
:func:`plain_convert` stands in for the converter: it copies tensors, and goes on where it stopped.
"""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlx_model.library.catalogue import CATALOGUE, Catalogue, ConvertedPart, load_catalogue
from mlx_model.library.progress import Control
from mlx_model.library.tensor_files import TensorFile
from mlx_model.weights.config import ModelConfig, QuantizationConfig
from tests.hub_server import HubServer

FFT, FILL, TEXT, VAE = "ali-vilab/ACE_Plus", "black-forest-labs/FLUX.1-Fill-dev", "comfyanonymous/text", "comfy/vae"
AGAIN, TOKENIZERS = "someone/fill-again", "google/tokenizers"
ADAPTER = "adapter_local"
SHARED = ("t5", "clip", "autoencoder", "tokenizer_t5", "tokenizer_clip")

Shapes = Mapping[str, tuple[int, ...]]

_BLOCKS = {f"single_blocks.{i}.{name}": (24, 512) for i in range(4) for name in ("linear1.weight", "linear2.weight")}
TRANSFORMER: Shapes = {"img_in.weight": (16, 448), **_BLOCKS, "single_blocks.0.modulation.lin.weight": (48, 64)}
FILL_TRANSFORMER: Shapes = {**TRANSFORMER, "img_in.weight": (16, 384)}
T5: Shapes = {
    "shared.weight": (16, 4096),
    **{f"encoder.block.{i}.layer.0.SelfAttention.q.weight": (2, 4096) for i in range(2)},
}
CLIP: Shapes = {"text_model.embeddings.token_embedding.weight": (8, 768)}
AUTOENCODER: Shapes = {
    "encoder.down.0.block.0.conv1.weight": (4, 3, 3, 3),
    "decoder.conv_in.weight": (16, 16, 3, 3),
}
LORA: Shapes = {"lora_unet_single_blocks_0_linear1.lora_down.weight": (16, 64)}


def safetensors(shapes: Shapes, seed: int, dtype: str = "BF16", size: int = 2) -> bytes:
    """Return a safetensors file with random numbers."""
    header, at = dict[str, Any](), 0
    for name, shape in shapes.items():
        count = size
        for side in shape:
            count *= side
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + count]}
        at += count
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + random.Random(seed).randbytes(at)  # noqa: S311


def tokenizer(kind: str, tokens: Sequence[str] = ("<pad>", "</s>", "<unk>"), added: Sequence[str] = ()) -> bytes:
    """Return a tokenizer.json with these tokens, and those added after them."""
    vocabulary = [[token, 0.0] for token in tokens] if kind == "Unigram" else _numbered(tokens)
    more = [{"id": len(tokens) + place, "content": token} for place, token in enumerate(added)]
    return json.dumps({"added_tokens": more, "model": {"type": kind, "vocab": vocabulary}}).encode()


def _numbered(tokens: Sequence[str]) -> dict[str, int]:
    return {token: place for place, token in enumerate(tokens)}


CLIP_TOKENS = ("a", "b", "<|startoftext|>", "<|endoftext|>")
CLIP_VOCABULARY = json.dumps(_numbered(CLIP_TOKENS)).encode()


RELEASED: Mapping[str, Mapping[str, bytes]] = {
    FFT: {
        "ace_plus_fft.safetensors": safetensors(TRANSFORMER, 1),
        "ace_plus_fft_fp8.safetensors": safetensors(TRANSFORMER, 2, "F8_E4M3", 1),
        "local/comfyui_local_lora16.safetensors": safetensors(LORA, 3),
    },
    FILL: {"flux1-fill-dev.safetensors": safetensors(FILL_TRANSFORMER, 4)},
    AGAIN: {"fill.safetensors": safetensors(FILL_TRANSFORMER, 4)},
    TEXT: {"t5xxl_fp16.safetensors": safetensors(T5, 5, "F16"), "clip_l.safetensors": safetensors(CLIP, 6, "F16")},
    VAE: {"vae/ae.safetensors": safetensors(AUTOENCODER, 7, "F32", 4)},
    TOKENIZERS: {
        "t5.tokenizer.json": tokenizer("Unigram"),
        "vocab.json": CLIP_VOCABULARY,
        "merges.txt": b"#version\n",
    },
}


def sha256(data: bytes) -> str:
    """Return the digest of some bytes."""
    return hashlib.sha256(data).hexdigest()


def publish(server: HubServer, *, without: Sequence[str] = ()) -> None:
    """Put the released repositories on a hub; FLUX.1 Fill's is gated."""
    for name, files in RELEASED.items():
        if name not in without:
            server.add(name, files, gated=name == FILL)


def catalogue_values() -> dict[str, Any]:
    """Return the values of the small catalogue, as its JSON has them."""
    real = json.loads(CATALOGUE.read_text(encoding="utf-8"))

    def alternative(
        name: str, repository: str, files: dict[str, str | None], layout: str, **more: Any
    ) -> dict[str, Any]:
        listed = [
            {"path": path, "size": len(RELEASED[repository][path]), **({"target": target} if target else {})}
            for path, target in files.items()
        ]
        described = {"name": name, "repository": repository, "layout": layout, "licence": "mit", "about": "a test's"}
        return {**described, "files": listed, **more}

    def part(converter: str | None, *alternatives: dict[str, Any]) -> dict[str, Any]:
        return {"title": converter or "files", "converter": converter, "alternatives": list(alternatives)}

    digest = sha256(RELEASED[VAE]["vae/ae.safetensors"])
    vae = alternative("comfy", VAE, {"vae/ae.safetensors": "autoencoder.safetensors"}, "original")
    vae["files"][0]["sha256"] = digest
    parts = {
        "fft_transformer": part(
            "transformer",
            alternative("official", FFT, {"ace_plus_fft.safetensors": None}, "original"),
            alternative(
                "fp8", FFT, {"ace_plus_fft_fp8.safetensors": None}, "fp8", widths=["bf16"], only_if_chosen=True
            ),
        ),
        "fill_transformer": part(
            "transformer",
            alternative("official", FILL, {"flux1-fill-dev.safetensors": None}, "original", gated=True),
            alternative("again", AGAIN, {"fill.safetensors": None}, "original"),
        ),
        ADAPTER: part(
            None,
            alternative(
                "official", FFT, {"local/comfyui_local_lora16.safetensors": "adapters/local.safetensors"}, "kohya"
            ),
        ),
        "t5": part("t5", alternative("text", TEXT, {"t5xxl_fp16.safetensors": None}, "transformers")),
        "clip": part("clip", alternative("text", TEXT, {"clip_l.safetensors": "clip.safetensors"}, "transformers")),
        "autoencoder": part("autoencoder", vae),
        "tokenizer_t5": part(
            None, alternative("google", TOKENIZERS, {"t5.tokenizer.json": "tokenizer_t5/tokenizer.json"}, "tokenizer")
        ),
        "tokenizer_clip": part(
            None,
            alternative(
                "google",
                TOKENIZERS,
                {"vocab.json": "tokenizer_clip/vocab.json", "merges.txt": "tokenizer_clip/merges.txt"},
                "tokenizer",
            ),
        ),
    }
    fft, fill = real["families"]["ace-plus-fft"], real["families"]["ace-plus-fill"]
    for family in (fft, fill):
        family["config"]["t5"]["vocab_size"] = 32
        family["config"]["clip"] |= {"vocab_size": len(CLIP_TOKENS), "eos_token_id": len(CLIP_TOKENS) - 1}
    widths = {name: dict(real["widths"][name]) for name in ("4bit", "8bit", "bf16")}
    for width in widths.values():
        width |= {"transformer_bytes": 100_000, "t5_bytes": 200_000}
    widths["8bit"]["t5_quantization"] = widths["4bit"]["t5_quantization"]
    names = ["4bit", "8bit", "bf16"]
    return {
        **real,
        "widths": widths,
        "parts": parts,
        "families": {
            "small-fft": {**fft, "parts": ["fft_transformer", *SHARED], "widths": names},
            "small-fill": {**fill, "parts": ["fill_transformer", ADAPTER, *SHARED], "widths": names},
        },
    }


def write_catalogue(path: Path, values: Mapping[str, Any] | None = None) -> Catalogue:
    """Write a catalogue, the small one unless other values are given, and read it."""
    path.write_text(json.dumps(catalogue_values() if values is None else values), encoding="utf-8")
    return load_catalogue(path)


@dataclass(frozen=True)
class PlainFile:
    """A file that was written."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PlainSource:
    """A source that was read."""

    header_sha256: str
    sha256: str | None


@dataclass(frozen=True)
class PlainConversion:
    """What came of it."""

    files: tuple[PlainFile, ...]
    sources: tuple[PlainSource, ...]
    digests_checked: bool


def plain_convert(
    part: ConvertedPart,
    files: Sequence[TensorFile],
    folder: Path,
    config: ModelConfig,  # noqa: ARG001
    quantization: QuantizationConfig | None,  # noqa: ARG001
    *,
    control: Control | None = None,
    report: Callable[[int, int], None] | None = None,
) -> PlainConversion:
    """Copy the tensors of one source into the part's files; done tensors are not read again after a kill."""
    (source,) = files
    control = control or Control()
    work = folder / f"{part}.work"
    work.mkdir(exist_ok=True)
    done = len(list(work.glob("*.tensor")))
    way = source.tensors(done)
    for index, (entry, data) in enumerate(way, done):
        control.checkpoint()
        (work / "new").write_bytes(data)
        (work / "new").rename(work / f"{index:04}.tensor")
        if report is not None:
            report(entry.stop, source.source.size)
    checked = way.check()
    outputs: dict[str, dict[str, tuple[Any, bytes]]] = {f"{part}.safetensors": {}}
    if part == "transformer":
        outputs["modulation.safetensors"] = {}
    for index, entry in enumerate(source.entries):
        is_modulation = any(word in entry.name for word in ("modulation", "_mod.lin"))
        name = "modulation.safetensors" if is_modulation else f"{part}.safetensors"
        outputs[name][entry.name] = (entry, (work / f"{index:04}.tensor").read_bytes())
    written = tuple(write_tensors(folder / name, tensors) for name, tensors in outputs.items())
    for path in work.iterdir():
        path.unlink()
    work.rmdir()
    return PlainConversion(written, (PlainSource(source.header_sha256, way.sha256),), checked)


def write_tensors(path: Path, tensors: Mapping[str, tuple[Any, bytes]]) -> PlainFile:
    """Write tensors, each an entry of another file and its bytes, as a safetensors file."""
    header, at, body = dict[str, Any](), 0, b""
    for name, (entry, data) in tensors.items():
        header[name] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        body += data
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text + body
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)
    return PlainFile(path.name, len(content), sha256(content))
