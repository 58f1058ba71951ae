"""How a long transfer is told and steered: a bar for people; for programs lines of JSON, and words on standard input.

With ``--json`` a program may write ``pause``, ``resume`` or ``cancel``, a word a line, to standard input. A program
that goes away changes nothing: the transfer goes on, unless it rests, when nobody could continue it any more, or
``attached`` was said before, which binds it to that program. Ctrl-C and SIGTERM cancel; what is here is kept for the
next time.
"""

import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

from mlx_model.cli.report import Report, say_error
from mlx_model.library.disk import size_text
from mlx_model.library.errors import GatedRepository, TokenRefused
from mlx_model.library.progress import Control, Meter, TransferProgress, Work
from mlx_model.request import Cancelled, RequestError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_TICK_SECONDS: Final = 0.25
_LOGIN: Final = "  A token is entered with: ace models login\n"


@dataclass(frozen=True)
class Transfer:
    """A long piece of work that is told while it goes on, by a thread of its own."""

    report: Report
    work: Work
    _ended: threading.Event
    _telling: threading.Thread

    def done(self, facts: Mapping[str, Any], *sentences: str) -> None:
        """Tell that it is done: the last line for programs, sentences for people."""
        self.stop_telling()
        self.report.event("done", facts)
        self.report.say(*sentences)

    def stop_telling(self) -> None:
        """Say a last time how far it is, and no more after that."""
        self._ended.set()
        self._telling.join()


@contextmanager
def transferring(as_json: bool, gated_hint: str = "", *, steered: bool = True) -> Generator[Transfer]:
    """Hand out a transfer, which is told and (with ``steered``, by programs) steered meanwhile.

    An error becomes its sentence and exit code 2, a gated repository its three steps and ``gated_hint``; a cancelled
    transfer ends with 130, or 143 where the program was told to end.
    """
    report, ended = Report(as_json, unheard=as_json), threading.Event()
    work = Work(Control(), Meter(), report.warning)
    telling = threading.Thread(target=_tell, args=(report, as_json, work, ended), daemon=True)
    transfer = Transfer(report, work, ended, telling)
    telling.start()
    if as_json and steered and not sys.stdin.isatty():
        threading.Thread(target=_obey, args=(sys.stdin, work.control), daemon=True).start()
    try:
        yield transfer
    except RequestError as error:
        transfer.stop_telling()
        if isinstance(error, GatedRepository):
            _tell_steps(report, error, gated_hint)
        else:
            report.error(str(error))
            if isinstance(error, TokenRefused) and str(error).endswith("enter it"):
                sys.stderr.write(_LOGIN)
        raise SystemExit(2) from None
    except (Cancelled, KeyboardInterrupt, SystemExit) as error:
        work.control.cancel()
        transfer.stop_telling()
        if isinstance(error, SystemExit) and error.code in (0, 1, 2):
            raise
        report.event("cancelled", {"text": "cancelled; what is here is kept"})
        if not as_json:
            say_error("cancelled; what is here is kept, start again to go on")
        raise SystemExit(error.code if isinstance(error, SystemExit) else 130) from None
    finally:
        transfer.stop_telling()
        report.close()


def _tell_steps(report: Report, error: GatedRepository, hint: str) -> None:
    """Say how to get into a gated repository, and how to do without it."""
    report.event("steps", {"page": error.page, "steps": list(error.steps), "otherwise": hint or None})
    report.error(str(error))
    steps = "".join(f"  {number}. {step}\n" for number, step in enumerate(error.steps, 1))
    sys.stderr.write(steps + _LOGIN + (f"  {hint}\n" if hint else ""))


def _tell(report: Report, as_json: bool, work: Work, ended: threading.Event) -> None:
    """Tell how far the work is until it has ended."""
    bar: Bar | None = None
    waited: str | None = None
    was_paused = False
    before: TransferProgress | None = None
    while True:
        last = ended.wait(_TICK_SECONDS)
        if was_paused and not work.control.paused:
            work.meter.rested()
        was_paused = work.control.paused
        now = work.meter.now(was_paused)
        if as_json:
            if now.waiting is not None and now.waiting != waited:
                report.event("waiting", {"text": now.waiting})
            if now != before and (now.total or now.paused):
                report.event("progress", asdict(now))
        elif sys.stderr.isatty() and now.total and not last:
            bar = bar or _bar()
            rate = f"{size_text(now.rate)}/s" if now.rate else ""
            words = now.waiting or ("paused" if now.paused else now.file)
            left = "" if now.seconds_left is None else _duration(now.seconds_left) + " left"
            sizes = f"{size_text(now.done)} of {size_text(now.total)}"
            bar.update(
                bar.task_ids[0],
                description=words,
                sizes=sizes,
                rate=rate,
                left=left,
                completed=now.done,
                total=now.total,
            )
        waited, before = now.waiting, now
        if last:
            break
    if bar is not None:
        bar.stop()


def _obey(stream: TextIO, control: Control) -> None:
    """Follow the words that come in."""
    actions: dict[str, Callable[[], None]] = {
        "pause": control.pause,
        "resume": control.resume,
        "cancel": control.cancel,
    }
    attached = False
    with suppress(OSError, ValueError):  # the stream was closed under our hands
        for line in stream:
            word = line.strip()
            attached = attached or word == "attached"
            if action := actions.get(word):
                action()
    if attached or control.paused:  # one that rests would rest for ever, and hold the folder of models
        control.cancel()


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    texts = ("sizes", "rate", "left")
    words = TextColumn("{task.description}", markup=False)  # file names may have brackets
    columns = (words, BarColumn(), *(TextColumn(f"{{task.fields[{text}]}}") for text in texts))
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("", sizes="", rate="", left="")
    bar.start()
    return bar


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min" if minutes else f"{rest} s"
