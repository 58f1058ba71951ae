"""Find released files on this machine: in a hub's cache, a ComfyUI or Draw Things folder, a disk, a single file.

A file is known by the names and shapes of its tensors, not by its own name, so it does not matter who put it where.
Only headers are read, and tokenizers whole; where several kept files fit, those of a known size are hashed too.
Of adapters, nothing but the file name says which of the three they are.
"""

import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from mlx_model.library.catalogue import (
    Alternative,
    Catalogue,
    CatalogueFile,
    CatalogueModel,
    CataloguePart,
    ConvertedPart,
    FamilyConfig,
    Layout,
    config_of,
    models_of,
    quantization_of,
)
from mlx_model.library.conversion import Misfit
from mlx_model.library.errors import LibraryError
from mlx_model.library.supply import LocalFile, Supply
from mlx_model.library.tensor_entry import TensorEntry
from mlx_model.library.tensor_files import LocalSource, TensorFile
from mlx_model.places import exists, is_file, is_of_the_finder, reason
from mlx_model.weights.config import AutoencoderConfig

_SHARD: Final = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.safetensors")
_PICKLES: Final = (".ckpt", ".pt", ".pth", ".bin")
_DRAW_THINGS: Final = b"SQLite format 3\0"
_SKIPPED_FOLDERS: Final = frozenset(
    {".locks", "blobs", ".git", "__pycache__", "node_modules", ".Trash", ".Trashes", "$RECYCLE.BIN"}
)
_FULL: Final = frozenset({"BF16", "F16", "F32", "F64"})
_TOKENIZER_BYTES: Final = 64 << 20
_T5_SPARE: Final = 100
"""T5's table is longer than its vocabulary by less than this, beside the tokens that a model adds."""
_LORA_PREFIX: Final = r"(?:base_model\.model\.|transformer\.|diffusion_model\.|lora_unet_|lora_transformer_)*"
_FLUX_BLOCK: Final = re.compile(_LORA_PREFIX + r"(?:(?:double|single)_blocks|single_transformer_blocks)[._]\d+[._].+")
_FLUX_LAYER: Final = re.compile(
    _LORA_PREFIX + r"(?:(?:double_blocks|single_blocks|transformer_blocks|single_transformer_blocks)[._]\d+[._]"
    r"|(?:img|txt|time|vector|guidance)_in[._]|final_layer[._]|x_embedder[._]|context_embedder[._]"
    r"|time_text_embed[._]|norm_out[._]|proj_out[._]).+"
)
_TEXT_ENCODER_LORA: Final = re.compile(r"(?:base_model\.model\.)?(?:lora_te|text_encoder)")

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """How a part is known in a layout: it has ``marker``, and ``tensor`` has so many inputs (its second axis)."""

    converter: ConvertedPart
    layout: Layout
    marker: str
    tensor: str
    inputs: int


