"""Released files are found wherever they lie, known by what is in them, and made into a model with no network."""

import errno
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mlx_model.library.catalogue import Catalogue, load_catalogue, model_named
from mlx_model.library.errors import Damaged, LibraryError
from mlx_model.library.hub import Hub
from mlx_model.library.install import Order, install
from mlx_model.library.progress import Work
from mlx_model.library.record import Record
from mlx_model.library.released_files import Found, missing_parts, search, supplies_from
from mlx_model.library.supply import LocalFile
from mlx_model.library.upkeep import verify
from tests.hub_server import HubServer
from tests.released_models import (
    ADAPTER,
    AUTOENCODER,
    CLIP,
    CLIP_VOCABULARY,
    FFT,
    LORA,
    RELEASED,
    T5,
    TEXT,
    TOKENIZERS,
    TRANSFORMER,
    VAE,
    plain_convert,
    safetensors,
    sha256,
    tokenizer,
    write_catalogue,
)

NAME = "small-fft-4bit"
CHECKPOINT = RELEASED[FFT]["ace_plus_fft.safetensors"]


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return write_catalogue(tmp_path / "catalogue.json")


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def comfy_folder(folder: Path) -> Path:
    return put(
        folder,
        {
            "models/diffusion_models/whatever.safetensors": CHECKPOINT,
            "models/text_encoders/t5xxl_fp16.safetensors": RELEASED[TEXT]["t5xxl_fp16.safetensors"],
            "models/clip/clip_l.safetensors": RELEASED[TEXT]["clip_l.safetensors"],
            "models/vae/ae.safetensors": RELEASED[VAE]["vae/ae.safetensors"],
            "models/loras/comfyui_local_lora16.safetensors": RELEASED[FFT]["local/comfyui_local_lora16.safetensors"],
            "models/tokenizers/t5/tokenizer.json": tokenizer("Unigram"),
            "models/tokenizers/clip/vocab.json": CLIP_VOCABULARY,
            "models/tokenizers/clip/merges.txt": b"#version\n",
            "models/checkpoints/old.ckpt": b"\x80\x02pickle",
            "models/vae/sdxl.safetensors": safetensors({"decoder.conv_in.weight": (16, 4, 3, 3)}, 9),
        },
    )


def hub_cache(folder: Path) -> Path:
    """Lay files out as the hub's client does: contents by digest, snapshots of links."""
    for repository, files in RELEASED.items():
        place = folder / f"models--{repository.replace('/', '--')}"
        for name, data in files.items():
            blob = place / "blobs" / sha256(data)
            link = place / "snapshots" / ("a" * 40) / name
            blob.parent.mkdir(parents=True, exist_ok=True)
            link.parent.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(data)
            link.symlink_to(os.path.relpath(blob, link.parent))
    return folder


@pytest.mark.parametrize("lay_out", [comfy_folder, hub_cache])
def test_a_model_is_made_of_what_is_there_with_no_network(
    lay_out: Callable[[Path], Path], server: HubServer, hub: Hub, catalogue: Catalogue, tmp_path: Path
) -> None:
    place = lay_out(tmp_path / "place")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    model = model_named(catalogue, NAME)
    supplies = supplies_from(catalogue, model, search(place, catalogue, "small-fft").found)
    assert missing_parts(catalogue, model, supplies) == []
    models = tmp_path / "models"
    order = Order(catalogue, model, models, frozenset(model.family.licences), local=supplies)
    record = install(order, hub, plain_convert, Work())
    assert server.requests == []
    assert verify(models / NAME, record, Work()) == []
    assert (models / NAME / "autoencoder.safetensors").read_bytes() == RELEASED[VAE]["vae/ae.safetensors"]
    transformer = record.part("fft_transformer")
    assert transformer is not None
    assert transformer.alternative == "on this machine"
    assert transformer.sources[0].sha256 == sha256(CHECKPOINT)
    assert transformer.digests_checked == (lay_out is hub_cache), "only the cache's names promise a digest"
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_the_cache_of_the_hub_is_checked_against_its_own_names(
    hub: Hub, catalogue: Catalogue, tmp_path: Path
) -> None:
    place = hub_cache(tmp_path / "cache")
    blob = next(place.rglob(sha256(CHECKPOINT)))
    blob.write_bytes(CHECKPOINT[:-1] + bytes([CHECKPOINT[-1] ^ 1]))
    model = model_named(catalogue, NAME)
    supplies = supplies_from(catalogue, model, search(place, catalogue, "small-fft").found)
    order = Order(catalogue, model, tmp_path / "models", frozenset(model.family.licences), local=supplies)
    with pytest.raises(Damaged):
        install(order, hub, plain_convert, Work())


