"""Measure the canvas at 4096 x 4096 with five layers: strokes, panning, zooming, first picture and memory.

    python tools/bench_canvas.py [--size 4096] [--view 1600x1000] [--moves 120]

Everything goes through the widget: a mouse event is sent, and the time runs until the view is repainted and up to
date. Figures stand beside their goals; ends with 1 where one is missed. Needs no screen.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from ace_desktop.canvas.tools import TOOLS
from ace_desktop.canvas.view import CanvasView
from ace_desktop.collector import Collector
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.session import Session

MIB = 1 << 20


def document(size: int) -> State:
    """Return a photograph and four layers with alpha: normal, at half opacity, multiplying and screening."""
    random = np.random.default_rng(0)
    ramp = np.linspace(0, 255, size).astype(np.uint8)
    photograph = np.empty((size, size, 4), np.uint8)
    photograph[..., 0], photograph[..., 1] = ramp, ramp[:, None]
    photograph[..., 2] = random.integers(0, 256, (size, size), np.uint8)
    photograph[..., 3] = 255
    layers = [RasterLayer(pixels=Plane.of(photograph), name="photograph")]
    looks = (("normal", 1.0), ("normal", 0.5), ("multiply", 1.0), ("screen", 0.8))
    for number, (blend, opacity) in enumerate(looks):
        photograph[..., 3] = np.roll(ramp, number * size // 5)
        layers.append(RasterLayer(pixels=Plane.of(photograph), name=str(number), blend=blend, opacity=opacity))
    return State(width=size, height=size, layers=tuple(layers), active=layers[2].id)


def settle(view: CanvasView) -> None:
    """Repaint until all that is seen is up to date."""
    QCoreApplication.sendPostedEvents()
    view.repaint() if not view.up_to_date else QCoreApplication.processEvents()
    while not view.up_to_date:
        QCoreApplication.processEvents()


def send(view: CanvasView, kind: QEvent.Type, x: float, y: float) -> None:
    place = QPointF(x, y)
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
    event = QMouseEvent(kind, place, view.mapToGlobal(place), button, held, Qt.KeyboardModifier.NoModifier)
    QCoreApplication.sendEvent(view, event)


def timed(
    steps: Iterable[Callable[[], None]], view: CanvasView, *, frame: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Time each step until the view is up to date, or until its next frame: milliseconds of clock and processor."""
    clock: list[float] = []
    processor: list[float] = []
    for step in steps:
        began, used = time.perf_counter(), time.process_time()
        step()
        view.repaint() if frame else settle(view)
        clock.append((time.perf_counter() - began) * 1e3)
        processor.append((time.process_time() - used) * 1e3)
        settle(view)
    return np.array(clock), np.array(processor)


