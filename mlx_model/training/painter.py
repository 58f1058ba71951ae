"""Scenes through the model, many at once, up to the decoded picture: what comes before anything is pasted back.

The stages are those of an edit (:mod:`mlx_model.stages`); what is different is that scenes whose canvases are of one
size share a batch, each with its own noise, words and modulation. A test compares the result with the editor's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlx_model import stages
from mlx_model.conditioning.canvas import Canvas
from mlx_model.conditioning.paste_back import new_picture
from mlx_model.conditioning.region import Region
from mlx_model.networks.modulation import ModulationLayers, in_type
from mlx_model.networks.transformer import Transformer
from mlx_model.parts import Parts
from mlx_model.request import EditRequest, Picture, Reference, RequestError, digest
from mlx_model.runtime import mx
from mlx_model.sampling.denoise import denoise, noise
from mlx_model.sampling.schedule import sigmas
from mlx_model.tasks import recipe_for
from mlx_model.training.scenes import Scene
from mlx_model.weights.config import ModelConfig
from mlx_model.weights.model_folder import load_weights, read_tensors

Rgb = NDArray[np.uint8]

BATCH: Final = 16


@dataclass(frozen=True, eq=False)
class Networks:
    """What turns noise into a picture: the transformer and its modulation layers."""

    transformer: Transformer
    modulation: ModulationLayers


@dataclass(frozen=True, eq=False)
class Order:
    """A scene as the networks take it: what stands beside the noise, (1, N, in_channels - 64), words, and a seed."""

    region: Region
    canvas: Canvas
    condition: mx.array
    text: stages.Text
    seed: int


class Painter:
    """Makes pictures of scenes with the model in ``folder``, of the kind that does every task ("fft").

    Raises:
        RequestError: the folder holds no usable model, or one of another kind.
    """

    def __init__(self, folder: Path, steps: int | None = None):
        self.model: Final = ModelConfig.load(folder)
        if self.model.kind != "fft":
            raise RequestError(f'the model "{self.model.name}" only fills; scenes need an ACE++ FFT model')
        self.steps: Final = steps or self.model.sampling.steps
        self._parts = Parts(folder, self.model)

    def trained(self) -> Networks:
        """Load the model's own weights."""
        transformer, _ = self._parts.transformer((), _no_tick)
        modulation = ModulationLayers(self.model.transformer)
        load_weights(modulation, read_tensors(self._parts.folder / "modulation.safetensors"))
        return Networks(transformer, modulation)

    def untrained(self, seed: int) -> Networks:
        """Make the same networks with random weights, as training begins with them."""
        mx.random.seed(seed)
        return Networks(Transformer(self.model.transformer), ModulationLayers(self.model.transformer))

    def order(self, scene: Scene, seed: int) -> Order:
        """Carry a scene to where denoising begins. The model sees the whole picture."""
        request, pictures = request_of(scene, seed)
        recipe = recipe_for(request, self.model.kind)
        plan = stages.plan(request, recipe, pictures, self.model)
        canvas = stages.draw(plan, request, recipe, pictures)
        text = stages.encode_text(self._parts.text(_no_tick), self._parts.tokenizers, recipe.instruction, _no_tick)
        condition = stages.encode_canvas(self._parts.autoencoder(_no_tick), canvas, self.model, _no_tick)
        return Order(plan.region, canvas, condition, text, seed)

    def paint(self, orders: Sequence[Order], networks: Networks) -> list[Rgb]:
        """Return the pictures (uint8, H x W x 3) of the orders, in their order."""
        by_size: dict[tuple[int, ...], list[int]] = {}
        for index, order in enumerate(orders):
            by_size.setdefault(order.canvas.mask.shape, []).append(index)
        pictures: dict[int, Rgb] = {}
        for indices in by_size.values():
            for first in range(0, len(indices), BATCH):
                some = indices[first : first + BATCH]
                pictures |= zip(some, self._batch([orders[index] for index in some], networks), strict=True)
        return [pictures[index] for index in range(len(orders))]

    def coded(self, picture: Rgb) -> Rgb:
        """Encode and decode a picture (uint8, H x W x 3): the best that can come out, whatever is painted."""
        autoencoder = self._parts.autoencoder(_no_tick)
        pixels = (picture / 127.5 - 1.0).astype(np.float32)
        latent = stages.encode(autoencoder, pixels, self.model.latent, _no_tick)
        made = stages.decode(autoencoder, latent, self.model.latent, _no_tick)
        return np.rint(made * 255).astype(np.uint8)

    def _batch(self, orders: Sequence[Order], networks: Networks) -> list[Rgb]:
        rows, columns = (side // 8 for side in orders[0].canvas.mask.shape)
        levels = sigmas(self.steps, rows * columns // 4, self.model.sampling.shift)
        transformer, count = networks.transformer, len(orders)
        pooled = mx.concatenate([order.text.pooled for order in orders])
        guidance = mx.full((count,), self.model.sampling.guidance)
        text = transformer.embed_text(mx.concatenate([order.text.context for order in orders]))
        modulation = [
            in_type(networks.modulation(transformer.vector(mx.full((count,), level), guidance, pooled)), text.dtype)
            for level in levels[:-1]
        ]
        condition = mx.concatenate([order.condition for order in orders])
        velocity = stages.velocity_of(transformer, text, condition, modulation, (rows, columns), _no_tick)
        shape = (1, rows, columns, self.model.transformer.out_channels // 4)
        latents = denoise(velocity, mx.concatenate([noise(order.seed, shape) for order in orders]), levels)
        return [self._decoded(latent[None], order) for latent, order in zip(latents, orders, strict=True)]

    def _decoded(self, latent: mx.array, order: Order) -> Rgb:
        target = stages.target_of(latent, order.canvas)
        made = stages.decode(self._parts.autoencoder(_no_tick), target, self.model.latent, _no_tick)
        # Where references leave the scene no room at its own size, it is worked on smaller and comes back larger.
        return new_picture(order.region, made).pixels[..., :3].astype(np.uint8)


def request_of(scene: Scene, seed: int) -> tuple[EditRequest, dict[str, Picture]]:
    """Say what a scene asks for in the words of a request, with its pictures by digest."""
    pictures: dict[str, Picture] = {}

    def named(rgb: Rgb | None) -> str | None:
        if rgb is None:
            return None
        picture = Picture(np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]))
        pictures[digest(picture)] = picture
        return digest(picture)

    height, width = scene.mask.shape
    references = (named(reference) for reference in scene.references)
    local = np.repeat(scene.mask[..., None], 3, axis=2).astype(np.uint8) * np.uint8(255)
    request = EditRequest(
        instruction=scene.instruction,
        picture=named(scene.image),
        mask=None if scene.mask.all() else named(local),
        references=tuple(Reference(name) for name in references if name is not None),
        task=scene.task,
        control=scene.control,
        strength=scene.repainting_scale,
        region=None if scene.image is None else (0, 0, width, height),
        size=(width, height) if scene.image is None else None,
        seed=seed,
    )
    return request, pictures


def _no_tick() -> None:
    pass
