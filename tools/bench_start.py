"""Measure the start of the program to a usable window: python tools/bench_start.py [--runs 5].

Exits with 1 where it is too slow. Each run is a process of its own, offscreen, with a fresh settings folder.
"window": shown, painted, and the event loop answers. "picture": the sample photograph is opened and painted too.
Beside the time on the clock stands the processor's, which says more where other programs run.
The first run is left out: it fills the disk cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOAL = 1.5

PROGRAM = """
import sys, tempfile, time
began = float(sys.argv[1])
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from ace_desktop.app import begin
from ace_desktop.desktop import Desktop, FileOpenEvents
from ace_desktop.places import Places
application = QApplication([])
with tempfile.TemporaryDirectory() as folder:
    desktop = Desktop(application, Places.under(Path(folder)))
    begin(desktop, FileOpenEvents(application), [])
    window = desktop.windows[0]
    def usable():
        window.grab()
        print(time.time() - began, time.process_time())
        desktop.open(Path(sys.argv[2]), window)
        timer.start()
    def look():
        if window.session is not None:
            timer.stop()
            window.grab()
            print(time.time() - began, time.process_time())
            application.quit()
    timer = QTimer(interval=5)
    timer.timeout.connect(look)
    QTimer.singleShot(0, usable)
    application.exec()
    for window in list(desktop.windows):
        window.close()
    desktop.close()
"""


def measure() -> list[float]:
    """Return seconds to the window, by the clock and of the processor, and the same to the picture."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    photograph = ROOT / "resources" / "samples" / "photograph.jpg"
    command = [sys.executable, "-c", PROGRAM, str(time.time()), str(photograph)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [float(part) for part in done.stdout.split()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = [measure() for _ in range(parser.parse_args().runs + 1)][1:]
    window, window_cpu, picture, picture_cpu = (statistics.median(times) for times in zip(*runs, strict=True))
    verdict = "ok" if window <= GOAL else "too slow"
    print(f"start to a usable window    {window:6.2f} s  (processor {window_cpu:.2f})  goal {GOAL:.2f}  {verdict}")
    print(f"start to a 1000 x 872 JPEG  {picture:6.2f} s  (processor {picture_cpu:.2f})")
    return 0 if window <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
