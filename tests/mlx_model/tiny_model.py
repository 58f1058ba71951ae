"""A complete model folder with random weights, written in a fraction of a second.

Every file is of the format of a real model, only tiny: what a test on it proves holds for the road of a request, not
for what comes out. Korean is unknown to its T5 tokenizer, as it is to the released one.
"""

import string
from pathlib import Path
from typing import Literal

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from mlx_model.conditioning.prompt import clip_tokenizer
from mlx_model.networks.clip import ClipTextEncoder
from mlx_model.networks.modulation import ModulationLayers
from mlx_model.networks.t5 import T5Encoder
from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.networks.transformer import Transformer
from mlx_model.runtime import mx, nn, tree
from mlx_model.weights.config import (
    FORMAT,
    ClipConfig,
    LatentConfig,
    ModelConfig,
    PreviewConfig,
    PromptConfig,
    SamplingConfig,
    ShiftConfig,
    SizeConfig,
    T5Config,
    TinyAutoencoderConfig,
    TransformerConfig,
)

LATENT_CHANNELS = 16


def tiny_config(kind: Literal["fft", "fill"] = "fft", name: str = "tiny") -> ModelConfig:
    """Describe the tiny model: 2 steps at 64 pixels, at most 256 tokens."""
    t5_vocabulary, clip_vocabulary = _t5_tokenizer().get_vocab_size(), len(_clip_vocabulary())
    return ModelConfig(
        format=FORMAT,
        name=name,
        title="A tiny model for tests",
        kind=kind,
        licence="none",
        source="random numbers",
        note="knows nothing",
        transformer=TransformerConfig(
            in_channels=448 if kind == "fft" else 384,
            out_channels=4 * LATENT_CHANNELS,
            hidden_size=32,
            num_heads=2,
            axes_dim=(4, 6, 6),
            theta=10000.0,
            vec_in_dim=16,
            context_in_dim=24,
            mlp_ratio=2.0,
            qkv_bias=True,
            depth=1,
            depth_single_blocks=2,
            guidance_embed=True,
        ),
        autoencoder=TinyAutoencoderConfig("tiny", channels=8, latent_channels=LATENT_CHANNELS),
        latent=LatentConfig(scale=1.0, shift=0.0),
        t5=T5Config(24, 8, 32, 1, 3, 8, 16, t5_vocabulary + 8, 1e-6),
        clip=ClipConfig(16, 32, 1, 2, clip_vocabulary, 32, 1e-5, "quick_gelu", clip_vocabulary - 1),
        prompt=PromptConfig(t5_length=32, clip_length=32, added_tokens=("{image}",), clean=True),
        sampling=SamplingConfig(steps=2, guidance=50.0, shift=ShiftConfig(tokens=(256, 4096), mu=(0.5, 1.15))),
        size=SizeConfig(native=64, max_tokens=256, multiple=16),
        preview=PreviewConfig(matrix=((0.1, 0.1, 0.1),) * LATENT_CHANNELS, bias=(0.0, 0.0, 0.0)),
    )


def write_tiny_model(folder: Path, kind: Literal["fft", "fill"] = "fft", name: str = "tiny", seed: int = 0) -> Path:
    """Write the model into ``folder``, which is made if need be, and return it. Equal calls give equal files."""
    config = tiny_config(kind, name)
    folder.mkdir(parents=True, exist_ok=True)
    config.save(folder)
    mx.random.seed(seed)
    _save(folder / "transformer.safetensors", Transformer(config.transformer))
    _save(folder / "modulation.safetensors", ModulationLayers(config.transformer))
    _save(folder / "t5.safetensors", T5Encoder(config.t5))
    _save(folder / "clip.safetensors", ClipTextEncoder(config.clip))
    assert isinstance(config.autoencoder, TinyAutoencoderConfig)
    autoencoder = TinyAutoencoder(config.autoencoder)
    # MLX's own start is so small that hardly anything of a latent would be left in the pixels.
    tensors: dict[str, mx.array] = dict(tree.tree_flatten(autoencoder.parameters()))
    livelier = {name: t * 1.5 if t.ndim == 4 else t for name, t in tensors.items()}
    autoencoder.update(tree.tree_unflatten(list(livelier.items())))
    _save(folder / "autoencoder.safetensors", autoencoder)
    for part, tokenizer in (("t5", _t5_tokenizer()), ("clip", clip_tokenizer(_clip_vocabulary(), []))):
        (folder / f"tokenizer_{part}").mkdir(exist_ok=True)
        tokenizer.save(str(folder / f"tokenizer_{part}" / "tokenizer.json"))
    return folder


def _save(path: Path, module: nn.Module) -> None:
    """Save under released names, convolutions as (out, in, height, width)."""
    named: dict[str, mx.array] = dict(tree.tree_flatten(module.parameters()))
    released = {name: t.transpose(0, 3, 1, 2) if t.ndim == 4 else t for name, t in named.items()}
    mx.save_safetensors(str(path), released)


def _t5_tokenizer() -> Tokenizer:
    words = ["▁a", "▁the", "▁red", "▁green", "▁blue", "▁circle", "▁star", "▁remove", "▁make", "▁it", "▁put", "▁here"]
    letters = ["▁", *string.ascii_letters, *string.digits, *string.punctuation]
    scored = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)]
    scored += [(word, -2.0) for word in words] + [(letter, -8.0) for letter in letters]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in ("<pad>", "</s>", "<unk>")])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def _clip_vocabulary() -> dict[str, int]:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return {token: index for index, token in enumerate(tokens)}