def test_what_is_missing_is_named_with_where_to_get_it_and_fetched_if_wanted(
    server: HubServer, hub: Hub, catalogue: Catalogue, tmp_path: Path
) -> None:
    place = put(tmp_path / "usb", {"transformer.safetensors": CHECKPOINT})
    model = model_named(catalogue, NAME)
    supplies = supplies_from(
        catalogue, model, search(place / "transformer.safetensors", catalogue, "small-fft").found
    )
    assert missing_parts(catalogue, model, supplies)[0] == f"t5: t5xxl_fp16.safetensors of {TEXT}"
    for name in (TEXT, VAE, TOKENIZERS):
        server.add(name, RELEASED[name])
    order = Order(catalogue, model, tmp_path / "models", frozenset(model.family.licences), local=supplies)
    record = install(order, hub, plain_convert, Work())
    assert isinstance(record, Record)
    assert server.sent("ace_plus_fft.safetensors") == 0


def test_what_cannot_be_used_is_named_with_the_reason(catalogue: Catalogue, tmp_path: Path) -> None:
    place = put(
        tmp_path / "place",
        {
            "flux_1_fill_dev_q8p.ckpt": b"SQLite format 3\0 and so on",
            "old.pt": b"\x80\x02",
            "fill.safetensors": safetensors({**TRANSFORMER, "img_in.weight": (16, 384)}, 1),
            "cut.safetensors": CHECKPOINT[:5000],
            "model-00001-of-00003.safetensors": safetensors(T5, 1),
            "style.safetensors": safetensors(LORA, 1),
            "localized_signs.safetensors": safetensors(LORA, 1),
            "notes.safetensors": safetensors({"something": (4, 4)}, 1),
        },
    )
    found = search(place, catalogue, "small-fill")
    reasons = {path.name: reason for path, reason in found.passed_over}
    assert "Draw Things' own format" in reasons["flux_1_fill_dev_q8p.ckpt"]
    assert "may be a pickle" in reasons["old.pt"]
    assert "bytes, but its tensors end at" in reasons["cut.safetensors"] or "cut short" in reasons["cut.safetensors"]
    assert reasons["model-00001-of-00003.safetensors"] == "is one of 3 shards, of which 2 are missing"
    assert "does not say which" in reasons["style.safetensors"]
    assert "does not say which" in reasons["localized_signs.safetensors"]
    assert "notes.safetensors" not in reasons
    assert [one.part for one in found.found] == ["fill_transformer"]
    other = {path.name: reason for path, reason in search(place, catalogue, "small-fft").passed_over}
    assert other["fill.safetensors"] == "is a transformer with 384 input channels; this model's has 448"


def draw_things_folder(home: Path) -> Path:
    """Lay out the folder that Draw Things has on a Mac: its own files, and released ones that someone put there."""
    return put(
        home / "Library" / "Containers" / "com.liuliu.draw-things" / "Data" / "Documents" / "Models",
        {
            "flux_1_fill_dev_q8p.ckpt": b"SQLite format 3\0 and so on",
            "t5_xxl_encoder_q6p.ckpt": b"SQLite format 3\0 and so on",
            "t5_xxl_encoder_q6p.ckpt-tensordata": b"numbers",
            "flux_1_dev_q8p.ckpt.partial": b"SQLite",
            "custom.json": b"[]",
            "External/ACE_PLUS_FFT.SAFETENSORS": CHECKPOINT,
            "External/t5xxl_fp16.safetensors": RELEASED[TEXT]["t5xxl_fp16.safetensors"],
        },
    )


