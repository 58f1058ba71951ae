"""``ace replay``: make a result again from its recipe, and say what differs where the pixels do."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlx_model.cli.edit import Editors, Prepared, recipe_of, save
from mlx_model.cli.report import Report
from mlx_model.library.folders import find_model
from mlx_model.pictures.inputs import find_inputs
from mlx_model.pictures.read import read_bytes, read_picture
from mlx_model.pictures.recipe import SavedRecipe, attachments_of, find_recipe
from mlx_model.pictures.write import check_writable
from mlx_model.places import exists, is_file, is_folder
from mlx_model.request import RequestError, digest


@dataclass(frozen=True)
class Replay:
    """What is asked: the result, where its inputs may be, what model to use, where the new result goes."""

    result: Path
    inputs: Path | None = None
    model: str | None = None
    out: Path | None = None
    embed_inputs: bool = False


def make_again(asked: Replay, report: Report) -> bool:
    """Make the result again and write it; return whether its pixels are those of the recipe.

    Raises:
        RequestError: there is no recipe, an input is missing or changed, or the editor says no.
    """
    if asked.inputs is not None and not is_folder(asked.inputs):
        raise RequestError(f"there is no folder {asked.inputs}")
    data = read_bytes(asked.result)
    then = find_recipe(data, str(asked.result))
    target = asked.out or _free(asked.result)
    check_writable(target)
    if exists(target) and target.samefile(asked.result):
        raise RequestError(f"{target} is what is replayed; give the new result another name with --out")
    inputs = find_inputs(then.inputs, attachments_of(data), asked.inputs)
    model = find_model(asked.model) if asked.model else _model_of(then)
    prepared = Prepared(then.request, inputs, model, (target,), asked.embed_inputs)
    result = Editors().of(model).edit(then.request, inputs.pictures, on_progress=report.progress)
    now = recipe_of(result, inputs, model)
    for warning in (*result.warnings, *result.notes):
        report.warning(warning)
    save(result, now, prepared, target, report)
    same = now.result == then.result
    found = differences(then, now)
    facts = {"identical": same, "differences": found}
    if same:
        report.result(facts, "the pixels are the same as they were")
        if target.suffix.lower() == ".png" and data[1:4] == b"PNG" and digest(read_picture(data)) != then.result:
            report.warning(f"{asked.result} itself was changed by another program after it was made")
    else:
        why = "; ".join(found) or "though model, versions and device are the same"
        report.result(facts, f"the pixels differ from what they were: {why}")
    return same


def differences(then: SavedRecipe, now: SavedRecipe) -> list[str]:
    """Say in sentences what is different from when a result was made."""
    found: list[str] = []
    if then.model_digest != now.model_digest:
        found.append(f"the model {now.model} has other contents than the {then.model} of then")
    found += [
        f"the adapter {name} has other contents than then" for name, *_ in _changed(then.adapters, now.adapters)
    ]
    found += [f"{name} was {was}, now {is_}" for name, was, is_ in _changed(then.versions, now.versions)]
    if then.device != now.device:
        found.append(f"the device was {then.device}, now {now.device}")
    return found


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    names = sorted(set(then) | set(now))
    pairs = [(name, then.get(name, "unknown"), now.get(name, "unknown")) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _model_of(recipe: SavedRecipe) -> Path:
    """Find the model by its name, or where its folder last was."""
    try:
        return find_model(recipe.model)
    except RequestError:
        if is_file(Path(recipe.model_folder) / "config.json"):
            return Path(recipe.model_folder)
        raise


def _free(result: Path) -> Path:
    stem = f"{result.stem}-replay"
    names = (f"{stem}{'' if number == 1 else f'-{number}'}.png" for number in range(1, 10**6))
    return next(path for name in names if not exists(path := result.with_name(name)))
