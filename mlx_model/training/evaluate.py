"""``python -m mlx_model.training.evaluate``: how often the model does what it is asked, judged by measurement.

Scenes are drawn from seeds that training never sees, carried through the model, and judged as the model left them,
before anything is pasted back (see `mlx_model.training.judge`). Beside the share of successes stand three controls
that must stay low: the same networks untrained, the input returned as it is, and the model given another scene's
instruction, reference or (to remove something) mask. And one limit: the targets themselves, encoded and decoded, for
no picture comes out sharper than the autoencoder leaves it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mlx_model.library.folders import find_model
from mlx_model.request import RequestError
from mlx_model.training.controls import swapped, unchanged
from mlx_model.training.judge import Judge, Verdict
from mlx_model.training.painter import Networks, Order, Painter, Rgb
from mlx_model.training.scenes import TASKS, Scene, draw_scene
from mlx_model.training.strips import save_strips

CONTROLS: Final = ("untrained", "input", "swapped")
_SEEDS_APART: Final = 1_000_000


@dataclass(frozen=True)
class Share:
    """How many of how many succeeded."""

    successes: int
    scenes: int

    @property
    def value(self) -> float:
        """The share, 0 to 1; 0 of nothing is 0."""
        return self.successes / max(self.scenes, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson."""
        if not self.scenes:
            return 0.0, 1.0
        z, n, p = 1.959964, self.scenes, self.value
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


@dataclass(frozen=True)
class TaskReport:
    """One task: verdicts by scene, shares of the controls by name, seconds per scene (batched, encoding included).

    `limits` are the verdicts on the targets, encoded and decoded.
    """

    task: str
    seeds: Sequence[int]
    verdicts: Sequence[Verdict]
    limits: Sequence[Verdict]
    seconds: float
    controls: Mapping[str, Share] = field(default_factory=dict[str, Share])

    @property
    def share(self) -> Share:
        """The successes."""
        return share_of(self.verdicts)

    @property
    def clean(self) -> int:
        """How many succeeded without a blemish."""
        return sum(verdict.clean for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "task": self.task,
            "successes": self.share.successes,
            "clean": self.clean,
            "scenes": self.share.scenes,
            "interval": self.share.interval,
            "controls": {name: asdict(share) for name, share in self.controls.items()},
            "limit": {"successes": share_of(self.limits).successes, "clean": sum(v.clean for v in self.limits)},
            "seconds": round(self.seconds, 3),
            "results": [
                {"seed": seed, "success": verdict.success, "clean": verdict.clean, "faults": verdict.faults}
                | {"blemishes": verdict.blemishes, **asdict(verdict)}
                for seed, verdict in zip(self.seeds, self.verdicts, strict=True)
            ],
        }


def share_of(verdicts: Sequence[Verdict]) -> Share:
    """Count the successes."""
    return Share(sum(verdict.success for verdict in verdicts), len(verdicts))


def evaluate_task(
    task: str,
    painter: Painter,
    networks: Mapping[str, Networks],
    seeds: Sequence[int],
    controlled: int,
    save: Path | None = None,
    side: int = 128,
) -> TaskReport:
    """Judge one task on the scenes of these seeds, and the controls on the first ``controlled`` of them.

    ``networks`` are the "trained" and the "untrained" ones, ``save`` is a folder for the pictures, ``side`` that of
    the square scenes in pixels.
    """
    scenes = [draw_scene(task, seed, (side, side), "evaluate", distractors=True) for seed in seeds]
    judges = [Judge(scene) for scene in scenes]
    start = time.perf_counter()
    orders = [painter.order(scene, seed) for scene, seed in zip(scenes, seeds, strict=True)]
    results = painter.paint(orders, networks["trained"])
    seconds = (time.perf_counter() - start) / len(scenes)
    verdicts = [judge(result) for judge, result in zip(judges, results, strict=True)]
    limits = [judge(painter.coded(scene.target)) for judge, scene in zip(judges, scenes, strict=True)]
    if save is not None:
        save_strips(save, scenes, seeds, results, verdicts)
    controls: dict[str, Share] = {}
    if controlled := min(controlled, len(scenes)) if len(scenes) > 1 else 0:
        wrong = controlled_results(painter, networks, scenes[:controlled], orders, seeds)
        for name in CONTROLS:
            pairs = zip(judges[:controlled], wrong[name], strict=True)
            controls[name] = share_of([judge(result) for judge, result in pairs])
    return TaskReport(task, seeds, verdicts, limits, seconds, controls)