def test_draw_things_folder_gives_what_is_safetensors_and_names_what_is_its_own(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    place = draw_things_folder(tmp_path)
    found = search(place, catalogue, "small-fft")
    assert [one.part for one in found.found] == ["fft_transformer", "t5"]
    own = "is in Draw Things' own format, which cannot be read; use the safetensors or GGUF file it was made from"
    assert {path.name: why for path, why in found.passed_over} == {
        "flux_1_fill_dev_q8p.ckpt": own, "t5_xxl_encoder_q6p.ckpt": own,
    }  # fmt: skip


def test_folders_that_are_links_are_looked_through_once(catalogue: Catalogue, tmp_path: Path) -> None:
    """As people keep their models on another disk, with links in ComfyUI's folder; and a link that leads back."""
    comfy, disk = tmp_path / "ComfyUI" / "models", put(tmp_path / "disk" / "unet", {"a.safetensors": CHECKPOINT})
    comfy.mkdir(parents=True)
    (comfy / "unet").symlink_to(disk)
    (comfy / "diffusion_models").symlink_to(disk)
    (comfy / "gone").symlink_to(tmp_path / "nowhere")
    (disk / "back").symlink_to(comfy)
    found = search(comfy, catalogue, "small-fft")
    assert [one.files[0].path for one in found.found] == [comfy / "diffusion_models" / "a.safetensors"]
    assert found.passed_over == ()


def test_a_folder_that_is_closed_is_told(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As macOS closes other programs' containers, Documents and external disks until it is allowed."""
    place = put(tmp_path / "place", {"closed/a.safetensors": CHECKPOINT, "open/b.safetensors": CHECKPOINT})
    look = os.scandir

    def closed(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(errno.EPERM, "Operation not permitted", path)
        return look(path)

    monkeypatch.setattr(os, "scandir", closed)
    found = search(place, catalogue, "small-fft")
    assert [one.files[0].path.name for one in found.found] == ["b.safetensors"]
    ((path, why),) = found.passed_over
    assert path == place / "closed"
    assert why.startswith("cannot be looked into (Operation not permitted); allow it")


def test_shards_are_one_part_in_their_order(catalogue: Catalogue, tmp_path: Path) -> None:
    first, second = dict(list(T5.items())[:1]), dict(list(T5.items())[1:])
    place = put(
        tmp_path / "place",
        {
            "text_encoder_2/model-00002-of-00002.safetensors": safetensors(second, 1),
            "text_encoder_2/model-00001-of-00002.safetensors": safetensors(first, 2),
        },
    )
    (found,) = search(place, catalogue, "small-fft").found
    assert found.part == "t5"
    assert [file.path.name[:11] for file in found.files] == ["model-00001", "model-00002"]


def test_full_precision_is_preferred_and_eight_bit_floats_are_not_quantized_again(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    place = put(tmp_path / "place", {"a.safetensors": RELEASED[FFT]["ace_plus_fft_fp8.safetensors"]})
    fp8 = search(place, catalogue, "small-fft").found
    assert [(one.layout, one.precision) for one in fp8] == [("fp8", "F8_E4M3")]
    assert supplies_from(catalogue, model_named(catalogue, NAME), fp8) == {}
    assert list(supplies_from(catalogue, model_named(catalogue, "small-fft-bf16"), fp8)) == ["fft_transformer"]
    put(place, {"z.safetensors": CHECKPOINT})
    both = search(place, catalogue, "small-fft").found
    chosen = supplies_from(catalogue, model_named(catalogue, NAME), both)["fft_transformer"]
    assert chosen.files[0][1].title.endswith("z.safetensors")


def test_every_released_layout_is_recognised_at_full_size(tmp_path: Path) -> None:
    """Headers only: the files are as long as they say, and hold nothing but holes."""
    shapes = {
        "transformer, prefixed": ({"model.diffusion_model.img_in.weight": (3072, 448)}, "fft_transformer"),
        "transformer, diffusers": (
            {"x_embedder.weight": (3072, 448), "proj_out.weight": (64, 3072)},
            "fft_transformer",
        ),
        "t5": ({"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}, "t5"),
        "clip": ({"text_model.embeddings.token_embedding.weight": (49408, 768)}, "clip"),
        "taef1": (
            {"decoder.layers.1.weight": (64, 16, 3, 3), "encoder.layers.0.weight": (64, 3, 3, 3)},
            "preview_decoder",
        ),
        "taef1, its decoder alone": ({"1.weight": (64, 16, 3, 3), "1.bias": (64,)}, "preview_decoder"),
        "ae": ({**AUTOENCODER, "decoder.conv_in.weight": (512, 16, 3, 3)}, "autoencoder"),
        "ae, diffusers": (
            {
                "encoder.down_blocks.0.resnets.0.conv1.weight": (128, 128, 3, 3),
                "decoder.conv_in.weight": (512, 16, 3, 3),
            },
            "autoencoder",
        ),
    }
    catalogue = load_catalogue()
    for name, (tensors, part) in shapes.items():
        header, at = dict[str, object](), 0
        for tensor, shape in tensors.items():
            size = 2
            for side in shape:
                size *= side
            header[tensor] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(header).encode()
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text)
        os.truncate(path, 8 + len(text) + at)
        assert [one.part for one in search(path, catalogue, "ace-plus-fft").found] == [part], name


def test_nothing_there_is_a_sentence(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="there is nothing at"):
        search(tmp_path / "none", catalogue, "small-fft")


T5_TOKENS = ("<pad>", "</s>", "<unk>", *(f"word{i}" for i in range(31997)))
EXTRA = tuple(f"<extra_id_{i}>" for i in range(100))
CLIP_WORDS = tuple(f"word{i}" for i in range(49406))
ENDS = ("<|startoftext|>", "<|endoftext|>")


def vocabulary(tokens: Sequence[str]) -> bytes:
    return json.dumps({token: place for place, token in enumerate(tokens)}).encode()


def test_tokenizers_of_the_size_of_the_models_are_taken(tmp_path: Path) -> None:
    for name, data in {
        "t5/tokenizer.json": tokenizer("Unigram", T5_TOKENS, EXTRA),
        "t5-whole/tokenizer.json": tokenizer("Unigram", (*T5_TOKENS, *EXTRA)),
        "clip/tokenizer.json": tokenizer("BPE", CLIP_WORDS, ENDS),
        "clip-files/vocab.json": vocabulary((*CLIP_WORDS, *ENDS)),
    }.items():
        place = put(tmp_path / Path(name).parent.name, {Path(name).name: data, "merges.txt": b"#version\n"})
        (found,) = search(place, load_catalogue(), "ace-plus-fft").found
        assert found.part == ("tokenizer_t5" if name.startswith("t5") else "tokenizer_clip"), name


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("vocab.json", vocabulary([*CLIP_WORDS, "x", *ENDS]), "not CLIP's tokenizer: it has 49409 tokens, not 49408"),
        ("vocab.json", vocabulary([*CLIP_WORDS, *reversed(ENDS)]), "its <|endoftext|> is not token 49407"),
        ("vocab.json", b"[1]", "is not a tokenizer of the kind that CLIP or T5 has"),
        ("tokenizer.json", tokenizer("BPE", CLIP_WORDS, [*ENDS, "<style>"]), "it has 49409 tokens, not 49408"),
        (
            "tokenizer.json",
            tokenizer("Unigram", T5_TOKENS),
            "T5's tokenizer: it has 32000 tokens, not 32014 to 32128",
        ),
        ("tokenizer.json", tokenizer("Unigram", T5_TOKENS, CLIP_WORDS), "it has 81406 tokens, not 32014 to 32128"),
        ("tokenizer.json", tokenizer("Unigram", ["<s>", *T5_TOKENS], EXTRA), "its <pad> is not token 0"),
        ("tokenizer.json", tokenizer("WordPiece"), "is not a tokenizer of the kind that CLIP or T5 has"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {"a": null}}}', "is not a tokenizer of the kind"),
    ],
    ids=range(9),
)
def test_tokenizers_of_other_models_are_passed_over(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    place = put(tmp_path / "place", {name: data, "merges.txt": b"#version\n"})
    found = search(place, load_catalogue(), "ace-plus-fft")
    assert found.found == ()
    ((file, reason),) = found.passed_over
    assert file.name == name
    assert why in reason


@pytest.mark.parametrize(
    ("layer", "taken"),
    [
        ("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", True),
        ("transformer.single_transformer_blocks.0.proj_out.lora_A.weight", True),
        ("lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", False),
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight", False),
        ("lora_unet_img_in.lora_down.weight", False),
    ],
)
def test_a_lora_of_another_model_is_passed_over(
    catalogue: Catalogue, tmp_path: Path, layer: str, taken: bool
) -> None:
    place = put(tmp_path / "place", {"local_people.safetensors": safetensors({layer: (16, 64)}, 1)})
    found = search(place, catalogue, "small-fill")
    assert [one.part for one in found.found] == ([ADAPTER] if taken else [])
    assert all("is a LoRA of another model" in why for _, why in found.passed_over)
    assert len(found.passed_over) == (not taken)


def test_the_lora_with_the_name_of_the_catalogue_is_preferred(catalogue: Catalogue, tmp_path: Path) -> None:
    names = ("a_local_style", "comfyui_local_lora16", "z_local_style")
    place = put(tmp_path / "place", {f"{name}.safetensors": safetensors(LORA, 1) for name in names})
    found = search(place, catalogue, "small-fill").found
    assert len(found) == 3
    chosen = supplies_from(catalogue, model_named(catalogue, "small-fill-4bit"), found)[ADAPTER]
    assert chosen.files[0][1].title.endswith("comfyui_local_lora16.safetensors")


def test_of_gguf_files_the_largest_is_preferred(catalogue: Catalogue, tmp_path: Path) -> None:
    def found(name: str, precision: str, size: int) -> Found:
        return Found("fft_transformer", "gguf", precision, (LocalFile(tmp_path / name, size),))

    small, large, best = found("a.gguf", "Q2_K", 4), found("b.gguf", "Q6_K", 10), found("c.gguf", "Q8_0", 13)
    model = model_named(catalogue, NAME)
    for candidates, chosen in (((small, large), large), ((small, large, best), best)):
        assert supplies_from(catalogue, model, candidates)["fft_transformer"].files[0][1] == chosen.files[0]


def test_the_autoencoder_that_the_catalogue_knows_is_preferred(catalogue: Catalogue, tmp_path: Path) -> None:
    known = RELEASED[VAE]["vae/ae.safetensors"]
    tuned = safetensors(AUTOENCODER, 8, "F32", 4)
    assert len(known) == len(tuned)
    place = put(tmp_path / "place", {"ae.safetensors": tuned, "renamed.safetensors": known})
    found = search(place, catalogue, "small-fft").found
    chosen = supplies_from(catalogue, model_named(catalogue, NAME), found)["autoencoder"]
    assert chosen.files[0][1].title.endswith("renamed.safetensors")


def test_a_whole_clip_is_passed_over(catalogue: Catalogue, tmp_path: Path) -> None:
    whole = {**CLIP, "vision_model.embeddings.class_embedding": (8,)}
    place = put(tmp_path / "place", {"clip.safetensors": safetensors(whole, 1)})
    found = search(place, catalogue, "small-fft")
    assert found.found == ()
    assert "is a whole CLIP with its vision model" in found.passed_over[0][1]
