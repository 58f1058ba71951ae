"""``ace`` as a program of its own, with the tests' stand-in for the converter and their quick pace."""

import sys
from collections.abc import Callable
from typing import Any

from mlx_model.cli import models
from mlx_model.cli.main import main
from mlx_model.library.hub import Hub
from mlx_model.library.progress import Work
from mlx_model.library.tokens import find_token
from tests.mlx_model.library.conftest import QUICK
from tests.released_models import plain_convert


def quick_connect(work: Work) -> Hub:
    """Connect with little patience and small ranges."""
    hub = Hub(pace=QUICK, on_wait=work.meter.waits)
    hub.token = find_token(hub.endpoint)
    return hub


def all_fit(*_: object) -> None:
    """Find nothing wrong with any file."""


def put_in_place(replace: Callable[[object, str, Any], None]) -> None:
    """Replace the converter and the connection of ``ace models``; take files with hardly any tensors for whole."""
    replace(models, "convert", plain_convert)
    replace(models, "misfit", all_fit)
    replace(models, "connect", quick_connect)


if __name__ == "__main__":
    put_in_place(setattr)
    sys.exit(main())
