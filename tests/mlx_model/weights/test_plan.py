"""A plan knows every byte from names and shapes alone: each row has one place, and what does not fit is named."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_model.library.errors import LibraryError
from mlx_model.library.tensor_entry import TensorEntry
from mlx_model.request import RequestError
from mlx_model.runtime import mx
from mlx_model.weights.config import ModelConfig, QuantizationConfig, TransformerConfig
from mlx_model.weights.part_tensors import part_tensors
from mlx_model.weights.plan import Plan, plan
from mlx_model.weights.policy import BITS, GROUP_SIZES, Part, keeping
from mlx_model.weights.source_layouts import LAYOUTS, Layout, recognise
from tests.mlx_model.tiny_model import tiny_config
from tests.mlx_model.weights.sources import FULL_SIZE, entries_of, released

EVERY_PACKING = [None, *(QuantizationConfig(group_size, bits) for group_size in GROUP_SIZES for bits in BITS)]
FOUR = QuantizationConfig(64, 4)


def entries_in(layout: Layout, part: Part, config: ModelConfig, dtype: str = "BF16") -> list[TensorEntry]:
    """Describe the files of a model in a layout."""
    shapes = {name: shape for tensors in part_tensors(part, config).values() for name, shape in tensors.items()}
    return entries_of(
        {
            name: (sum(rows for _, rows in place.pieces), *shapes[place.name][1:])
            for name, place in layout.places(shapes, config).items()
        },
        dtype,
    )


def require_every_row_once(planned: Plan, entries: list[TensorEntry]) -> None:
    rows_of = {entry.name: entry.shape[0] for entry in entries}
    writes: dict[str, list[tuple[int, int]]] = {name: [] for name in planned.outputs}
    for name, step in planned.steps.items():
        require_tiled([(move.first, move.rows) for move in step.moves], rows_of[name], name)
        for output in step.outputs:
            writes[output] += [(move.at, move.rows) for move in step.moves]
    for name, output in planned.outputs.items():
        require_tiled(sorted(writes[name]), output.shape[0], name)


def require_tiled(spans: list[tuple[int, int]], rows: int, name: str) -> None:
    """Assert that spans (first row, number of rows) cover a tensor, one behind the other."""
    at = 0
    for first, count in spans:
        assert first == at, f"row {at} of {name}"
        at += count
    assert at == rows, name


def require_no_holes(planned: Plan) -> None:
    for file in planned.files:
        at = len(file.header)
        for output in file.outputs.values():
            assert output.start == at
            at = output.stop
        assert at == file.size


# Full size.


@pytest.mark.parametrize(("checkpoint", "channels"), [("ace_plus_fft", 448), ("flux1_fill_dev", 384)])
def test_the_released_transformers_are_planned_tensor_by_tensor_and_take_no_memory(
    checkpoint: str, channels: int
) -> None:
    config = replace(FULL_SIZE, transformer=replace(FULL_SIZE.transformer, in_channels=channels))
    entries = released(checkpoint)
    mx.reset_peak_memory()
    before = mx.get_peak_memory()
    planned = plan("transformer", entries, config, FOUR)
    assert mx.get_peak_memory() - before < 1 << 20
    assert set(planned.steps) == {entry.name for entry in entries}
    require_every_row_once(planned, entries)
    require_no_holes(planned)
    packed, plain = 0, 0
    for entry in entries:
        if keeping("transformer", entry.name) == "quantized":
            packed += math.prod(entry.shape)
        else:
            plain += math.prod(entry.shape)
    data = packed * (4 + 2 * 16 / 64) / 8 + plain * 2
    assert planned.size == data + sum(len(file.header) for file in planned.files)
    assert {file.name for file in planned.files} == {"transformer.safetensors", "modulation.safetensors"}
    assert packed / (packed + plain) > 0.99


def test_the_sizes_of_the_released_model_are_those_of_its_parameters() -> None:
    files: dict[Part, list[TensorEntry]] = {
        "transformer": released("ace_plus_fft"),
        "autoencoder": entries_of({e.name: e.shape for e in released("ae")}, "F32"),
        "t5": entries_in(LAYOUTS[3], "t5", FULL_SIZE),
        "clip": entries_in(LAYOUTS[5], "clip", FULL_SIZE, "F16"),
    }
    sizes = {part: plan(part, entries, FULL_SIZE, None).size for part, entries in files.items()}
    listed = {"transformer": 23.8e9, "autoencoder": 335_304_388, "t5": 9.52e9, "clip": 246e6}  # as on the hub
    for part, size in sizes.items():
        assert size == pytest.approx(listed[part], rel=4e-3), part


# Any size.


transformers = st.builds(
    TransformerConfig,
    in_channels=st.sampled_from([384, 448]),
    out_channels=st.just(64),
    hidden_size=st.sampled_from([32, 48, 64, 128]),
    num_heads=st.just(2),
    axes_dim=st.just((4, 6, 6)),
    theta=st.just(10000.0),
    vec_in_dim=st.sampled_from([16, 64]),
    context_in_dim=st.sampled_from([24, 64]),
    mlp_ratio=st.sampled_from([2.0, 4.0]),
    qkv_bias=st.booleans(),
    depth=st.integers(1, 3),
    depth_single_blocks=st.integers(1, 3),
    guidance_embed=st.booleans(),
)


@settings(max_examples=25, deadline=None)
@given(transformers, st.sampled_from(LAYOUTS[:3]), st.sampled_from(EVERY_PACKING), st.sampled_from(["BF16", "F32"]))
def test_every_row_of_a_transformer_is_written_once(
    sizes: TransformerConfig, layout: Layout, quantization: QuantizationConfig | None, dtype: str
) -> None:
    config = replace(tiny_config(), transformer=sizes)
    entries = entries_in(layout, "transformer", config, dtype)
    planned = plan("transformer", entries, config, quantization)
    assert planned.layout == layout.name
    require_every_row_once(planned, entries)
    require_no_holes(planned)


@pytest.mark.parametrize("layout", LAYOUTS[3:], ids=lambda layout: f"{layout.parts[0]}-{layout.name}")
def test_every_row_of_the_other_parts_is_written_once(layout: Layout) -> None:
    part = layout.parts[-1]
    config = FULL_SIZE if part in ("clip", "autoencoder") else tiny_config()
    entries = entries_in(layout, part, config)
    assert recognise(entry.name for entry in entries) is layout
    planned = plan(part, entries, config, FOUR)
    require_every_row_once(planned, entries)
    require_no_holes(planned)


@pytest.mark.parametrize("quantization", EVERY_PACKING, ids=str)
def test_quantized_shapes_show_bits_and_group_size(quantization: QuantizationConfig | None) -> None:
    config = replace(tiny_config(), transformer=replace(tiny_config().transformer, hidden_size=128))
    outputs = plan("transformer", entries_in(LAYOUTS[0], "transformer", config), config, quantization).outputs
    assert outputs["img_in.weight"].dtype == "BF16"
    weight = outputs["single_blocks.1.linear2.weight"]
    if quantization is None:
        assert (weight.dtype, weight.shape) == ("BF16", (128, 384))
    else:
        assert (weight.dtype, weight.shape) == ("U32", (128, 384 * quantization.bits // 32))
        for part in ("scales", "biases"):
            scales = outputs[f"single_blocks.1.linear2.{part}"]
            assert (scales.dtype, scales.shape) == ("BF16", (128, 384 // quantization.group_size))


def test_inputs_that_do_not_fill_groups_stay_in_full_precision() -> None:
    config = tiny_config()  # 32 wide, the MLP 64
    outputs = plan("transformer", entries_in(LAYOUTS[0], "transformer", config), config, FOUR).outputs
    assert outputs["double_blocks.0.img_attn.qkv.weight"].dtype == "BF16"
    assert outputs["double_blocks.0.img_mlp.2.weight"].dtype == "U32"


# What does not fit.


def test_all_that_does_not_fit_is_named_in_one_sentence() -> None:
    config = tiny_config()
    shapes = {entry.name: entry.shape for entry in entries_in(LAYOUTS[0], "transformer", config)}
    del shapes["txt_in.bias"]
    shapes["double_blocks.7.img_attn.proj.bias"] = (32,)
    shapes["img_in.weight"] = (32, 384)
    with pytest.raises(LibraryError) as error:
        plan("transformer", entries_of(shapes), config, None)
    for part in (
        "missing: txt_in.bias",
        "unknown: double_blocks.7.img_attn.proj.bias",
        "wrong shape: img_in.weight is (32, 384), not (32, 448)",
    ):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.parts[0]}-{layout.name}")
def test_a_missing_tensor_is_named_as_its_file_would_name_it(layout: Layout) -> None:
    part = layout.parts[-1]
    config = FULL_SIZE if part == "autoencoder" else tiny_config()
    entries = entries_in(layout, part, config)
    gone = entries.pop(len(entries) // 2)
    with pytest.raises(LibraryError, match=rf"missing: {gone.name}".replace(".", r"\.")):
        plan(part, entries, config, None)


def test_another_part_is_told_from_the_wanted_one() -> None:
    with pytest.raises(LibraryError, match="hold no transformer, but a t5 in the layout of transformers"):
        plan("transformer", entries_in(LAYOUTS[3], "t5", tiny_config()), tiny_config(), None)
    with pytest.raises(LibraryError, match="the files hold no preview decoder that is known; choose"):
        plan("preview_decoder", entries_of({"lora_unet_img_in.lora_down.weight": (4, 448)}), tiny_config(), None)


def test_a_tensor_that_stands_in_two_shards_is_named() -> None:
    entries = entries_in(LAYOUTS[0], "transformer", tiny_config())
    with pytest.raises(LibraryError, match=r"img_in\.weight twice"):
        plan("transformer", [*entries, next(e for e in entries if e.name == "img_in.weight")], tiny_config(), None)


@pytest.mark.parametrize("beside", ["text_model.embeddings.position_ids", "text_projection.weight", "logit_scale"])
def test_what_files_carry_beside_a_part_is_left_out(beside: str) -> None:
    entries = entries_in(LAYOUTS[5], "clip", tiny_config())
    planned = plan("clip", [*entries, *entries_of({beside: (1, 7)})], tiny_config(), None)
    assert beside not in planned.steps
    assert len(planned.steps) == len(entries)


def test_t5s_embedding_is_taken_from_either_name_once() -> None:
    entries = entries_in(LAYOUTS[3], "t5", tiny_config())
    twin = "encoder.embed_tokens.weight"
    other = [replace(entry, name=twin) if entry.name == "shared.weight" else entry for entry in entries]
    assert plan("t5", other, tiny_config(), None).steps[twin].target == "shared.weight"
    both = plan("t5", [*entries, next(entry for entry in other if entry.name == twin)], tiny_config(), None)
    assert twin not in both.steps
    neither = [entry for entry in entries if entry.name != "shared.weight"]
    with pytest.raises(LibraryError, match=r"missing: shared\.weight"):
        plan("t5", neither, tiny_config(), None)


def test_fp8_is_no_source_of_quantization() -> None:
    entries = entries_in(LAYOUTS[0], "transformer", tiny_config(), "F8_E4M3")
    with pytest.raises(LibraryError, match="fp8 in these files, too coarse to be quantized again"):
        plan("transformer", entries, tiny_config(), FOUR)
    assert plan("transformer", entries, tiny_config(), None).outputs["img_in.weight"].dtype == "BF16"


def test_integers_are_no_weights() -> None:
    entries = entries_in(LAYOUTS[0], "transformer", tiny_config(), "I16")
    with pytest.raises(LibraryError, match="is held as I16, which is no format of weights"):
        plan("transformer", entries, tiny_config(), None)


@pytest.mark.parametrize("wanted", [QuantizationConfig(64, 7), QuantizationConfig(48, 4)])
def test_a_packing_that_there_is_not_is_refused(wanted: QuantizationConfig) -> None:
    with pytest.raises(RequestError, match="choose 3, 4, 5, 6, 8 bits and groups of 32, 64, 128"):
        plan("transformer", entries_in(LAYOUTS[0], "transformer", tiny_config()), tiny_config(), wanted)
