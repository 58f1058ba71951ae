"""Stages called alone: the road's own loop against the golden trajectory, latents, text, and what a plan refuses."""

import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mlx_model import stages
from mlx_model.conditioning.canvas import build_canvas
from mlx_model.conditioning.region import plan_region
from mlx_model.networks.modulation import schedule_modulation
from mlx_model.parts import Parts
from mlx_model.request import EditRequest, Picture, Reference, RequestError, digest
from mlx_model.runtime import mx
from mlx_model.sampling.denoise import denoise
from mlx_model.sampling.schedule import sigmas
from mlx_model.tasks import recipe_for
from mlx_model.weights.config import LatentConfig, ModelConfig, ShiftConfig, SizeConfig
from tests.known_answers import channels_last, golden_case, relative_error
from tests.mlx_model.conditioning.rgb_profiles import display_p3
from tests.mlx_model.tiny_model import tiny_config

CONFIG = tiny_config()


def test_six_steps_end_where_the_authors_do() -> None:
    case = golden_case("trajectory_fill")
    rows, columns = (2 * side for side in case.grid)
    steps = int(np.array(case.tensors["steps"])[0])
    levels = sigmas(steps, rows * columns // 4, ShiftConfig(tokens=(256, 4096), mu=(0.5, 1.15)))
    guidance = mx.broadcast_to(case.tensors["guidance"], (steps,))
    vectors = case.transformer.vector(mx.array(levels[:-1]), guidance, case.tensors["pooled"])
    modulation = schedule_modulation(case.config, dict(case.modulation), vectors, dtype=mx.float32)
    text = case.transformer.embed_text(case.tensors["context"])
    velocity = stages.velocity_of(case.transformer, text, case.condition, modulation, (rows, columns), lambda: None)
    end = denoise(velocity, channels_last(case.tensors["noise"]), levels)
    error = relative_error(end, channels_last(case.tensors["latent"]))
    assert error <= 3e-5, f"six Euler steps: {error:.1e}"


def test_a_mask_at_both_ends_of_a_long_picture_is_worked_on_where_it_is_largest() -> None:
    picture, mask = (Picture(np.full((16, 640, 4), 255, np.uint8)) for _ in range(2))
    mask.pixels[..., :3] = 0
    mask.pixels[:, :4, :3] = 255
    mask.pixels[:, -9:, :3] = 255
    pictures = {digest(picture): picture, digest(mask): mask}
    request = EditRequest("make it blue", picture=digest(picture), mask=digest(mask), task="instruct")
    region = stages.plan(request, recipe_for(request, "fft"), pictures, CONFIG).region
    assert region.cut
    assert region.box[0] <= 631 < 640 <= region.box[0] + region.box[2]


def test_a_cut_out_subject_is_seen_as_large_as_the_mask_that_it_goes_into() -> None:
    picture, mask, photo, cutout = (
        Picture(np.full((*shape, 4), 255, np.uint8)) for shape in ((64, 64), (64, 64), (300, 400), (300, 400))
    )
    mask.pixels[..., :3] = cutout.pixels[..., :3] = 0
    mask.pixels[16:48, 8:40, :3] = 255  # 32 x 32
    cutout.pixels[100:160, 250:290, :3] = 255  # a small subject, far from the photo's middle
    photo.pixels[100:160, 250:290, :3] = (255, 0, 0)
    pictures = {digest(one): one for one in (picture, mask, photo, cutout)}
    request = EditRequest(
        "put it here",
        picture=digest(picture),
        mask=digest(mask),
        references=(Reference(digest(photo), digest(cutout)),),
        region=(0, 0, 64, 64),
    )
    config = replace(CONFIG, size=SizeConfig(64, 64, 16, references_in_place=True))
    recipe = recipe_for(request, "fft")
    plan = stages.plan(request, recipe, pictures, config)
    assert plan.crops == ((232, 92, 75, 75),)
    assert plan.region.references == ((8, 16, 32, 32),)
    canvas = stages.draw(plan, request, recipe, pictures)
    red = (canvas.pixels[:, :64] == (1, -1, -1)).all(2)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert abs(len(rows) - 0.8 * 32) <= 2
    assert abs(rows.mean() - 31.5) <= 1
    assert abs(columns.mean() - 23.5) <= 1
    assert not canvas.pixels[:16, :64].any(), "mid grey around it"
    whole = stages.plan(replace(request, mask=None, task="subject"), recipe, pictures, config)
    assert whole.crops == (None,), "without a mask a reference stands beside the picture, whole"


@pytest.mark.parametrize("turned", [False, True])
def test_a_slender_cut_out_fills_a_mask_of_its_shape(turned: bool) -> None:
    picture, mask, photo, cutout = (Picture(np.full((96, 96, 4), 255, np.uint8)) for _ in range(4))
    mask.pixels[..., :3] = cutout.pixels[..., :3] = 0
    photo.pixels[..., 1:3] = 0
    mask.pixels[32:64, 0:96, :3] = 255
    cutout.pixels[20:30, 30:60, :3] = 255
    if turned:
        mask, cutout = (Picture(one.pixels.swapaxes(0, 1).astype(np.uint8, "C")) for one in (mask, cutout))
    pictures = {digest(one): one for one in (picture, mask, photo, cutout)}
    references = (Reference(digest(photo), digest(cutout)),)
    request = EditRequest("put it here", picture=digest(picture), mask=digest(mask), references=references)
    config = replace(CONFIG, size=SizeConfig(96, 72, 16, references_in_place=True))
    recipe = recipe_for(request, "fft")
    plan = stages.plan(request, recipe, pictures, config)
    canvas = stages.draw(plan, request, recipe, pictures)
    assert plan.region.worked == (96, 96)
    red = canvas.pixels[:, :96, 0] > 0.5
    sides = [len(np.flatnonzero(red.any(axis))) for axis in ((1, 0) if turned else (0, 1))]
    assert abs(sides[0] - 0.8 * 96) <= 4
    assert abs(sides[1] - 0.8 * 32) <= 4


def test_latents_are_scaled_both_ways(tiny_model: Path) -> None:
    autoencoder = Parts(tiny_model, CONFIG).autoencoder(lambda: None)
    pixels = np.random.default_rng(0).uniform(-1, 1, (32, 48, 3)).astype(np.float32)
    plain = stages.encode(autoencoder, pixels, LatentConfig(1.0, 0.0), lambda: None)
    scaled = stages.encode(autoencoder, pixels, LatentConfig(0.3611, 0.1159), lambda: None)
    assert plain.shape == (1, 4, 6, 16)
    assert np.allclose(np.array(scaled), 0.3611 * (np.array(plain) - 0.1159), atol=1e-6)
    images = [
        stages.decode(autoencoder, latent, config, lambda: None)
        for latent, config in ((plain, LatentConfig(1.0, 0.0)), (scaled, LatentConfig(0.3611, 0.1159)))
    ]
    assert images[0].shape == (32, 48, 3)
    assert np.abs(images[0] - images[1]).max() < 1e-5


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.0])
def test_a_decoder_s_unusable_numbers_are_noticed(number: float) -> None:
    class Broken:
        def decode(self, raw: mx.array, _: object) -> mx.array:
            return mx.full((1, raw.shape[1] * 8, raw.shape[2] * 8, 3), number)

    with pytest.raises(ArithmeticError, match="decoded"):
        stages.decode(Broken(), mx.zeros((1, 2, 2, 16)), CONFIG.latent, lambda: None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", ["fft", "fill"])
def test_conditions_fill_the_token_up(tiny_model: Path, kind: str) -> None:
    config = tiny_config("fft" if kind == "fft" else "fill")
    autoencoder = Parts(tiny_model, config).autoencoder(lambda: None)
    region = plan_region((64, 48), None, [(32, 32)], config.size, keep_pixels=True)
    reference = np.full((32, 32, 3), 200, np.uint8)
    canvas = build_canvas(region, np.full((48, 64, 3), 9, np.uint8), None, [(reference, None)], 0.5)
    tokens = stages.encode_canvas(autoencoder, canvas, config, lambda: None)
    width, height = region.canvas_size
    assert tokens.shape == (1, width * height // 256, config.transformer.in_channels - 64)
    mask = np.array(tokens[0, :, -256:]).reshape(height // 16, width // 16, 256)
    edge = sum(region.columns) // 16
    assert (mask[:, :edge] == 0).all(), "the reference is kept"
    assert (mask[:, edge:] == 1).all(), "everything else may change"


def test_the_target_is_what_stands_beside_the_references() -> None:
    region = plan_region((64, 48), None, [(32, 32)], CONFIG.size, keep_pixels=True)
    canvas = build_canvas(region, None, None, [(np.zeros((32, 32, 3), np.uint8), None)], 1.0)
    width, height = region.canvas_size
    latent = mx.broadcast_to(mx.arange(width // 8)[None, None, :, None], (1, height // 8, width // 8, 16))
    target = stages.target_of(latent, canvas)
    assert target.shape[2] * 8 == region.worked[0]
    assert target[0, 0, 0, 0].item() == sum(region.columns) // 8


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        ("make the circle red", None),
        ("재킷을 빨간색으로 바꿔 줘", "does not know"),
        ("make it 빨간 red", None),
        ("a " * 40, "longer than"),
    ],
)
def test_instructions_that_will_not_be_understood_are_told(tiny_model: Path, words: str, warning: str | None) -> None:
    parts = Parts(tiny_model, CONFIG)
    text = stages.encode_text(parts.text(lambda: None), parts.tokenizers, words, lambda: None)
    assert text.context.shape == (1, 32, 24)
    assert text.pooled.shape == (1, 16)
    if warning is None:
        assert text.warnings == ()
    else:
        assert len(text.warnings) == 1
        assert warning in text.warnings[0]


def grey(width: int, height: int, value: int = 90) -> Picture:
    return Picture(np.full((height, width, 4), (value, value, value, 255), np.uint8))


PICTURE, MASK, SMALL = grey(80, 64), grey(80, 64, 255), grey(40, 64, 255)
EMPTY = grey(80, 64, 128)  # exactly the threshold: not above it
PICTURES = {digest(p): p for p in (PICTURE, MASK, SMALL, EMPTY)}
EDIT = EditRequest("a star", picture=digest(PICTURE), mask=digest(MASK))


def planned(request: EditRequest, config: ModelConfig = CONFIG) -> stages.Plan:
    return stages.plan(request, recipe_for(request, config.kind), PICTURES, config)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"picture": "0" * 64}, "the picture 000000000000 was named but not given"),
        ({"mask": "0" * 64}, "the mask 000000000000"),
        ({"references": (Reference("0" * 64),)}, "the reference 000000000000"),
        ({"mask": digest(SMALL)}, "the mask is 40 x 64 pixels, the picture 80 x 64"),
        ({"mask": digest(EMPTY)}, "the mask is empty"),
        ({"region": (90, 0, 10, 10)}, "outside the picture"),
        ({"picture": None, "mask": None, "size": (8, 64)}, "sides of 16 to 8192 pixels, not 8 x 64"),
        ({"picture": None, "mask": None, "size": (64, 9000)}, "not 64 x 9000"),
        ({"picture": None, "mask": None, "size": (801, 100)}, "not 801 x 100: 801 x 201 or 400 x 100 would work"),
        ({"picture": None, "mask": None, "size": (20, 400)}, "not 20 x 400: 100 x 400 or 20 x 80 would work"),
        ({"mask": digest(EMPTY), "task": "control"}, "the mask is empty"),
        ({"mask": digest(EMPTY), "control": "grey"}, "the mask is empty"),
        ({"size": (64, 8)}, "the model works at sizes of 16 to 8192 pixels, not 64 x 8"),
        ({"size": (512, 512)}, "a working size of 512 x 512 needs more than the 256 tokens"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(changes: dict[str, object], says: str) -> None:
    with pytest.raises(RequestError) as caught:
        planned(replace(EDIT, **changes))  # pyright: ignore[reportArgumentType]
    assert says in str(caught.value)


def test_an_empty_mask_means_everything_where_no_mask_is_needed() -> None:
    plan = planned(EditRequest("bluer", picture=digest(PICTURE), mask=digest(EMPTY), task="instruct"))
    assert plan.mask is None
    assert plan.mask_empty
    assert plan.region.box == (0, 0, 80, 64)


@pytest.mark.parametrize("size", [(801, 201), (400, 100), (100, 400), (16, 64)])
def test_a_new_picture_up_to_four_to_one_is_made_whole(size: tuple[int, int]) -> None:
    assert planned(EditRequest("a star", size=size)).region.box == (0, 0, *size)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (EditRequest("x", picture=digest(PICTURE), control="depth"), "depth model"),
        (EditRequest("x", picture=digest(PICTURE), control="as-is"), "give one"),
        (
            EditRequest("x", picture=digest(PICTURE), control_picture=digest(SMALL)),
            "the control picture is 40 x 64",
        ),
    ],
)
def test_a_control_that_cannot_be_used_says_why(request_: EditRequest, says: str) -> None:
    with pytest.raises(RequestError) as caught:
        stages.draw(planned(request_), request_, recipe_for(request_, "fft"), PICTURES)
    assert says in str(caught.value)


