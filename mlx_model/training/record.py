"""What a training run says about itself: ``training.json`` beside the model."""

import json
import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def processor() -> str:
    """Name the processor as the system does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write_record(folder: Path, arguments: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
    """Write ``folder/training.json``: arguments, seconds by stage, machine, versions and the day it ended."""
    versions = {"python": platform.python_version()}
    for package in ("mlx", "torch", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    record = {
        "ended": time.strftime("%Y-%m-%d"),
        "machine": {"system": platform.system(), "processor": processor(), "cores": os.cpu_count()},
        "versions": versions,
        "seconds": {stage: round(value, 1) for stage, value in seconds.items()},
        "arguments": dict(arguments),
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False, default=str)
    (folder / "training.json").write_text(text + "\n", encoding="utf-8")
