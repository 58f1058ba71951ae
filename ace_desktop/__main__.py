"""Start the program, or in a packaged one the model's process, which comes through the same door."""

import multiprocessing
import sys


def main() -> int:
    """Run until the last window is closed.

    Nothing is imported before that: the model's process imports this module as well, and needs no Qt.
    """
    multiprocessing.freeze_support()
    from .app import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
