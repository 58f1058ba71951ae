"""A model of some ten thousand parameters and a handful of scenes, so that training is seen at work in seconds."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from mlx_model.conditioning.prompt import PromptTokenizers, load_tokenizers
from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.runtime import mx
from mlx_model.training.flow import FlowSettings
from mlx_model.training.latents import ExampleSet, encode_scene
from mlx_model.training.pocket import pocket_config
from mlx_model.training.scenes import all_instructions
from mlx_model.training.vocabulary import make_tokenizers
from mlx_model.weights.config import ModelConfig, TinyAutoencoderConfig

SETTINGS = FlowSettings(steps=60, stage_one=30, tokens=72, learning_rate=4e-3, warm_up=5, checkpoint=1000, log=10)
AUTOENCODER = TinyAutoencoderConfig("tiny", channels=4, latent_channels=16)


def small_config(t5_words: int, clip_words: int) -> ModelConfig:
    """Shrink the built-in model: 32 wide, one double and one single block."""
    config = pocket_config(t5_words, clip_words)
    return replace(
        config,
        transformer=replace(
            config.transformer,
            hidden_size=32,
            num_heads=2,
            axes_dim=(4, 6, 6),
            vec_in_dim=16,
            context_in_dim=16,
            mlp_ratio=2.0,
            depth=1,
            depth_single_blocks=1,
        ),
        autoencoder=AUTOENCODER,
        t5=replace(config.t5, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2),
        clip=replace(config.clip, hidden_size=16, intermediate_size=16, num_attention_heads=2),
    )


@cache
def tokenizers() -> tuple[PromptTokenizers, ModelConfig]:
    """Return the tokenizers of the built-in model and a small config for their vocabularies."""
    with TemporaryDirectory() as folder:
        config = small_config(*make_tokenizers(all_instructions(), Path(folder)))
        return load_tokenizers(Path(folder), config.prompt), config


@cache
def examples() -> ExampleSet:
    """Return 24 scenes of 96 x 96 pixels, half of them with references."""
    words, config = tokenizers()
    mx.random.seed(1)
    autoencoder = TinyAutoencoder(AUTOENCODER)
    tasks = ("repaint", "instruct", "remove", "control", "generate", "subject", "portrait", "reference")
    return ExampleSet(
        [encode_scene(task, seed, autoencoder, config.latent, words, (96, 96)) for seed in range(3) for task in tasks]
    )