@dataclass(frozen=True)
class Found:
    """Released files that make up one part: all shards, in order. ``precision`` is that of most of their bytes."""

    part: str
    layout: Layout
    precision: str
    files: tuple[LocalFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Search:
    """What a search found, and what it passed over, with the reason in words."""

    found: tuple[Found, ...]
    passed_over: tuple[tuple[Path, str], ...]


def search(path: Path, catalogue: Catalogue, family_name: str) -> Search:
    """Look through a file or folder for the parts of a family.

    Raises:
        LibraryError: there is nothing at that path.
    """
    if not exists(path):
        raise LibraryError(f"there is nothing at {path}; give the file or folder that holds the released files")
    family = catalogue.families[family_name]
    by_name = {part: catalogue.parts[part] for part in family.parts}
    found: list[Found] = []
    passed_over: list[tuple[Path, str]] = []
    shards: dict[tuple[Path, str, int], dict[int, Path]] = defaultdict(dict)
    for file in _files(path, passed_over):
        kind = file.suffix.lower()
        if kind in _PICKLES:
            passed_over.append((file, _why_not(file)))
        elif file.suffix == ".json" or file.name == "merges.txt":
            _take_tokenizer(file, by_name, family.config, found, passed_over)
        elif shard := _SHARD.fullmatch(file.name):
            shards[file.parent, shard[1], int(shard[3])][int(shard[2])] = file
        elif kind in (".safetensors", ".gguf"):
            _take([file], by_name, family.config, found, passed_over)
    for (_, _, count), numbered in shards.items():
        if set(numbered) == set(range(1, count + 1)):
            _take([numbered[number] for number in sorted(numbered)], by_name, family.config, found, passed_over)
        else:
            first = next(iter(numbered.values()))
            passed_over.append((first, f"is one of {count} shards, of which {count - len(numbered)} are missing"))
    return Search(tuple(found), tuple(passed_over))


def without_misfits(found: Search, catalogue: Catalogue, family_name: str, misfit: Misfit) -> Search:
    """Pass over what lacks a tensor, has one too many or one of another shape than the family's model."""
    model = next(model for model in models_of(catalogue) if model.family_name == family_name)
    config = config_of(catalogue, model, "")
    fitting: list[Found] = []
    passed_over = list(found.passed_over)
    for one in found.found:
        paths = [file.path for file in one.files]
        why = None if one.layout == "tokenizer" else misfit(catalogue.parts[one.part].converter, paths, config)
        if why is None:
            fitting.append(one)
        else:
            passed_over.append((paths[0], f"cannot be used: {why}"))
    return Search(tuple(fitting), tuple(passed_over))


def supplies_from(catalogue: Catalogue, model: CatalogueModel, found: Sequence[Found]) -> dict[str, Supply]:
    """Choose what to make each part of: full precision first, never 8-bit floats to quantize them again.

    Of files that are kept as they are, those of a digest or a name that the catalogue has come first.
    """
    supplies: dict[str, Supply] = {}
    for part in model.family.parts:
        quantization = quantization_of(catalogue.parts[part], model.width)
        usable = [one for one in found if one.part == part and (one.layout != "fp8" or quantization is None)]
        usable = [one for one in usable if catalogue.parts[part].converter or one.layout in ("kohya", "tokenizer")]
        if usable:
            best = usable[0] if len(usable) == 1 else min(usable, key=partial(_rank, catalogue.parts[part]))
            alternative = _alternative(catalogue.parts[part], best)
            files = tuple(zip(alternative.files, best.files, strict=True))
            supplies[part] = Supply(part, alternative, files, catalogue.parts[part].converter, quantization)
    return supplies


def missing_parts(catalogue: Catalogue, model: CatalogueModel, supplies: Mapping[str, Supply]) -> list[str]:
    """Say in words which parts are missing and where to get them."""
    return [
        f"{catalogue.parts[part].title}: {preferred.files[0].path} of {preferred.repository}"
        for part in model.family.parts
        if part not in supplies
        for preferred in catalogue.parts[part].alternatives[:1]
    ]


def _files(path: Path, passed_over: list[tuple[Path, str]]) -> Iterator[Path]:
    """Go through a folder and the folders that it links to, each once; one that is closed to us is passed over."""
    if is_file(path):
        yield path
        return

    def is_closed(error: OSError) -> None:
        why = f"cannot be looked into ({reason(error)}); allow it, on a Mac in Privacy & Security, and start again"
        passed_over.append((Path(error.filename), why))

    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(path, onerror=is_closed, followlinks=True):
        try:
            place = Path(folder).stat()
        except OSError as error:  # the disk was taken away
            is_closed(error)
            continue
        if (place.st_dev, place.st_ino) in seen:
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        paths = [Path(folder) / name for name in sorted(names)]
        yield from (path for path in paths if not is_of_the_finder(path) and is_file(path))


def _take(
    files: Sequence[Path],
    parts: Mapping[str, CataloguePart],
    config: FamilyConfig,
    found: list[Found],
    passed_over: list[tuple[Path, str]],
) -> None:
    """Recognise the tensors of a file or of the shards of one."""
    try:
        entries = [entry for file in files for entry in TensorFile(LocalSource(file)).entries]
    except LibraryError as error:
        passed_over.append((files[0], str(error).removeprefix(f"{files[0]} ")))
        return
    shapes = {entry.name.removeprefix("model.diffusion_model."): entry.shape for entry in entries}
    part, layout, problem = _recognised(shapes, files[0], parts, config)
    if part is None:
        if problem is not None:
            passed_over.append((files[0], problem))
        return
    precision = _precision(entries)
    if files[0].suffix.lower() == ".gguf":
        layout = "gguf"
    elif precision.startswith("F8"):
        layout = "fp8"
    found.append(Found(part, layout, precision, tuple(_local(file) for file in files)))


def _recognised(
    shapes: Mapping[str, Shape], file: Path, parts: Mapping[str, CataloguePart], config: FamilyConfig
) -> tuple[str | None, Layout, str | None]:
    """Name the part that tensors of these names and shapes are; or say why they are not one, where that is known."""
    for row in _signatures(config):
        shape = shapes.get(row.tensor, ())
        if row.marker not in shapes or len(shape) < 2:
            continue
        part = next((name for name, part in parts.items() if part.converter == row.converter), None)
        if row.converter == "clip" and any(name.startswith("vision_model.") for name in shapes):
            return None, row.layout, "is a whole CLIP with its vision model; use a file of its text encoder alone"
        if shape[1] == row.inputs and part is not None:
            return part, row.layout, None
        if row.converter == "transformer":
            return None, row.layout, f"is a transformer with {shape[1]} input channels; this model's has {row.inputs}"
    if any(name.startswith("lora_unet_") or ".lora_" in name for name in shapes):
        return _adapter(shapes, file, parts)
    return None, "original", None


def _adapter(
    shapes: Mapping[str, Shape], file: Path, parts: Mapping[str, CataloguePart]
) -> tuple[str | None, Layout, str | None]:
    """Name the adapter that a LoRA is by its file's name, if its layers are those of a FLUX transformer."""
    layers = [name for name in shapes if not _TEXT_ENCODER_LORA.match(name)]
    if strange := [name for name in layers if not _FLUX_LAYER.fullmatch(name)]:
        return None, "kohya", f"is a LoRA of another model: a FLUX transformer has no layer for {strange[0][:100]}"
    if not any(_FLUX_BLOCK.fullmatch(name) for name in layers):
        return None, "kohya", "is a LoRA of another model: it changes no block of a FLUX transformer"
    adapters = [
        name
        for name, part in parts.items()
        for target in [part.alternatives[0].files[0].target]
        if target is not None and target.startswith("adapters/")
        # "local", but not "locale" or "localized"
        if re.search(re.escape(Path(target).stem) + "(?![a-z])", file.stem.lower())
    ]
    if len(adapters) == 1:
        return adapters[0], "kohya", None
    return None, "kohya", "is a LoRA, but its name does not say which of this model's adapters it is"


def _signatures(config: FamilyConfig) -> tuple[Signature, ...]:
    """By part and layout: a tensor that only it has, and the shape along one axis of that or another tensor."""
    transformer, t5, clip, autoencoder = config.transformer, config.t5, config.clip, config.autoencoder
    full = isinstance(autoencoder, AutoencoderConfig)
    latents = autoencoder.z_channels if isinstance(autoencoder, AutoencoderConfig) else autoencoder.latent_channels
    whole: tuple[Signature, ...] = (
        Signature(
            "autoencoder", "original", "encoder.down.0.block.0.conv1.weight", "decoder.conv_in.weight", latents
        ),
        Signature(
            "autoencoder",
            "diffusers",
            "encoder.down_blocks.0.resnets.0.conv1.weight",
            "decoder.conv_in.weight",
            latents,
        ),
    )
    tiny = (Signature("autoencoder", "original", "encoder.0.weight", "decoder.1.weight", latents),)
    clip_name, t5_name = (
        "text_model.embeddings.token_embedding.weight",
        "encoder.block.0.layer.0.SelfAttention.q.weight",
    )
    return (
        Signature("transformer", "original", "img_in.weight", "img_in.weight", transformer.in_channels),
        Signature("transformer", "diffusers", "x_embedder.weight", "x_embedder.weight", transformer.in_channels),
        Signature("t5", "transformers", t5_name, t5_name, t5.d_model),
        Signature("t5", "gguf", "enc.blk.0.attn_q.weight", "enc.blk.0.attn_q.weight", t5.d_model),
        Signature("clip", "transformers", clip_name, clip_name, clip.hidden_size),
        *(whole if full else tiny),
        # TAEF1 in diffusers' layout: the clamp in front is a layer there or not, depending on who wrote the file.
        Signature("preview_decoder", "diffusers", "decoder.layers.0.weight", "decoder.layers.0.weight", latents),
        Signature("preview_decoder", "diffusers", "decoder.layers.1.weight", "decoder.layers.1.weight", latents),
        Signature("preview_decoder", "original", "decoder.1.weight", "decoder.1.weight", latents),
        Signature("preview_decoder", "original", "1.weight", "1.weight", latents),  # its decoder's file alone
    )


def _precision(entries: Sequence[TensorEntry]) -> str:
    sizes: dict[str, int] = defaultdict(int)
    for entry in entries:
        sizes[entry.dtype] += entry.stop - entry.start
    return max(sizes, key=lambda dtype: sizes[dtype], default="")


def _rank(part: CataloguePart, found: Found) -> tuple[int, bool, bool, int, str]:
    """Order candidates, the best first: by precision, then as the catalogue knows them; of GGUF files the largest."""
    order = 0 if found.precision in _FULL else 1 if found.precision == "Q8_0" else 2 if found.layout == "gguf" else 3
    kept = [one for one in part.alternatives if one.kept and one.layout == found.layout]
    named = any(
        [Path(file.path).name for file in one.files] == [file.path.name for file in found.files] for one in kept
    )
    known = any(_same_contents(one, found) for one in kept)
    return order, not known, not named, -found.size if order == 2 else 0, str(found.files[0].path)


def _same_contents(alternative: Alternative, found: Found) -> bool:
    """Whether files have the digests that the catalogue gives; only files of the right size are read for that."""
    if len(alternative.files) != len(found.files):
        return False
    pairs = list(zip(alternative.files, found.files, strict=True))
    if any(known.sha256 is None or known.size != file.size for known, file in pairs):
        return False
    return all((file.sha256 or _digest(file.path)) == known.sha256 for known, file in pairs)


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _alternative(part: CataloguePart, found: Found) -> Alternative:
    """Describe found files as an alternative; they are kept as they are where the catalogue's of that layout are."""
    targets: list[str | None] = [None] * len(found.files)
    kept = [one for one in part.alternatives if one.kept and one.layout == found.layout]
    if found.layout == "tokenizer":
        folder = Path(str(kept[0].files[0].target)).parent
        targets = [f"{folder.as_posix()}/{_tokenizer_name(file.path)}" for file in found.files]
    elif same := [one for one in kept if len(one.files) == len(found.files)]:
        targets = [file.target for file in same[0].files]
    files = tuple(
        CatalogueFile(file.path.name, file.size, target=target)
        for file, target in zip(found.files, targets, strict=True)
    )
    return Alternative(
        "on this machine", "", found.layout, "", f"{found.precision} from {found.files[0].path}", files
    )


def _tokenizer_name(path: Path) -> str:
    return path.name if path.name in ("vocab.json", "merges.txt") else "tokenizer.json"


def _take_tokenizer(
    file: Path,
    parts: Mapping[str, CataloguePart],
    config: FamilyConfig,
    found: list[Found],
    passed_over: list[tuple[Path, str]],
) -> None:
    """Recognise T5's or CLIP's tokenizer, if it fits the sizes of the family."""
    if file.name == "vocab.json" and is_file(merges := file.with_name("merges.txt")):
        files = (file, merges)
    elif file.name.endswith("tokenizer.json"):
        files = (file,)
    else:
        return
    kind, ids = _vocabulary(file)
    wanted, misfit = {
        "BPE": ("tokenizer_clip/", _not_clip),
        "Unigram": ("tokenizer_t5/", _not_t5),
    }.get(kind, ("tokenizer_", _not_a_tokenizer))
    targets = {name: str(part.alternatives[0].files[0].target) for name, part in parts.items()}
    part = next((name for name, target in targets.items() if target.startswith(wanted)), None)
    if part is None:
        return
    if problem := misfit(ids, config):
        passed_over.append((file, problem))
    else:
        found.append(Found(part, "tokenizer", "", tuple(_local(one) for one in files)))


def _vocabulary(file: Path) -> tuple[str, dict[str, int]]:
    """Return a tokenizer's kind and its ids by token, added tokens included; the kind is empty if it is none."""
    try:
        if file.stat().st_size > _TOKENIZER_BYTES:
            return "", {}
        values: Any = json.loads(file.read_text(encoding="utf-8"))
        if file.name == "vocab.json":
            kind, vocabulary, added = "BPE", values, []
        else:
            kind, vocabulary = str(values["model"]["type"]), values["model"]["vocab"]
            added = values.get("added_tokens") or []
        if isinstance(vocabulary, dict):
            ids = {token: int(identity) for token, identity in cast("dict[str, Any]", vocabulary).items()}
        else:
            ids = {str(piece): identity for identity, (piece, *_) in enumerate(vocabulary)}
        ids |= {str(token["content"]): int(token["id"]) for token in added}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return "", {}
    return kind, ids


def _count(ids: Mapping[str, int]) -> int:
    """Count the ids that a table of embeddings must have, gaps included."""
    return max(len(ids), max(ids.values(), default=-1) + 1)


def _not_clip(ids: Mapping[str, int], config: FamilyConfig) -> str | None:
    size, end = config.clip.vocab_size, config.clip.eos_token_id
    if (count := _count(ids)) != size:
        return f"is not CLIP's tokenizer: it has {count} tokens, not {size}"
    if ids.get("<|endoftext|>") != end:
        return f"is not CLIP's tokenizer: its <|endoftext|> is not token {end}"
    return None


def _not_t5(ids: Mapping[str, int], config: FamilyConfig) -> str | None:
    most = config.t5.vocab_size
    least = most - _T5_SPARE - len(config.prompt.added_tokens)
    if not least <= (count := _count(ids)) <= most:
        return f"is not T5's tokenizer: it has {count} tokens, not {max(least, 0)} to {most}"
    for identity, token in enumerate(("<pad>", "</s>", "<unk>")):
        if ids.get(token) != identity:
            return f"is not T5's tokenizer: its {token} is not token {identity}"
    return None


def _not_a_tokenizer(_ids: Mapping[str, int], _config: FamilyConfig) -> str | None:
    return "is not a tokenizer of the kind that CLIP or T5 has"


def _local(path: Path) -> LocalFile:
    """Describe a file; a hub's cache calls the contents of large files by their sha256."""
    blob = path.resolve().name
    digest = blob if path.is_symlink() and re.fullmatch("[0-9a-f]{64}", blob) else None
    return LocalFile(path.absolute(), path.stat().st_size, digest)


def _why_not(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            start = stream.read(len(_DRAW_THINGS))
    except OSError:
        start = b""
    if start == _DRAW_THINGS:
        return (
            "is in Draw Things' own format, which cannot be read; use the safetensors or GGUF file it was made from"
        )
    return "may be a pickle, which can run foreign code and is never opened; use a safetensors or GGUF file"
