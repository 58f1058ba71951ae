"""The entry of ``ace``: so small that Ctrl-C is answered quietly from the first moment."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn


def main() -> int:
    """Run ``ace`` as a program."""
    signal.signal(signal.SIGTERM, _terminated)
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

            say_error(f"{error.format_message()} (ace --help says more)")
            return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return 1
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:
        code = stop.code
    return code if isinstance(code, int) else 0


def _terminated(number: int, _: FrameType | None) -> NoReturn:
    """Leave through the ordinary door, so that nothing half-written stays."""
    raise SystemExit(128 + number)
