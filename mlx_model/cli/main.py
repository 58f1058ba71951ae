"""The entry of ``ace``: so small that Ctrl-C is answered quietly from the first moment."""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main() -> int:
    """Run ``ace`` as a program."""
    signal.signal(signal.SIGTERM, _terminated)
    _open_standard_streams()
    return run(sys.argv[1:])


def run(arguments: Sequence[str]) -> int:
    """Run ``ace``; return its exit code.

    0 is success, 2 what the person can mend, 130 Ctrl-C, 143 being told to end, 1 that the reader of a pipe went
    away. Anything else that goes wrong is a bug and raises.
    """
    try:
        from typer import Abort, TyperException

        from mlx_model.cli.commands import app

        try:
            code = app(arguments, prog_name="ace", standalone_mode=False)
            sys.stdout.flush()
        except Abort:  # Ctrl-C or Ctrl-D at a question
            return 130
        except TyperException as error:
            from mlx_model.cli.report import say_error
            from mlx_model.places import exists

            file = next((word for word in arguments if word.startswith("-") and exists(Path(word))), None)
            hint = f"write ./{file} if you mean that file" if file else "ace --help says more"
            say_error(f"{error.format_message()} ({hint})")
            return 2
    except BrokenPipeError:
        _give_up_output()
        return 1
    except OSError as error:  # where the results are written this is a sentence already
        from mlx_model.cli.report import Untold, say_error

        if error.errno not in _NO_ROOM and not isinstance(error, Untold):
            raise
        _give_up_output()
        say_error(f"cannot write: {error.strerror}; make room, or send the output elsewhere")
        return 2
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:
        code = stop.code
    return code if isinstance(code, int) else 0


def _open_standard_streams() -> None:
    """Put nothing where a stream was closed (``>&-``): Python has None there, and the next file gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _give_up_output() -> None:
    """Write no more to standard output: Python would try, and complain, once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminated(number: int, _: FrameType | None) -> NoReturn:
    """Leave through the ordinary door, so that nothing half-written stays."""
    raise SystemExit(128 + number)
