"""A folder that may not be entered, also where the tests run as a user who may do everything."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BEYOND = ((os, "stat"), (os, "lstat"), (os, "open"), (os, "unlink"), (os, "access"), (io, "open"))
"""Through these Python reaches a file."""


def lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for everything inside the folder as the system does for a folder of mode 600."""
    place = Path(os.path.abspath(folder))  # noqa: PTH100

    def refusing(reach: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(path: Any, *more: Any, **named: Any) -> Any:
            if isinstance(path, str | Path) and place in Path(os.path.abspath(path)).parents:  # noqa: PTH100
                if reach is really_allowed:
                    return False
                raise PermissionError(13, "Permission denied", str(path))
            return reach(path, *more, **named)

        return refuse

    really_allowed = os.access
    for module, name in BEYOND:
        monkeypatch.setattr(module, name, refusing(getattr(module, name)))
