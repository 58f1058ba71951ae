"""Start the program, or in a packaged one the model's process, which comes through the same door."""

import sys

from .frozen import begin_process


def main() -> int:
    """Run until the last window is closed.

    Nothing else is imported before that: the model's process imports this module as well, and needs no Qt.
    """
    begin_process()
    from .app import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
