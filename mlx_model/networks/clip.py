"""CLIP's text encoder: ids to the pooled output, as FLUX.1 uses it.

Parameters are named as in the released files (transformers' ``CLIPTextModel``).
"""

from collections.abc import Callable, Mapping
from typing import Final

from mlx_model.runtime import mx, nn
from mlx_model.weights.config import ClipConfig

_ACTIVATIONS: Final[dict[str, Callable[[mx.array], mx.array]]] = {
    "gelu": nn.gelu,
    "quick_gelu": lambda x: x * mx.sigmoid(1.702 * x),
}
_LEGACY_END: Final = 2  # configs with this id were written wrongly; there the largest id marks the end


class ClipTextEncoder(nn.Module):
    """Causal transformer over the ids, read out at the end of the text.

    Raises:
        ValueError: ``hidden_act`` is unknown.
    """

    def __init__(self, config: ClipConfig):
        super().__init__()
        if config.hidden_act not in _ACTIVATIONS:
            raise ValueError(f'CLIP\'s hidden_act "{config.hidden_act}" is none of {", ".join(_ACTIVATIONS)}')
        self.config = config
        self.text_model = TextModel(config)

    def __call__(self, ids: mx.array, on_chunk: Callable[[], None] | None = None) -> mx.array:
        """Return the pooled output (1, hidden) of ids (1, L).

        ``on_chunk`` is called after every layer and may raise to stop.
        """
        model = self.text_model
        x = model.embeddings.token_embedding(ids) + model.embeddings.position_embedding.weight[: ids.shape[1]]
        for layer in model.encoder.layers:
            x = layer(x)
            if on_chunk is not None:
                mx.eval(x)
                on_chunk()
        end = self.config.eos_token_id
        position = mx.argmax(ids if end == _LEGACY_END else ids == end, axis=-1)
        return model.final_layer_norm(x[mx.arange(ids.shape[0]), position])


class TextModel(nn.Module):
    """Embeddings, layers, and the last norm."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Layers(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


class Embeddings(nn.Module):
    """Tables of tokens and positions."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)


class Layers(nn.Module):
    """The list of layers, under its released name."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.layers = [Layer(config) for _ in range(config.num_hidden_layers)]


class Layer(nn.Module):
    """Causal self-attention and MLP, each behind a norm and added to the stream."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.self_attn = Attention(config)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = Mlp(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def __call__(self, x: mx.array) -> mx.array:
        """Return the stream (1, L, hidden) after this layer."""
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Attention(nn.Module):
    """Every token attends to itself and those before it."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.config = config
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(config.hidden_size, config.hidden_size) for _ in range(4)
        )

    def __call__(self, x: mx.array) -> mx.array:
        """Return (1, L, hidden)."""
        q, k, v = (
            mx.unflatten(project(x), 2, (self.config.num_attention_heads, -1)).transpose(0, 2, 1, 3)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = mx.fast.scaled_dot_product_attention(q, k, v, scale=q.shape[-1] ** -0.5, mask="causal")
        return self.out_proj(attended.transpose(0, 2, 1, 3).flatten(2))


class Mlp(nn.Module):
    """Two linear layers."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.config = config
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def __call__(self, x: mx.array) -> mx.array:
        """Return (1, L, hidden)."""
        return self.fc2(_ACTIVATIONS[self.config.hidden_act](self.fc1(x)))


def released_tensors(file: Mapping[str, mx.array]) -> dict[str, mx.array]:
    """Leave out what files carry beside the encoder's parameters: position ids, projection and temperature."""
    beside = {"text_model.embeddings.position_ids", "text_projection.weight", "logit_scale"}
    return {name: tensor for name, tensor in file.items() if name not in beside}
