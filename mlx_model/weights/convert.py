"""Released files, near or far, into a part's files in our format: tensor by tensor, quantized on the way.

At any time there is one source tensor in memory, and on the disk nothing but what stays. A conversion that was ended,
by x
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mlx_model.library.errors import Changed, Damaged
from mlx_model.library.progress import Control
from mlx_model.library.tensor_entry import TensorEntry
from mlx_model.library.tensor_files import TensorFile
from mlx_model.runtime import mx
from mlx_model.weights import number_formats
from mlx_model.weights.config import ModelConfig, QuantizationConfig
from mlx_model.weights.plan import Plan, Step, Storage, plan
from mlx_model.weights.policy import Part
from mlx_model.weights.work_files import PartFile, WorkFiles

VERSION: Final = 2
"""Of what is computed: work begun by another version is not gone on with."""
SYNC_BYTES: Final = 64 << 20
"""So many bytes of a source are read again at most after a kill, or one tensor."""
_CHUNK: Final = 4 << 20  # numbers that are decoded at a time
_NEARBY: Final = 1 << 20


@dataclass(frozen=True)
class ConvertedSource:
    """A source that was read; ``sha256`` is what its bytes hash to, None after a pass that was interrupted."""

    title: str
    size: int
    header_sha256: str
    sha256: str | None


@dataclass(frozen=True)
class Converted:
    """What a conversion made.

    ``digests_checked``: every source was read in one uninterrupted pass and has the digest that was promised.
    """

    files: tuple[PartFile, ...]
    digests_checked: bool
    sources: tuple[ConvertedSource, ...]


def convert_part(
    part: Part,
    files: Sequence[TensorFile],
    folder: Path,
    config: ModelConfig,
    quantization: QuantizationConfig | None,
    *,
    control: Control | None = None,
    report: Callable[[int, int], None] | None = None,
    sync_bytes: int = SYNC_BYTES,
) -> Converted:
    """Convert a part's source files into ``folder``, where our files appear when they are whole.

    Args:
        part: what the files hold.
        files: one file or several shards, in the order of their names.
        folder: made if need be; work files lie there until the end, and a journal beyond it.
        config: the model's sizes, which the sources must have.
        quantization: of the layers that the policy quantizes; None leaves them bfloat16.
        control: pauses and cancels; what was done is kept.
        report: called with the bytes of the sources that are done, and all.
        sync_bytes: how much of a source may go by before it is noted as done.

    Raises:
        LibraryError: the sources do not fit (see :func:`~mlx_model.weights.plan.plan`) or cannot be read, or the
            disk is full (DiskFull); what was done is kept.
        Damaged: a source is not what its digest promises; nothing of it is used.
        Cancelled: by ``control``.
    """
    control = control or Control()
    planned = plan(part, [entry for file in files for entry in file.entries], config, quantization)
    total = sum(entry.stop - entry.start for file in files for entry in file.entries)
    done = 0

    def step(size: int = 0) -> None:
        nonlocal done
        done += size
        control.checkpoint()
        if size and report:
            report(done, total)

    scales = _read_scales(files, planned)
    with WorkFiles(folder, part, planned.files, _identity(planned, files), len(files)) as work:
        work.confirm(step)
        work.require_room()
        for index, file in enumerate(files):
            if not work.sources[index].ended:
                _pass(index, file, planned, scales, work, step, sync_bytes)
            else:
                step(sum(entry.stop - entry.start for entry in file.entries))
        written = work.finish(step)
        return Converted(
            written,
            all(source.checked for source in work.sources),
            tuple(
                ConvertedSource(file.source.title, file.source.size, file.header_sha256, source.sha256)
                for file, source in zip(files, work.sources, strict=True)
            ),
        )


def _identity(planned: Plan, files: Sequence[TensorFile]) -> str:
    """Name a conversion: what is read, and what is made of it."""
    told = {
        "version": VERSION,
        "layout": planned.layout,
        "sources": [[file.source.size, file.header_sha256, file.source.identity] for file in files],
        "files": [hashlib.sha256(file.header).hexdigest() for file in planned.files],
        "straight": sorted(name for name, step in planned.steps.items() if step.storage.straight),
    }
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _pass(
    index: int,
    file: TensorFile,
    planned: Plan,
    scales: Mapping[str, bytes],
    work: WorkFiles,
    step: Callable[[int], None],
    sync_bytes: int,
) -> None:
    """Go through a source from where it was left, or anew if it is another one by now."""
    state = work.sources[index]
    unsynced = 0
    before = sum(entry.stop - entry.start for entry in file.entries[: state.tensors])
    step(before)
    way = file.tensors(state.tensors, state.so_far)
    try:
        for entry, data in way:
            if scales.get(entry.name, data) != data:
                raise Damaged(f"{file.source.title} does not stay the same while it is read; start again")
            if (target := planned.steps.get(entry.name)) is not None:
                scale = _number(target.scale, scales) if target.scale else None
                for name, row, content in _converted(entry, np.frombuffer(data, np.uint8), target, scale):
                    work.write(target.file, planned.outputs[name], row, content)
                    step(0)
                mx.clear_cache()
            del data
            state.tensors, state.so_far = state.tensors + 1, way.so_far
            unsynced += entry.stop - entry.start
            if unsynced >= sync_bytes:
                work.note(index)
                unsynced = 0
                work.require_room()
            step(entry.stop - entry.start)
        state.checked = way.check()
        state.sha256, state.ended = way.sha256, True
        work.note(index)
    except Changed:
        work.forget(index)
        step(-before)
        _pass(index, file, planned, scales, work, step, sync_bytes)
    except Damaged:
        work.forget(index)
        raise
    except BaseException:  # cancelled, cut off, interrupted: what is done is done
        if unsynced:
            work.note(index)
        raise


def _converted(
    entry: TensorEntry, data: npt.NDArray[np.uint8], step: Step, scale: float | None
) -> Iterator[tuple[str, int, memoryview]]:
    """Convert a source tensor some rows at a time; yield a tensor of ours, the first row, and bytes of rows."""
    columns = math.prod(entry.shape[1:])
    rows = data.reshape(entry.shape[0], number_formats.row_bytes(entry.dtype, columns))
    at_once = max(1, _CHUNK // columns)
    for move in step.moves:
        for first in range(0, move.rows, at_once):
            last = min(first + at_once, move.rows)
            contents = _stored(entry.dtype, rows[move.first + first : move.first + last], step.storage, scale)
            for name, content in zip(step.outputs, contents, strict=True):
                yield name, move.at + first, content


def _stored(dtype: str, rows: npt.NDArray[np.uint8], storage: Storage, scale: float | None) -> Iterable[memoryview]:
    if storage.straight:
        return number_formats.straight(storage.straight, rows)
    if storage.packing:
        return number_formats.packed(number_formats.decoded(dtype, rows, scale), storage.packing, storage.dtype)
    if storage.dtype == dtype and scale is None:
        return (rows.reshape(-1).data,)
    return number_formats.plain(number_formats.decoded(dtype, rows, scale), storage.dtype)


def _read_scales(files: Sequence[TensorFile], planned: Plan) -> dict[str, bytes]:
    """Read the scales of fp8 tensors, which may lie behind them."""
    names = {step.scale.name for step in planned.steps.values() if step.scale}
    read: dict[str, bytes] = {}
    for file in files:
        wanted = [entry for entry in file.entries if entry.name in names]
        if not wanted:
            continue
        start, stop = wanted[0].start, wanted[-1].stop
        together = file.source.read(start, stop) if stop - start <= _NEARBY else None
        for entry in wanted:
            read[entry.name] = (
                file.one(entry.name) if together is None else together[entry.start - start : entry.stop - start]
            )
    return read


def _number(entry: TensorEntry, scales: Mapping[str, bytes]) -> float:
    rows = np.frombuffer(scales[entry.name], np.uint8).reshape(1, -1)
    return float(np.array(number_formats.decoded(entry.dtype, rows)).item())
