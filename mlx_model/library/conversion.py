"""What this room asks of the converter (``mlx_model.weights``), which knows MLX: callers hand it in."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from mlx_model.library.catalogue import ConvertedPart
from mlx_model.library.progress import Control
from mlx_model.library.tensor_files import TensorFile
from mlx_model.weights.config import ModelConfig, QuantizationConfig

JOURNAL: Final = ".converting.jsonl"
"""What the converter's journal is called, after the part. It outlasts the conversion, until :func:`recorded`."""


def recorded(folder: Path) -> None:
    """Take away the journals of what was converted into ``folder``, once a record says that it is there."""
    for journal in folder.glob(f"*{JOURNAL}"):
        journal.unlink(missing_ok=True)


class WrittenFile(Protocol):
    """A file that was written: its name in the folder, its bytes and their sha256."""

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def size(self) -> int:
        """The bytes."""
        ...

    @property
    def sha256(self) -> str:
        """Their digest."""
        ...


class ReadSource(Protocol):
    """A source that was read; ``sha256`` is what its bytes hash to, None after a pass that was interrupted."""

    @property
    def header_sha256(self) -> str:
        """The digest of its header."""
        ...

    @property
    def sha256(self) -> str | None:
        """The digest of all of it."""
        ...


class Conversion(Protocol):
    """What came of a conversion; ``digests_checked``: every source was read in one go and had its digest."""

    @property
    def files(self) -> Sequence[WrittenFile]:
        """The files."""
        ...

    @property
    def sources(self) -> Sequence[ReadSource]:
        """The sources, in their order."""
        ...

    @property
    def digests_checked(self) -> bool:
        """Whether the digests of all sources were compared."""
        ...


class Convert(Protocol):
    """Turn released files into a part's files in ``folder``, which appear by rename when whole.

    The same conversion is not done twice until the files are :func:`recorded`.

    Raises:
        LibraryError: a source cannot be read or does not fit; what is done already is used the next time.
        Cancelled: ``control`` was cancelled.
    """

    def __call__(
        self,
        part: ConvertedPart,
        files: Sequence[TensorFile],
        folder: Path,
        config: ModelConfig,
        quantization: QuantizationConfig | None,
        *,
        control: Control | None = None,
        report: Callable[[int, int], None] | None = None,
    ) -> Conversion:
        """Convert; ``report`` is told the bytes of the sources that are done, and all of them."""
        ...


class Misfit(Protocol):
    """Say why released files are not a part of a model of these sizes, None where they are one.

    ``part`` is what the converter calls it; None is an adapter.
    """

    def __call__(self, part: ConvertedPart | None, files: Sequence[Path], config: ModelConfig) -> str | None:
        """Compare the names and shapes of all tensors; nothing else is read."""
        ...
