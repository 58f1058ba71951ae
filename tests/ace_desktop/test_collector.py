"""Cycles with Qt objects in them are deleted in the GUI thread, whoever makes the garbage."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from ace_desktop.collector import Collector


class Cycle:
    """Something that only the cyclic collector can delete, and that tells where it was deleted."""

    def __init__(self, deleted: list[threading.Thread]) -> None:
        self.itself = self
        weakref.finalize(self, lambda: deleted.append(threading.current_thread()))


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Collect from a timer, and stop doing so at the end."""
    gc.collect()
    made = Collector()
    yield made
    made.close()
    assert gc.isenabled()


def make_garbage(deleted: list[threading.Thread]) -> None:
    """Leave enough cycles behind for the collector to be due."""
    for _ in range(3000):
        Cycle(deleted)


def in_a_thread(deleted: list[threading.Thread]) -> None:
    """Make garbage in another thread."""
    thread = threading.Thread(target=make_garbage, args=(deleted,))
    thread.start()
    thread.join()


@pytest.mark.usefixtures("collector")
def test_garbage_of_other_threads_is_deleted_in_the_gui_thread(qtbot: QtBot) -> None:
    deleted: list[threading.Thread] = []
    in_a_thread(deleted)
    assert deleted == []
    qtbot.waitUntil(lambda: bool(deleted), timeout=10_000)
    assert set(deleted) == {threading.main_thread()}


def test_without_it_other_threads_delete() -> None:
    deleted: list[threading.Thread] = []
    in_a_thread(deleted)
    assert deleted
    assert deleted[0] is not threading.main_thread()
    gc.collect()


def test_nothing_is_collected_before_it_is_due(collector: Collector) -> None:
    deleted: list[threading.Thread] = []
    Cycle(deleted)
    collector.collect()
    assert deleted == []
