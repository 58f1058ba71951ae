"""A model's config.json is read strictly, and says in one sentence what is wrong with it."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlx_model.request import RequestError
from mlx_model.weights.config import AutoencoderConfig, ModelConfig, TinyAutoencoderConfig, TransformerConfig
from tests.mlx_model.tiny_model import tiny_config

POCKET: dict[str, Any] = {
    "format": 1, "name": "pocket", "title": "Pocket", "kind": "fft", "licence": "MIT", "source": "trained here",
    "note": "knows only simple scenes",
    "transformer": {
        "in_channels": 448, "out_channels": 64, "hidden_size": 192, "num_heads": 3, "axes_dim": [8, 28, 28],
        "theta": 10000, "vec_in_dim": 128, "context_in_dim": 128, "mlp_ratio": 4.0, "qkv_bias": True, "depth": 2,
        "depth_single_blocks": 6, "guidance_embed": False,
    },
    "autoencoder": {"architecture": "tiny", "channels": 32, "latent_channels": 16},
    "latent": {"scale": 0.3611, "shift": 0.1159},
    "t5": {
        "d_model": 128, "d_kv": 32, "d_ff": 256, "num_layers": 2, "num_heads": 4, "vocab_size": 1000,
        "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6,
    },
    "clip": {
        "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
        "vocab_size": 1000, "max_position_embeddings": 77, "layer_norm_eps": 1e-5, "hidden_act": "quick_gelu",
        "eos_token_id": 2,
    },
    "prompt": {"t5_length": 32, "clip_length": 32, "added_tokens": ["{image}"], "clean": False},
    "sampling": {"steps": 12, "guidance": 1, "shift": {"tokens": [256, 4096], "mu": [0.5, 1.15]}},
    "size": {"native": 128, "max_tokens": 1024, "multiple": 16},
    "preview": {"matrix": [[0.1, 0.2, 0.3]] * 16, "bias": [0, 0, 0]},
    "quantization": None,
}  # fmt: skip


def changed(path: str, value: object) -> dict[str, Any]:
    """Copy the pocket config with one value replaced, or taken out where the value is ``...``."""
    config = copy.deepcopy(POCKET)
    *groups, name = path.split(".")
    part = config
    for group in groups:
        part = part[group]
    if value is ...:
        del part[name]
    else:
        part[name] = value
    return config


def test_a_config_survives_saving_and_loading(tmp_path: Path) -> None:
    config = ModelConfig.from_dict(POCKET)
    assert isinstance(config.autoencoder, TinyAutoencoderConfig)
    assert config.transformer.axes_dim == (8, 28, 28)
    assert config.transformer.mlp_size == 768
    config.save(tmp_path)
    assert ModelConfig.load(tmp_path) == config


def test_a_setting_of_few_models_is_written_for_those_alone(tmp_path: Path) -> None:
    """Versions that don't know it go on reading the others."""
    config = tiny_config()
    config.save(tmp_path)
    assert "references_in_place" not in (tmp_path / "config.json").read_text(encoding="utf-8")
    placing = replace(config, size=replace(config.size, references_in_place=True))
    placing.save(tmp_path)
    assert ModelConfig.load(tmp_path) == placing


def test_the_full_autoencoder_is_told_apart_by_its_architecture() -> None:
    full = {
        "architecture": "full", "resolution": 256, "in_channels": 3, "ch": 128, "out_ch": 3,
        "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "z_channels": 16,
    }  # fmt: skip
    config = ModelConfig.from_dict(changed("autoencoder", full))
    assert isinstance(config.autoencoder, AutoencoderConfig)
    assert config.autoencoder.ch_mult == (1, 2, 4, 4)


def test_quantization_may_be_left_out_and_is_read() -> None:
    assert ModelConfig.from_dict(changed("quantization", ...)).quantization is None
    quantized = ModelConfig.from_dict(changed("quantization", {"group_size": 64, "bits": 4})).quantization
    assert quantized is not None
    assert (quantized.group_size, quantized.bits) == (64, 4)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("transformer.depth", ..., "lacks transformer.depth"),
        ("transformer.depht", 2, "unknown settings: transformer.depht"),
        ("transformer.hidden_size", "wide", "transformer.hidden_size: 'wide'"),
        ("transformer.depth", True, "transformer.depth: True"),
        ("sampling.shift.mu", [0.5], "sampling.shift.mu"),
        ("preview.bias", [0, "x", 0], r"preview.bias\[1\]"),
        ("autoencoder.architecture", "huge", "autoencoder.architecture: 'huge'"),
        ("kind", "dev", "kind: 'dev'"),
        ("latent", 3, "latent is not a group"),
        ("format", 2, "newer than this program"),
    ],
)
def test_a_wrong_field_is_named(path: str, value: object, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        ModelConfig.from_dict(changed(path, value))


def test_a_wrong_field_of_the_transformer_alone_is_named() -> None:
    with pytest.raises(RequestError, match=r"lacks transformer\.theta"):
        TransformerConfig.from_dict({k: v for k, v in POCKET["transformer"].items() if k != "theta"})


def test_brackets_without_end_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(RequestError, match="cannot be used"):
        ModelConfig.load(tmp_path)


def test_a_missing_or_damaged_folder_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no model folder"):
        ModelConfig.load(tmp_path / "nothing")
    with pytest.raises(RequestError, match=r"has no config\.json"):
        ModelConfig.load(tmp_path)
    for damage in ("{", "[]", json.dumps(changed("clip", ...))):
        (tmp_path / "config.json").write_text(damage)
        with pytest.raises(RequestError, match=r"cannot be used: .*install it again"):
            ModelConfig.load(tmp_path)
