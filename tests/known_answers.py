"""The golden transformer cases (tests/golden/README.md), ready to run; shared by the tests that need them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_model.conditioning.packing import condition_tokens, pack
from mlx_model.networks.modulation import schedule_modulation
from mlx_model.networks.transformer import Transformer
from mlx_model.runtime import mx
from mlx_model.weights.config import TransformerConfig
from mlx_model.weights.layouts import is_modulation
from mlx_model.weights.lora import LoadedAdapter
from mlx_model.weights.model_folder import load_weights, read_tensors

GOLDEN = Path(__file__).parent / "golden"
CHECKPOINTS = Path(__file__).parent / "checkpoints"


def relative_error(ours: mx.array, known: mx.array) -> float:
    """Return the L2 norm of the difference over the L2 norm of the known answer, both taken in float64."""
    a, b = (np.array(array.astype(mx.float32), dtype=np.float64) for array in (ours, known))
    assert a.shape == b.shape, f"{a.shape} instead of {b.shape}"
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def golden_config(in_channels: int) -> TransformerConfig:
    """Read the config of the golden transformers: 384 (Fill) or 448 (FFT) input channels."""
    values = json.loads((GOLDEN / "transformer_config.json").read_text())
    values = {name.lower(): value for name, value in values.items() if name != "NAME"}
    return TransformerConfig.from_dict(values | {"in_channels": in_channels})


@dataclass(frozen=True, eq=False)
class Case:
    """A transformer with its modulation layers, one set of inputs, and what they must give."""

    config: TransformerConfig
    transformer: Transformer
    modulation: dict[str, mx.array]
    tensors: dict[str, mx.array]

    @property
    def noise(self) -> mx.array:
        """The noise, packed."""
        return pack(channels_last(self.tensors["noise"]))

    @property
    def condition(self) -> mx.array:
        """The canvas, packed."""
        modify = self.tensors.get("modify")
        return condition_tokens(
            channels_last(self.tensors["edit"]),
            self.tensors["mask"],
            None if modify is None else channels_last(modify),
        )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        _, rows, columns = self.tensors["noise"].shape
        return rows // 2, columns // 2

    def stepper(
        self,
        sigmas: mx.array,
        adapters: Sequence[LoadedAdapter] = (),
        dtype: mx.Dtype = mx.float32,
        on_block: Callable[[], None] | None = None,
        blocks_at_once: int = 1,
    ) -> Callable[[mx.array, int], mx.array]:
        """Prepare a schedule; the function returned gives the velocity (1, N, 64) of packed noise at a step."""
        guidance = mx.broadcast_to(self.tensors["guidance"], sigmas.shape)
        vectors = self.transformer.vector(sigmas, guidance, self.tensors["pooled"])
        steps = schedule_modulation(self.config, dict(self.modulation), vectors, adapters, dtype=dtype)
        context = self.tensors["context"]
        text, rope = self.transformer.embed_text(context), self.transformer.rope(context.shape[1], *self.grid)

        def velocity(noise: mx.array, step: int) -> mx.array:
            tokens = mx.concatenate([noise, self.condition], axis=-1)
            return self.transformer(tokens, text, steps[step], rope, on_block, blocks_at_once)

        return velocity

    def velocity(self, adapters: Sequence[LoadedAdapter] = (), dtype: mx.Dtype = mx.float32) -> mx.array:
        """Compute the case's velocity (1, N, 64)."""
        return self.stepper(self.tensors["t"], adapters, dtype)(self.noise, 0)

    def error(self, dtype: mx.Dtype = mx.float32) -> float:
        """Measure how far the velocity is from the golden one."""
        return relative_error(self.velocity(dtype=dtype), pack(channels_last(self.tensors["velocity"])))


def channels_last(latent: mx.array) -> mx.array:
    """(16, h, w) to (1, h, w, 16)."""
    return latent.transpose(1, 2, 0)[None]


def golden_case(name: str, dtype: mx.Dtype = mx.float32) -> Case:
    """Load a golden case: "fft", "fill", "tiny_qk", or the inputs of "trajectory_fill"."""
    config = golden_config(448 if name == "fft" else 384)
    weights = read_tensors(GOLDEN / f"transformer_{'fft' if name == 'fft' else 'fill'}.weights.safetensors")
    if name == "tiny_qk":
        for key in weights:
            if "_attn.qkv." in key or ".linear1." in key:
                rows = mx.arange(weights[key].shape[0]) < 2 * config.hidden_size
                factor = mx.where(rows, 1e-3, 1.0)
                weights[key] = weights[key] * (factor[:, None] if weights[key].ndim == 2 else factor)
    transformer = Transformer(config)
    load_weights(transformer, {k: v for k, v in weights.items() if not is_modulation(k)}, dtype=dtype)
    file = f"{name}.case.safetensors" if name.startswith("trajectory") else f"transformer_{name}.case.safetensors"
    modulation = {k: v for k, v in weights.items() if is_modulation(k)}
    return Case(config, transformer, modulation, read_tensors(GOLDEN / file))
