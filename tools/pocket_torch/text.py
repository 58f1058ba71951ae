"""The two small text encoders and the tokenizers in front of them."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from mlx_model.training.vocabulary import CLIP_LENGTH, T5_LENGTH


def token_ids(folder: Path) -> tuple[Tokenizer, Tokenizer]:
    """Both tokenizers, set to cut and pad to their lengths (T5 with <pad>, CLIP with its end token)."""
    t5 = Tokenizer.from_file(str(folder / "tokenizer_t5" / "tokenizer.json"))
    clip = Tokenizer.from_file(str(folder / "tokenizer_clip" / "tokenizer.json"))
    end = clip.token_to_id("<|endoftext|>")
    for tokenizer, length, pad, token in ((t5, T5_LENGTH, 0, "<pad>"), (clip, CLIP_LENGTH, end, "<|endoftext|>")):
        tokenizer.enable_truncation(length)
        tokenizer.enable_padding(length=length, pad_id=pad, pad_token=token)
    return t5, clip


def t5_config(vocabulary: int, wide: int = 128, layers: int = 2) -> T5Config:
    """A small T5 v1.1 encoder."""
    return T5Config(
        vocab_size=vocabulary, d_model=wide, d_kv=32, d_ff=2 * wide, num_layers=layers, num_heads=wide // 32,
        relative_attention_num_buckets=32, relative_attention_max_distance=128, dropout_rate=0.0,
        layer_norm_epsilon=1e-6, feed_forward_proj="gated-gelu", is_encoder_decoder=False, use_cache=False,
        tie_word_embeddings=False,
    )  # fmt: skip


def clip_config(vocabulary: int, wide: int = 128, layers: int = 1) -> CLIPTextConfig:
    """A small CLIP text encoder whose end token is the last of its vocabulary."""
    return CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=wide, intermediate_size=2 * wide, num_hidden_layers=layers,
        num_attention_heads=wide // 32, max_position_embeddings=CLIP_LENGTH, hidden_act="quick_gelu",
        layer_norm_eps=1e-5, bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1,
        projection_dim=wide, attention_dropout=0.0,
    )  # fmt: skip


class TextEncoders(torch.nn.Module):
    """T5's last hidden state for the text stream, CLIP's pooled output for the modulation; no attention mask."""

    def __init__(self, t5_words: int, clip_words: int):
        super().__init__()
        self.t5 = T5EncoderModel(t5_config(t5_words))
        self.clip = CLIPTextModel(clip_config(clip_words))
        torch.nn.init.normal_(self.t5.shared.weight, std=1.0)

    def forward(self, t5_ids: torch.Tensor, clip_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        context = self.t5(input_ids=t5_ids).last_hidden_state
        return context, self.clip(input_ids=clip_ids).pooler_output
