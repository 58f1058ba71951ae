"""``ace models list``: what can be installed, what is here, and what suits this machine; loads no MLX."""

import json
import shutil
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlx_model.cli.report import reporting
from mlx_model.library.catalogue import Catalogue, disk_bytes, download_bytes, load_catalogue, models_of
from mlx_model.library.disk import size_text
from mlx_model.library.folders import INSTALLING, RECORD, InstalledModel, installed_models, lacking, models_folder
from mlx_model.library.recommendation import Recommendation, memory_bytes, recommended
from mlx_model.places import exists


def show_models(as_json: bool) -> None:
    """Print the models of the catalogue and those that are here, a line each."""
    with reporting(as_json):
        catalogue = load_catalogue()
        memory = memory_bytes()
        rows, best = _rows(catalogue), recommendations(catalogue, memory)
    for row in rows:
        row["recommended"] = any(row["model"] == one.model.name for one in best.values())
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "what it is", "download", "disk", "memory", "state"):
        table.add_column(heading, no_wrap=heading != "what it is")
    for row in rows:
        sizes = [size_text(row[key]) if row[key] else "-" for key in ("download", "disk", "memory")]
        table.add_row(*map(escape, (row["model"], row["title"], *sizes, _state(row))))
    width = max(shutil.get_terminal_size((120, 40)).columns, 60)
    console = Console(width=width, highlight=False)
    console.print(table, "")
    for name, family in catalogue.families.items():
        console.print(escape(f"{name}: {family.note}"))
    typer.echo("Memory is the peak at 1024 x 1024 pixels. " + recommendation_in_words(best, memory))


def recommendations(catalogue: Catalogue, memory: int) -> dict[str, Recommendation]:
    """Return what suits a machine with so many bytes of memory, by family."""
    families = {
        name: recommended([model for model in models_of(catalogue) if model.family_name == name], memory)
        for name in catalogue.families
    }
    return {name: best for name, best in families.items() if best is not None}


def recommendation_in_words(best: dict[str, Recommendation], memory: int) -> str:
    """Say what suits this machine."""
    machine = f"{memory / 2**30:.0f} GB"
    if not best:
        return f"No full model fits this machine's {machine}; the built-in one does."
    named = [
        f"{one.model.name}{' (about 512 x 512 pixels)' if one.small_pictures else ''}, {one.model.family.title}"
        for one in best.values()
    ]
    return f"For this machine's {machine}: " + "; or ".join(named) + "."


def _rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    here = {model.name: model for model in installed_models()}
    rows: list[dict[str, Any]] = []
    for model in models_of(catalogue):
        family = model.family
        headless = model.name not in here and exists(models_folder() / model.name / RECORD)
        problem = _problem(here[model.name]) if model.name in here else "it has no config.json" if headless else None
        rows.append(
            {
                "model": model.name,
                "title": f"{family.title}, {model.width_name}",
                "note": family.note,
                "kind": family.kind,
                "tasks": family.tasks,
                "licences": [catalogue.licences[name].name for name in family.licences],
                "non_commercial": any(catalogue.licences[name].non_commercial for name in family.licences),
                "download": download_bytes(catalogue, model),
                "disk": disk_bytes(catalogue, model),
                "memory": model.memory,
                "memory_small": model.memory_small,
                "installed": model.name in here or headless,
                "half_made": exists(models_folder() / (model.name + INSTALLING)),
                "problem": problem,
            }
        )
    listed = {row["model"] for row in rows}
    for name, model in here.items():
        if name in listed:
            continue
        built_in = catalogue.built_in.get(name)
        config = model.config
        rows.append(
            {
                "model": name,
                "title": built_in.title if built_in else config.title if config else "",
                "note": built_in.note if built_in else config.note if config else "",
                "kind": config.kind if config else None,
                "tasks": built_in.tasks if built_in else (),
                "licences": [config.licence] if config else [],
                "non_commercial": False if built_in else None,
                "download": 0,
                "disk": model.bytes,
                "memory": built_in.memory if built_in else None,
                "memory_small": built_in.memory if built_in else None,
                "installed": True,
                "half_made": False,
                "problem": _problem(model),
            }
        )
    return rows


def _problem(model: InstalledModel) -> str | None:
    return model.problem or lacking(model.folder)


def _state(row: dict[str, Any]) -> str:
    words = ["damaged" if row["problem"] else "installed"] if row["installed"] else []
    words += ["begun"] if row["half_made"] else []
    words += ["recommended"] if row["recommended"] else []
    return ", ".join(words)
