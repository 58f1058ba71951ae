"""Measure how long it takes to switch adapters on a full-size base: two LoRAs of the released sizes and layers.

    python tools/measure_adapters.py [--ranks 64 16]

Random weights, all linear layers of the double and single blocks, modulation included. The base's own weights are
never evaluated, so they take no memory; switching does not touch them.
"""

import argparse
import tempfile
import time
from pathlib import Path

from mlx_model.networks.transformer import Transformer
from mlx_model.runtime import mx
from mlx_model.weights.config import TransformerConfig
from mlx_model.weights.layouts import linear_shapes
from mlx_model.weights.lora import AdaptedLinear, LoadedAdapter, attach, read_adapter

FLUX = TransformerConfig(
    in_channels=384, out_channels=64, hidden_size=3072, num_heads=24, axes_dim=(16, 56, 56), theta=10000.0,
    vec_in_dim=768, context_in_dim=4096, mlp_ratio=4.0, qkv_bias=True, depth=19, depth_single_blocks=38,
    guidance_embed=True,
)  # fmt: skip


def write_adapter(path: Path, rank: int, seed: int) -> None:
    """Write a kohya file of this rank in bfloat16."""
    tensors: dict[str, mx.array] = {}
    for index, (layer, (outputs, inputs)) in enumerate(linear_shapes(FLUX).items()):
        if "_blocks." in layer:
            name, key = "lora_unet_" + layer.replace(".", "_"), mx.random.key(seed * 1000 + index)
            tensors[f"{name}.lora_down.weight"] = mx.random.normal((rank, inputs), mx.bfloat16, key=key)
            tensors[f"{name}.lora_up.weight"] = mx.random.normal((outputs, rank), mx.bfloat16, key=key)
    mx.save_safetensors(str(path), tensors)


def put_on(transformer: Transformer, adapter: LoadedAdapter) -> float:
    """Attach an adapter and make everything of it ready; return the seconds."""
    start = time.perf_counter()
    attach(transformer, [adapter])
    adapted = [module for module in transformer.modules() if isinstance(module, AdaptedLinear)]
    mx.eval([(update.down, update.up) for module in adapted for update, _ in module.acting])
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how long switching adapters takes at full size.")
    parser.add_argument("--ranks", type=int, nargs="+", default=[64, 16])
    ranks: list[int] = parser.parse_args().ranks
    transformer = Transformer(FLUX)
    adapters: list[LoadedAdapter] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, rank in enumerate(ranks):
            path = Path(folder) / f"rank{rank}_{number}.safetensors"
            write_adapter(path, rank, number)
            start = time.perf_counter()
            adapter = read_adapter(path, FLUX)
            mx.eval([(update.down, update.up) for updates in adapter.updates.values() for update in updates])
            seconds = time.perf_counter() - start
            size = path.stat().st_size / 1e6
            print(f"rank {rank}: {size:.0f} MB, {len(adapter.updates)} layers, read in {seconds:.2f} s")
            adapters.append(adapter)
    for adapter, rank in zip(adapters * 2, ranks * 2, strict=True):
        print(f"switched to rank {rank} in {put_on(transformer, adapter):.2f} s")


if __name__ == "__main__":
    main()
