"""What a request needs and what is given up for want of memory: said before, done so, and said after."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_model.editor import Editor
from mlx_model.memory import Release
from mlx_model.networks.autoencoder import Autoencoder
from mlx_model.networks.t5 import T5Encoder
from mlx_model.networks.tiny_autoencoder import PREVIEW_DECODER, TinyAutoencoder
from mlx_model.request import Cancelled, EditRequest, Estimate, Progress, RequestError, digest
from mlx_model.runtime import mx, tree
from mlx_model.weights.config import AutoencoderConfig, TinyAutoencoderConfig
from tests.mlx_model.sample_requests import LOCAL, PICTURES, POCKET, REQUESTS
from tests.mlx_model.tiny_model import tiny_config, write_tiny_model

LARGE = EditRequest("a red star", size=(256, 256))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny model whose T5 is large beside the rest, as in real ones."""
    folder = write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
    config = tiny_config()
    config = replace(config, t5=replace(config.t5, d_ff=60000))
    config.save(folder)
    mx.save_safetensors(str(folder / "t5.safetensors"), dict(tree.tree_flatten(T5Encoder(config.t5).parameters())))
    return folder


def needed(folder: Path, request: EditRequest, release: Release) -> int:
    need = Editor(folder)._outline(request, PICTURES, False, lambda: None).check(1 << 40).need  # pyright: ignore[reportPrivateUsage]
    return need.peak(release)


@pytest.mark.parametrize(
    ("release", "released", "says"),
    [
        (Release.NOTHING, (), None),
        (Release.TEXT, ("text",), "the text encoder is unloaded"),
        (Release.MODULATION, ("modulation",), "only what is needed next stays loaded"),
        (Release.ALL, ("all",), "loaded part by part"),
    ],
)
def test_what_is_let_go_is_said_before_meanwhile_and_after(
    folder: Path, release: Release, released: tuple[str, ...], says: str | None
) -> None:
    """And changes no pixel."""
    limit = needed(folder, LOCAL, release)
    editor = Editor(folder, memory_limit=limit)
    estimate = editor.estimate(LOCAL, PICTURES)
    assert estimate.fits
    assert (estimate.needed, estimate.limit, estimate.released) == (limit, limit, released)
    assert (says is None) == (estimate.notes == ())
    assert says is None or says in estimate.notes[0]
    assert editor.fitted(LOCAL, PICTURES) == estimate, "nothing more is given up than is needed"
    told: list[Progress] = []
    result = editor.edit(LOCAL, PICTURES, told.append)
    assert result.notes == told[-1].notes == estimate.notes
    assert result.warnings == (), "it is no warning about the picture"
    assert digest(result.picture) == digest(Editor(folder).edit(LOCAL, PICTURES).picture)


def test_with_less_than_all_the_modulation_stays_as_long_as_it_can(folder: Path) -> None:
    for release, stays in ((Release.TEXT, True), (Release.MODULATION, False)):
        editor = Editor(folder, memory_limit=needed(folder, LOCAL, release))
        editor.edit(LOCAL, PICTURES)
        parts = editor._parts  # pyright: ignore[reportPrivateUsage]
        assert (parts._modulation is not None) == stays  # pyright: ignore[reportPrivateUsage]
        assert parts._text is None  # pyright: ignore[reportPrivateUsage]