def controlled_results(
    painter: Painter,
    networks: Mapping[str, Networks],
    scenes: Sequence[Scene],
    orders: Sequence[Order],
    seeds: Sequence[int],
) -> dict[str, list[Rgb]]:
    """Make the results of the three controls for the scenes; ``orders`` and ``seeds`` may go on beyond them."""
    others = [painter.order(scene, seed) for scene, seed in zip(swapped(scenes), seeds, strict=False)]
    return {
        "untrained": painter.paint(orders[: len(scenes)], networks["untrained"]),
        "input": [unchanged(scene) for scene in scenes],
        "swapped": painter.paint(others, networks["trained"]),
    }


def table_of(reports: Sequence[TaskReport], title: str) -> Table:
    """Lay the reports out, a row per task."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("task")
    for heading in ("success", "clean", *CONTROLS, "ΔE", "shape", "rest", "s/edit"):
        table.add_column(heading, justify="right", no_wrap=True)
    for report in reports:
        low, high = report.share.interval
        table.add_row(
            report.task,
            f"{report.share.value:.0%} ({100 * low:.0f}–{100 * high:.0f})",
            f"{report.clean / max(len(report.verdicts), 1):.0%}",
            *(f"{report.controls[name].value:.0%}" if name in report.controls else "–" for name in CONTROLS),
            f"{median(verdict.colour for verdict in report.verdicts):.1f}",
            f"{median(verdict.shape for verdict in report.verdicts):.2f}",
            f"{median(verdict.rest for verdict in report.verdicts):.1f}",
            f"{report.seconds:.2f}",
        )
    return table


def notes_on(reports: Sequence[TaskReport]) -> str:
    """Say on what the table rests, and why results failed."""
    scenes = max(report.share.scenes for report in reports)
    controlled = max((share.scenes for report in reports for share in report.controls.values()), default=0)
    lines = [
        f"{scenes} scenes per task, the controls on the first {controlled} of them; brackets: 95 % interval.",
        "Clean ones have no blurred outline, no spot elsewhere and no smear beside the object either.",
        "ΔE, shape and rest are medians; s/edit is per scene in batches, with reading and encoding.",
    ]
    for report in reports:
        clean, limits = sum(verdict.clean for verdict in report.limits), share_of(report.limits)
        lines.append(
            f"{report.task}: of the targets, encoded and decoded, {limits.value:.0%} succeed and "
            f"{clean / limits.scenes:.0%} are clean"
        )
        for kind in ("faults", "blemishes"):
            found = Counter(name for verdict in report.verdicts for name in getattr(verdict, kind))
            if found:
                lines.append(f"{report.task} {kind}: {', '.join(f'{name} {n}' for name, n in found.most_common())}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and evaluate; return the exit code."""
    given = _parser().parse_args(arguments)
    errors = Console(stderr=True)
    reports: list[TaskReport] = []
    controlled = given.scenes if given.controls is None else given.controls
    seeds = range(given.seed * _SEEDS_APART, given.seed * _SEEDS_APART + given.scenes)
    try:
        painter = Painter(find_model(given.model), given.steps)
        networks = {"trained": painter.trained(), "untrained": painter.untrained(given.seed)}
        for task in given.task or TASKS:
            with errors.status(task):
                reports.append(evaluate_task(task, painter, networks, seeds, controlled, given.save, given.side))
    except RequestError as error:
        errors.print(str(error), markup=False, style="red")
        return 2
    if given.json:
        about = {"model": painter.model.name, "steps": painter.steps, "seed": given.seed, "side": given.side}
        sys.stdout.write(json.dumps(about | {"tasks": [report.as_json() for report in reports]}) + "\n")
    else:
        console = Console()
        title = f"{painter.model.title}, {painter.steps} steps, seed {given.seed}, {given.side} x {given.side}"
        console.print(table_of(reports, title))
        console.print(notes_on(reports), highlight=False)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mlx_model.training.evaluate",
        description="Draw scenes that training never sees, edit them, and judge the results by measurement.",
    )
    parser.add_argument("--model", help="name or folder of a model (default: the built-in one)")
    parser.add_argument("--task", action="append", choices=TASKS, help="only this task; may be given several times")
    parser.add_argument("--scenes", type=_at_least(1), default=100, help="scenes per task (default: 100)")
    parser.add_argument(
        "--controls", type=_at_least(0), help="scenes per task and control (default: all of them; 0: no controls)"
    )
    parser.add_argument("--side", type=_side, default=128, help="of the scenes: 96, 112, … 256 pixels (default: 128)")
    parser.add_argument("--steps", type=_at_least(1), help="denoising steps (default: as the model says)")
    parser.add_argument("--seed", type=_at_least(0), default=0, help="other seeds draw other scenes (default: 0)")
    parser.add_argument("--json", action="store_true", help="print everything that was measured as JSON")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the pictures, and a page per task, into DIR")
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


def _side(text: str) -> int:
    side = int(text)
    if side not in range(96, 257, 16):
        raise argparse.ArgumentTypeError(f"{side} is not a multiple of 16 from 96 to 256")
    return side


if __name__ == "__main__":
    sys.exit(main())
