"""``ace tasks`` and ``ace info``: what can be done, and what this machine does it with."""

import json
import platform
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from mlx_model.library.folders import BUILT_IN, installed_models, models_folder
from mlx_model.library.recommendation import memory_bytes
from mlx_model.tasks import CONTROLS, TASKS

if TYPE_CHECKING:
    from mlx_model.weights.config import ModelConfig

_WHILE: Final = {"text": "reading", "encode": "looking", "denoise": "painting", "decode": "developing"}
"""Stages of an edit that hold most, and their names in the table."""


def show_tasks(as_json: bool) -> None:
    """Print the tasks, what each needs, and an example."""
    if as_json:
        for name, task in TASKS.items():
            needs = {"picture": task.needs_picture, "mask": task.needs_mask, "reference": task.needs_reference}
            row = {"task": name, "summary": task.summary, "needs": needs, "adapter": task.adapter}
            typer.echo(json.dumps({**row, "example": task.example}, ensure_ascii=False))
        return
    table = Table("task", "what it does", "needs", "instruction, for example", box=None, pad_edge=False)
    for name, task in TASKS.items():
        wanted = {"picture": task.needs_picture, "mask": task.needs_mask, "reference": task.needs_reference}
        wanted["instruction"] = task.needs_words
        table.add_row(name, task.summary, ", ".join(w for w, needed in wanted.items() if needed), task.example)
    _console().print(table)
    typer.echo(f"\nThe task is read from what is given; --task says it. Controls: {', '.join(CONTROLS)}.")


def show_info(as_json: bool) -> None:
    """Print the machine, the device, the versions and the models that are here."""
    facts = _facts()
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name in ("machine", "device", "memory", "compute type", "versions", "models folder"):
        value = facts[name]
        table.add_row(
            name, ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        )
    _console().print(table)
    if facts["slow"]:
        typer.echo(f"\nnote: {facts['slow']}")
    models = Table("model", "kind", "size", "about", box=None, pad_edge=False)
    memory = Table("memory of", "canvas", *_WHILE.values(), "all kept", box=None, pad_edge=False)
    for model in facts["models"]:
        models.add_row(model["name"], model["kind"] or "-", model["size"], model["problem"] or model["title"])
        if need := model["memory"]:
            stages = (_size(need["stages"][stage]) for stage in _WHILE)
            memory.add_row(model["name"], "{} x {}".format(*need["canvas"]), *stages, _size(need["all_kept"]))
    for shown in (models, memory):
        typer.echo("")
        _console().print(shown)


def _facts() -> dict[str, Any]:
    from mlx_model import memory
    from mlx_model.cli import machine
    from mlx_model.runtime import COMPUTE_TYPE, slow_reason

    return {
        "machine": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "device": machine.device(),
        "memory": f"{_gigabytes(memory_bytes())}, of which {_gigabytes(memory.machine_limit())} can be used",
        "compute type": str(COMPUTE_TYPE).removeprefix("mlx.core."),
        "versions": ", ".join(f"{name} {version}" for name, version in machine.versions().items()),
        "slow": slow_reason(),
        "models folder": f"{models_folder()} and {BUILT_IN}",
        "models": [
            {
                "name": model.name,
                "folder": str(model.folder),
                "size": f"{model.bytes / 1e6:.0f} MB" if model.bytes < 1e9 else f"{model.bytes / 1e9:.1f} GB",
                "kind": model.config.kind if model.config else None,
                "title": f"{model.config.title}: {model.config.note}" if model.config else "",
                "problem": model.problem,
                "memory": _memory(model.folder, model.config) if model.config else None,
            }
            for model in installed_models()
        ],
    }


def _memory(folder: Path, config: "ModelConfig") -> dict[str, Any] | None:
    """Say what is resident at each stage of an edit at the model's native size; None where a file is missing."""
    from mlx_model import memory
    from mlx_model.request import RequestError

    canvas = (config.size.native, config.size.native)
    try:
        weights = memory.weights_of(folder)
    except RequestError:
        return None
    need = memory.estimate(config, weights, memory.Work(canvas, canvas, config.sampling.steps))
    return {"canvas": canvas, "stages": need.stages, "all_kept": need.all_kept}


def _size(count: int) -> str:
    return _gigabytes(count) if count >= 2**30 else f"{count / 2**20:.0f} MB"


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:.1f} GB"


def _console() -> Console:
    return Console(width=max(shutil.get_terminal_size((120, 40)).columns, 60), highlight=False)
