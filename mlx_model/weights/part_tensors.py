"""The tensors of a part's files by name, with their shapes: those that its modules load, laid out as released."""

from collections.abc import Iterable

from mlx_model.library.tensor_entry import TensorEntry
from mlx_model.networks.autoencoder import Autoencoder
from mlx_model.networks.clip import ClipTextEncoder
from mlx_model.networks.modulation import ModulationLayers
from mlx_model.networks.t5 import T5Encoder
from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.networks.transformer import Transformer
from mlx_model.runtime import mx, nn, tree
from mlx_model.weights.config import ModelConfig, TinyAutoencoderConfig
from mlx_model.weights.policy import Part


def part_tensors(
    part: Part, config: ModelConfig, entries: Iterable[TensorEntry] = ()
) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the shapes of every tensor by file and name; convolutions are (out, in, height, width).

    ``entries`` are those of the source: the preview decoder's width stands in no config.
    """
    return {f"{file}.safetensors": _shapes(module) for file, module in _modules(part, config, entries).items()}


def _modules(part: Part, config: ModelConfig, entries: Iterable[TensorEntry]) -> dict[str, nn.Module]:
    """Build the modules of a part; nothing of them is evaluated, so they take no memory."""
    match part:
        case "transformer":
            sizes = config.transformer
            return {"transformer": Transformer(sizes), "modulation": ModulationLayers(sizes)}
        case "t5":
            return {"t5": T5Encoder(config.t5)}
        case "clip":
            return {"clip": ClipTextEncoder(config.clip)}
        case "autoencoder":
            sizes = config.autoencoder
            tiny = isinstance(sizes, TinyAutoencoderConfig)
            return {"autoencoder": TinyAutoencoder(sizes) if tiny else Autoencoder(sizes)}
        case "preview_decoder":
            latents = config.transformer.out_channels // 4
            # the first convolution is the only one with the latent's channels as its inputs
            widths = [e.shape[0] for e in entries if len(e.shape) == 4 and e.shape[1] == latents]
            widest = TinyAutoencoderConfig("tiny", widths[0] if widths else 64, latents)
            return {"preview_decoder": TinyAutoencoder(widest, encoder=False)}


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    parameters: dict[str, mx.array] = dict(tree.tree_flatten(module.parameters()))
    return {
        name: (s[0], s[3], s[1], s[2]) if len(s := parameter.shape) == 4 else s
        for name, parameter in parameters.items()
    }
