"""Lay good and bad results of an evaluation out on one sheet, the first of each kind in the order of the seeds.

python -m mlx_model.training.evaluate --json --save build/judged > build/judged.json
python tools/make_examples.py build/judged.json build/judged resources/pocket-examples.png
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from mlx_model.training.scenes import draw_scene

GOOD, BAD = 2, 1  # per task
GAP, LABEL, HEAD = 16, 40, 40
HEADINGS: Final = ("input", "reference", "wanted", "result")
GREEN, RED, GREY = "#1B7F3B", "#B3261E", "#6A6A6A"


def chosen(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Take the first successes and the first failure whose words the sheet's font has."""
    shown = [
        row
        for row in task["results"]
        if draw_scene(task["task"], row["seed"], split="evaluate").instruction.isascii()
    ]
    good = [row for row in shown if row["success"]][:GOOD]
    return good + [row for row in shown if not row["success"]][:BAD]


def tile(folder: Path, task: str, row: dict[str, Any]) -> Image.Image:
    """Draw one result: its strip, its words, and how it was judged."""
    strip = Image.open(folder / f"{task}-{row['seed']}.png").convert("RGB")
    out = Image.new("RGB", (strip.width, strip.height + LABEL), "#FFFFFF")
    out.paste(strip, (0, 0))
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(13)
    words = draw_scene(task, row["seed"], split="evaluate").instruction or "(no words)"
    draw.text((0, strip.height + 3), words, font=font, fill="#101010")
    judged = "success" if row["success"] else f"failed: {', '.join(row['faults'])}"
    draw.text((0, strip.height + 20), judged, font=font, fill=GREEN if row["success"] else RED)
    return out


def sheet(tasks: list[dict[str, Any]], folder: Path) -> Image.Image:
    """Lay the tiles out, a row per task."""
    rows = [[tile(folder, task["task"], row) for row in chosen(task)] for task in tasks]
    wide, high = rows[0][0].size
    label = 96
    width = label + (GOOD + BAD) * (wide + GAP)
    out = Image.new("RGB", (width, HEAD + len(rows) * (high + GAP)), "#FFFFFF")
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(14)
    for column in range(GOOD + BAD):
        for place, heading in enumerate(HEADINGS):
            draw.text((label + column * (wide + GAP) + place * (wide + 4) // 4, 12), heading, font=font, fill=GREY)
    for index, (task, tiles) in enumerate(zip(tasks, rows, strict=True)):
        top = HEAD + index * (high + GAP)
        draw.text((GAP, top + 4), task["task"], font=font, fill="#101010")
        share = f"{task['successes']} of {task['scenes']}"
        draw.text((GAP, top + 24), share, font=font, fill=GREY)
        for column, one in enumerate(tiles):
            out.paste(one, (label + column * (wide + GAP), top))
    return out


def main() -> None:
    """Read the evaluation and write the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "evaluation",
        type=Path,
        nargs="+",
        help="what --json printed; several are joined, the last word on a task counts",
    )
    parser.add_argument("pictures", type=Path, help="the folder given to --save")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    tasks = {task["task"]: task for path in given.evaluation for task in json.loads(path.read_text())["tasks"]}
    sheet(list(tasks.values()), given.pictures).save(given.out, optimize=True)


if __name__ == "__main__":
    main()
