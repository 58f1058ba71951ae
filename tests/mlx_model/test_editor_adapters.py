"""Adapters on the road of a request: put on, taken off and exchanged beside one loaded transformer."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlx_model import memory, parts
from mlx_model.editor import Editor
from mlx_model.memory import Fit, Need
from mlx_model.request import Adapter, RequestError, digest
from mlx_model.runtime import mx, tree
from mlx_model.weights.config import QuantizationConfig
from mlx_model.weights.lora import acting_on, read_adapter
from mlx_model.weights.quantize import quantize
from tests.mlx_model.sample_requests import LOCAL, PICTURES, REQUESTS, lora
from tests.mlx_model.tiny_model import tiny_config, write_tiny_model


@pytest.mark.parametrize("layer", ["double_blocks.0.img_attn.qkv", "double_blocks.0.img_mod.lin"])
def test_adapters_go_on_and_off_with_live_strength(tmp_path: Path, layer: str) -> None:
    """Those that reach only into the modulation as well: it is computed anew for them."""
    folder = write_tiny_model(tmp_path / "tiny")
    (tmp_path / "adapters").mkdir()
    mx.save_safetensors(str(tmp_path / "adapters" / "style.safetensors"), lora((layer,)))
    mx.save_safetensors(str(tmp_path / "own.safetensors"), lora((layer,), seed=9))
    style, own = "style", str(tmp_path / "own.safetensors")
    editor = Editor(folder)
    transformer = None

    def made(*adapters: Adapter) -> str:
        nonlocal transformer
        result = digest(editor.edit(replace(LOCAL, adapters=adapters), PICTURES).picture)
        loaded = editor._parts.transformer((), lambda: None)[0]  # pyright: ignore[reportPrivateUsage]
        assert transformer in (None, loaded), "the transformer was loaded again"
        transformer = loaded
        return result

    plain = made()
    results = [
        made(Adapter(style)),
        made(Adapter(style, 0.5)),
        made(Adapter(own)),
        made(Adapter(style), Adapter(own, 0.3)),
    ]
    assert len({plain, *results}) == 5
    assert made(Adapter(style, 0.0)) == plain
    assert made(Adapter(style)) == results[0]
    assert made() == plain


@pytest.mark.parametrize("strengths", [(1.0,), (0.5,), (1.0, 0.5)])
def test_adapters_are_in_memory_once_whatever_their_strengths(strengths: tuple[float, ...]) -> None:
    layer = "double_blocks.0.img_attn.qkv"
    adapters = [read_adapter(lora((layer,)), tiny_config().transformer, strength) for strength in strengths]
    for adapter, (update, strength) in zip(adapters, acting_on(adapters, layer), strict=True):
        assert update is adapter.updates[layer][0]
        assert strength == adapter.strength


def test_a_fill_model_takes_the_adapter_of_the_task(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny", "fill")
    editor = Editor(folder)
    with pytest.raises(RequestError) as caught:
        editor.edit(LOCAL, PICTURES)
    assert f"{tmp_path / 'adapters' / 'local'}.safetensors" in str(caught.value)
    (folder / "adapters").mkdir()
    tensors = lora(("double_blocks.0.img_attn.qkv",)) | {"lora_te1_x.lora_down.weight": mx.zeros((1, 1))}
    mx.save_safetensors(str(folder / "adapters" / "local.safetensors"), tensors)
    result = editor.edit(LOCAL, PICTURES)
    assert result.request.adapters == (Adapter("local"),)
    assert ["text encoder" in warning for warning in result.warnings] == [True]
    with pytest.raises(RequestError, match="FFT"):
        editor.edit(REQUESTS["instruct"], PICTURES)


def counting(read: Counter[str], function: Callable[..., Any]) -> Callable[..., Any]:
    """Count which files a function is given first."""

    def called(path: Path, *rest: Any, **named: Any) -> Any:
        read[path.name] += 1
        return function(path, *rest, **named)

    return called


def test_switching_the_task_of_a_quantized_fill_model_reads_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The three LoRAs of ACE++ over one base: only the modulation is computed anew, and that is timed apart."""
    folder = write_tiny_model(tmp_path / "tiny", "fill")
    settings = QuantizationConfig(group_size=32, bits=4)
    base = Editor(folder)._parts.transformer((), lambda: None)[0]  # pyright: ignore[reportPrivateUsage]
    quantize(base, settings)
    mx.save_safetensors(str(folder / "transformer.safetensors"), dict(tree.tree_flatten(base.parameters())))
    replace(tiny_config("fill"), quantization=settings).save(folder)
    (folder / "adapters").mkdir()
    for seed, name in enumerate(("local", "subject", "portrait")):
        layers = ("double_blocks.0.img_attn.qkv", "double_blocks.0.img_mod.lin")
        mx.save_safetensors(str(folder / "adapters" / f"{name}.safetensors"), lora(layers, seed=seed))
    read: Counter[str] = Counter()
    monkeypatch.setattr(parts, "read_tensors", counting(read, parts.read_tensors))
    monkeypatch.setattr(parts, "read_adapter", counting(read, parts.read_adapter))
    editor = Editor(folder)
    tasks = ("repaint", "subject", "portrait")
    first = {task: editor.edit(REQUESTS[task], PICTURES) for task in tasks}
    assert [first[task].request.adapters[0].name for task in tasks] == ["local", "subject", "portrait"]
    before = read.copy()
    for task in reversed(tasks):
        again = editor.edit(replace(REQUESTS[task], steps=3), PICTURES)
        assert again.timings["modulation"] > 0, "another schedule: its pass is told apart from loading"
        assert digest(editor.edit(REQUESTS[task], PICTURES).picture) == digest(first[task].picture)
    assert read == before, "neither the base nor an adapter was read again"
    assert read["transformer.safetensors"] == 1


def test_idle_adapters_go_before_anything_runs_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_tiny_model(tmp_path / "tiny", "fill")
    (folder / "adapters").mkdir()
    for name in ("local", "subject"):
        tensors = lora(("double_blocks.0.img_attn.qkv",))
        mx.save_safetensors(str(folder / "adapters" / f"{name}.safetensors"), tensors)
    needs: list[Need] = []
    check = memory.check

    def checked(*given: Any) -> Fit:
        found = check(*given)
        needs.append(found.need)
        return found

    monkeypatch.setattr(memory, "check", checked)
    requests = [REQUESTS[task] for task in ("repaint", "subject")]
    plain = [digest(Editor(folder).edit(request, PICTURES).picture) for request in requests]
    enough = max(need.all_kept for need in needs)
    # The larger request last: it is the one that finds another's adapter in its way.
    order = sorted((0, 1), key=lambda index: needs[index].all_kept)
    for limit, kept in ((enough + 2**20, 2), (enough, 1)):
        editor = Editor(folder, memory_limit=limit)
        for index in order:
            made = digest(editor.edit(requests[index], PICTURES).picture)
            assert made == plain[index], f"with {limit} bytes"
        assert len(editor._parts._adapters) == kept, f"with {limit} bytes"  # pyright: ignore[reportPrivateUsage]
