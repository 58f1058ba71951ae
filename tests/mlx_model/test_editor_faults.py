"""Numbers that are no picture and memory that is not there: done again, told in a sentence, nothing left behind."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mlx_model import memory
from mlx_model.checkpoint import Checkpoint
from mlx_model.editor import Editor
from mlx_model.request import EditRequest, Precision, Progress, RequestError, UnusableNumbers, digest
from mlx_model.runtime import mx
from mlx_model.weights.model_folder import read_tensors
from tests.mlx_model.sample_requests import POCKET

REQUEST = EditRequest("a red star", seed=3, steps=1)
DEAD_UNIT = ("transformer", "double_blocks.0.img_mlp.0.bias", -3.4e38)
"""A bias that keeps a unit of the network silent in float32, and is infinite in bfloat16."""


def poisoned(folder: Path, part: str, tensor: str, number: float) -> Path:
    """Copy the built-in model with one number of one tensor replaced."""
    shutil.copytree(POCKET, folder)
    path = folder / f"{part}.safetensors"
    tensors = read_tensors(path)
    mx.eval(tensors)
    spoilt = np.array(tensors[tensor].astype(mx.float32))
    spoilt.reshape(-1)[0] = number
    mx.save_safetensors(str(path), tensors | {tensor: mx.array(spoilt)})
    return folder


def test_numbers_that_overflow_are_computed_again_in_float32(tmp_path: Path) -> None:
    folder = poisoned(tmp_path / "model", *DEAD_UNIT)
    plain = Editor(folder, precision="float32").edit(REQUEST, {})
    assert plain.notes == ()
    told: list[Progress] = []
    editor = Editor(folder, precision="bfloat16", text_store=tmp_path / "texts")
    again = editor.edit(REQUEST, {}, told.append)
    assert digest(again.picture) == digest(plain.picture)
    assert len(again.notes) == 1
    assert "computed again in float32" in again.notes[0]
    assert told[-1].notes == again.notes, "it is told while it is done"
    assert told[0].notes == ()
    assert editor.paces == {}, "what was slower for once is no pace"


def test_a_step_kept_of_the_second_try_goes_on_in_float32(tmp_path: Path) -> None:
    kept: list[Checkpoint] = []
    editor = Editor(poisoned(tmp_path / "model", *DEAD_UNIT), precision="bfloat16")
    result = editor.edit(REQUEST, {}, on_checkpoint=kept.append)
    assert [one.precision for one in kept] == ["float32"]
    again = editor.edit(REQUEST, {}, resume=kept[0])
    assert digest(again.picture) == digest(result.picture)


@pytest.mark.parametrize(
    ("part", "tensor", "precision", "says"),
    [
        ("transformer", "final_layer.linear.weight", "bfloat16", "in float32 as well"),
        ("transformer", "final_layer.linear.weight", "float32", "install it anew"),
        ("t5", "encoder.final_layer_norm.weight", "float32", "the encoded instruction is not finite"),
        ("autoencoder", "decoder.1.weight", "float32", "the decoded picture is not finite"),
    ],
)
def test_numbers_that_stay_bad_are_told(
    tmp_path: Path, part: str, tensor: str, precision: Precision, says: str
) -> None:
    folder = poisoned(tmp_path / "model", part, tensor, float("nan"))
    editor = Editor(folder, precision=precision, text_store=tmp_path / "texts")
    with pytest.raises(UnusableNumbers, match=says):
        editor.edit(REQUEST, {})
    if part == "t5":
        assert not list((tmp_path / "texts").glob("*")), "what is bad is not kept for the next time"
    shutil.copy(POCKET / f"{part}.safetensors", folder)
    assert editor.edit(REQUEST, {}).notes == (), "what was loaded and kept is gone, and usable again"


def test_where_float32_has_no_room_the_first_fault_is_told(tmp_path: Path) -> None:
    folder = poisoned(tmp_path / "model", *DEAD_UNIT)
    least = Editor(folder, memory_limit=1, precision="bfloat16").estimate(REQUEST, {}).needed
    editor = Editor(folder, memory_limit=least, precision="bfloat16")
    assert editor.estimate(REQUEST, {}).fits
    with pytest.raises(UnusableNumbers, match="no memory to compute them in float32"):
        editor.edit(REQUEST, {})


SHORT = """
import resource, sys
from pathlib import Path
from mlx_model.editor import Editor
from mlx_model.request import EditRequest, OutOfMemory, Picture, digest
from mlx_model.runtime import mx
import numpy as np

def allow(room):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, hard))

editor = Editor(Path(sys.argv[1]), memory_limit=1 << 40)
small = EditRequest("a red star", steps=1)
first = editor.edit(small, {}).picture.pixels
allow(300 << 20)
try:
    editor.edit(EditRequest("a red star", size=(1024, 1024), steps=1, max_tokens=8192), {})
except OutOfMemory as error:
    print("at once:", error)
print("left:", mx.get_active_memory() < 1 << 20)
print("next:", np.array_equal(editor.edit(small, {}).picture.pixels, first))
picture = Picture(np.full((4000, 4000, 4), 255, np.uint8))
large = EditRequest("a red star", picture=digest(picture), task="instruct", steps=1)
stages = []
def starve(progress):
    if progress.stage == "finish":
        stages.append(progress.stage)
        allow(40 << 20)
allow(4 << 30)
try:
    editor.edit(large, {digest(picture): picture}, starve)
except OutOfMemory as error:
    print("on the way:", error, stages)
allow(300 << 20)
print("next:", np.array_equal(editor.edit(small, {}).picture.pixels, first))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to an address space")
def test_an_allocation_that_fails_is_told_and_the_next_request_works() -> None:
    """In a process that is given no more memory: before anything is loaded, and in the middle of an edit."""
    command = [sys.executable, "-c", SHORT, str(POCKET)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(lines) == 5, done.stdout
    assert lines[0].startswith("at once: the memory ran out"), lines
    assert "pixels on the model's canvas instead of 1024 x 1024" in lines[0]
    assert lines[1:3] == ["left: True", "next: True"]
    assert lines[3].startswith("on the way: the memory ran out")
    assert lines[4] == "next: True"


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (RuntimeError("[metal::malloc] Attempting to allocate 9 bytes which is greater than the maximum"), True),
        (RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory (00000008:kIOGPU...)"), True),
        (RuntimeError("cudaMallocAsync(&data, size, stream) failed: out of memory"), True),
        (cv2.error("(-4:Insufficient memory) Failed to allocate 9 bytes in function 'OutOfMemoryError'"), True),
        (RuntimeError("There is no Stream(cpu, 0) in current thread"), False),
        (RequestError("no allocation of references"), False),
        (OSError("Cannot allocate memory"), False),
    ],
)
def test_shortage_is_told_from_other_errors(error: Exception, short: bool) -> None:
    assert memory.is_shortage(error) == short
