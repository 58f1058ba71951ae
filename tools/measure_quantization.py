"""Print how far every packing takes the velocity from full precision, and the size, as a table in Markdown.

    python tools/measure_quantization.py model [--folder resources/models/pocket] [--scope modulation]
    python tools/measure_quantization.py double
    python tools/measure_quantization.py single

``double`` and ``single`` are one block of the full-size transformer with random weights: 3 GB of memory, and some
minutes on a CPU.
"""

import argparse
from pathlib import Path

from mlx_model.weights.config import QuantizationConfig, TransformerConfig
from mlx_model.weights.policy import BITS, GROUP_SIZES
from mlx_model.weights.quantization_error import Measured, measure, measure_block

ROOT = Path(__file__).parents[1]
FULL_SIZE = TransformerConfig(
    448, 64, 3072, 24, (16, 56, 56), 10000.0, 768, 4096, 4.0, qkv_bias=True, depth=19, depth_single_blocks=38,
    guidance_embed=True,
)  # fmt: skip
PACKINGS = [QuantizationConfig(group_size, bits) for bits in BITS for group_size in GROUP_SIZES]


def table(measured: list[Measured]) -> str:
    """Lay out a row per bit width, a column per group size: error, and size in MB."""
    lines = ["| bits | " + " | ".join(f"group {size}" for size in GROUP_SIZES) + " |", "| --- |" + " --- |" * 3]
    for bits in BITS:
        row = [m for m in measured if m.quantization and m.quantization.bits == bits]
        cells = [f"{m.error:.2%}, {m.size / 1e6:.1f} MB" for m in row]
        lines.append(f"| {bits} | " + " | ".join(cells) + " |")
    lines.append(f"| bf16 | 0, {measured[0].full_size / 1e6:.1f} MB |  |  |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["model", "double", "single"])
    parser.add_argument("--folder", type=Path, default=ROOT / "resources" / "models" / "pocket")
    parser.add_argument("--scope", choices=["all", "modulation", "blocks"], default="all")
    options = parser.parse_args()
    if options.what == "model":
        print(table(measure(options.folder, PACKINGS, scope=options.scope)))
    else:
        print(table(measure_block(options.what, FULL_SIZE, PACKINGS)))
