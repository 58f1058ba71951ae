"""Start the program."""

import sys

from .frozen import begin_process

begin_process()

from .app import main  # noqa: E402  (a child process needs no window)

sys.exit(main())
