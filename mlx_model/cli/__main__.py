"""``python -m mlx_model.cli`` is ``ace``."""

import sys

from mlx_model.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
