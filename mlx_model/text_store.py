"""Encoded instructions on disk, so that one that was read before needs no text encoders.

A file per instruction, named by what it depends on; when the folder grows beyond its limit, those used longest ago
go first. Whatever goes wrong here costs a second reading and nothing else.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from mlx_model.library.folders import file_digest
from mlx_model.places import home_expanded, is_file
from mlx_model.request import RequestError
from mlx_model.runtime import COMPUTE_TYPE, mx
from mlx_model.stages import Text
from mlx_model.weights.config import ModelConfig
from mlx_model.weights.model_folder import read_tensors_and_metadata

STORE_BYTES: Final = 256 << 20
"""About sixty instructions of the full models; 4 MB each."""
_ABANDONED: Final = 3600.0
_SUFFIX: Final = ".safetensors"


def default_store() -> Path:
    """Return where encoded instructions are kept: in ACE_CACHE, or in the user's own place for such files."""
    if chosen := os.environ.get("ACE_CACHE"):
        return home_expanded(chosen) / "instructions"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ACE Desktop" / "instructions"
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "ace-desktop" / "instructions"


class TextStore:
    """Keeps what the text encoders of the model in ``model`` made of instructions in ``dtype``, ``limit`` bytes."""

    def __init__(
        self,
        folder: Path,
        model: Path,
        config: ModelConfig,
        limit: int = STORE_BYTES,
        dtype: mx.Dtype = COMPUTE_TYPE,
    ):
        self._folder, self._model, self._config, self._limit = folder, model, config, limit
        self._dtype = dtype
        self._encoders: str | None = None

    def find_or_make(self, instruction: str, make: Callable[[], Text]) -> Text:
        """Return the encoded instruction: as it was kept, or as ``make`` gives it, which is then kept."""
        path = self._path(instruction)
        found = self._read(path)
        if found is None:
            found = make()
            # A full or locked disk must not end an edit for the sake of a saving.
            with suppress(OSError, RuntimeError):
                self._write(path, found)
        return found

    def _path(self, instruction: str) -> Path:
        if self._encoders is None:
            self._encoders = self._digest()
        named = hashlib.sha256(f"{self._encoders}\n{instruction}".encode("utf-8", "surrogatepass"))
        return self._folder / (named.hexdigest() + _SUFFIX)

    def _digest(self) -> str:
        """Name all that an encoded instruction depends on beside its words."""
        parts = [str(self._dtype), json.dumps(asdict(self._config.prompt)), json.dumps(asdict(self._config.t5))]
        parts.append(json.dumps(asdict(self._config.clip)))
        for path in sorted(self._model.rglob("*")):
            name = path.relative_to(self._model).as_posix()
            if is_file(path) and (name.startswith("tokenizer") or name in ("t5.safetensors", "clip.safetensors")):
                # Of a large file the digest sees a part: one that was mended is told by when it was written.
                parts.append(f"{name} {file_digest(path)} {path.stat().st_mtime_ns}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _read(self, path: Path) -> Text | None:
        if not is_file(path):
            return None
        try:
            tensors, about = read_tensors_and_metadata(path)
            text = Text(tensors["context"], tensors["pooled"], tuple(json.loads(about["warnings"])))
            mx.eval(text.context, text.pooled)
            os.utime(path)
        except (RequestError, OSError, KeyError, TypeError, ValueError, RuntimeError):
            with suppress(OSError):
                path.unlink()
            return None
        return text

    def _write(self, path: Path, text: Text) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.stem}.{os.getpid()}.part")
        tensors = {"context": text.context, "pooled": text.pooled}
        try:
            with part.open("wb") as file:
                mx.save_safetensors(file, tensors, {"warnings": json.dumps(text.warnings)})
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        self._forget()

    def _forget(self) -> None:
        for part in self._folder.glob("*.part"):  # of a process that was killed
            if part.stat().st_mtime < time.time() - _ABANDONED:
                part.unlink(missing_ok=True)
        kept = 0
        files = [(path.stat(), path) for path in self._folder.glob("*" + _SUFFIX)]
        for about, path in sorted(files, key=lambda file: file[0].st_mtime_ns, reverse=True):
            kept += about.st_size
            if kept > self._limit:
                path.unlink(missing_ok=True)
