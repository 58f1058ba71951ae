"""The road of a request, end to end on the tiny model: every task, reuse, determinism, adapters, memory, refusals."""

import json
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlx_model.editor import Editor
from mlx_model.memory import Fit, Pictures, Release, Work, estimate, weights_of
from mlx_model.networks.autoencoder import Autoencoder
from mlx_model.networks.t5 import T5Encoder
from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.parts import Parts, TextEncoders
from mlx_model.progress import STAGES, Tick
from mlx_model.request import (
    Adapter,
    Cancelled,
    EditRequest,
    EditResult,
    Progress,
    Reference,
    RequestError,
    digest,
)
from mlx_model.runtime import mx, nn, tree
from mlx_model.tasks import TASKS
from mlx_model.weights.config import AutoencoderConfig, QuantizationConfig, TinyAutoencoderConfig
from mlx_model.weights.model_folder import read_tensors
from mlx_model.weights.quantize import quantize
from tests.mlx_model.sample_requests import LOCAL, MASK, PICTURE, PICTURES, REFERENCE, REQUESTS, box_mask, lora
from tests.mlx_model.tiny_model import tiny_config, write_tiny_model


@pytest.fixture(scope="module")
def editor(tiny_model: Path) -> Editor:
    return Editor(tiny_model)


def same(first: EditResult, second: EditResult) -> bool:
    return digest(first.picture) == digest(second.picture)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_goes_the_whole_road(editor: Editor, task: str) -> None:
    result = editor.edit(REQUESTS[task], PICTURES)
    assert result.request.task == task
    size = {"generate": (64, 48), "subject": (64, 64), "portrait": (64, 64)}.get(task, PICTURE.size)
    assert result.picture.size == result.patch.size == size
    assert result.picture.pixels.dtype == np.uint8
    assert set(result.timings) <= set(STAGES)
    assert {"denoise", "decode", "finish"} <= set(result.timings)
    assert result.model == "tiny"
    columns = result.canvas_size[0] - result.seen_size[0]
    assert (columns >= 32) == bool(REQUESTS[task].references), "references stand beside what is made"
    if LOCAL.mask == result.request.mask:
        inside = np.array(MASK.pixels[..., 0] > 0)
        changed = (result.picture.pixels != PICTURE.pixels).any(axis=-1)
        assert changed[inside].mean() > 0.9, "the masked pixels are made anew"
        assert not changed[:10].any(), "what lies far from the mask stays"
        assert not result.patch.pixels[:10].any()


@pytest.mark.parametrize("task", TASKS)
def test_what_was_settled_gives_the_same_pixels_again(editor: Editor, tiny_model: Path, task: str) -> None:
    first = editor.edit(replace(REQUESTS[task], seed=3), PICTURES)
    settled = first.request
    assert None not in (settled.steps, settled.guidance, settled.strength, settled.task, settled.max_tokens)
    again = Editor(tiny_model).edit(first.request, PICTURES)
    assert same(first, again)
    assert again.request == first.request
    other = editor.edit(replace(first.request, seed=4), PICTURES)
    assert not same(first, other)


def test_the_order_of_requests_does_not_matter(editor: Editor, tiny_model: Path) -> None:
    """Whatever is kept from other requests, a request comes out as in a fresh editor."""
    requests = [
        LOCAL,
        replace(LOCAL, guidance=2.0),
        replace(LOCAL, steps=3),
        replace(LOCAL, strength=0.5),
        replace(LOCAL, instruction="a green circle"),
        replace(LOCAL, control="grey"),
        replace(LOCAL, region=(20, 10, 64, 64)),
        replace(LOCAL, references=(Reference(digest(REFERENCE)),)),
    ]
    fresh = [digest(Editor(tiny_model).edit(request, PICTURES).picture) for request in requests]
    assert len(set(fresh)) == len(requests), "each setting makes a difference"
    for request, expected in reversed(list(zip(requests, fresh, strict=True))):
        assert digest(editor.edit(request, PICTURES).picture) == expected, request


def test_variations_use_text_canvas_and_modulation_again(tiny_model: Path) -> None:
    editor = Editor(tiny_model)
    told: list[Progress] = []
    editor.edit(LOCAL, PICTURES, told.append)
    assert [p.stage for p in told if p.step == 0 and p.stage != "load"] == ["text", "encode", "modulation", "denoise"]
    told.clear()
    ticks = 0

    def cancelled() -> bool:
        nonlocal ticks
        ticks += 1
        return False

    editor.edit(replace(LOCAL, seed=1), PICTURES, told.append, cancelled)
    assert [p.stage for p in told if p.step == 0 and p.stage != "load"] == ["denoise"]
    variation, ticks = ticks, 0
    editor.edit(replace(LOCAL, seed=1, guidance=3.0), PICTURES, told.append, cancelled)
    layers = 3 + 2 + 1 - 1  # modulation layers: two streams, two single blocks, the final one
    assert ticks - variation == layers + 1, "another guidance: the modulation is computed anew, layer by layer"


