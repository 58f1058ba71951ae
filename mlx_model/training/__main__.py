"""``python -m mlx_model.training FOLDER``: train the built-in model from nothing and write it into FOLDER."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from mlx_model.training.flow import FlowSettings
from mlx_model.training.pocket import PocketSettings, train_pocket


def say(stage: str) -> None:
    """Tell on standard error what begins."""
    sys.stderr.write(f"{stage}\n")


def say_line(line: dict[str, float]) -> None:
    """Tell how far the flow is."""
    sys.stderr.write(f"step {line['step']:.0f}, loss {line['loss']:.4f}, {line['seconds'] / 60:.0f} minutes\n")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m mlx_model.training", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the model goes; run again to go on from its checkpoint")
    parser.add_argument("--scenes", type=int, default=PocketSettings.scenes)
    parser.add_argument("--steps", type=int, default=FlowSettings.steps)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    defaults = PocketSettings()
    settings = replace(
        defaults,
        scenes=given.scenes,
        autoencoder=replace(defaults.autoencoder, seed=given.seed),
        flow=replace(defaults.flow, steps=given.steps, stage_one=given.steps // 8, seed=given.seed),
    )
    train_pocket(given.folder, settings, on_stage=say, on_log=say_line)


if __name__ == "__main__":
    main()
