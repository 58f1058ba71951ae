"""What a command tells: sentences and a progress bar for people, lines of JSON for programs."""

import json
import os
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

from mlx_model.request import Progress, RequestError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_STAGES: Final = {
    "load": "loading the model",
    "text": "reading the instruction",
    "encode": "looking at the pictures",
    "modulation": "preparing the steps",
    "denoise": "painting",
    "decode": "developing",
    "finish": "putting it in place",
}


class Untold(OSError):
    """Standard output takes no more, as on a full disk."""


class Report:
    """Tells what happens; with ``as_json`` as JSON lines on standard output (standard error if that is ``taken``).

    With ``unheard`` it makes no difference whether the program at the other end is still there.
    """

    def __init__(self, as_json: bool, taken: bool = False, unheard: bool = False) -> None:
        self.job = ""
        self._json, self._unheard = as_json, unheard
        self._out = sys.stderr if taken else sys.stdout
        self._bar: Bar | None = None

    def progress(self, progress: Progress) -> None:
        """Show where an edit is: a bar on a terminal, nothing on another standard error."""
        if self._json:
            facts = {"stage": progress.stage, "step": progress.step, "steps": progress.steps}
            job = {"job": self.job} if self.job else {}
            self._line("progress", {**facts, "seconds_left": progress.seconds_left, **job})
        elif sys.stderr.isatty():
            self._bar = self._bar or _bar()
            left = "" if progress.seconds_left is None else f"{_duration(progress.seconds_left)} left"
            words = " · ".join(part for part in (self.job, _STAGES[progress.stage]) if part)
            done = progress.steps if progress.stage in ("decode", "finish") else progress.step
            total = progress.steps or None
            self._bar.update(self._bar.task_ids[0], description=words, left=left, completed=done, total=total)

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        """Tell programs, and no one else, of something."""
        if self._json:
            self._line(name, facts)

    def say(self, *sentences: str) -> None:
        """Tell people, and no programs, something on standard output."""
        self._end_bar()
        if not self._json:
            for sentence in sentences:
                self._write(_encodable(sentence, self._out))

    def result(self, facts: Mapping[str, Any], sentence: str) -> None:
        """Tell of something that was done."""
        self._end_bar()
        if self._json:
            self._line("result", facts)
        else:
            self._write(_encodable(sentence, self._out))

    def warning(self, sentence: str) -> None:
        """Tell something that the person should know."""
        self._end_bar()
        if self._json:
            self._line("warning", {"text": sentence})
        else:
            _say(f"note: {sentence}")

    def error(self, sentence: str) -> None:
        """Say what is wrong, on standard error, and as JSON as well."""
        self._end_bar()
        if self._json:
            self._line("error", {"text": sentence})
        say_error(sentence)

    def close(self) -> None:
        """Take the bar away."""
        self._end_bar()

    def _line(self, event: str, facts: Mapping[str, Any]) -> None:
        line = json.dumps({"event": event, **facts}, ensure_ascii=False)
        if _encodable(line, self._out) != line:  # JSON has escapes of its own
            line = json.dumps({"event": event, **facts})
        self._write(line)

    def _write(self, line: str) -> None:
        try:
            self._out.write(line + "\n")  # in one piece: lines may come from two threads
            self._out.flush()
        except OSError as error:
            if self._unheard:
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())
            elif isinstance(error, BrokenPipeError):
                raise
            else:
                raise Untold(error.errno, error.strerror) from error

    def _end_bar(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


@contextmanager
def reporting(as_json: bool, taken: bool = False) -> Generator[Report]:
    """Hand out a report; a RequestError becomes its sentence and exit code 2."""
    report = Report(as_json, taken)
    try:
        yield report
    except RequestError as error:
        report.error(str(error))
        raise SystemExit(2) from None
    finally:
        report.close()


def say_error(sentence: str) -> None:
    """Print an error as one line on standard error."""
    _say(sentence)


def _say(sentence: str) -> None:
    """Write one line to standard error; control characters (from file names) are left out."""
    line = re.sub(r"[\x00-\x1f\x7f]+", " ", sentence).strip()
    with suppress(OSError):  # nobody is there to hear it, or the disk that keeps it is full
        sys.stderr.write(_encodable(f"ace: {line}\n", sys.stderr))


def _encodable(text: str, stream: TextIO) -> str:
    """Write as escapes what a stream cannot hold, such as the bytes of a file name in another encoding."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("", left="")
    bar.start()
    return bar


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"