def test_progress_goes_through_the_stages_with_previews(tiny_model: Path) -> None:
    editor = Editor(tiny_model)
    told: list[Progress] = []
    result = editor.edit(LOCAL, PICTURES, told.append, previews=True)
    furthest = [list[str](STAGES).index(p.stage) for p in told if p.stage != "load"]
    assert furthest == sorted(furthest)
    assert [p.step for p in told if p.stage == "denoise"] == [0, 1, 2]
    previews = [p.preview for p in told if p.preview is not None]
    assert len(previews) == 2
    width, height = result.seen_size
    for preview in previews:
        assert preview.shape == (height // 8, width // 8, 3)
        assert preview.dtype == np.uint8
    assert told[0].seconds_left is None
    told.clear()
    editor.edit(LOCAL, PICTURES, told.append)
    assert all(p.seconds_left is not None for p in told if p.stage == "denoise")
    assert all(p.preview is None for p in told)


def test_the_last_preview_is_the_finished_latent_without_the_reference(editor: Editor) -> None:
    told: list[Progress] = []
    request = REQUESTS["reference"]
    result = editor.edit(request, PICTURES, told.append, previews=True)
    preview = next(p.preview for p in reversed(told) if p.preview is not None)
    assert preview.shape[1] * 8 == result.canvas_size[0] - 2 * 48
    assert preview.shape[1] * 8 < result.canvas_size[0]


def test_a_preview_decoder_in_the_folder_is_used(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    decoder = TinyAutoencoder(TinyAutoencoderConfig("tiny", 4, 16), encoder=False)
    save(folder / "preview_decoder.safetensors", decoder)
    told: list[Progress] = []
    result = Editor(folder).edit(LOCAL, PICTURES, told.append, previews=True)
    width, height = result.seen_size
    assert {p.preview.shape for p in told if p.preview is not None} == {(height, width, 3)}
    mx.save_safetensors(str(folder / "preview_decoder.safetensors"), {"weight": mx.zeros((1,))})
    with pytest.raises(RequestError, match="no decoder of TAEF1's kind"):
        Editor(folder).edit(LOCAL, PICTURES, previews=True)


def test_cancelling_is_answered_everywhere_and_leaves_nothing_behind(tiny_model: Path) -> None:
    """Cancel at every moment at which the editor asks, in a fresh editor and in one that knows the request."""
    expected = digest(Editor(tiny_model).edit(LOCAL, PICTURES).picture)
    asked: list[float] = []

    def count() -> bool:
        asked.append(time.perf_counter())
        return False

    editor = Editor(tiny_model)
    editor.edit(LOCAL, PICTURES, cancelled=count)
    moments = len(asked)
    assert moments > 80, moments
    for moment in {*range(0, moments, 13), moments - 1}:
        countdown = iter([False] * moment)
        fresh = Editor(tiny_model)
        with pytest.raises(Cancelled):
            fresh.edit(LOCAL, PICTURES, cancelled=lambda left=countdown: next(left, True))
        assert digest(fresh.edit(LOCAL, PICTURES).picture) == expected, f"after cancelling at {moment}"


def test_cancelling_at_the_very_end_is_answered_too(editor: Editor) -> None:
    told: list[str] = []
    with pytest.raises(Cancelled):
        editor.edit(LOCAL, PICTURES, lambda progress: told.append(progress.stage), lambda: _late(told))
    assert told[-1] == "finish"


def _late(told: list[str]) -> bool:
    """Cancel only after the last stage was entered, and asked about twice: not before it."""
    if told[-1] == "finish":
        told.append("finish")
    return told.count("finish") > 3


def test_a_request_is_refused_before_anything_is_loaded(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copy(tiny_model / "config.json", tmp_path / "empty")
    for part in ("transformer", "modulation", "t5", "clip", "autoencoder"):
        mx.save_safetensors(str(tmp_path / "empty" / f"{part}.safetensors"), {"nothing": mx.zeros((1,))})
    editor = Editor(tmp_path / "empty")
    for request, says in (
        (replace(LOCAL, instruction=" "), None),
        (replace(LOCAL, task="instruct", instruction=""), "needs an instruction"),
        (replace(LOCAL, control="depth"), "depth model"),
        (replace(LOCAL, adapters=(Adapter("turbo"),)), 'the adapter "turbo" is not installed'),
        (replace(LOCAL, picture="0" * 64), "not given"),
    ):
        with pytest.raises(RequestError) as caught:
            editor.edit(request, PICTURES)
        if says is None:  # nothing to refuse: here the missing weights are noticed
            assert "the weights do not fit" in str(caught.value)
        else:
            assert says in str(caught.value)


def test_an_editor_stays_in_its_thread(editor: Editor) -> None:
    caught: list[BaseException] = []

    def elsewhere() -> None:
        try:
            editor.edit(LOCAL, PICTURES)
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "thread" in str(caught[0])


def test_unusable_numbers_are_told_instead_of_shown(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    for part, name in (("transformer", "final_layer.linear.weight"), ("autoencoder", "decoder.1.weight")):
        path = folder / f"{part}.safetensors"
        good = read_tensors(path)
        mx.eval(good)
        mx.save_safetensors(str(path), good | {name: good[name] * float("nan")})
        with pytest.raises(RequestError, match="unusable numbers"):
            Editor(folder).edit(LOCAL, PICTURES)
        mx.save_safetensors(str(path), good)
    Editor(folder).edit(LOCAL, PICTURES)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (replace(LOCAL, instruction="재킷을 빨간색으로"), "text encoder does not know"),
        (EditRequest("a star", size=(512, 512)), "(0.50x)"),
        (replace(LOCAL, region=(40, 10, 60, 60)), "outside its view"),
        (LOCAL, None),
    ],
)
def test_warnings_are_for_the_person(editor: Editor, request_: EditRequest, says: str | None) -> None:
    warnings = editor.edit(request_, PICTURES).warnings
    assert len(warnings) == (0 if says is None else 1), warnings
    assert says is None or says in warnings[0]


def test_a_slow_machine_is_told(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlx_model.outline.slow_reason", lambda: "OpenBLAS is not installed")
    assert editor.edit(LOCAL, PICTURES).warnings == ("OpenBLAS is not installed",)


def test_short_memory_changes_what_is_kept_but_no_pixel(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    config = tiny_config()
    config = replace(config, t5=replace(config.t5, d_ff=60000))  # as in real models, T5 is large beside the rest
    config.save(folder)
    mx.random.seed(2)
    save(folder / "t5.safetensors", T5Encoder(config.t5))
    expected = [digest(Editor(folder).edit(r, PICTURES).picture) for r in (LOCAL, REQUESTS["remove"])]
    pictures = Pictures(sum(p.pixels.nbytes for p in PICTURES.values()), 100 * 80, 4, patch=True)
    need = estimate(config, weights_of(folder), Work((64, 64), (64, 64), 2, pictures))
    assert need.least < need.text_released < need.all_kept
    held: list[int] = []
    before = mx.get_active_memory()
    for limit in (need.all_kept, need.text_released, need.least):
        editor = Editor(folder, memory_limit=limit)
        results = [digest(editor.edit(r, PICTURES).picture) for r in (LOCAL, REQUESTS["remove"])]
        assert results == expected, f"with {limit} bytes"
        mx.clear_cache()
        held.append(mx.get_active_memory() - before)
        del editor
    assert held[0] > need.weights.text > held[1] > held[2] / 2, f"{held} bytes are kept"
    with pytest.raises(RequestError, match=r"needs \d+ MB of memory"):
        Editor(folder, memory_limit=need.least - 1).edit(LOCAL, PICTURES)


def test_what_smaller_requests_left_in_memory_makes_room_for_a_larger_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    (folder / "adapters").mkdir()
    mx.save_safetensors(str(folder / "adapters" / "style.safetensors"), lora(("double_blocks.0.img_attn.qkv",)))
    weights = weights_of(folder)
    small, large = ((side, side) for side in (32, 256))
    kept_small, needs = (estimate(tiny_config(), weights, Work(size, size, 2)) for size in (small, large))
    limit = needs.modulation_kept - 1
    assert kept_small.all_kept + 2**20 < limit
    editor = Editor(folder, memory_limit=limit)
    parts = editor._parts  # pyright: ignore[reportPrivateUsage]
    editor.edit(EditRequest("a red star", size=small, adapters=(Adapter("style"),)), {})
    assert parts._modulation is not None  # pyright: ignore[reportPrivateUsage]
    assert parts._adapters  # pyright: ignore[reportPrivateUsage]
    seen: list[tuple[bool, bool]] = []
    load = Parts.text

    def text(self: Parts, tick: Tick) -> TextEncoders:
        seen.append((self._modulation is None, not self._adapters))  # pyright: ignore[reportPrivateUsage]
        return load(self, tick)

    monkeypatch.setattr(Parts, "text", text)
    result = editor.edit(EditRequest("a blue star", size=large), {})
    assert seen == [(True, True)], "the modulation and the adapter are gone before the text encoders come"
    monkeypatch.undo()
    assert same(result, Editor(folder).edit(result.request, {}))


def test_what_stays_beside_the_text_encoders_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the least memory nothing does: not the autoencoder either."""
    folder = write_tiny_model(tmp_path / "tiny")
    editor = Editor(folder)
    editor.edit(LOCAL, PICTURES, previews=True)
    parts = editor._parts  # pyright: ignore[reportPrivateUsage]
    held: list[object] = []
    load = Parts.text

    def text(self: Parts, tick: Tick) -> TextEncoders:
        held.extend((self._transformer, self._autoencoder, self._preview, self._modulation))  # pyright: ignore[reportPrivateUsage]
        return load(self, tick)

    monkeypatch.setattr(Parts, "text", text)
    need = estimate(tiny_config(), weights_of(folder), Work((64, 64), (64, 64), 2))
    parts.release_text()
    monkeypatch.setattr(editor, "_limit", need.text_released - 1)

    def checked(*_: object) -> Fit:
        return Fit(need, Release.ALL)

    monkeypatch.setattr("mlx_model.memory.check", checked)
    editor.edit(replace(LOCAL, instruction="a blue star"), PICTURES)
    assert held == [None] * 4


def test_the_token_budget_can_be_set(tiny_model: Path) -> None:
    request = EditRequest("a star", size=(128, 128))
    assert Editor(tiny_model).edit(request, {}).canvas_size == (128, 128)
    editor = Editor(tiny_model, max_tokens=16)
    assert editor.edit(request, {}).canvas_size == (64, 64)
    asked = editor.edit(replace(request, max_tokens=36), {})
    assert asked.canvas_size == (96, 96), "what a request says comes first"
    assert asked.request.max_tokens == 36
    again = Editor(tiny_model).edit(asked.request, {})
    assert same(again, asked), "a recipe holds the budget that it was made with"


def test_an_edit_can_be_worked_on_at_a_size_of_one_s_own(editor: Editor) -> None:
    for request in (LOCAL, REQUESTS["instruct"]):
        plain = editor.edit(request, PICTURES)
        result = editor.edit(replace(request, size=(40, 48)), PICTURES)
        assert max(result.seen_size) <= 48
        assert result.seen_size[0] <= 32
        assert result.seen_size != plain.seen_size
        assert result.picture.size == PICTURE.size
        assert not same(result, plain)
        assert result.request.size == (40, 48)
        assert same(result, editor.edit(result.request, PICTURES))
        if request.mask is not None:
            assert np.array_equal(result.picture.pixels[:10], PICTURE.pixels[:10])


def test_an_empty_mask_is_told_where_it_means_everything(editor: Editor) -> None:
    empty = box_mask(100, 80, 0, 0, 0, 0)
    request = replace(REQUESTS["instruct"], mask=digest(empty), task="instruct")
    for region, what in ((None, "picture"), ((0, 0, 64, 64), "region")):
        result = editor.edit(replace(request, region=region), PICTURES | {digest(empty): empty})
        assert any(f"the whole {what} is edited" in warning for warning in result.warnings), result.warnings


def save(path: Path, module: nn.Module) -> None:
    named = dict(tree.tree_flatten(module.parameters()))
    mx.save_safetensors(str(path), {n: t.transpose(0, 3, 1, 2) if t.ndim == 4 else t for n, t in named.items()})


def test_a_model_with_the_full_autoencoder_goes_the_road(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    sizes = AutoencoderConfig("full", 64, 3, 32, 3, (1, 1, 1, 1), 1, 16)
    replace(tiny_config(), autoencoder=sizes).save(folder)
    mx.random.seed(1)
    save(folder / "autoencoder.safetensors", Autoencoder(sizes))
    result = Editor(folder).edit(LOCAL, PICTURES)
    assert result.picture.size == PICTURE.size


def test_a_quantized_model_goes_the_road(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    plain = Editor(folder)
    expected = plain.edit(LOCAL, PICTURES).picture.pixels.astype(int)
    settings = QuantizationConfig(group_size=32, bits=8)
    module, _ = plain._parts.transformer((), lambda: None)  # pyright: ignore[reportPrivateUsage]
    quantize(module, settings)
    named = dict(tree.tree_flatten(module.parameters()))
    assert sum(name.endswith(".scales") for name in named) > 10
    mx.save_safetensors(str(folder / "transformer.safetensors"), named)
    replace(tiny_config(), quantization=settings).save(folder)
    off = np.abs(Editor(folder).edit(LOCAL, PICTURES).picture.pixels.astype(int) - expected)
    assert 0 < off.max() < 16, f"8 bits differ by up to {off.max()} of 255"


def test_a_folder_that_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no model folder"):
        Editor(tmp_path / "nothing")
    folder = write_tiny_model(tmp_path / "tiny")
    (folder / "t5.safetensors").unlink()
    with pytest.raises(RequestError, match=r"t5\.safetensors is missing"):
        Editor(folder).edit(LOCAL, PICTURES)
    config = json.loads((folder / "config.json").read_text())
    del config["transformer"]["depth"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RequestError, match=r"lacks transformer\.depth"):
        Editor(folder)
