"""Measure the full-size autoencoder, whole and in row strips: time, peak memory, and how far the results differ.

    python tools/bench.py [--size 1024] [--rows 32] [--only encode]

Real channel counts, random weights, random input. Each way runs in a process of its own, so that the peak of its
resident memory is its own. On a CPU it takes some minutes, and about 16 GiB for the whole picture at 1024 x 1024.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from mlx_model.networks.autoencoder import STRIP_ROWS, Autoencoder
from mlx_model.runtime import mx
from mlx_model.weights.config import AutoencoderConfig

CONFIG = AutoencoderConfig(
    architecture="full", resolution=256, in_channels=3, ch=128, out_ch=3, ch_mult=(1, 2, 4, 4), num_res_blocks=2,
    z_channels=16,
)  # fmt: skip
MIB = 1 << 20


@dataclass(frozen=True, eq=False)
class Measured:
    """One way: seconds, MiB (``work`` is MLX's peak without the weights), the longest silence, and the result."""

    seconds: float
    peak: int
    work: int
    resident: int
    silence: float
    result: npt.NDArray[np.float32]


def measure(direction: str, size: int, rows: int, answer: Connection) -> None:
    """Encode or decode, in strips of ``rows`` rows or whole (0), and send what was measured."""
    mx.random.seed(0)
    model = Autoencoder(CONFIG)
    mx.eval(model.parameters())
    shape = (1, size, size, 3) if direction == "encode" else (1, size // 8, size // 8, 16)
    x = mx.random.uniform(-1, 1, shape, key=mx.random.key(1))
    mx.eval(x)
    weights = mx.get_active_memory()
    mx.reset_peak_memory()
    moments = [time.perf_counter()]

    def tick() -> None:
        moments.append(time.perf_counter())

    if rows:
        result = (model.encode_tiled if direction == "encode" else model.decode_tiled)(x, rows, tick)
    else:
        result = (model.encode if direction == "encode" else model.decode)(x, tick)
    mx.eval(result)
    tick()
    unit = MIB if sys.platform == "darwin" else 1 << 10
    answer.send(
        Measured(
            seconds=moments[-1] - moments[0],
            peak=mx.get_peak_memory() // MIB,
            work=(mx.get_peak_memory() - weights) // MIB,
            resident=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit,
            silence=float(np.diff(moments).max()),
            result=np.array(result),
        )
    )


def in_a_process(direction: str, size: int, rows: int) -> Measured:
    """Run :func:`measure` in a fresh process and wait for it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=measure, args=(direction, size, rows, theirs))
    process.start()
    theirs.close()
    measured: Measured = ours.recv()
    process.join()
    return measured


def main() -> int:
    """Print the table; return 1 where the strips take more than a quarter of the memory or change the picture."""
    parser = argparse.ArgumentParser(description="Measure the full-size autoencoder, whole and in strips.")
    parser.add_argument("--size", type=int, default=1024, help="side of the square picture in pixels")
    parser.add_argument("--rows", type=int, default=STRIP_ROWS, help="rows of a strip")
    parser.add_argument("--only", action="append", choices=("encode", "decode"), help="one direction")
    arguments = parser.parse_args()
    print(f"autoencoder at {arguments.size} x {arguments.size}, float32, memory in MiB")
    print(f"{'':22}{'seconds':>8}{'peak':>8}{'work':>8}{'resident':>10}{'silence s':>11}")
    holds = True
    for direction in arguments.only or ("encode", "decode"):
        whole, strips = (in_a_process(direction, arguments.size, rows) for rows in (0, arguments.rows))
        for name, way in (("whole", whole), (f"strips of {arguments.rows}", strips)):
            figures = f"{way.seconds:8.1f}{way.peak:8}{way.work:8}{way.resident:10}{way.silence:11.2f}"
            print(f"{direction + ' ' + name:22}{figures}", flush=True)
        difference = np.abs(whole.result - strips.result).max() * 255
        share = f"{strips.peak / whole.peak:.1%} of the peak, {strips.work / whole.work:.1%} without weights"
        print(f"{'':6}strips take {share}; they differ by {difference:.5f} / 255 at most", flush=True)
        # The latents' range is about that of the pixels, so one bound serves both ways.
        holds = holds and strips.peak <= whole.peak / 4 and difference < 1
    if not holds:
        print("not held: a quarter of the memory, less than 1 / 255 apart")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