def stroke(view: CanvasView, session: Session, tool: str, size: int, moves: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a stroke in a curve, 12 view pixels a move."""
    kind = next(kind for kind in TOOLS if kind.id == tool)
    options = {option.name: option.default for option in kind.options} | {"size": size}
    view.tool = kind.make(session, options)
    middle_x, middle_y = view.width() / 2, view.height() / 2
    radius = min(middle_x, middle_y) * 0.6
    turns = np.arange(moves) * 12 / radius
    points = [(middle_x + radius * np.cos(turn), middle_y + radius * np.sin(turn)) for turn in turns]
    send(view, QEvent.Type.MouseButtonPress, *points[0])
    settle(view)
    found = timed(((lambda x=x, y=y: send(view, QEvent.Type.MouseMove, x, y)) for x, y in points[1:]), view)
    send(view, QEvent.Type.MouseButtonRelease, *points[-1])
    settle(view)
    return found


class Table:
    """Prints rows with their goals, and knows whether all were met."""

    def __init__(self) -> None:
        self.holds = True
        print(f"{'':44}{'median':>9}{'p99':>9}{'cpu':>9}   goal")

    def times(self, name: str, found: tuple[np.ndarray, np.ndarray], median: float, p99: float | None = None) -> None:
        """Print times in milliseconds."""
        clock, processor = found
        middle, high = float(np.median(clock)), float(np.quantile(clock, 0.99))
        met = middle <= median and (p99 is None or high <= p99)
        goal = f"<= {median:g}" + (f", p99 <= {p99:g}" if p99 else "")
        self._row(f"{name:44}{middle:9.1f}{high:9.1f}{float(np.median(processor)):9.1f}", goal + " ms", met)

    def value(self, name: str, value: float, most: float, unit: str) -> None:
        """Print one number."""
        self._row(f"{name:44}{value:9.2f}{'':18}", f"<= {most:g} {unit}", value <= most)

    def _row(self, figures: str, goal: str, met: bool) -> None:
        self.holds = self.holds and met
        print(f"{figures}   {goal}{'' if met else '   MISSED'}", flush=True)


def photograph_file(folder: Path) -> Path:
    """Write a JPEG of 24 megapixels."""
    import cv2

    random = np.random.default_rng(0)
    small = random.integers(0, 256, (400, 600, 3), np.uint8)
    picture = cv2.resize(small, (6000, 4000), interpolation=cv2.INTER_CUBIC)
    path = folder / "photograph.jpg"
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return path


def main() -> int:
    """Print the table; return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description="Measure the canvas.")
    parser.add_argument("--size", type=int, default=4096, help="side of the document in pixels")
    parser.add_argument("--view", default="1600x1000", help="size of the view")
    parser.add_argument("--moves", type=int, default=120, help="mouse moves of a stroke")
    arguments = parser.parse_args()
    application = QApplication([])
    collector = Collector(application)  # as in the program
    width, height = map(int, arguments.view.split("x"))
    print(f"{arguments.size} x {arguments.size}, 5 layers, view of {width} x {height}; times in milliseconds")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    state = document(arguments.size)
    pixels = sum(layer.pixels.nbytes for layer in state.layers if isinstance(layer, RasterLayer))
    session = Session(state)
    view = CanvasView(session)
    view.resize(width, height)
    table = Table()
    first = timed([view.show], view)
    table.times("first picture, fitted", first, 500)
    for label, zoom in (("fitted", None), ("100 %", 1.0)):
        view.fit() if zoom is None else view.zoom_to(zoom)
        settle(view)
        for tool in ("mask-brush", "brush"):
            for size, median, p99 in ((100, 8, 16), (1000, 25, None)):
                found = stroke(view, session, tool, size, arguments.moves)
                table.times(f"{tool} of {size} px, {label}", found, median, p99)
    pans = [partial(view.pan_by, *way) for way in ((-16, -9), (13, 11)) * 30]
    table.times("pan, 100 %, a frame", timed(pans, view, frame=True), 16)
    middle = QPointF(view.width() / 2, view.height() / 2)
    zooms = [(lambda z=z: view.zoom_to(float(z), middle)) for z in np.geomspace(1.0, 0.25, 40)]
    table.times("zoom by a gesture from 100 % to 25 %, a frame", timed(zooms, view, frame=True), 16)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    table.value("peak of the process / pixels of the document", peak / pixels, 3, "times")
    view.set_session(None)
    with tempfile.TemporaryDirectory() as folder:
        open_photograph(table, view, photograph_file(Path(folder)))
    view.close()
    application.processEvents()
    collector.close()
    return 0 if table.holds else 1


def open_photograph(table: Table, view: CanvasView, path: Path) -> None:
    """Open a JPEG of 24 megapixels and show it."""
    from ace_desktop.document.opening import open_document

    began = time.perf_counter()
    view.set_session(Session(open_document(path)))
    settle(view)
    table.value("24-megapixel JPEG to first picture", time.perf_counter() - began, 1.5, "s")


if __name__ == "__main__":
    sys.exit(main())
