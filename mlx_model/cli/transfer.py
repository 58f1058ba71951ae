"""How a long transfer is told and steered: a bar for people; for programs lines of JSON, and words on standard input.

With ``--json`` a program may write ``pause``, ``resume`` or ``cancel``, a word a line, to standard input. Its end
changes nothing: the transfer goes on. Ctrl-C and SIGTERM cancel; what is here is kept for the next time.
"""

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TextIO

from mlx_model.cli.report import Report, say_error
from mlx_model.library.disk import size_text
from mlx_model.library.errors import GatedRepository
from mlx_model.library.progress import Control, Meter, TransferProgress, Work
from mlx_model.request import Cancelled, RequestError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_TICK_SECONDS: Final = 0.25


@contextmanager
def transferring(as_json: bool, gated_hint: str = "", *, steered: bool = True) -> Generator[tuple[Report, Work]]:
    """Hand out a report and the means to do long work, which is told and steered meanwhile.

    An error becomes its sentence and exit code 2, a gated repository its three steps and ``gated_hint``; a cancelled
    transfer ends with 130, or 143 where the program was told to end.
    """
    report, ended = Report(as_json), threading.Event()
    work = Work(Control(), Meter(), report.warning)
    telling = threading.Thread(target=_tell, args=(report, as_json, work, ended), daemon=True)
    telling.start()
    if as_json and steered and not sys.stdin.isatty():
        threading.Thread(target=_obey, args=(sys.stdin, work.control), daemon=True).start()

    def stop_telling() -> None:
        ended.set()
        telling.join()

    try:
        yield report, work
        stop_telling()
    except GatedRepository as error:
        stop_telling()
        steps = [*error.steps, *([gated_hint] if gated_hint else [])]
        report.event("steps", {"page": error.page, "steps": list(error.steps), "otherwise": gated_hint or None})
        report.error(str(error))
        for number, step in enumerate(steps, 1):
            sys.stderr.write(f"  {number}. {step}\n" if step != gated_hint else f"  {step}\n")
        raise SystemExit(2) from None
    except RequestError as error:
        stop_telling()
        report.error(str(error))
        raise SystemExit(2) from None
    except (Cancelled, KeyboardInterrupt, SystemExit) as error:
        work.control.cancel()
        stop_telling()
        if isinstance(error, SystemExit) and error.code in (0, 1, 2):
            raise
        report.event("cancelled", {"text": "cancelled; what is here is kept"})
        if not as_json:
            say_error("cancelled; what is here is kept, start again to go on")
        raise SystemExit(error.code if isinstance(error, SystemExit) else 130) from None
    finally:
        ended.set()
        report.close()


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
    try:
        for line in stream:
            if action := actions.get(line.strip()):
                action()
    except (OSError, ValueError):  # the stream was closed under our hands
        return


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    texts = ("sizes", "rate", "left")
    columns = (
        TextColumn("{task.description}"), BarColumn(), *(TextColumn(f"{{task.fields[{text}]}}") for text in texts)
    )  # fmt: skip
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("", sizes="", rate="", left="")
    bar.start()
    return bar


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min" if minutes else f"{rest} s"
