"""The set-up of the tests itself: each thing that a test may leave behind makes it fail, and only that."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

CASES = """
import logging, threading, time
from PySide6.QtCore import QRunnable, QThread, QThreadPool, QTimer, qWarning
from PySide6.QtWidgets import QWidget

kept = []

def test_clean_passes(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    timer = QTimer(widget)
    timer.start(1000)
    thread = threading.Thread(target=time.sleep, args=(0.05,))
    thread.start()
    widget.show()

def test_window_fails(qapp):
    kept.append(QWidget())

def test_timer_fails(qapp):
    kept.append(QTimer())
    kept[-1].start(1000)

def test_thread_fails(qapp):
    threading.Thread(target=time.sleep, args=(1.5,), daemon=True).start()

def test_qthread_fails(qapp):
    class Worker(QThread):
        def run(self):
            time.sleep(1.5)
    kept.append(Worker())
    kept[-1].start()

def test_pool_fails(qapp):
    kept[-1].wait()
    QThreadPool.globalInstance().start(lambda: time.sleep(1.5))

def test_qt_message_fails(qapp):
    QThreadPool.globalInstance().waitForDone()
    qWarning("something is wrong")

def test_log_line_fails(qapp):
    logging.getLogger("somewhere").warning("careful")

def test_expected_log_line_passes(expect_log):
    expect_log("care.ul")
    logging.getLogger("somewhere").warning("careful")

def test_missing_log_line_fails(expect_log):
    expect_log("careful")

def test_information_passes(qapp):
    logging.getLogger("somewhere").info("by the way")
"""


def test_each_thing_left_behind_fails_its_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((HERE / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "test_cases.py").write_text(CASES, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, "-v",
               "-p", "no:cacheprovider", tmp_path]  # fmt: skip
    output = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path).stdout
    outcomes: dict[str, set[str]] = {}
    for name, outcome in re.findall(r"::(test_\w+) (PASSED|FAILED|ERROR)", output):
        outcomes.setdefault(name, set()).add(outcome)
    names = re.findall(r"^def (test_\w+)", CASES, re.MULTILINE)
    assert set(outcomes) == set(names), output
    for name in names:
        assert (outcomes[name] == {"PASSED"}) == name.endswith("passes"), output