def test_a_decoder_for_previews_is_given_up_before_the_picture_s_size(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    sizes = TinyAutoencoderConfig("tiny", 64, 16)
    decoder = dict(tree.tree_flatten(TinyAutoencoder(sizes, encoder=False).parameters()))
    released = {name: t.transpose(0, 3, 1, 2) if t.ndim == 4 else t for name, t in decoder.items()}
    mx.save_safetensors(str(folder / PREVIEW_DECODER), released)
    limit = Editor(folder).estimate(LOCAL, PICTURES).needed
    editor = Editor(folder, memory_limit=limit)
    estimate = editor.fitted(LOCAL, PICTURES, previews=True)
    assert estimate.released == ("preview",)
    assert estimate.request == LOCAL
    told: list[Progress] = []
    result = editor.edit(LOCAL, PICTURES, told.append, previews=True)
    assert result.notes == estimate.notes == ("to save memory the previews are rough",)
    width, height = result.seen_size
    assert {p.preview.shape for p in told if p.preview is not None} == {(height // 8, width // 8, 3)}


def test_a_result_is_decoded_in_thinner_strips_before_the_picture_s_size_gives_way(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    sizes = AutoencoderConfig("full", 256, 3, 32, 3, (1, 2, 4, 4), 2, 16)
    replace(tiny_config(), autoencoder=sizes).save(folder)
    named = dict(tree.tree_flatten(Autoencoder(sizes).parameters()))
    released = {name: t.transpose(0, 3, 1, 2) if t.ndim == 4 else t for name, t in named.items()}
    mx.save_safetensors(str(folder / "autoencoder.safetensors"), released)
    request = EditRequest("a red star", size=(128, 128))
    limit = needed(folder, request, Release.ALL) - 1
    editor = Editor(folder, memory_limit=limit)
    estimate = editor.fitted(request, PICTURES)
    assert estimate.request == request, "nothing of what was asked is given up"
    assert estimate.released[-1] == "strips"
    assert estimate.needed <= limit
    result = editor.edit(request, PICTURES)
    assert result.notes[-1] == "to save memory the result is decoded in thinner strips"
    usual = Editor(folder).edit(request, PICTURES)
    off = np.abs(result.picture.pixels.astype(int) - usual.picture.pixels)
    assert off.max() <= 1, "another rounding at most"
    assert (off > 0).mean() < 0.01


def test_a_budget_is_lowered_no_further_than_it_must(folder: Path) -> None:
    limit = needed(folder, replace(LARGE, max_tokens=150), Release.ALL)
    editor = Editor(folder, memory_limit=limit)
    whole = editor.estimate(LARGE, {})
    assert not whole.fits
    assert whole.canvas_size == (256, 256)
    with pytest.raises(RequestError, match="a smaller region, size or reference would fit"):
        editor.edit(LARGE, {})
    fitted = editor.fitted(LARGE, {})
    assert fitted.fits
    budget = fitted.request.max_tokens
    assert budget is not None
    assert 256 / 4 <= budget < 256
    assert not editor.estimate(replace(LARGE, max_tokens=budget + 16), {}).fits
    width, height = fitted.canvas_size
    assert f"works on {width} x {height} pixels instead of 256 x 256" in fitted.notes[-1]
    result = editor.edit(fitted.request, {})
    assert result.canvas_size == fitted.canvas_size
    assert result.picture.size == (256, 256), "what is delivered is as large as asked"
    assert result.request.max_tokens == budget, "the recipe holds what it was made with"
    assert digest(editor.edit(result.request, {}).picture) == digest(result.picture)


def test_a_size_to_work_at_gives_way(folder: Path) -> None:
    request = replace(LOCAL, size=(192, 192), region=(0, 0, 80, 80))
    least = needed(folder, request, Release.ALL)
    editor = Editor(folder, memory_limit=least - 1)
    with pytest.raises(RequestError, match="would fit"):
        editor.edit(request, PICTURES)
    fitted = editor.fitted(request, PICTURES)
    assert fitted.request.size is None
    assert fitted.canvas_size[0] < 192
    assert editor.edit(fitted.request, PICTURES).canvas_size == fitted.canvas_size


def test_where_a_quarter_is_too_much_it_is_refused_with_what_would_fit(folder: Path) -> None:
    editor = Editor(folder, memory_limit=needed(folder, replace(LARGE, max_tokens=36), Release.ALL))
    with pytest.raises(RequestError, match=r"this needs \d+ MB of memory") as caught:
        editor.fitted(LARGE, {})
    side = int(str(caught.value).split("about ")[1].split()[0])
    assert side < 256 / 2, "half the sides are a quarter of the tokens"
    assert editor.estimate(replace(LARGE, max_tokens=(side // 16) ** 2), {}).fits


@given(st.integers(0, 100), st.sampled_from(sorted(REQUESTS)))
@settings(max_examples=40, deadline=None)
def test_whatever_the_limit_a_request_fits_or_is_refused(percent: int, task: str) -> None:
    most = Editor(POCKET).estimate(REQUESTS[task], PICTURES).needed
    limit = max(1, most * percent // 100)
    editor, found = Editor(POCKET, memory_limit=limit), list[Estimate]()
    try:
        found.append(editor.fitted(REQUESTS[task], PICTURES))
    except RequestError as error:
        assert "of memory" in str(error)  # noqa: PT017
    for estimate in found:
        assert estimate.needed <= limit
        assert editor.estimate(estimate.request, PICTURES).fits, "what is handed on is carried out"
        assert estimate.notes or limit >= most


def test_an_estimate_can_be_cancelled_and_refuses_what_an_edit_would(folder: Path) -> None:
    editor = Editor(folder)
    with pytest.raises(Cancelled):
        editor.estimate(LOCAL, PICTURES, cancelled=lambda: True)
    with pytest.raises(RequestError, match="not given"):
        editor.estimate(replace(LOCAL, picture="0" * 64), PICTURES)
