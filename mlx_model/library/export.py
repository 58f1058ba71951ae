"""Write a model as a folder that can be published: our files, and a model card with licence, sources and digests."""

import re
from pathlib import Path

from mlx_model.library.catalogue import Catalogue, Licence
from mlx_model.library.disk import require_room, size_text, writing
from mlx_model.library.errors import LibraryError
from mlx_model.library.linking import link_or_copy, set_apart
from mlx_model.library.progress import Work
from mlx_model.library.record import Record, write_whole
from mlx_model.library.safe_paths import inside
from mlx_model.library.upkeep import verify
from mlx_model.places import is_file, is_of_the_finder
from mlx_model.weights.config import ModelConfig

CARD = "README.md"


def export(folder: Path, record: Record, target: Path, catalogue: Catalogue, work: Work) -> list[Path]:
    """Write the model in ``folder`` into ``target``, which must be new or empty; return the files, relative to it.

    Every file is compared with the record first. Paths of this machine are left out of the exported record.

    Raises:
        LibraryError: the model is damaged, or the folder is not empty or cannot be written.
    """
    if is_file(target):
        raise LibraryError(f"{target} is a file; give a new folder to export into")
    with writing(target, record.name):
        taken = target.exists() and any(not is_of_the_finder(path) for path in target.iterdir())
    if taken:
        raise LibraryError(f"{target} is not empty; give a new folder to export into")
    if findings := verify(folder, record, work):
        raise LibraryError(
            f"{record.name} is damaged ({findings[0].path} {findings[0].problem}); mend it first with: "
            f"ace models repair {record.name}"
        )
    require_room(target, record.size, f"the export of {record.name}")
    with writing(target, record.name):
        target.mkdir(parents=True, exist_ok=True)
        for file in record.files:
            work.control.checkpoint()
            link_or_copy(inside(folder, file.path), inside(target, file.path))
            if not file.path.endswith(".safetensors"):  # people may edit the config of what they publish
                set_apart(inside(target, file.path))
        write_whole(target / CARD, model_card(record, ModelConfig.load(folder), catalogue))
        record.without_paths().save(target)
    return [*(Path(file.path) for file in record.files), Path(CARD), Path("record.json")]


def model_card(record: Record, config: ModelConfig, catalogue: Catalogue) -> str:
    """Write the model card: front matter as the hub reads it, licence, sources, quantization, files."""
    licences = [licence for licence in catalogue.licences.values() if licence.name in record.licences]
    lines = [
        "---",
        "library_name: mlx",
        "pipeline_tag: image-to-image",
        *_licence_tags(licences),
        "tags: [ace-plus, flux, image-editing]",
        "---",
        "",
        f"# {config.title}",
        "",
        config.note,
        "",
        f"A model folder for ACE Desktop, written by {record.program}. Tensors carry the released names; quantized "
        "ones use MLX's `weight`/`scales`/`biases`.",
        "",
        "## Licence",
        "",
        *(f"{licence.name} ({licence.page}). {licence.text}" for licence in licences),
        "",
        "## Parts",
        "",
        "| part | made from | quantization | digests of the sources compared |",
        "| --- | --- | --- | --- |",
    ]
    for part in record.parts:
        sources = ", ".join(
            f"{source.title}" + (f" at {source.remote.commit}" if source.remote else "") for source in part.sources
        )
        bits = part.quantization
        how = "as released" if bits is None else f"{bits.bits} bits, groups of {bits.group_size}"
        if part.sources:
            lines.append(f"| {part.part} | {sources} | {how} | {'yes' if part.digests_checked else 'no'} |")
    lines += ["", "## Files", "", "| file | size | sha256 |", "| --- | --- | --- |"]
    lines += [f"| {file.path} | {size_text(file.size)} | {file.sha256} |" for file in record.files]
    return "\n".join(lines) + "\n"


def _licence_tags(licences: list[Licence]) -> list[str]:
    if len(licences) != 1:
        return []
    licence = licences[0]
    name = re.sub("[^a-z0-9.]+", "-", licence.name.lower()).strip("-")  # the hub takes no other characters
    return ["license: other", f"license_name: {name}", f"license_link: {licence.page}"]
