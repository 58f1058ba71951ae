"""Write the trained model as a model folder: config.json, safetensors in bfloat16 with released names, tokenizers."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from mlx_model.training.vocabulary import ADDED_TOKENS, CLIP_LENGTH, T5_LENGTH

from .encode import load_autoencoder
from .sample import load_model

NOTE = "Knows only simple drawn scenes: ten shapes, ten colours, drawn faces. For photographs install a full model."
MODULATION = ("_mod.lin.", "modulation.lin.", "final_layer.adaLN_modulation.1.")


def plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().to(torch.bfloat16).contiguous().clone() for name, value in tensors.items()}


@torch.no_grad()
def preview_map(autoencoder: Path, pictures: np.ndarray) -> tuple[list[list[float]], list[float]]:
    """Least squares from scaled latents to the mean colour of their 8 x 8 pixels, in [-1, 1]."""
    model, scale, shift = load_autoencoder(autoencoder)
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    latent = scale * (model.encode(pixels) - shift)
    small = torch.nn.functional.avg_pool2d(pixels, 8)
    a = latent.permute(0, 2, 3, 1).reshape(-1, 16)
    a = torch.cat([a, torch.ones(len(a), 1)], 1)
    solution = torch.linalg.lstsq(a, small.permute(0, 2, 3, 1).reshape(-1, 3)).solution
    rounded = [[round(v, 4) for v in row] for row in solution.tolist()]
    return rounded[:-1], rounded[-1]


def export(checkpoint: Path, autoencoder: Path, tokenizers: Path, pictures: Path, folder: Path, steps: int) -> None:
    """Write `folder`."""
    model = load_model(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    weights = plain(model.transformer.state_dict())
    modulation = {n: v for n, v in weights.items() if any(part in n for part in MODULATION)}
    save_file({n: v for n, v in weights.items() if n not in modulation}, folder / "transformer.safetensors")
    save_file(modulation, folder / "modulation.safetensors")
    t5 = {n: v for n, v in model.text.t5.state_dict().items() if n != "encoder.embed_tokens.weight"}
    save_file(plain(t5), folder / "t5.safetensors")
    clip = {
        n if n.startswith("text_model.") else f"text_model.{n}": v for n, v in model.text.clip.state_dict().items()
    }
    save_file(plain({n: v for n, v in clip.items() if "position_ids" not in n}), folder / "clip.safetensors")
    tiny, scale, shift = load_autoencoder(autoencoder)
    save_file(plain(tiny.state_dict()), folder / "autoencoder.safetensors")
    for name in ("tokenizer_t5", "tokenizer_clip"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "tokenizer.json").write_bytes((tokenizers / name / "tokenizer.json").read_bytes())
    matrix, bias = preview_map(autoencoder, np.load(pictures, mmap_mode="r")[:48])
    shape = asdict(model.transformer.shape)
    t5_config, clip_config = model.text.t5.config, model.text.clip.config
    config = {
        "format": 1,
        "name": "pocket",
        "title": "Pocket, the built-in model",
        "kind": "fft",
        "licence": "MIT",
        "source": "trained by tools/pocket_torch on scenes drawn by mlx_model/training/scenes",
        "note": NOTE,
        "transformer": shape | {"axes_dim": list(shape["axes_dim"])},
        "autoencoder": {"architecture": "tiny", "channels": tiny.encoder[0].out_channels, "latent_channels": 16},
        "latent": {"scale": round(scale, 6), "shift": round(shift, 6)},
        "t5": {
            "d_model": t5_config.d_model, "d_kv": t5_config.d_kv, "d_ff": t5_config.d_ff,
            "num_layers": t5_config.num_layers, "num_heads": t5_config.num_heads,
            "relative_attention_num_buckets": t5_config.relative_attention_num_buckets,
            "relative_attention_max_distance": t5_config.relative_attention_max_distance,
            "vocab_size": t5_config.vocab_size, "layer_norm_epsilon": t5_config.layer_norm_epsilon,
        },
        "clip": {
            "hidden_size": clip_config.hidden_size, "intermediate_size": clip_config.intermediate_size,
            "num_hidden_layers": clip_config.num_hidden_layers,
            "num_attention_heads": clip_config.num_attention_heads,
            "vocab_size": clip_config.vocab_size, "max_position_embeddings": clip_config.max_position_embeddings,
            "layer_norm_eps": clip_config.layer_norm_eps, "hidden_act": clip_config.hidden_act,
            "eos_token_id": clip_config.eos_token_id,
        },
        "prompt": {
            "t5_length": T5_LENGTH, "clip_length": CLIP_LENGTH, "added_tokens": list(ADDED_TOKENS), "clean": True,
        },
        "sampling": {"steps": steps, "guidance": 1.0, "shift": {"tokens": [256, 4096], "mu": [0.5, 1.15]}},
        "size": {"native": 128, "max_tokens": 192, "multiple": 16, "references_in_place": True},
        "preview": {"matrix": matrix, "bias": bias},
        "quantization": None,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("checkpoint", "autoencoder", "tokenizers", "pictures", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--steps", type=int, default=10)
    a = parser.parse_args()
    export(a.checkpoint, a.autoencoder, a.tokenizers, a.pictures, a.folder, a.steps)