def test_an_own_control_picture_is_what_the_model_sees() -> None:
    request = EditRequest("sharper", picture=digest(PICTURE), control_picture=digest(MASK))
    canvas = stages.draw(planned(request), request, recipe_for(request, "fft"), PICTURES)
    assert (canvas.pixels == 1).all(), "white, not the picture's grey, at repainting scale 0"


def test_a_new_picture_starts_from_grey_of_the_size_asked_for() -> None:
    request = EditRequest("a star", size=(96, 48))
    plan = planned(request)
    canvas = stages.draw(plan, request, recipe_for(request, "fft"), PICTURES)
    assert plan.size == (96, 48)
    assert not canvas.pixels.any()
    assert canvas.mask.all()


def large(transparent: bool) -> Picture:
    """Make 24 megapixels of 16 bits in a profile of their own."""
    pixels = np.empty((4000, 6000, 4), np.uint16)
    pixels[:] = np.arange(6000, dtype=np.uint16)[None, :, None] * 10
    if not transparent:
        pixels[..., 3] = 65535
    return Picture(pixels, display_p3())


@pytest.mark.parametrize("masked", [True, False], ids=["masked", "transparent"])
def test_a_large_picture_can_be_given_up_within_a_second(masked: bool) -> None:
    """Between two asks lies less than a second of processor time, whatever the stage."""
    picture, mask = large(transparent=not masked), large(transparent=False)
    pictures = {"picture": picture, "mask": mask}
    request = EditRequest("bluer", picture="picture", mask="mask" if masked else None, task="instruct")
    recipe = recipe_for(request, "fft")
    config = replace(CONFIG, size=SizeConfig(native=1024, max_tokens=4096, multiple=16))
    asked = [time.process_time()]

    def tick() -> None:
        asked.append(time.process_time())

    longest: dict[str, float] = {}

    def gap(stage: str) -> None:
        tick()
        longest[stage] = max(after - before for before, after in pairwise(asked))
        asked[:] = [time.process_time()]

    plan = stages.plan(request, recipe, pictures, config, tick)
    gap("plan")
    canvas = stages.draw(plan, request, recipe, pictures, tick)
    gap("draw")
    made = np.asarray((canvas.pixels + 1) / 2, np.float32)
    full, _ = stages.deliver(plan, request, made, tick)
    gap("deliver")
    assert full.size == picture.size
    assert max(longest.values()) < 1, longest


def test_a_new_picture_can_be_given_up_within_a_second() -> None:
    request = EditRequest("a star", size=(8192, 8192))
    plan = planned(request)
    made = np.full((*plan.region.worked[::-1], 3), 0.5, np.float32)
    asked = [time.process_time()]
    picture, _ = stages.deliver(plan, request, made, lambda: asked.append(time.process_time()))
    asked.append(time.process_time())
    assert picture.size == (8192, 8192)
    longest = max(after - before for before, after in pairwise(asked))
    assert longest < 1, f"{longest:.2f} s"
