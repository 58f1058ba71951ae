"""Measure the memory and the disk that a conversion takes, on a model with the full size's own tensors.

    python tools/measure_conversion.py [--part transformer] [--doubles 1] [--singles 2] [--layers 1] [--far]

A source file in the released layout is written, with as many blocks as asked for and random numbers, and converted in
a process of its own: peak memory is that process's beyond what it had after loading. With ``--far`` the file is read
from a hub on this machine, ranges ahead as from the real one. Peak disk is what the target folder takes at any time.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlx_model.library.hub import Hub
from mlx_model.library.tensor_files import LocalSource, RemoteSource, TensorFile
from mlx_model.weights.config import ModelConfig, QuantizationConfig, T5Config, TransformerConfig
from mlx_model.weights.convert import convert_part
from mlx_model.weights.part_tensors import part_tensors
from mlx_model.weights.policy import Part
from tests.hub_server import running_hub

ROOT = Path(__file__).parents[1]
REPOSITORY, NAME = "synthetic/model", "model.safetensors"


def full_size(part: Part, doubles: int, singles: int, layers: int) -> ModelConfig:
    """Describe a model as large as FLUX.1, but for its number of blocks."""
    pocket = ModelConfig.load(ROOT / "resources" / "models" / "pocket")
    transformer = TransformerConfig(
        448, 64, 3072, 24, (16, 56, 56), 10000.0, 768, 4096, 4.0, qkv_bias=True, depth=doubles,
        depth_single_blocks=singles, guidance_embed=True,
    )  # fmt: skip
    t5 = T5Config(4096, 64, 10240, layers, 64, 32, 128, 32128, 1e-6)
    return replace(pocket, transformer=transformer) if part == "transformer" else replace(pocket, t5=t5)


def write_source(path: Path, part: Part, config: ModelConfig) -> None:
    """Write random bfloat16 numbers in the released layout, a tensor at a time."""
    shapes = {name: shape for file in part_tensors(part, config).values() for name, shape in file.items()}
    table: dict[str, object] = {}
    at = 0
    for name, shape in shapes.items():
        table[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + 2 * math.prod(shape)]}
        at += 2 * math.prod(shape)
    header = json.dumps(table).encode()
    random = np.random.default_rng(0).normal(0, 0.02, 1 << 20).astype(np.float32)
    numbers = (random.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    with path.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        for shape in shapes.values():
            left = 2 * math.prod(shape)
            while left:
                left -= stream.write(numbers[:left])


def convert(options: argparse.Namespace) -> None:
    """Convert, and print the bytes of memory beyond those after loading, and the seconds."""
    config = full_size(options.part, options.doubles, options.singles, options.layers)
    before, began = peak_memory(), time.perf_counter()
    packing = QuantizationConfig(options.group_size, options.bits)
    if options.far:
        with Hub(endpoint=options.child) as hub:
            far = TensorFile(RemoteSource(hub, hub.describe(REPOSITORY, [NAME])[0]))
            converted = convert_part(options.part, [far], options.folder, config, packing)
    else:
        near = TensorFile(LocalSource(Path(options.child)))
        converted = convert_part(options.part, [near], options.folder, config, packing)
    assert converted.digests_checked == options.far
    print(json.dumps({"memory": peak_memory() - before, "seconds": time.perf_counter() - began}))


def peak_memory() -> int:
    """Bytes of resident memory at their highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def disk(folder: Path) -> int:
    """Bytes that a folder takes on the disk, holes not counted."""
    taken = 0
    for path in folder.glob("*"):
        try:
            taken += path.stat().st_blocks * 512
        except FileNotFoundError:  # renamed meanwhile
            continue
    return taken


def main(options: argparse.Namespace) -> None:
    """Write the source, convert it in another process, and print what that took."""
    with tempfile.TemporaryDirectory() as name, running_hub() as server:
        source, folder = Path(name) / NAME, Path(name) / "ours"
        folder.mkdir()
        write_source(source, options.part, full_size(options.part, options.doubles, options.singles, options.layers))
        if options.far:
            server.add(REPOSITORY, {NAME: source})
        child = subprocess.Popen(
            [sys.executable, __file__, *sys.argv[1:], "--child", server.url if options.far else str(source),
             "--folder", str(folder)],
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        peak, ended = 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(0.05):
                peak = max(peak, disk(folder))

        watcher = threading.Thread(target=watch)
        watcher.start()
        answer = child.communicate()[0]
        ended.set()
        watcher.join()
        assert child.returncode == 0
        result, final = json.loads(answer), sum(path.stat().st_size for path in folder.glob("*"))
        print(
            f"source {source.stat().st_size / 1e6:.0f} MB, result {final / 1e6:.0f} MB in {result['seconds']:.0f} s"
        )
        print(f"peak memory beyond loading: {result['memory'] / 1e6:.0f} MB")
        print(f"peak disk: {peak / 1e6:.0f} MB, {(peak - final) / 1e6:+.1f} MB beyond the result")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["transformer", "t5"], default="transformer")
    parser.add_argument("--doubles", type=int, default=1)
    parser.add_argument("--singles", type=int, default=2)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--group-size", type=int, default=64)
    parser.add_argument("--far", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    convert(given) if given.child else main(given)
