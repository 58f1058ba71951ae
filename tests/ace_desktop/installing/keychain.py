"""A keychain for the processes of a test: a file, which a real one would not be."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend

PLACE = "ACE_TEST_KEYCHAIN"


class FileKeychain(KeyringBackend):
    """Keeps secrets in the file that an environment variable names; used where PYTHON_KEYRING_BACKEND asks for it."""

    priority = -1.0  # type: ignore[assignment]

    def _held(self) -> dict[str, str]:
        place = Path(os.environ[PLACE])
        return json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        """Look a secret up."""
        return self._held().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""
        Path(os.environ[PLACE]).write_text(json.dumps({**self._held(), f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        """Forget a secret."""
        held = self._held()
        del held[f"{service} {username}"]
        Path(os.environ[PLACE]).write_text(json.dumps(held))
