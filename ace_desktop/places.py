"""Where the program's own resources lie, and where what it keeps for its user goes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs

NAME = "ACE Desktop"


@dataclass(frozen=True)
class Places:
    """The folders of one user: settings, autosave journals, logs, and what else is kept (jobs, results)."""

    settings: Path
    journals: Path
    logs: Path
    data: Path

    @classmethod
    def of_user(cls) -> Places:
        """Name the folders that the system has for such things; none is made."""
        return cls(
            platformdirs.user_config_path(NAME, appauthor=False),
            platformdirs.user_data_path(NAME, appauthor=False) / "journals",
            platformdirs.user_log_path(NAME, appauthor=False),
            platformdirs.user_data_path(NAME, appauthor=False),
        )

    @classmethod
    def under(cls, folder: Path) -> Places:
        """Keep everything in one folder."""
        return cls(folder / "settings", folder / "journals", folder / "logs", folder / "data")


def resources() -> Path:
    """Find the folder of icons and translations, in the source tree or in a frozen program."""
    frozen = getattr(sys, "_MEIPASS", None)
    return (Path(frozen) if frozen else Path(__file__).parents[1]) / "resources"
