"""Start the program, or in a packaged one another process of it, which comes through the same door."""

import sys


def main() -> int:
    """Run until the last window is closed.

    Nothing is imported before that: the model's process imports this module as well, and needs no Qt.
    """
    from .frozen import begin_process

    begin_process()
    from .app import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
