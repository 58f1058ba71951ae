"""Run the tasks of ACE++ on the sample files with the built-in model, and lay the results out on one sheet.

`make demo` calls it; `python tools/demo.py --model FOLDER --out FOLDER` does the same with another model.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from mlx_model import request as words
from mlx_model.editor import Editor
from mlx_model.pictures.read import read_picture
from mlx_model.pictures.write import write_picture
from mlx_model.runtime import slow_reason

ROOT: Final = Path(__file__).parents[1]
SAMPLES: Final = ROOT / "resources/samples"

THUMBNAIL: Final = 192
LARGE: Final = 512
GAP: Final = 16
LABELS: Final = 250
HEADINGS: Final = ("input", "mask", "reference", "result")


@dataclass(frozen=True)
class Row:
    """One line of the contact sheet: paths of the pictures, what was asked, how long it took.

    ``box`` is the part of input, mask and result that is shown (None: all of it).
    """

    name: str
    instruction: str
    picture: Path | None
    mask: Path | None
    references: Sequence[Path]
    result: Path
    seconds: float
    box: words.Box | None = None


def run(editor: Editor, sample: dict[str, Any], out: Path, bar: Progress) -> list[Row]:
    """Edit one sample and write its result; a large picture gets a second row with what the model saw of it."""
    pictures: dict[str, words.Picture] = {}

    def load(name: str | None) -> str | None:
        if name is None:
            return None
        picture = read_picture(SAMPLES / name)
        key = words.digest(picture)
        pictures[key] = picture
        return key

    references = [SAMPLES / name for name in sample.get("references", [])]
    request = words.EditRequest(
        instruction=sample["instruction"],
        task=sample["task"],
        picture=load(sample.get("picture")),
        mask=load(sample.get("mask")),
        references=tuple(words.Reference(load(path.name) or "") for path in references),
        control=sample.get("control"),
        seed=1,
    )
    line = bar.add_task(sample["name"], total=1)

    def show(progress: words.Progress) -> None:
        bar.update(line, completed=progress.step, total=max(progress.steps, 1), description=sample["name"])

    begun = time.perf_counter()
    result = editor.edit(request, pictures, on_progress=show)
    seconds = time.perf_counter() - begun
    path = out / f"{sample['name']}.png"
    write_picture(path, result.picture)
    bar.update(line, completed=1, total=1, description=f"{sample['name']} · {seconds:.1f} s")
    row = Row(
        name=sample["name"],
        instruction=sample["instruction"],
        picture=SAMPLES / sample["picture"] if "picture" in sample else None,
        mask=SAMPLES / sample["mask"] if "mask" in sample else None,
        references=references,
        result=path,
        seconds=seconds,
    )
    if max(result.picture.size) <= LARGE:
        return [row]
    return [row, replace(row, name=f"{row.name}, the part seen", box=result.seen_box)]


def contact_sheet(rows: Sequence[Row]) -> Image.Image:
    """Lay out input, mask, references, words and result of every row."""
    column = THUMBNAIL + GAP
    width = LABELS + len(HEADINGS) * column + GAP
    sheet = Image.new("RGB", (width, 48 + len(rows) * column + GAP), "#F5F5F5")
    draw = ImageDraw.Draw(sheet)
    body, caption = ImageFont.load_default(16), ImageFont.load_default(13)
    for index, heading in enumerate(HEADINGS):
        draw.text((LABELS + index * column, 20), heading, font=caption, fill="#6A6A6A")
    for index, row in enumerate(rows):
        top = 48 + index * column
        draw.text((GAP, top + 4), row.name.capitalize(), font=body, fill="#101010")
        words_at = top + 34
        for text in wrap(row.instruction, caption, LABELS - 2 * GAP):
            draw.text((GAP, words_at), text, font=caption, fill="#303030")
            words_at += 19
        draw.text((GAP, words_at + 6), f"{row.seconds:.1f} s", font=caption, fill="#6A6A6A")
        reference = row.references[0] if row.references else None
        for place, path in enumerate((row.picture, row.mask, reference, row.result)):
            if path is not None:
                picture = thumbnail(path, None if path == reference else row.box)
                sheet.paste(picture, (LABELS + place * column, top + (THUMBNAIL - picture.height) // 2))
    return sheet


def wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break a sentence into lines that fit."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def thumbnail(path: Path, box: words.Box | None) -> Image.Image:
    """Read a picture, or a box of it, at the sheet's size."""
    picture = Image.open(path).convert("RGB")
    if box is not None:
        picture = picture.crop((box[0], box[1], box[0] + box[2], box[1] + box[3]))
    scale = THUMBNAIL / max(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS)


def main() -> None:
    """Run every sample, write the results and the sheet, say where they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "resources/models/pocket")
    parser.add_argument("--out", type=Path, default=ROOT / "demo")
    options = parser.parse_args()
    console = Console()
    if reason := slow_reason():
        console.print(reason)
    options.out.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    try:
        editor = Editor(options.model)
        samples = json.loads((SAMPLES / "demo.json").read_text(encoding="utf-8"))
        with Progress(TextColumn("{task.description}"), BarColumn(), console=console) as bar:
            rows = [row for sample in samples for row in run(editor, sample, options.out, bar)]
    except words.RequestError as error:
        sys.exit(f"demo: {error}")
    contact_sheet(rows).save(options.out / "contact-sheet.png", optimize=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    console.print(
        f"{len(samples)} edits in {time.perf_counter() - begun:.1f} s, peak memory {peak / 1e9:.2f} GB\n"
        f"results: {options.out}\nall on one sheet: {options.out / 'contact-sheet.png'}",
        markup=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
